//! Made-up rows beside the first ones of a match. The same match always has the same.

use fastrand::Rng;
use riftsync::model::details::{BanRecord, Cell, Column, Details, Kind, SHEETS, TEAMS, TeamRecord};

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
