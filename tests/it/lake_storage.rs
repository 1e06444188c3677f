//! A lake in a storage that speaks S3 is the database, whoever else writes there and whenever an export was killed.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::lake::{TABLES, check_tables, python};
use crate::place::Place;
use crate::rig::{Rig, documents, on_each_place};
use crate::setup::{exited, run, signal, text};
use crate::storage::{Between, Storage, named};
use crate::wait;

on_each_place! {
    a_lake_in_a_storage_is_the_database_and_only_what_changed_is_sent,
    an_export_into_a_storage_that_is_killed_leaves_a_whole_lake_and_the_next_clears_up,
}

/// Reads the lake as its README says, from the storage alone.
const READ: &str = r#"
import duckdb, duckdb_ext, glob, json, os, sys
# A question that takes long would write a bar where the answer is.
duckdb.sql('SET enable_progress_bar = false')
[found] = [file for place in duckdb_ext.__path__ for file in glob.glob(f"{place}/**/httpfs.duckdb_extension", recursive=True)]
duckdb.sql(f"LOAD '{found}'")
url, key, secret, lake, tables = sys.argv[1:]
duckdb.sql(f"""CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', REGION 'us-east-1', ENDPOINT '{url.split("://")[1]}',
    URL_STYLE 'path', USE_SSL false)""")
duckdb.sql(duckdb.sql(f"SELECT content FROM read_text('{lake}/lake.sql')").fetchone()[0])
def text(cell):
    return None if cell is None else str(int(cell)) if isinstance(cell, bool) else str(cell)
told = {}
for table in json.loads(tables):
    rows = duckdb.sql(f"SELECT * FROM {table}")
    told[table] = {"columns": rows.columns, "rows": [[text(cell) for cell in row] for row in rows.fetchall()]}
print(json.dumps(told))
"#;

impl Rig {
    fn export_into(&self, storage: &Storage, more: &[&str]) -> Command {
        let lake = storage.lake();
        let args = ["export", "--all", "--dir", &lake, "--json"];
        let mut command = self.command(&[&args[..], more].concat());
        storage.known_to(&mut command);
        command
    }

    async fn exported_into(&self, storage: &Storage, more: &[&str]) -> Value {
        let output = run(self.export_into(storage, more)).await;
        assert!(output.status.success(), "{}", text(&output));
        documents(&output.stdout).remove(0)
    }

    async fn check_storage(&self, storage: &Storage) {
        let (names, lake) = (json!(TABLES).to_string(), storage.lake());
        let Storage {
            url,
            key_id,
            secret,
            ..
        } = storage;
        let read = python(READ, &[url, key_id, secret, &lake, &names]).await;
        check_tables(&self.place, &read);
    }
}

async fn a_lake_in_a_storage_is_the_database_and_only_what_changed_is_sent(place: Place) {
    let (rig, storage) = (Rig::synced(place, 24).await, Storage::new().await);
    storage
        .put("matches/mine.parquet", b"not of an export")
        .await;
    let first = rig.exported_into(&storage, &[]).await;
    assert_eq!(first["generation"], 1);
    assert_eq!(first["lake"], storage.lake());
    rig.check_storage(&storage).await;
    let again = rig.exported_into(&storage, &["--since", "last"]).await;
    assert_eq!(again["written"], json!([]), "nothing has changed");
    let before = storage.manifest().await.unwrap();
    // One row of one match.
    rig.execute(
        "UPDATE match_participants SET gold_earned = gold_earned + 1
         WHERE participant_id = 1 AND match_id = (SELECT max(match_id) FROM matches)",
    );
    let next = rig.exported_into(&storage, &[]).await;
    let written: Vec<String> = serde_json::from_value(next["written"].clone()).unwrap();
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(written[0].starts_with("matches|"), "{written:?}");
    rig.check_storage(&storage).await;
    let after = storage.manifest().await.unwrap();
    for file in before["files"].as_array().unwrap() {
        let is_written = written.iter().any(|name| *name == file["partition"]);
        let is_kept = after["files"].as_array().unwrap().contains(file);
        assert_eq!(is_kept, !is_written, "{file}");
    }
    let mut files = named(&after);
    assert_eq!(storage.files().await, files);
    files.extend(["manifest.json", "lake.sql", "README.md", "DICTIONARY.md"].map(String::from));
    files.insert("matches/mine.parquet".to_owned());
    assert_eq!(
        storage.objects().await,
        files,
        "what is somebody else's stays"
    );
    // And all of it again.
    let full = rig.exported_into(&storage, &["--full"]).await;
    assert_eq!(full["unchanged"], 0);
    rig.check_storage(&storage).await;
}

async fn an_export_into_a_storage_that_is_killed_leaves_a_whole_lake_and_the_next_clears_up(
    place: Place,
) {
    let (rig, storage) = (Rig::synced(place, 24).await, Storage::new().await);
    let mut generation = 0;
    for wait_files in [1, 20, 60] {
        let mut child = rig
            .export_into(&storage, &["--full"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until_files(&storage, generation, wait_files, &mut child).await;
        // Without a word to the program.
        let _ = child.kill();
        child.wait().unwrap();
        if let Some(manifest) = storage.manifest().await {
            assert!(manifest["generation"].as_u64().unwrap() >= generation);
            assert!(
                named(&manifest).is_subset(&storage.files().await),
                "all of it is there"
            );
            rig.check_storage(&storage).await;
        }
        // What changed meanwhile brings the next generation, and with it goes what was left over.
        rig.execute("UPDATE players SET game_name = game_name || 'x' WHERE id = 3");
        generation = rig.exported_into(&storage, &[]).await["generation"]
            .as_u64()
            .unwrap();
        rig.check_storage(&storage).await;
        let manifest = storage.manifest().await.unwrap();
        assert_eq!(storage.files().await, named(&manifest));
    }
}

/// Waits until an export has sent so many files of the generation after this one, or has ended.
async fn until_files(
    storage: &Storage,
    generation: u64,
    count: usize,
    child: &mut std::process::Child,
) {
    let is_own = |path: &String| {
        let (_, name) = path.rsplit_once("part-").unwrap();
        name[..6].parse::<u64>().unwrap() > generation
    };
    wait::until_soon("its files", async || {
        let files = storage.files().await;
        let written = files.iter().filter(|path| is_own(path)).count();
        written >= count || child.try_wait().unwrap().is_some()
    })
    .await;
}

#[tokio::test]
async fn of_two_exports_at_once_one_is_told_so_and_the_lake_is_whole() {
    let (rig, storage) = (Rig::synced(Place::sqlite(), 24).await, Storage::new().await);
    // The first has no manifest yet, the second one that another one replaces.
    for had in [false, true] {
        let was = storage.manifest().await;
        assert_eq!(was.is_some(), had);
        let generation = was.map_or(0, |was| was["generation"].as_u64().unwrap());
        let mut slow = rig
            .export_into(&storage, &["--full"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until_files(&storage, generation, 1, &mut slow).await;
        // It has read what it goes on from, and sleeps while another one overtakes it.
        signal(&slow, "-STOP");
        rig.exported_into(&storage, &["--full"]).await;
        rig.check_storage(&storage).await;
        let manifest = storage.get("manifest.json").await;
        signal(&slow, "-CONT");
        let slow = exited(slow).await;
        let said = text(&slow);
        assert_eq!(slow.status.code(), Some(1), "{said}");
        assert!(
            said.contains("another export wrote there meanwhile"),
            "{said}"
        );
        assert_eq!(
            storage.get("manifest.json").await,
            manifest,
            "that of the other one"
        );
        rig.check_storage(&storage).await;
    }
    // What they sent that lost goes with the next generation.
    rig.exported_into(&storage, &["--full"]).await;
    let manifest = storage.manifest().await.unwrap();
    assert_eq!(storage.files().await, named(&manifest));
}

/// What is wrong, with the cause and the remedy that are told.
const WRONG: [(&str, &str, &str, &str); 7] = [
    (
        "AWS_SECRET_ACCESS_KEY",
        WRONG_SECRET,
        "signature",
        "Check AWS_SECRET",
    ),
    (
        "AWS_ACCESS_KEY_ID",
        "NOBODY",
        "does not know this",
        "Check AWS_ACCESS",
    ),
    (
        "AWS_ACCESS_KEY_ID",
        "",
        "are not set",
        "Set AWS_ACCESS_KEY_ID",
    ),
    (
        "AWS_ENDPOINT_URL",
        AWAY,
        "cannot be reached",
        "Check AWS_ENDPOINT",
    ),
    (
        "AWS_ENDPOINT_URL",
        "nowhere",
        "is no URL",
        "https://host:port",
    ),
    (
        "AWS_ENDPOINT_URL",
        "http://a:b@x",
        "is no URL",
        "without a user",
    ),
    ("AWS_REGION", "eu west", "region", "us-east-1"),
];
const WRONG_SECRET: &str = "a-secret-of-nobody";
/// Nobody listens there.
const AWAY: &str = "http://127.0.0.1:9";

#[tokio::test]
async fn what_is_wrong_with_a_storage_is_told_with_a_remedy_and_no_secret() {
    let (rig, storage) = (Rig::synced(Place::sqlite(), 8).await, Storage::new().await);
    let none = format!("s3://none-{}/lake", storage.bucket());
    let other = rig.setup.simulator.static_url();
    let more = [
        ("DIR", &*none, "there is no bucket", "Make it"),
        (
            "AWS_ENDPOINT_URL",
            &*other,
            "speaks S3",
            "Check AWS_ENDPOINT",
        ),
    ];
    for (variable, value, cause, remedy) in WRONG.into_iter().chain(more) {
        let lake = storage.lake();
        let dir = if variable == "DIR" { value } else { &lake };
        let mut command = rig.command(&["export", "--all", "--dir", dir]);
        storage.known_to(&mut command);
        command.env(variable, value).env("RUST_LOG", "trace");
        let output = run(command).await;
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{variable}={value}: {said}");
        assert!(
            said.contains(cause) && said.contains(remedy),
            "{variable}={value}: {said}"
        );
        assert!(said.contains("s3://"), "{said}");
        for secret in [WRONG_SECRET, &storage.secret] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    assert!(storage.objects().await.is_empty());
    for dir in ["s3://", "s3://a", "gs://bucket/lake"] {
        let output = run(rig.command(&["export", "--all", "--dir", dir])).await;
        assert_eq!(output.status.code(), Some(2), "{dir}");
    }
    let output = run(rig.command(&["export", "--all"])).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("lake.dir"), "{}", text(&output));
}

#[tokio::test]
async fn who_may_only_read_is_told_what_is_denied() {
    let (rig, storage) = (Rig::synced(Place::sqlite(), 8).await, Storage::new().await);
    let mut command = rig.export_into(&storage, &[]);
    let reader = |name: &str| std::env::var(format!("TEST_S3_READER_{name}")).unwrap();
    command.env("AWS_ACCESS_KEY_ID", reader("KEY_ID"));
    command.env("AWS_SECRET_ACCESS_KEY", reader("SECRET"));
    let output = run(command).await;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("denies access") && said.contains("s3:PutObject"),
        "{said}"
    );
}

#[tokio::test]
async fn secrets_of_a_storage_are_in_no_output_log_row_or_object() {
    let (rig, storage) = (Rig::synced(Place::sqlite(), 8).await, Storage::new().await);
    let settings = rig.setup.folder.path().join("settings.toml");
    let text_of = |secret: &str, token: &str| {
        format!(
            "[lake]\ndir = \"{}\"\nendpoint = \"{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{secret}\"\n\
             session_token = \"{token}\"\n",
            storage.lake(),
            storage.url,
            storage.key_id,
        )
    };
    let token = "the-token-of-a-session-0123456789";
    let mut seen = String::new();
    for (secret, token) in [
        (&*storage.secret, ""),
        (&*storage.secret, token),
        ("unclosed\nline", ""),
    ] {
        std::fs::write(&settings, text_of(secret, token)).unwrap();
        let config = settings.to_str().unwrap();
        for args in [
            &["export", "--all"][..],
            &["export", "--all", "--full", "--json"],
            &["config", "show"],
            &["config", "show", "--json"],
            &["db", "info"],
        ] {
            let mut command = rig.command(&[args, &["--config", config]].concat());
            command.env("RUST_LOG", "trace");
            let output = run(command).await;
            seen += &text(&output);
            seen += &String::from_utf8_lossy(&output.stdout);
        }
    }
    assert!(
        seen.contains("generation 1") && seen.contains("***"),
        "{seen}"
    );
    for name in storage.objects().await {
        seen += &String::from_utf8_lossy(&storage.get(&name).await.unwrap());
    }
    let database = rig.place.url();
    let bytes = std::fs::read(database.strip_prefix("sqlite://").unwrap()).unwrap();
    seen += &String::from_utf8_lossy(&bytes);
    for secret in [&*storage.secret, token, "unclosed"] {
        let at = seen
            .find(secret)
            .map(|at| &seen[at.saturating_sub(300)..at + 20]);
        assert_eq!(at, None, "{secret}");
    }
}

#[tokio::test]
async fn an_export_waits_for_a_storage_that_is_away_for_a_while_once_it_has_answered() {
    let (rig, storage) = (Rig::synced(Place::sqlite(), 8).await, Storage::new().await);
    let between = Between::new(&storage.url).await;
    let mut command = rig.export_into(&storage, &[]);
    command.env("AWS_ENDPOINT_URL", between.url());
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until_files(&storage, 0, 1, &mut child).await;
    between.cut();
    // It tries again, and says so.
    between.until_refused(2).await;
    between.mend();
    assert!(exited(child).await.status.success());
    rig.check_storage(&storage).await;
}

#[tokio::test]
async fn a_wrong_clock_is_told_as_what_it_is() {
    let (rig, storage) = (Rig::synced(Place::sqlite(), 8).await, Storage::new().await);
    let mut command = rig.export_into(&storage, &[]);
    command
        .env("LD_PRELOAD", crate::clocks::library())
        .env("FAKETIME", "-2h")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let output = run(command).await;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("s behind the storage's. Set the clock"),
        "{said}"
    );
}
