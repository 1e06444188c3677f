//! Made-up rows beside the first ones of a match. The same match always has the same.

use fastrand::Rng;
use riftsync::model::details::{BanRecord, Cell, Column, Details, Kind, SHEETS, TEAMS, TeamRecord};
use riftsync::model::timeline_details::{
    EventRecord, Lists, MINUTE, Minute, ParticipantTimeline, TimelineDetails,
};

/// Cells as documents have them: some say nothing.
fn cells(columns: &[Column], rng: &mut Rng) -> Vec<Cell> {
    let cell = |column: &Column| match (rng.u8(0..4), column.kind) {
        (0, _) => None,
        (_, Kind::Flag) => Some(rng.i32(0..2)),
        (1, Kind::Int) => Some(rng.i32(..)),
        (1, Kind::Small) => Some(rng.i16(..).into()),
        _ => Some(0),
    };
    columns.iter().map(cell).collect()
}

pub fn details(n: u64, participant: usize) -> Details {
    let mut rng = Rng::with_seed(1_000_000 * (n + 1) + u64::try_from(participant).unwrap());
    let cells = SHEETS
        .iter()
        .flat_map(|sheet| cells(sheet.columns, &mut rng));
    Details::new(cells.collect())
}

pub fn teams(n: u64) -> Vec<TeamRecord> {
    [100, 200].map(|team_id| team(team_id, n)).into()
}

pub fn bans(n: u64) -> Vec<BanRecord> {
    (1..=4).map(|ban| a_ban(ban, n)).collect()
}

fn team(team_id: i32, n: u64) -> TeamRecord {
    let mut rng = Rng::with_seed(n + u64::try_from(team_id).unwrap());
    TeamRecord {
        team_id,
        cells: cells(TEAMS.columns, &mut rng),
    }
}

fn a_ban(ban: i32, n: u64) -> BanRecord {
    BanRecord {
        ban,
        team_id: Some(100),
        turn: (ban != 3).then_some(ban),
        champion_id: (!n.is_multiple_of(5)).then_some(ban * 10 - 1),
    }
}

/// A number of a participant at a minute, in the order of [`MINUTE`].
pub fn at_minute(n: u64, participant: i32, minute: usize) -> Minute {
    let mut rng =
        Rng::with_seed(n * 1_000 + u64::try_from(participant).unwrap() * 100 + minute as u64);
    let minutes = i32::try_from(minute).unwrap();
    std::array::from_fn(|at| match (rng.u8(0..30), MINUTE[at]) {
        (0, _) => None,
        (_, "x" | "y") => Some(rng.i32(0..15_000)),
        _ => Some(rng.i32(0..300) * minutes),
    })
}

/// A timeline of so many participants and minutes, with some events.
pub fn timeline(n: u64, participants: i32, minutes: usize) -> TimelineDetails {
    let participants = (1..=participants).map(|participant_id| {
        let (mut lists, mut purchases) = (Lists::default(), Lists::default());
        for minute in 0..minutes {
            lists.push(&at_minute(n, participant_id, minute));
            purchases.push(&[
                Some(1_001 + participant_id),
                (minute != 3).then_some(60_000 * i32::try_from(minute).unwrap()),
            ]);
        }
        ParticipantTimeline {
            participant_id,
            minutes: lists.finish(),
            purchases: purchases.finish(),
        }
    });
    let mut rng = Rng::with_seed(n);
    let mut event = |event: i32, kind: &str, about: Option<&str>| EventRecord {
        event,
        at_ms: Some(event * 30_000),
        kind: Some(kind.to_owned()),
        participant_id: Some(rng.i32(1..=10)),
        victim_id: (kind == "CHAMPION_KILL").then_some(3),
        team_id: Some(if rng.bool() { 100 } else { 200 }),
        x: Some(rng.i32(0..15_000)),
        y: Some(rng.i32(0..15_000)),
        about: about.map(str::to_owned),
        ..EventRecord::default()
    };
    let kinds = [
        ("CHAMPION_KILL", None),
        ("WARD_PLACED", Some("YELLOW_TRINKET")),
        ("ELITE_MONSTER_KILL", Some("DRAGON")),
        ("WARD_PLACED", Some("CONTROL_WARD")),
        ("CHAMPION_KILL", None),
        ("SOMETHING_NEW", None),
    ];
    let events = (0..).zip(kinds.iter().cycle().take(30));
    TimelineDetails {
        participants: participants.collect(),
        events: events
            .map(|(at, (kind, about))| event(at, kind, *about))
            .collect(),
    }
}
