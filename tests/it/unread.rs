//! Documents that say other than they should: kept as they came, made into rows as far as they can be, never fetched twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Binary, Text};
use diesel::sqlite::SqliteConnection;
use fastrand::Rng;
use riftsync::model::records::{Codec, Payload, PayloadKind, UnreadPayload};
use riftsync::model::{MatchId, Outcome, RiotId, attempt};
use riftsync::riot::{as_gzip, kept, understand_match, unpack};
use riftsync::simulator::{SimulatorConfig, World, WorldConfig};
use riftsync::store::sqlite::SqliteStore;
use riftsync::store::{Cleanup, Completion, DataStore, Effect, Repair, Store};
use serde_json::{Value, json};

use crate::data::{check_statistics, game, match_id, payload, stores, write};
use crate::place::on_each_store;
use crate::setup::{PLAYER, Setup, run, setup_with, text};
use crate::store::{NOW, claim_one, new_job, settle};

const DAY: Duration = Duration::from_hours(24);

fn unread(kind: PayloadKind, id: MatchId) -> UnreadPayload {
    UnreadPayload {
        kind,
        id,
        reason: "it is odd".to_owned(),
        payload: payload(),
        key_fingerprint: "f".into(),
        replaces: false,
    }
}

on_each_store! { tokio::test;
    an_unread_document_is_kept_and_is_neither_missing_nor_to_be_fetched,
    what_has_rows_is_not_unread_and_stays_what_it_is,
    the_rows_of_an_unread_match_are_as_old_as_its_document_and_of_its_key,
    an_unread_document_is_no_orphan_and_goes_when_it_is_old,
    pages_of_matches_leave_out_no_unread_one,
    a_parent_tells_of_the_documents_that_its_descendants_kept_unread,
    whatever_is_odd_in_a_match_both_databases_keep_it_and_count_it_exactly,
}

async fn an_unread_document_is_kept_and_is_neither_missing_nor_to_be_fetched(
    store: Arc<dyn Store>,
) {
    let id = match_id(1);
    let both = [PayloadKind::Match, PayloadKind::Timeline];
    for _ in 0..2 {
        let effects = both.map(|kind| vec![Effect::Unread(unread(kind, id))]);
        write(&*store, effects.into()).await;
        let known = store.stored_matches(&[id, match_id(2)]).await.unwrap();
        let found: HashSet<_> = known.unread.into_iter().collect();
        assert_eq!(found, both.map(|kind| (kind, id)).into());
        assert!(known.matches.is_empty() && known.timelines.is_empty() && known.missing.is_empty());
        assert_eq!(store.count_unread().await.unwrap(), [1, 1]);
    }
    for kind in both {
        assert_eq!(store.payload(kind, id).await.unwrap(), Some(payload()));
    }
    let documents = store.documents(&[id]).await.unwrap();
    let row = &documents[0].unread[&PayloadKind::Match];
    assert_eq!((&*row.reason, &*row.key_fingerprint), ("it is odd", "f"));
    assert_eq!(row.version, env!("CARGO_PKG_VERSION"));
    let again = Repair::Unread {
        kind: PayloadKind::Match,
        id,
        reason: "still\0".to_owned(),
    };
    store.repair(vec![again], NOW + DAY).await.unwrap();
    let documents = store.documents(&[id]).await.unwrap();
    assert!(
        documents[0].unread[&PayloadKind::Match]
            .reason
            .starts_with("still")
    );
}

async fn what_has_rows_is_not_unread_and_stays_what_it_is(store: Arc<dyn Store>) {
    let record = game(2, 12);
    write(
        &*store,
        vec![vec![Effect::Unread(unread(PayloadKind::Match, record.id))]],
    )
    .await;
    write(&*store, vec![vec![stores(&record)]]).await;
    assert_eq!(store.count_unread().await.unwrap(), [0, 0]);
    let other = UnreadPayload {
        payload: Payload {
            codec: Codec::Gzip,
            body: as_gzip(b"{\"odd\":1}"),
        },
        ..unread(PayloadKind::Match, record.id)
    };
    write(&*store, vec![vec![Effect::Unread(other.clone())]]).await;
    assert_eq!(store.count_unread().await.unwrap(), [0, 0]);
    let kept = store.payload(PayloadKind::Match, record.id).await.unwrap();
    assert_eq!(kept, Some(payload()));
    // What is fetched in the place of a broken document takes it, whatever it is.
    let mended = UnreadPayload {
        replaces: true,
        ..other.clone()
    };
    write(&*store, vec![vec![Effect::Unread(mended)]]).await;
    let kept = store.payload(PayloadKind::Match, record.id).await.unwrap();
    assert_eq!(kept, Some(other.payload));
    let known = store.stored_matches(&[record.id]).await.unwrap();
    assert_eq!((known.matches.len(), known.unread.len()), (1, 1));
    check_statistics(&*store, 1..=10).await;
}

async fn the_rows_of_an_unread_match_are_as_old_as_its_document_and_of_its_key(
    store: Arc<dyn Store>,
) {
    let record = game(2, 12);
    write(
        &*store,
        vec![vec![Effect::Unread(unread(PayloadKind::Match, record.id))]],
    )
    .await;
    let repair = Repair::Match {
        record: record.clone(),
        payload: None,
        key_fingerprint: "f".into(),
    };
    store.repair(vec![repair], NOW + DAY * 40).await.unwrap();
    assert_eq!(store.count_unread().await.unwrap(), [0, 0]);
    let old = store.leftovers(NOW + DAY).await.unwrap();
    assert_eq!((old.matches, old.unread_payloads), (1, 0));
    let seen = record
        .participants
        .iter()
        .filter_map(|one| one.player.as_ref());
    let puuids: Vec<&str> = seen.map(|player| player.puuid.as_str()).collect();
    assert_eq!(
        store.known_puuids(&puuids).await.unwrap().len(),
        puuids.len()
    );
    check_statistics(&*store, 1..=10).await;
}

async fn an_unread_document_is_no_orphan_and_goes_when_it_is_old(store: Arc<dyn Store>) {
    let (matched, alone) = (match_id(1), match_id(2));
    let kept = [
        (PayloadKind::Match, matched),
        (PayloadKind::Timeline, matched),
        (PayloadKind::Timeline, alone),
    ];
    let effects = kept.map(|(kind, id)| vec![Effect::Unread(unread(kind, id))]);
    write(&*store, effects.into()).await;
    let found = store.leftovers(NOW).await.unwrap();
    assert_eq!((found.orphaned_payloads, found.unread_payloads), (0, 0));
    let young = Cleanup {
        before: NOW,
        limit: 10,
        adjust_stats: false,
    };
    assert_eq!(store.clean(young, NOW).await.unwrap(), 0);
    assert_eq!(store.clean_orphans(NOW, 10).await.unwrap(), 0);
    assert_eq!(store.count_unread().await.unwrap(), [1, 2]);

    let later = NOW + DAY;
    assert_eq!(store.leftovers(later).await.unwrap().unread_payloads, 3);
    let old = Cleanup {
        before: later,
        ..young
    };
    assert_eq!(store.clean(old, later).await.unwrap(), 1);
    assert_eq!(store.clean_orphans(later, 10).await.unwrap(), 1);
    assert_eq!(store.count_unread().await.unwrap(), [0, 0]);
    for (kind, id) in kept {
        assert_eq!(store.payload(kind, id).await.unwrap(), None);
    }
    // It was deleted on purpose, and is not fetched again.
    assert_eq!(
        store.stored_matches(&[matched]).await.unwrap().cleaned,
        [matched]
    );
    write(
        &*store,
        vec![vec![Effect::Unread(unread(PayloadKind::Match, matched))]],
    )
    .await;
    assert_eq!(store.count_unread().await.unwrap(), [0, 0]);
}

async fn pages_of_matches_leave_out_no_unread_one(store: Arc<dyn Store>) {
    let ids: Vec<MatchId> = (1..=7).map(match_id).collect();
    for n in 1..=7 {
        let of_match = if n % 2 == 0 {
            Effect::Unread(unread(PayloadKind::Match, match_id(n)))
        } else {
            stores(&game(n, 12))
        };
        // Every match has two documents, so a page of documents is half a page of matches.
        let of_timeline = Effect::Unread(unread(PayloadKind::Timeline, match_id(n)));
        write(&*store, vec![vec![of_match, of_timeline]]).await;
    }
    let mut seen: Vec<MatchId> = Vec::new();
    loop {
        let after = seen.last().map(ToString::to_string).unwrap_or_default();
        let page = store.matches_after(&after, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, ids);
}

async fn a_parent_tells_of_the_documents_that_its_descendants_kept_unread(store: Arc<dyn Store>) {
    let done = || attempt::settle(1, 1, Outcome::Complete(json!(null)), Duration::ZERO, NOW);
    let parent = store
        .enqueue(vec![new_job("player", None)], NOW)
        .await
        .unwrap()[0]
        .id;
    let spawns = |key: &'static str| Completion {
        children: vec![new_job("match", Some(key))],
        ..Completion::of(done())
    };
    let keeps = |kind| vec![Effect::Unread(unread(kind, match_id(1)))];
    let lease = claim_one(&*store, "q").await;
    let _ = settle(&*store, lease, spawns("m")).await;
    // The match waits for its timeline; both are kept unread.
    let lease = claim_one(&*store, "q").await;
    let waits = Completion {
        children: vec![new_job("timeline", Some("t"))],
        effects: keeps(PayloadKind::Match),
        ..Completion::of(done())
    };
    let _ = settle(&*store, lease, waits).await;
    let lease = claim_one(&*store, "q").await;
    let ends = Completion {
        effects: keeps(PayloadKind::Timeline),
        ..Completion::of(done())
    };
    let _ = settle(&*store, lease, ends).await;
    let rollup = store.job(parent).await.unwrap().unwrap().rollup;
    for kind in ["match", "timeline"] {
        let count = rollup.of(kind);
        assert_eq!(
            (count.completed, count.failed, count.remarked),
            (1, 0, 1),
            "{kind}"
        );
    }
    let mut told: Vec<(&str, &str)> = rollup
        .remarks
        .iter()
        .map(|one| (&*one.key, &*one.reason))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("m", "it is odd"), ("t", "it is odd")]);
    assert!(rollup.failures.is_empty());
}

/// Something that does not belong there.
fn odd_value(rng: &mut Rng) -> Value {
    let values = [
        json!(null),
        json!(0),
        json!(-1),
        json!(1),
        json!(12.5),
        json!(3_000_000_000_u32),
        json!(u64::MAX),
        json!(1e30),
        json!(true),
        json!(""),
        json!("17"),
        json!("a\u{0}b"),
        json!("x".repeat(2_000)),
        json!([]),
        json!([null]),
        json!({}),
        json!({ "x": 1 }),
        json!("BOT"),
        json!("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"),
        json!(-62_135_596_800_000_i64),
    ];
    values[rng.usize(0..values.len())].clone()
}

/// Puts odd values in some places that a reader looks at.
fn spoil(document: &mut Value, rng: &mut Rng) {
    for _ in 0..rng.usize(1..4) {
        let info = document["info"].as_object_mut().unwrap();
        let participants = info.get_mut("participants").and_then(Value::as_array_mut);
        let at = match participants {
            Some(list) if !list.is_empty() && rng.u8(0..4) > 0 => {
                let index = rng.usize(0..list.len());
                match rng.u8(0..8) {
                    0 => list[index] = odd_value(rng),
                    // Somebody twice, or under the number of somebody else.
                    1 => list[index] = list[0].clone(),
                    2 => list[index]["participantId"] = json!(rng.i32(-1..4)),
                    _ => {}
                }
                list[index].as_object_mut()
            }
            _ => Some(info),
        };
        let Some(object) = at else { continue };
        let names: Vec<String> = object
            .keys()
            .filter(|name| *name != "gameId")
            .cloned()
            .collect();
        if names.is_empty() {
            continue;
        }
        object.insert(names[rng.usize(0..names.len())].clone(), odd_value(rng));
    }
}

async fn whatever_is_odd_in_a_match_both_databases_keep_it_and_count_it_exactly(
    store: Arc<dyn Store>,
) {
    let name: RiotId = PLAYER.parse().unwrap();
    let world = World::new(WorldConfig {
        players: vec![(name.clone(), "euw1".parse().unwrap())],
        matches_per_year: 120,
        plain: true,
        ..WorldConfig::default()
    });
    let mut rng = Rng::with_seed(7);
    let (mut effects, mut participants, mut unread_ones) = (Vec::new(), 0, 0);
    let truths = world.player_matches(&name, 2025).into_iter();
    let ids: Vec<MatchId> = truths
        .filter(|truth| truth.has_match)
        .map(|truth| truth.id)
        .collect();
    for id in &ids {
        let id = *id;
        let text = unpack(&world.document(id, PayloadKind::Match).unwrap()).unwrap();
        let mut document: Value = serde_json::from_slice(&text).unwrap();
        spoil(&mut document, &mut rng);
        let text = serde_json::to_vec(&document).unwrap();
        let payload = Payload {
            codec: Codec::Gzip,
            body: as_gzip(&text),
        };
        effects.push(vec![
            match kept(&text, |text| understand_match(id, text)).unwrap() {
                Ok(understood) => {
                    participants += understood.record.participants.len();
                    let record = Arc::new(understood.record);
                    Effect::Match {
                        record,
                        payload,
                        key_fingerprint: "f".into(),
                    }
                }
                Err(reason) => {
                    unread_ones += 1;
                    Effect::Unread(UnreadPayload {
                        reason,
                        payload,
                        ..unread(PayloadKind::Match, id)
                    })
                }
            },
        ]);
    }
    assert!(
        ids.len() > 100 && unread_ones > 0,
        "{} {unread_ones}",
        ids.len()
    );
    for some in effects.chunks(25) {
        write(&*store, some.to_vec()).await;
    }
    let known = store.stored_matches(&ids).await.unwrap();
    assert_eq!(known.matches.len() + unread_ones, ids.len());
    assert_eq!(known.unread.len(), unread_ones);
    let mut stored = 0;
    for some in ids.chunks(50) {
        let documents = store.documents(some).await.unwrap();
        stored += documents
            .iter()
            .map(|one| one.participants.len())
            .sum::<usize>();
        assert!(
            documents
                .iter()
                .all(|one| one.payloads.contains_key(&PayloadKind::Match))
        );
    }
    assert_eq!(stored, participants);
    let players = i64::try_from(store.census().await.unwrap().players).unwrap();
    assert!(players > 20);
    check_statistics(&*store, 1..=players * 3).await;
}

impl Setup {
    async fn told(&self, args: &[&str]) -> Value {
        let output = run(self.command(args)).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[tokio::test]
#[allow(
    clippy::too_many_lines,
    reason = "one year, from its arrival to its replay"
)]
async fn a_year_of_odd_documents_is_kept_whole_exported_and_read_once_it_can_be() {
    // With limits, as the real API has: a 404 without them is an outage.
    let limited = SimulatorConfig {
        app_limits: vec![(30_000, 10)],
        ..SimulatorConfig::default()
    };
    let setup = setup_with(&[PLAYER], 60, limited).await;
    let rule = "odd-values@listed:100%".parse().unwrap();
    setup.simulator.control().set_script(vec![rule]);
    let first = run(setup.sync()).await;
    assert!(first.status.success(), "{}", text(&first));
    let result = serde_json::from_slice::<Value>(&first.stdout).unwrap()["result"].clone();
    let player: RiotId = PLAYER.parse().unwrap();
    let truth = setup.world.player_matches(&player, 2025);
    let there: Vec<MatchId> = truth
        .iter()
        .filter(|one| one.has_match)
        .map(|one| one.id)
        .collect();
    let store = SqliteStore::open_read_only(setup.database().as_ref()).unwrap();
    let known = store.stored_matches(&there).await.unwrap();
    let kept: Vec<MatchId> = (known.unread.iter())
        .filter(|(kind, _)| *kind == PayloadKind::Match)
        .map(|(_, id)| *id)
        .collect();
    assert_eq!(known.matches.len() + kept.len(), there.len(), "{result}");
    assert!(!kept.is_empty() && kept.len() < there.len() / 3, "{kept:?}");
    assert_eq!(result["unread_matches"], kept.len());
    assert_eq!(result["failed_matches"], json!([]));
    assert_eq!(result["processed_matches"], known.matches.len());
    // Told once a kind, and never as somebody's mistake who runs this.
    let told = text(&first);
    assert!(
        told.contains("riftsync replay") && !told.contains("report this"),
        "{told}"
    );
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.contains("something unusual in"))
        .collect();
    let names: HashSet<_> = lines.iter().map(|line| line.split('\'').nth(1)).collect();
    assert!(lines.len() <= names.len() * 2 && lines.len() > 3, "{told}");

    let before = setup.document_calls();
    let again = setup
        .told(&[
            "sync",
            PLAYER,
            "--platform",
            "euw1",
            "--year",
            "2025",
            "--json",
        ])
        .await;
    assert_eq!(again["result"]["unread_matches"], kept.len());
    assert_eq!(setup.document_calls(), before, "nothing was fetched again");
    let verified = setup
        .told(&[
            "recover",
            PLAYER,
            "--platform",
            "euw1",
            "--year",
            "2025",
            "--verify",
            "--json",
        ])
        .await;
    assert_eq!(verified["result"]["differences_found"], 0, "{verified}");
    // A recovery asks for what Riot did not give, and for nothing else.
    let calls = setup.document_calls();
    let absent = truth
        .iter()
        .filter(|one| !one.has_match || !one.has_timeline)
        .count() as u64;
    assert!(calls <= before + absent, "{before} {calls} {absent}");
    let info = setup.told(&["db", "info", "--json"]).await;
    assert_eq!(info["holds"]["unread_matches"], kept.len());
    let stats = run(setup.command(&["stats", PLAYER])).await;
    assert!(text(&stats).contains("riftsync replay"), "{}", text(&stats));
    let replayed = setup.told(&["replay", "--json"]).await;
    assert_eq!(
        (&replayed["result"]["changed"], &replayed["result"]["read"]),
        (&json!(0), &json!(0)),
        "{replayed}"
    );
    assert_eq!(replayed["result"]["unread"], kept.len());
    let out = setup
        .folder
        .path()
        .join("events.csv")
        .to_str()
        .unwrap()
        .to_owned();
    for (what, rows) in [("timeline_events", "event_count"), ("timeline_frames", "0")] {
        let exported = setup
            .told(&[
                "export", "--what", what, "--year", "2025", "--out", &out, "--json",
            ])
            .await;
        assert_eq!(exported["unreadable"], json!([]), "{exported}");
        let expected = format!(
            "SELECT sum({rows}) AS count FROM match_timelines t JOIN matches m ON m.match_id = t.match_id WHERE year = 2025"
        );
        let expected = setup.count(&expected);
        assert!(
            expected == 0 || exported["rows"] == expected,
            "{what}: {exported} {expected}"
        );
    }

    // As a version reads them that can: here the documents come to be good ones.
    let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
    for id in &kept {
        diesel::sql_query("UPDATE payloads SET body = ? WHERE kind = 'match' AND match_id = ?")
            .bind::<Binary, _>(setup.world.document(*id, PayloadKind::Match).unwrap())
            .bind::<Text, _>(id.to_string())
            .execute(&mut conn)
            .unwrap();
    }
    let replayed = setup.told(&["replay", "--json"]).await;
    assert_eq!(replayed["result"]["read"], kept.len(), "{replayed}");
    assert_eq!(
        setup.document_calls(),
        calls,
        "no document was fetched again"
    );
    assert_eq!(store.count_unread().await.unwrap()[0], 0);
    let known = store.stored_matches(&there).await.unwrap();
    assert_eq!(known.matches.len(), there.len());
    let players = setup.count("SELECT max(id) AS count FROM players");
    check_statistics(&store, 1..=players).await;
}
