//! Recompression: documents take less space, everything that reads them reads the same, and it can be undone.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use riftsync::model::records::{Codec, Dictionary, Payload, PayloadKind};
use riftsync::riot::{Packer, Repack, as_gzip, document_of, train};
use riftsync::simulator::{Method, SIMULATED_KEY};
use riftsync::store::postgres::PostgresStore;
use riftsync::store::repack::{Packing, Repacked, Spot, Trained};
use riftsync::store::sqlite::SqliteStore;
use riftsync::store::{DataStore, RepackStore, Repair, Store};
use serde_json::Value;

use crate::data::{game, match_id, stores, write};
use crate::place::on_each_store;
use crate::scratch::Scratch;
use crate::setup::{PLAYER, Setup, bare, exited, run, setup, signal, text};
use crate::store::NOW;
use crate::wait;

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    row: String,
}

/// A synced year, in a file or on a server.
struct Year {
    setup: Setup,
    server: Option<Scratch>,
}

impl Year {
    async fn of(matches: u32, server: Option<Scratch>) -> Self {
        let setup = setup(matches).await;
        let year = Self { setup, server };
        let sync = ["sync", PLAYER, "--platform", "euw1", "--year", "2025"];
        year.done(&sync).await;
        // So that a recovery fetches what is damaged alone, and not what was missing before.
        year.change("UPDATE missing_payloads SET reason = 'too_old', next_try = NULL");
        year
    }

    fn url(&self) -> String {
        match &self.server {
            Some(scratch) => scratch.url().to_owned(),
            None => format!("sqlite://{}", self.setup.database()),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(args);
        command
            .env("HOME", self.setup.folder.path())
            .env("RIOT_API_KEY", SIMULATED_KEY)
            .env("RIFTSYNC_PROFILE", "production")
            .env("RIFTSYNC_RIOT__BASE_URL", self.setup.simulator.base_url())
            .args(["--json", "--database", &self.url()]);
        command
    }

    /// Runs a verb that must end well.
    async fn done(&self, args: &[&str]) -> Value {
        let output = run(self.command(args)).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// What `recompress` did, as quickly as it can.
    async fn recompressed(&self, more: &[&str]) -> Value {
        let mut args = vec!["recompress", "--cpu-percent", "100"];
        args.extend(more);
        self.done(&args).await["result"].clone()
    }

    /// Verifies all that is stored of the player; returns what differed and the match and timeline calls.
    async fn verified(&self) -> (u64, [u64; 2]) {
        let before = self.calls();
        let args = ["recover", PLAYER, "--platform", "euw1", "--year", "2025"];
        let mut args = args.to_vec();
        args.push("--verify");
        let done = self.done(&args).await;
        let found = done["result"]["differences_found"].as_u64().unwrap();
        let after = self.calls();
        (found, [after[0] - before[0], after[1] - before[1]])
    }

    fn calls(&self) -> [u64; 2] {
        let counters = self.setup.simulator.counters();
        [Method::Match, Method::Timeline].map(|method| counters.of_method(method))
    }

    /// The first column of a query, as text.
    fn rows(&self, query: &str) -> Vec<String> {
        if let Some(scratch) = &self.server {
            let rows = scratch.rows(query).into_iter();
            return rows.map(|row| row[0].clone().unwrap()).collect();
        }
        let mut conn = SqliteConnection::establish(&self.setup.database()).unwrap();
        let rows: Vec<TextRow> = diesel::sql_query(query).load(&mut conn).unwrap();
        rows.into_iter().map(|line| line.row).collect()
    }

    fn number(&self, query: &str) -> u64 {
        let query = format!("SELECT CAST(({query}) AS TEXT) AS row");
        self.rows(&query)[0].parse().unwrap()
    }

    fn change(&self, statements: &str) {
        if let Some(scratch) = &self.server {
            return scratch.run(statements);
        }
        let mut conn = SqliteConnection::establish(&self.setup.database()).unwrap();
        conn.batch_execute(statements).unwrap();
    }

    fn packed(&self, codec: u8) -> u64 {
        self.number(&format!(
            "SELECT count(*) FROM payloads WHERE codec = {codec}"
        ))
    }

    fn bytes(&self) -> u64 {
        self.number("SELECT sum(length(body)) FROM payloads")
    }

    /// All rows of `payloads`, bodies included.
    fn payloads(&self) -> Vec<String> {
        let hex = match self.server {
            Some(_) => "encode(body, 'hex')",
            None => "lower(hex(body))",
        };
        self.rows(&format!(
            "SELECT match_id || kind || codec || {hex} AS row FROM payloads ORDER BY match_id, kind"
        ))
    }

    /// Both tables that are made from timelines, as files.
    async fn timelines(&self) -> [String; 2] {
        let mut files = [String::new(), String::new()];
        for (what, file) in ["timeline_frames", "timeline_events"]
            .iter()
            .zip(&mut files)
        {
            let path = self.setup.folder.path().join("t.csv");
            let path = path.to_str().unwrap();
            let told = self.done(&["export", "--what", what, "--out", path]).await;
            assert_eq!(told["unreadable"], serde_json::json!([]), "{told}");
            *file = std::fs::read_to_string(path).unwrap();
        }
        files
    }
}

/// Runs a case on a year in a file and on one on a server.
macro_rules! on_each_year {
    ($($case:ident($matches:expr)),* $(,)?) => {
        mod year_in_a_file {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::Year::of($matches, None).await).await;
            })*
        }
        mod year_on_a_server {
            $(#[tokio::test]
            async fn $case() {
                let scratch = crate::scratch::Scratch::new();
                super::$case(super::Year::of($matches, Some(scratch)).await).await;
            })*
        }
    };
}

on_each_year! {
    a_year_takes_less_reads_the_same_and_goes_back(60),
    one_that_is_killed_goes_on_with_the_same_dictionaries(120),
    a_corrupt_byte_and_a_lost_dictionary_are_mended(60),
    few_documents_stay_as_they_are_also_through_a_running_engine(6),
}

async fn a_year_takes_less_reads_the_same_and_goes_back(year: Year) {
    let (before, as_received) = (year.timelines().await, year.payloads());
    let (bytes, documents) = (year.bytes(), as_received.len() as u64);

    let estimate = year.done(&["recompress", "--dry-run"]).await;
    assert_eq!(year.payloads(), as_received, "a dry run writes nothing");
    assert_eq!(year.number("SELECT count(*) FROM payload_dictionaries"), 0);
    assert_eq!(
        year.number("SELECT count(*) FROM jobs WHERE kind = 'recompress'"),
        0
    );
    for kind in ["match", "timeline"] {
        let number = |name: &str| estimate[kind][name].as_u64().unwrap();
        assert!(number("tried") >= 4, "{estimate}");
        assert!(number("tried_after") < number("tried_before"), "{estimate}");
    }

    let result = year.recompressed(&[]).await;
    let sum = |name: &str| {
        let of = |kind: &str| result[kind][name].as_u64().unwrap();
        of("match") + of("timeline")
    };
    assert_eq!(sum("documents") + sum("kept"), documents, "{result}");
    assert_eq!(year.packed(2), sum("documents"), "{result}");
    assert!(sum("kept") < 5, "{result}");
    assert!(year.bytes() < bytes * 9 / 10, "{} of {bytes}", year.bytes());
    assert_eq!(
        bytes - year.bytes(),
        sum("bytes_before") - sum("bytes_after")
    );
    if year.server.is_none() {
        assert_eq!(
            year.number("SELECT freelist_count FROM pragma_freelist_count"),
            0,
            "what is free in the file went back"
        );
    }

    assert_eq!(year.timelines().await, before);
    assert_eq!(year.verified().await, (0, [0, 0]));
    let replayed = year.done(&["replay"]).await;
    assert_eq!(replayed["result"]["changed"], 0, "{replayed}");
    assert_eq!(replayed["result"]["unreadable"], 0, "{replayed}");
    let again = year.recompressed(&[]).await;
    assert_eq!(again["match"]["documents"], 0, "{again}");
    assert_eq!(year.number("SELECT count(*) FROM payload_dictionaries"), 2);

    let undone = year.recompressed(&["--undo"]).await;
    assert_eq!(
        undone["timeline"]["documents"],
        result["timeline"]["documents"]
    );
    assert_eq!((year.packed(1), year.packed(2)), (documents, 0));
    assert_eq!(year.number("SELECT count(*) FROM payload_dictionaries"), 0);
    assert_eq!(year.timelines().await, before);
    assert_eq!(year.verified().await, (0, [0, 0]));
}

async fn one_that_is_killed_goes_on_with_the_same_dictionaries(year: Year) {
    let documents = year.packed(1);
    // So that there is a middle.
    let slowly = ["recompress", "--cpu-percent", "20"];
    let mut child = year.command(&slowly).spawn().unwrap();
    wait::until_soon("the first that is packed anew", async || {
        year.packed(2) > 0 || wait::not_yet(&mut child, || "it ended at once".to_owned())
    })
    .await;
    signal(&child, "-KILL");
    exited(child).await;
    let (left, done) = (year.packed(1), year.packed(2));
    assert!(left > 5 && done > 5, "{left} and {done}");
    let dictionaries = "SELECT CAST(id AS TEXT) AS row FROM payload_dictionaries ORDER BY id";
    let trained = year.rows(dictionaries);
    assert_eq!(trained.len(), 2);

    let result = year.recompressed(&[]).await;
    let kept = ["match", "timeline"].map(|kind| result[kind]["kept"].as_u64().unwrap());
    assert_eq!(year.packed(2) + kept[0] + kept[1], documents, "{result}");
    assert_eq!(year.rows(dictionaries), trained);
    assert_eq!(
        year.number("SELECT count(*) FROM jobs WHERE kind = 'recompress'"),
        1
    );
    assert_eq!(year.verified().await, (0, [0, 0]));
}

async fn a_corrupt_byte_and_a_lost_dictionary_are_mended(year: Year) {
    year.recompressed(&[]).await;
    let packed = |kind: &str| {
        year.number(&format!(
            "SELECT count(*) FROM payloads WHERE codec = 2 AND kind = '{kind}'"
        ))
    };
    let broken = match year.server {
        Some(_) => "set_byte(body, 60, get_byte(body, 60) # 255)",
        None => "CAST(substr(body, 1, 60) || x'00' || substr(body, 62) AS BLOB)",
    };
    year.change(&format!(
        "UPDATE payloads SET body = {broken} WHERE kind = 'match'
            AND match_id = (SELECT min(match_id) FROM payloads WHERE codec = 2 AND kind = 'match' AND length(body) > 1000)"
    ));
    let matches = packed("match");
    assert_eq!(year.verified().await, (1, [1, 0]));
    assert_eq!(packed("match"), matches - 1, "it is as it was received");
    assert_eq!(year.verified().await, (0, [0, 0]));

    let timelines = packed("timeline");
    year.change("DELETE FROM payload_dictionaries WHERE kind = 'timeline'");
    // An export goes on, and says what it could not read.
    let path = year.setup.folder.path().join("t.csv");
    let path = path.to_str().unwrap();
    let export = ["export", "--what", "timeline_events", "--out", path];
    let told = run(year.command(&export)).await;
    let words = format!("{timelines} stored timelines are broken");
    assert_eq!(told.status.code(), Some(1));
    assert!(text(&told).contains(&words), "{}", text(&told));
    assert_eq!(year.verified().await, (timelines, [0, timelines]));
    assert_eq!(packed("timeline"), 0);
    assert_eq!(year.verified().await, (0, [0, 0]));
    // The next one trains another, and gives it no number that was given before.
    let used = year.number("SELECT max(id) FROM payload_dictionaries");
    year.recompressed(&[]).await;
    assert_eq!(packed("timeline"), timelines);
    assert!(year.number("SELECT max(id) FROM payload_dictionaries") > used.max(2));
    assert_eq!(year.verified().await, (0, [0, 0]));
}

async fn few_documents_stay_as_they_are_also_through_a_running_engine(year: Year) {
    let before = year.payloads();
    let mut engine = year.command(&["serve"]);
    let ready = engine.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let (ready, engine) = until_ready(ready).await;
    assert!(ready.contains("ready"), "{ready}");
    let result = year.recompressed(&[]).await;
    let few = ["match", "timeline"].map(|kind| result[kind]["too_few"].as_u64().unwrap());
    assert_eq!(few[0] + few[1], before.len() as u64, "{result}");
    let refused = run(year.command(&["recompress", "--level", "20"])).await;
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    signal(&engine, "-TERM");
    exited(engine).await;
    assert_eq!(year.payloads(), before);
}

async fn until_ready(mut engine: std::process::Child) -> (String, std::process::Child) {
    let waited = tokio::task::spawn_blocking(move || {
        use std::io::BufRead;
        let mut line = String::new();
        let stdout = engine.stdout.take().unwrap();
        std::io::BufReader::new(stdout)
            .read_line(&mut line)
            .unwrap();
        (line, engine)
    });
    waited.await.unwrap()
}

#[tokio::test]
async fn a_copy_brings_packed_documents_along_and_back() {
    let (year, scratch) = (Year::of(60, None).await, Scratch::new());
    year.recompressed(&[]).await;
    let back = year.setup.folder.path().join("back.db");
    let urls = [
        year.url(),
        scratch.url().to_owned(),
        format!("sqlite://{}", back.display()),
    ];
    for pair in urls.windows(2) {
        year.done(&["db", "copy", "--from", &pair[0], "--to", &pair[1]])
            .await;
    }
    let here = SqliteStore::open_read_only(year.setup.database().as_ref()).unwrap();
    let there = PostgresStore::open_read_only(scratch.settings())
        .await
        .unwrap();
    let again = SqliteStore::open_read_only(&back).unwrap();
    let first = Spot::default();
    let spots = RepackStore::packed_after(&here, Packing::Zstd, &first, 1_000);
    let spots = spots.await.unwrap();
    assert!(spots.len() > 50);
    for spot in spots {
        let kind = PayloadKind::parse(&spot.kind).unwrap();
        let id = spot.match_id.parse().unwrap();
        let payload = here.payload(kind, id).await.unwrap().unwrap();
        assert!(document_of(&payload).is_ok());
        assert_eq!(
            there.payload(kind, id).await.unwrap().as_ref(),
            Some(&payload)
        );
        assert_eq!(again.payload(kind, id).await.unwrap(), Some(payload));
    }
}

on_each_store! { tokio::test;
    a_body_is_replaced_only_while_it_is_the_one_that_was_read,
    a_dictionary_stays_as_long_as_a_document_needs_it,
}

fn document(n: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(n);
    let participant = |_| format!(r#"{{"championName":"Ryze","kills":{}}}"#, rng.u8(..));
    let participants: Vec<String> = (0..30).map(participant).collect();
    format!(r#"{{"id":{n},"seats":[{}]}}"#, participants.join(",")).into_bytes()
}

pub fn gzip(n: u64) -> Payload {
    Payload {
        codec: Codec::Gzip,
        body: as_gzip(&document(n)),
    }
}

/// A stored dictionary for such documents.
pub async fn dictionary(store: &dyn Store) -> Arc<Dictionary> {
    let documents: Vec<Vec<u8>> = (0..60).map(document).collect();
    let trained = Trained {
        kind: PayloadKind::Match,
        samples: 60,
        body: train(&documents).unwrap().into(),
    };
    let id = store.add_dictionary(trained.clone(), NOW).await.unwrap();
    let again = store.add_dictionary(trained.clone(), NOW).await.unwrap();
    assert_eq!(id, again, "it is there");
    let body = store.dictionary(id).await.unwrap().unwrap();
    assert_eq!(body, trained.body);
    Arc::new(Dictionary { id, body })
}

pub fn repacked(n: u64, packer: &mut Packer) -> Repacked {
    let was = gzip(n);
    let Repack::Done(now) = packer.repack(&was).unwrap() else {
        panic!("it is not smaller");
    };
    Repacked {
        kind: PayloadKind::Match,
        id: match_id(n),
        was,
        now,
    }
}

/// A match whose stored document is this, whatever was there.
pub async fn put(store: &dyn Store, n: u64, payload: Payload) {
    let repair = Repair::Match {
        record: game(n, 14),
        payload: Some(payload),
        key_fingerprint: "f".into(),
    };
    store.repair(vec![repair], NOW).await.unwrap();
}

async fn a_body_is_replaced_only_while_it_is_the_one_that_was_read(store: Arc<dyn Store>) {
    let dictionary = dictionary(&*store).await;
    let mut packer = Packer::new(9, dictionary.clone()).unwrap();
    write(
        &*store,
        vec![vec![stores(&game(1, 14))], vec![stores(&game(2, 14))]],
    )
    .await;
    for n in [1, 2] {
        put(&*store, n, gzip(n)).await;
    }
    let read = [1, 2].map(|n| repacked(n, &mut packer));
    // Meanwhile a recovery fetched a newer one of the second.
    put(&*store, 2, gzip(70)).await;
    assert_eq!(store.repack(read.to_vec()).await.unwrap(), 1);
    let stored = |n| store.payload(PayloadKind::Match, match_id(n));
    assert_eq!(stored(1).await.unwrap(), Some(read[0].now.clone()));
    assert_eq!(stored(2).await.unwrap(), Some(gzip(70)));
    // Once more changes nothing, and what was packed is no candidate.
    assert_eq!(store.repack(read.to_vec()).await.unwrap(), 0);
    let first = Spot::default();
    let left = store.packed_after(Packing::Gzip, &first, 9);
    let left: Vec<String> = left
        .await
        .unwrap()
        .into_iter()
        .map(|spot| spot.match_id)
        .collect();
    assert_eq!(left, [match_id(2).to_string()]);
    // A fetched document takes the place of a packed one, and is as it came.
    put(&*store, 1, gzip(1)).await;
    assert_eq!(stored(1).await.unwrap(), Some(gzip(1)));
    // Nothing is packed with a dictionary that is not there.
    assert_eq!(
        store
            .drop_dictionaries(NOW + Duration::from_secs(1))
            .await
            .unwrap(),
        1
    );
    assert_eq!(store.repack(read[..1].to_vec()).await.unwrap(), 0);
    assert_eq!(stored(1).await.unwrap(), Some(gzip(1)));
}

async fn a_dictionary_stays_as_long_as_a_document_needs_it(store: Arc<dyn Store>) {
    let dictionary = dictionary(&*store).await;
    let mut packer = Packer::new(9, dictionary.clone()).unwrap();
    write(&*store, vec![vec![stores(&game(1, 14))]]).await;
    put(&*store, 1, gzip(1)).await;
    let one = repacked(1, &mut packer);
    assert_eq!(store.repack(vec![one.clone()]).await.unwrap(), 1);
    let later = NOW + Duration::from_secs(1);
    assert_eq!(store.drop_dictionaries(later).await.unwrap(), 0);
    assert_eq!(store.clean_orphans(later, 10).await.unwrap(), 0);
    let documents = store.documents(&[match_id(1)]).await.unwrap();
    let payload = documents[0].payloads[&PayloadKind::Match].clone().unwrap();
    assert_eq!(payload, one.now);
    assert_eq!(document_of(&payload).unwrap(), document(1));
    // Not needed, but young: an engine may be about to pack with it.
    put(&*store, 1, gzip(1)).await;
    assert_eq!(store.clean_orphans(NOW, 10).await.unwrap(), 0);
    assert_eq!(store.clean_orphans(later, 10).await.unwrap(), 1);
    assert!(store.dictionary(dictionary.id).await.unwrap().is_none());
}
