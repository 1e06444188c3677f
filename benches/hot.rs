//! The pure parts that every document, call and attempt goes through: `cargo bench`.
//!
//! Documents are those of a simulated world, of the size of real ones.

use std::sync::LazyLock;
use std::time::Duration;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use riftsync::limiter::{Budget, Margins};
use riftsync::model::attempt::settle;
use riftsync::model::records::{MatchClass, PayloadKind};
use riftsync::model::statistics::{GameFacts, YearlyTally};
use riftsync::model::{MatchId, Outcome, RetryPolicy, RiotId, Timestamp};
use riftsync::riot::{parse_match, parse_timeline, unpack, unpacked};
use riftsync::simulator::{World, WorldConfig};

struct Document {
    id: MatchId,
    body: Vec<u8>,
    text: Vec<u8>,
}

fn document(kind: PayloadKind) -> Document {
    let name: RiotId = "Bench#SIM".parse().expect("a Riot ID");
    let world = World::new(WorldConfig {
        players: vec![(name.clone(), "euw1".parse().expect("a platform"))],
        plain: true,
        ..WorldConfig::default()
    });
    let truth = (world.player_matches(&name, 2025).into_iter())
        .find(|truth| truth.has_match && truth.has_timeline)
        .expect("a match with both documents");
    let body = world.document(truth.id, kind).expect("it has one");
    let text = unpack(&body).expect("it is gzip");
    Document {
        id: truth.id,
        body,
        text,
    }
}

static MATCH: LazyLock<Document> = LazyLock::new(|| document(PayloadKind::Match));
static TIMELINE: LazyLock<Document> = LazyLock::new(|| document(PayloadKind::Timeline));

#[divan::bench]
fn unpack_timeline(bencher: Bencher<'_, '_>) {
    let document = &*TIMELINE;
    bencher
        .counter(BytesCount::new(document.text.len()))
        .bench(|| unpacked(black_box(&document.body), |text| Ok(text.len())));
}

#[divan::bench]
fn unpack_match(bencher: Bencher<'_, '_>) {
    let document = &*MATCH;
    bencher
        .counter(BytesCount::new(document.text.len()))
        .bench(|| unpacked(black_box(&document.body), |text| Ok(text.len())));
}

#[divan::bench]
fn read_timeline(bencher: Bencher<'_, '_>) {
    let document = &*TIMELINE;
    bencher
        .counter(BytesCount::new(document.text.len()))
        .bench(|| parse_timeline(document.id, black_box(&document.text)));
}

#[divan::bench]
fn read_match(bencher: Bencher<'_, '_>) {
    let document = &*MATCH;
    bencher
        .counter(BytesCount::new(document.text.len()))
        .bench(|| parse_match(document.id, black_box(&document.text)));
}

#[divan::bench]
fn admit_a_call(bencher: Bencher<'_, '_>) {
    let mut budget = Budget::new(Margins::default());
    bencher.bench_local(|| budget.admit_any(black_box(Duration::from_secs(1))));
}

#[divan::bench]
fn settle_an_attempt(bencher: Bencher<'_, '_>) {
    let backoff = RetryPolicy::new(3, 20, 180).backoff(1, 0.5);
    bencher.bench(|| {
        let outcome = Outcome::Complete(serde_json::Value::Null);
        settle(black_box(1), 4, outcome, backoff, Timestamp::EPOCH)
    });
}

#[divan::bench]
fn count_a_game(bencher: Bencher<'_, '_>) {
    let game = GameFacts {
        class: MatchClass::Played,
        win: true,
        kills: 5,
        deaths: 3,
        assists: 8,
        gold_earned: 11_000,
        total_minions_killed: 170,
        neutral_minions_killed: 12,
        damage_to_champions: 21_000,
        champion_id: 103,
        champion_name: "Ahri".into(),
        role: "SOLO".into(),
        lane: "MIDDLE".into(),
    };
    let mut year = YearlyTally::default();
    bencher.bench_local(|| year.add(black_box(&game)));
}

fn main() {
    // Made before the clock starts.
    LazyLock::force(&MATCH);
    LazyLock::force(&TIMELINE);
    divan::main();
}
