//! Made-up matches, and what both databases must make of them.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use riftsync::model::records::{
    Codec, MatchClass, MatchRecord, ParticipantRecord, Payload, PayloadKind, PlayerRecord,
    SeenPlayer, TimelineRecord,
};
use riftsync::model::{
    MatchId, MissingDocument, MissingReason, Outcome, Puuid, RiotId, Timestamp, attempt,
};
use riftsync::store::{Completion, Effect, Fenced, ListEnd, ListedYear, Store, Wanted};
use serde_json::json;

use crate::made_details;
use crate::place::{Place, on_each_store};
use crate::store::{NOW, new_job};

const DAY: Duration = Duration::from_hours(24);

pub fn puuid(n: usize) -> Puuid {
    format!("{n:078}").parse().unwrap()
}

pub fn match_id(n: u64) -> MatchId {
    format!("EUW1_{}", 1_000 + n).parse().unwrap()
}

pub fn payload() -> Payload {
    Payload {
        codec: Codec::Gzip,
        body: riftsync::riot::as_gzip(b"{}"),
    }
}

/// Match `n` of a world of so many players. The same `n` is always the same match.
pub fn game(n: u64, players: usize) -> Arc<MatchRecord> {
    let mut rng = Rng::with_seed(n);
    let start = Timestamp::from_millis(
        1_640_995_200_000 - 3_600_000 * i64::try_from(rng.u64(0..48)).unwrap(),
    );
    let class = match rng.u8(0..10) {
        0 => MatchClass::Void,
        1 => MatchClass::Remake,
        _ => MatchClass::Played,
    };
    let mut pool: Vec<usize> = (0..players).collect();
    rng.shuffle(&mut pool);
    let participants = pool.into_iter().take(10).enumerate();
    let participants = participants.map(|(index, player)| {
        let bot = rng.u8(0..8) == 0;
        // Some documents have no names, and names change.
        let name = (rng.u8(0..4) > 0)
            .then(|| RiotId::new(&format!("P{player} {}", rng.u8(0..3)), "SIM").unwrap());
        ParticipantRecord {
            participant_id: i32::try_from(index).unwrap() + 1,
            player: (!bot).then(|| SeenPlayer {
                puuid: puuid(player),
                riot_id: name,
            }),
            team_id: 100,
            champion_id: rng.i32(1..6),
            champion_name: ["Ryze", "ryze", "Ahri"][rng.usize(0..3)].into(),
            team_position: "TOP".to_owned(),
            role: ["SOLO", "DUO", ""][rng.usize(0..3)].to_owned(),
            lane: ["TOP", "JUNGLE", ""][rng.usize(0..3)].to_owned(),
            kills: rng.i32(0..20),
            deaths: rng.i32(0..10),
            assists: rng.i32(0..30),
            win: rng.bool(),
            gold_earned: rng.i32(0..20_000),
            total_minions_killed: rng.i32(0..300),
            neutral_minions_killed: rng.i32(0..100),
            damage_to_champions: rng.i32(0..90_000),
            vision_score: rng.i32(0..90),
            champ_level: rng.i32(1..19),
            placement: rng.bool().then_some(3),
            subteam_id: None,
            items: [1, 2, 3, 4, 5, 6, 7],
            spells: [4, 14],
            perk_primary_style: 8_000,
            perk_sub_style: 8_100,
            details: made_details::details(n, index),
        }
    });
    let participants = participants.collect();
    Arc::new(MatchRecord {
        id: match_id(n),
        data_version: "2".to_owned(),
        game_creation: start,
        game_start: start,
        game_end: start + Duration::from_secs(n),
        game_duration_s: if class == MatchClass::Void { 0 } else { 1_500 },
        queue_id: 420,
        map_id: 11,
        game_mode: "CLASSIC".to_owned(),
        game_type: "MATCHED_GAME".to_owned(),
        game_version: "15.1".to_owned(),
        end_of_game_result: rng.bool().then(|| "GameComplete".to_owned()),
        year: start.year().unwrap(),
        class,
        participants,
        teams: made_details::teams(n),
        bans: made_details::bans(n),
    })
}

fn timeline(id: MatchId) -> TimelineRecord {
    TimelineRecord {
        id,
        data_version: "2".to_owned(),
        frame_interval_ms: 60_000,
        frame_count: 30,
        event_count: 1_000,
        details: made_details::timeline(1, 10, 25),
    }
}

pub fn stores(record: &Arc<MatchRecord>) -> Effect {
    Effect::Match {
        record: record.clone(),
        payload: payload(),
        key_fingerprint: "f".into(),
    }
}

/// The end of an attempt that wrote this.
pub fn with_effects(effects: Vec<Effect>) -> Arc<Completion> {
    let settlement = attempt::settle(1, 1, Outcome::Complete(json!(null)), Duration::ZERO, NOW);
    Arc::new(Completion {
        effects,
        ..Completion::of(settlement)
    })
}

/// Writes each list of effects with the end of a job of its own, all at once.
pub async fn write(store: &dyn Store, effects: Vec<Vec<Effect>>) {
    let jobs = vec![new_job("data", None); effects.len()];
    store.enqueue(jobs, NOW).await.unwrap();
    let claimed = store
        .claim(Wanted::of("q", effects.len()), "e", NOW)
        .await
        .unwrap();
    assert_eq!(claimed.len(), effects.len());
    let ends = claimed
        .iter()
        .zip(effects)
        .map(|(job, effects)| store.settle(job.lease, with_effects(effects), NOW));
    for fenced in join_all(ends).await {
        assert_eq!(fenced.unwrap(), Fenced::Applied);
    }
}

/// The statistics of all players are what the participants add up to.
pub async fn check_statistics(store: &dyn Store, players: impl IntoIterator<Item = i64>) {
    for player in players {
        let mut stored = store.yearly_stats(player, None).await.unwrap();
        let mut recomputed = store.recomputed_stats(player).await.unwrap();
        stored.sort_by_key(|row| (row.year, row.platform.clone()));
        recomputed.sort_by_key(|row| (row.year, row.platform.clone()));
        assert_eq!(stored, recomputed, "player {player}");
    }
}

on_each_store! { tokio::test;
    a_match_that_no_table_can_hold_is_refused_alone_and_its_job_can_be_ended,
    a_match_that_comes_again_changes_nothing,
    statistics_are_what_the_participants_add_up_to_however_the_matches_come,
    what_was_missing_and_is_stored_after_all_is_missing_no_more,
    what_is_missing_keeps_when_it_was_first_missed_and_is_told_when_it_is_due,
    a_year_tells_what_riot_listed_of_it_and_what_it_does_not_give,
    a_timeline_that_riot_has_deleted_is_told_where_it_is_not_stored,
    a_name_with_any_character_is_stored,
    a_person_with_several_puuids_becomes_one_row_with_all_games,
}

async fn a_match_that_comes_again_changes_nothing(store: Arc<dyn Store>) {
    let record = game(2, 12);
    let participant = record
        .participants
        .iter()
        .find_map(|participant| participant.player.as_ref());
    write(&*store, vec![vec![stores(&record)]; 3]).await;
    write(&*store, vec![vec![stores(&record), stores(&record)]]).await;
    let known = store.stored_matches(&[record.id]).await.unwrap();
    assert_eq!(
        known
            .matches
            .iter()
            .map(|there| there.id)
            .collect::<Vec<_>>(),
        [record.id]
    );
    assert!(participant.is_some());
    for player in 1..=10 {
        for row in store.yearly_stats(player, None).await.unwrap() {
            assert_eq!(row.tally.total_matches() + row.tally.remakes, 1);
        }
    }
    check_statistics(&*store, 1..=10).await;
}

async fn statistics_are_what_the_participants_add_up_to_however_the_matches_come(
    store: Arc<dyn Store>,
) {
    for chunk in (0..60).collect::<Vec<u64>>().chunks(12) {
        let effects = chunk.iter().map(|n| vec![stores(&game(*n, 14))]).collect();
        write(&*store, effects).await;
    }
    check_statistics(&*store, 1..=30).await;
}

async fn what_was_missing_and_is_stored_after_all_is_missing_no_more(store: Arc<dyn Store>) {
    let record = game(3, 12);
    let missing = |kind| {
        Effect::Missing(MissingDocument {
            kind,
            id: record.id,
            reason: MissingReason::NotFound,
            tries: 1,
            first_seen: NOW,
            next_try: None,
            expires_at: None,
        })
    };
    let effects = [PayloadKind::Match, PayloadKind::Timeline].map(|kind| vec![missing(kind)]);
    write(&*store, effects.into()).await;
    let known = store.stored_matches(&[record.id]).await.unwrap();
    assert_eq!((known.matches.len(), known.missing.len()), (0, 2));
    write(&*store, vec![vec![stores(&record)]]).await;
    let known = store.stored_matches(&[record.id]).await.unwrap();
    let missing: Vec<_> = known.missing.iter().map(|one| (one.kind, one.id)).collect();
    assert_eq!(missing, [(PayloadKind::Timeline, record.id)]);
    let stored = store.payload(PayloadKind::Match, record.id).await.unwrap();
    assert_eq!(stored, Some(payload()));
}

async fn what_is_missing_keeps_when_it_was_first_missed_and_is_told_when_it_is_due(
    store: Arc<dyn Store>,
) {
    let missing = |n: u64, reason, first_seen, next_try| MissingDocument {
        kind: PayloadKind::Match,
        id: match_id(n),
        reason,
        tries: 2,
        first_seen,
        next_try,
        expires_at: Some(NOW + DAY * 7),
    };
    let rows = [
        missing(1, MissingReason::NotFound, NOW, Some(NOW + DAY)),
        missing(2, MissingReason::Refused, NOW, Some(NOW)),
        missing(3, MissingReason::NotYet, NOW, None),
    ];
    let effects = rows.iter().map(|row| vec![Effect::Missing(row.clone())]);
    write(&*store, effects.collect()).await;
    let again = missing(1, MissingReason::Outage, NOW + DAY, Some(NOW + DAY * 2));
    write(&*store, vec![vec![Effect::Missing(again.clone())]]).await;
    let mut known = store
        .stored_matches(&[1, 2, 3].map(match_id))
        .await
        .unwrap();
    known.missing.sort_by_key(|row| row.id);
    let first = MissingDocument {
        first_seen: NOW,
        ..again
    };
    assert_eq!(
        known.missing,
        [first.clone(), rows[1].clone(), rows[2].clone()]
    );
    let due = |at, limit| {
        let store = store.clone();
        async move { store.due_documents(at, limit).await.unwrap() }
    };
    assert_eq!(due(NOW, 10).await, [rows[1].clone()]);
    assert_eq!(due(NOW + DAY * 2, 10).await, [rows[1].clone(), first]);
    assert_eq!(due(NOW + DAY * 2, 1).await.len(), 1, "the longest due");
}

async fn a_year_tells_what_riot_listed_of_it_and_what_it_does_not_give(store: Arc<dyn Store>) {
    let record = game(3, 12);
    let seen = record.participants[0].player.clone().unwrap();
    let listed = |end, unstored: &[u64]| {
        Effect::Listed(ListedYear {
            puuid: seen.puuid.clone(),
            platform: record.id.platform(),
            year: record.year,
            matches: 5,
            end,
            unstored: unstored.iter().map(|n| match_id(*n)).collect(),
        })
    };
    let missing = |kind, id, reason| {
        Effect::Missing(MissingDocument {
            kind,
            id,
            reason,
            tries: 1,
            first_seen: NOW,
            next_try: None,
            expires_at: None,
        })
    };
    write(&*store, vec![vec![stores(&record)]]).await;
    write(&*store, vec![vec![listed(ListEnd::Before, &[5, 6, 7, 8])]]).await;
    write(
        &*store,
        vec![
            vec![listed(ListEnd::At(Some(record.id)), &[5, 6, 7])],
            vec![missing(
                PayloadKind::Match,
                match_id(5),
                MissingReason::NotFound,
            )],
            vec![missing(
                PayloadKind::Match,
                match_id(6),
                MissingReason::Refused,
            )],
            vec![missing(
                PayloadKind::Match,
                match_id(8),
                MissingReason::Refused,
            )],
            vec![missing(
                PayloadKind::Timeline,
                record.id,
                MissingReason::NotFound,
            )],
        ],
    )
    .await;
    let row = store
        .players_by_puuid(std::slice::from_ref(&seen.puuid))
        .await
        .unwrap();
    let of = |gone| {
        let (store, id) = (store.clone(), row[0].id);
        async move { store.coverage(id, gone).await.unwrap() }
    };
    let [year] = &of(None).await[..] else {
        panic!("one year")
    };
    assert_eq!(
        (year.year, year.platform.as_str()),
        (record.year, record.id.platform().as_str())
    );
    let listing = year.listed.unwrap();
    assert_eq!(
        (listing.matches, listing.end),
        (5, ListEnd::At(Some(record.id)))
    );
    assert_eq!(listing.ends_at, Some(record.game_start));
    let counts = [
        MissingReason::NotFound,
        MissingReason::Refused,
        MissingReason::TooOld,
    ];
    assert_eq!(
        counts.map(|reason| year.missing_matches.of(reason)),
        [1, 1, 0]
    );
    assert_eq!(
        counts.map(|reason| year.missing_timelines.of(reason)),
        [1, 0, 0]
    );
    let gone = Some(record.game_start + DAY);
    assert_eq!(
        of(gone).await[0],
        *year,
        "it is missing for a reason of its own"
    );
    let stored = Effect::Timeline {
        record: timeline(record.id),
        payload: payload(),
    };
    write(&*store, vec![vec![stored]]).await;
    assert_eq!(of(gone).await[0].missing_timelines.total(), 0);
}

async fn a_timeline_that_riot_has_deleted_is_told_where_it_is_not_stored(store: Arc<dyn Store>) {
    let record = game(3, 12);
    let seen = record.participants[0].player.clone().unwrap();
    write(&*store, vec![vec![stores(&record)]]).await;
    let rows = store.players_by_puuid(&[seen.puuid]).await.unwrap();
    let too_old = |gone| {
        let (store, id) = (store.clone(), rows[0].id);
        async move {
            let years = store.coverage(id, gone).await.unwrap();
            let timelines = years
                .iter()
                .map(|year| year.missing_timelines.of(MissingReason::TooOld));
            timelines.sum::<u64>()
        }
    };
    assert_eq!(too_old(None).await, 0);
    assert_eq!(too_old(Some(record.game_start)).await, 0);
    assert_eq!(too_old(Some(record.game_start + DAY)).await, 1);
}

/// JSON can hold a NUL, and PostgreSQL's texts cannot.
async fn a_name_with_any_character_is_stored(store: Arc<dyn Store>) {
    let mut record = (*game(2, 12)).clone();
    record.class = MatchClass::Played;
    "odd\0mode".clone_into(&mut record.game_mode);
    for participant in &mut record.participants {
        participant.champion_name = "\0'\"\\{,}NULL\u{1f980}".into();
        "a\0".clone_into(&mut participant.role);
    }
    write(&*store, vec![vec![stores(&Arc::new(record))]]).await;
    check_statistics(&*store, 1..=10).await;
}

async fn a_person_with_several_puuids_becomes_one_row_with_all_games(store: Arc<dyn Store>) {
    let told = |n: usize, was| Effect::Player {
        record: PlayerRecord {
            puuid: puuid(n),
            riot_id: Some(RiotId::new("The same", "ONE").unwrap()),
            platform: "euw1".parse().unwrap(),
            profile_icon_id: None,
            summoner_level: None,
            tracked: true,
        },
        key_fingerprint: "g".into(),
        was,
    };
    for n in 0..12 {
        write(&*store, vec![vec![stores(&game(n, 12))]]).await;
    }
    write(
        &*store,
        vec![vec![told(0, Vec::new())], vec![told(1, Vec::new())]],
    )
    .await;
    let name = RiotId::new("The same", "ONE").unwrap();
    let before = store.namesakes(&name).await.unwrap();
    assert_eq!(before.len(), 2);
    let mut games = 0;
    for row in &before {
        for year in store.recomputed_stats(row.id).await.unwrap() {
            games += year.tally.total_matches() + year.tally.remakes;
        }
    }
    let was = before.iter().map(|row| row.id).collect();
    // In one commit with a match that both of them played.
    write(
        &*store,
        vec![vec![told(20, was)], vec![stores(&game(40, 12))]],
    )
    .await;
    let after = store.namesakes(&name).await.unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].puuid, puuid(20));
    assert_eq!(after[0].id, before.iter().map(|row| row.id).min().unwrap());
    let rows = store.yearly_stats(after[0].id, None).await.unwrap();
    let counted: i64 = rows
        .iter()
        .map(|row| row.tally.total_matches() + row.tally.remakes)
        .sum();
    assert_eq!(counted, games);
    check_statistics(&*store, 1..=20).await;
}

fn all_effects() -> Vec<Vec<Effect>> {
    let mut effects: Vec<Vec<Effect>> = (0..40).map(|n| vec![stores(&game(n, 14))]).collect();
    effects.extend((0..20).map(|n| {
        vec![Effect::Timeline {
            record: timeline(match_id(n)),
            payload: payload(),
        }]
    }));
    effects.extend((0..5).map(|n| {
        vec![Effect::Player {
            record: PlayerRecord {
                puuid: puuid(n),
                riot_id: Some(RiotId::new(&format!("Told {n}"), "NEW").unwrap()),
                platform: "euw1".parse().unwrap(),
                profile_icon_id: (n > 2).then_some(7),
                summoner_level: Some(100),
                tracked: true,
            },
            key_fingerprint: "g".into(),
            was: Vec::new(),
        }]
    }));
    effects
}

/// Everything that people read with SQL, in words that both databases share: truth is 1 and 0, a player is
/// a puuid, and shares have six digits.
pub const TABLES: [&str; 5] = [
    "SELECT puuid || '|' || puuid_key_fingerprint || '|' || coalesce(game_name, '-') || '|' || coalesce(tag_line, '-')
        || '|' || coalesce(name_folded, '-') || '|' || name_seen_at || '|' || platform || '|' || coalesce(profile_icon_id, -1)
        || '|' || coalesce(summoner_level, -1) || '|' || CAST(tracked AS INTEGER) AS row FROM players",
    "SELECT match_id || '|' || platform || '|' || data_version || '|' || game_creation || '|' || game_start || '|' || game_end
        || '|' || game_duration_s || '|' || queue_id || '|' || map_id || '|' || game_mode || '|' || game_type || '|' || game_version
        || '|' || coalesce(end_of_game_result, '-') || '|' || year || '|' || CAST(is_remake AS INTEGER) || '|' || stored_at AS row FROM matches",
    "SELECT match_id || '|' || participant_id || '|' || coalesce((SELECT puuid FROM players WHERE id = player_id), '-') || '|' || team_id
        || '|' || champion_id || '|' || champion_name || '|' || team_position || '|' || role || '|' || lane || '|' || kills || '|' || deaths
        || '|' || assists || '|' || CAST(win AS INTEGER) || '|' || gold_earned || '|' || total_minions_killed || '|' || neutral_minions_killed
        || '|' || damage_to_champions || '|' || vision_score || '|' || champ_level || '|' || coalesce(placement, -1) || '|' || coalesce(subteam_id, -1)
        || '|' || item0 || '|' || item1 || '|' || item2 || '|' || item3 || '|' || item4 || '|' || item5 || '|' || item6 || '|' || spell1
        || '|' || spell2 || '|' || perk_primary_style || '|' || perk_sub_style AS row FROM match_participants",
    "SELECT match_id || '|' || data_version || '|' || frame_interval_ms || '|' || frame_count || '|' || event_count || '|' || stored_at AS row
        FROM match_timelines",
    "SELECT (SELECT puuid FROM players WHERE id = player_id) || '|' || year || '|' || platform || '|' || total_matches || '|' || wins
        || '|' || losses || '|' || remakes || '|' || total_kills || '|' || total_deaths || '|' || total_assists || '|' || total_gold_earned
        || '|' || total_minions_killed || '|' || total_neutral_minions_killed || '|' || total_damage_to_champions || '|' || unique_champions_played
        || '|' || coalesce(most_played_champion, '-') || '|' || most_played_champion_count || '|' || unique_roles_played || '|' || unique_lanes_played
        || '|' || CAST(round(win_rate * 1000000) AS BIGINT) || '|' || CAST(round(kda_ratio * 1000000) AS BIGINT)
        || '|' || CAST(round(average_kills * 1000000) AS BIGINT) || '|' || CAST(round(average_deaths * 1000000) AS BIGINT)
        || '|' || CAST(round(average_assists * 1000000) AS BIGINT) || '|' || CAST(round(average_gold_per_match * 1000000) AS BIGINT)
        || '|' || CAST(round(average_cs_per_match * 1000000) AS BIGINT) || '|' || counts AS row FROM player_yearly_stats",
];

pub fn table(place: &Place, query: &str) -> Vec<String> {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct TextRow {
        #[diesel(sql_type = diesel::sql_types::Text)]
        row: String,
    }
    let mut rows: Vec<String> = match place {
        Place::Postgres(scratch) => {
            let rows = scratch.rows(query);
            rows.into_iter()
                .map(|row| row[0].clone().unwrap())
                .collect()
        }
        Place::Sqlite(folder) => {
            let path = folder.path().join("t.db");
            let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            let rows: Vec<TextRow> = diesel::sql_query(query).load(&mut conn).unwrap();
            rows.into_iter().map(|line| line.row).collect()
        }
    };
    rows.sort();
    rows
}

#[tokio::test]
async fn both_databases_hold_the_same_rows() {
    let (one, other) = (Place::sqlite(), Place::postgres());
    for place in [&one, &other] {
        let store = place.open().await;
        // In batches on PostgreSQL, one by one on SQLite: that must not show.
        for effects in all_effects().chunks(9) {
            write(&*store, effects.to_vec()).await;
        }
        store.close().await.unwrap();
    }
    for query in TABLES {
        let rows = table(&one, query);
        assert!(rows.len() >= 14, "{query}");
        assert_eq!(rows, table(&other, query), "{query}");
    }
}

/// Two participants of one number, among good matches that are stored at the same time.
async fn a_match_that_no_table_can_hold_is_refused_alone_and_its_job_can_be_ended(
    store: Arc<dyn Store>,
) {
    let with_numbers = |n: u64, change: fn(&mut MatchRecord)| {
        let mut record = (*game(n, 12)).clone();
        change(&mut record);
        Arc::new(record)
    };
    let games = [
        game(0, 12),
        with_numbers(1, |game| game.participants[1].participant_id = 1),
        game(2, 12),
        with_numbers(3, |game| {
            for participant in &mut game.participants {
                participant.participant_id = 0;
            }
        }),
        with_numbers(4, |game| {
            let last = game.participants.last().unwrap().clone();
            game.participants.push(last);
        }),
        game(5, 12),
    ];
    let jobs = vec![new_job("data", None); games.len()];
    store.enqueue(jobs, NOW).await.unwrap();
    let wanted = Wanted::of("q", games.len());
    let claimed = store.claim(wanted, "e", NOW).await.unwrap();
    let ends = claimed.iter().zip(&games).map(|(job, game)| {
        let completion = with_effects(vec![stores(game)]);
        store.settle(job.lease, completion, NOW)
    });
    let ended = join_all(ends).await;
    for (n, outcome) in ended.into_iter().enumerate() {
        if [0, 2, 5].contains(&n) {
            assert_eq!(outcome.unwrap(), Fenced::Applied);
            continue;
        }
        let error = outcome.unwrap_err();
        assert!(!error.is_transient(), "nobody would wait for it: {error}");
        let text = error.to_string();
        assert!(text.contains(&games[n].id.to_string()), "{text}");
        assert!(text.contains("two participants of the number"), "{text}");
        assert!(!text.contains("report"), "{text}");
        let discarded = attempt::settle(
            1,
            1,
            Outcome::Discard(riftsync::model::Failure::new("store", text)),
            Duration::ZERO,
            NOW,
        );
        let end = Arc::new(Completion::of(discarded));
        let settled = store.settle(claimed[n].lease, end, NOW).await;
        assert_eq!(settled.unwrap(), Fenced::Applied);
    }
    assert_eq!(store.census().await.unwrap().matches, 3);
    assert_eq!(store.open_counts().await.unwrap(), []);
}
