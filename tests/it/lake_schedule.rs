//! The job that brings a lake up to date by the clock: one at a time, whole after a crash, and only where one is set.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::lake::{files, manifest, named};
use crate::place::Place;
use crate::rig::{Rig, on_each_place};
use crate::setup::{PLAYER, run, text};
use crate::storage::Storage;
use crate::wait;

on_each_place! {
    a_schedule_brings_the_lake_up_to_date,
    an_engine_that_is_killed_at_an_export_ends_it_after_its_start,
}

impl Rig {
    /// An engine with a lake that is exported so often.
    fn with_lake(&self, place: &str, when: &str, more: &str) -> Command {
        let settings = self.settings(place, when, more);
        self.command(&["serve", "--config", settings.to_str().unwrap()])
    }

    fn settings(&self, place: &str, when: &str, more: &str) -> PathBuf {
        let settings = self.setup.folder.path().join("lake.toml");
        let text = format!(
            "[lake]\ndir = \"{place}\"\n[schedules.export_lake]\nwhen = \"{when}\"\nkind = \"export_lake\"\n{more}\n"
        );
        std::fs::write(&settings, text).unwrap();
        settings
    }

    /// The exports that the engine knows of, the last first.
    async fn exports(&self) -> Vec<Value> {
        let listed = self
            .done(&["job", "list", "--limit", "100"])
            .await
            .remove(0);
        let mut jobs = listed["jobs"].as_array().unwrap().clone();
        jobs.retain(|job| job["kind"] == "export_lake");
        jobs
    }

    /// One that has ended so.
    async fn export_that_is(&self, state: &str) -> Value {
        let job = wait::found(state, async || {
            let exports = self.exports().await;
            exports.into_iter().find(|job| job["state"] == state)
        })
        .await;
        let id = job["job_id"].to_string();
        self.done(&["job", "show", &id]).await.remove(0)
    }
}

async fn a_schedule_brings_the_lake_up_to_date(place: Place) {
    let rig = Rig::synced(place, 16).await;
    let lake = rig.lake();
    let engine = rig
        .serve_as(rig.with_lake(lake.to_str().unwrap(), "every 1s", ""))
        .await;
    let done = rig.export_that_is("completed").await;
    assert_eq!(done["result"]["generation"], 1, "{done}");
    assert_eq!(done["result"]["lake"], lake.to_str().unwrap());
    assert!(
        done["result"]["partitions_written"].as_u64().unwrap() > 1,
        "{done}"
    );
    rig.check_lake().await;
    // What is changed comes with one of the next; no two are open at once.
    rig.execute("UPDATE players SET game_name = 'Another' WHERE id = 3");
    while manifest(&lake)["generation"] == 1 {
        let open = rig.exports().await;
        let open = open.iter().filter(|job| job["state"] != "completed");
        let open: Vec<_> = open.collect();
        assert!(open.len() <= 1, "{open:?}");
    }
    engine.stop().await;
    rig.check_lake().await;
}

async fn an_engine_that_is_killed_at_an_export_ends_it_after_its_start(place: Place) {
    let rig = Rig::synced(place, 24).await;
    let lake = rig.lake();
    let path = lake.to_str().unwrap();
    let full = "args = { full = true }";
    let engine = rig.serve_as(rig.with_lake(path, "every 1s", full)).await;
    let is_half = async || lake.is_dir() && files(&lake).len() >= 9;
    wait::until_soon("nine files", is_half).await;
    let running = rig.exports().await.remove(0);
    // Killed.
    drop(engine);
    std::fs::remove_file(rig.socket()).unwrap();
    let engine = rig.serve_as(rig.with_lake(path, "off", "")).await;
    let id = running["job_id"].to_string();
    let waited = run(rig.command(&["job", "wait", &id])).await;
    assert!(waited.status.success(), "{}", text(&waited));
    assert!(
        rig.exports()
            .await
            .iter()
            .all(|job| job["state"] == "completed")
    );
    engine.stop().await;
    rig.check_lake().await;
    assert_eq!(files(&lake), named(&lake, &manifest(&lake)));
}

#[tokio::test]
async fn a_schedule_exports_into_a_storage_and_an_error_of_it_is_told_by_the_job() {
    let (rig, storage) = (Rig::synced(Place::sqlite(), 8).await, Storage::new().await);
    let mut serve = rig.with_lake(&storage.lake(), "every 1s", "");
    storage.known_to(&mut serve);
    let engine = rig.serve_as(serve).await;
    let done = rig.export_that_is("completed").await;
    assert_eq!(done["result"]["lake"], storage.lake());
    engine.stop().await;
    assert_eq!(storage.manifest().await.unwrap()["generation"], 1);
    let mut serve = rig.with_lake(&storage.lake(), "every 1s", "");
    storage.known_to(&mut serve);
    serve.env("AWS_SECRET_ACCESS_KEY", "another-secret");
    let engine = rig.serve_as(serve).await;
    let failed = rig.export_that_is("discarded").await.to_string();
    engine.stop().await;
    assert!(
        failed.contains("signature") && failed.contains("Check AWS_SECRET"),
        "{failed}"
    );
    assert!(!failed.contains("another-secret"), "{failed}");
}

#[tokio::test]
async fn where_no_lake_is_set_none_is_exported_and_a_wrong_one_is_told_at_the_start() {
    let rig = Rig::synced(Place::sqlite(), 4).await;
    for (place, when, said) in [
        ("", "every 1s", "lake.dir"),
        ("gs://bucket", "off", "s3://bucket/prefix"),
        ("s3://bucket/lake", "every 1s", "AWS_ACCESS_KEY_ID"),
    ] {
        let output = run(rig.with_lake(place, when, "")).await;
        assert_eq!(output.status.code(), Some(2), "{place}");
        let told = text(&output);
        assert!(told.contains(said), "{place}: {told}");
    }
    // The place of the settings is that of the verb too.
    let lake = rig.lake();
    let settings = rig.settings(lake.to_str().unwrap(), "off", "");
    let args = ["export", "--all", "--config", settings.to_str().unwrap()];
    let exported = rig.done(&args).await.remove(0);
    assert_eq!(exported["lake"], lake.to_str().unwrap());
    rig.check_lake().await;
}

#[tokio::test]
async fn without_the_credentials_of_its_lake_an_engine_does_all_but_export_it() {
    let rig = Rig::synced(Place::sqlite(), 4).await;
    let engine = rig
        .serve_as(rig.with_lake("s3://bucket/lake", "off", ""))
        .await;
    let add = [
        "schedule",
        "add",
        "lake",
        "--when",
        "every 1h",
        "--kind",
        "export_lake",
    ];
    let refused = run(rig.command(&add)).await;
    assert!(!refused.status.success());
    assert!(
        text(&refused).contains("AWS_ACCESS_KEY_ID"),
        "{}",
        text(&refused)
    );
    rig.done(&["sync", PLAYER, "--platform", "euw1", "--year", "2025"])
        .await;
    let log = rig.setup.log();
    let told: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("lake.dir"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("credentials of the storage are not set")
            && told[0].contains("AWS_ACCESS_KEY_ID"),
        "{told:?}"
    );
    engine.stop().await;
}

#[tokio::test]
async fn a_settings_file_with_a_secret_that_others_can_read_is_told_of() {
    let rig = Rig::synced(Place::sqlite(), 2).await;
    let secret = "access_key_id = \"of somebody\"\nsecret_access_key = \"of-somebody-too\"";
    let told = async |mode, secret: &str| {
        let settings = rig.setup.folder.path().join("lake.toml");
        std::fs::write(&settings, format!("[lake]\n{secret}\n")).unwrap();
        std::fs::set_permissions(&settings, Permissions::from_mode(mode)).unwrap();
        let mut sync = rig.setup.sync();
        sync.arg("--config").arg(&settings);
        let output = run(sync).await;
        assert!(output.status.success(), "{}", text(&output));
        let lines = String::from_utf8(output.stderr).unwrap();
        let lines = lines
            .lines()
            .filter(|line| line.contains("can be read by other users"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = told(0o644, secret).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    for said in [
        "settings file with lake.secret_access_key",
        "lake.toml",
        "chmod go=",
    ] {
        assert!(lines[0].contains(said), "{said}: {lines:?}");
    }
    assert_eq!(told(0o600, secret).await, [""; 0]);
    assert_eq!(told(0o644, "").await, [""; 0]);
}
