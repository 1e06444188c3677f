//! Names from published files: fetched without the key, only when there is something new, and kept whatever is
//! answered.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::place::Place;
use crate::rig::{Rig, documents, on_each_place};
use crate::setup::{PLAYER, run, text};

on_each_place! {
    names_are_fetched_without_the_key_and_only_what_is_new_again,
    a_bad_answer_is_told_and_the_names_stay,
    names_stand_where_champions_are_shown_and_in_exports,
    without_a_network_queues_and_maps_have_names_and_nothing_is_asked,
}

/// All files, with that of the versions.
const FILES: u64 = 8;

impl Rig {
    /// A command that knows where the simulated files are.
    fn with_files(&self, args: &[&str]) -> Command {
        let url = self.setup.simulator.static_url();
        let mut command = self.command(args);
        command
            .env("RIFTSYNC_NAMES__BASE_URL", &url)
            .env("RIFTSYNC_NAMES__CONSTANTS_URL", format!("{url}/docs"));
        for (setting, value) in [
            ("RETRIES", "0"),
            ("BACKOFF_BASE_S", "0"),
            ("BACKOFF_CAP_S", "0"),
        ] {
            command.env(
                format!("RIFTSYNC_KINDS__SYNC_STATIC_DATA__{setting}"),
                value,
            );
        }
        command
    }

    async fn fetch_names(&self, more: &[&str]) -> Value {
        let output = run(self.with_files(&[&["names", "--json"], more].concat())).await;
        assert!(output.status.success(), "{}", text(&output));
        documents(&output.stdout).remove(0)["result"].take()
    }

    /// Requests for files, those answered with 304, those with a key; and all calls of the API.
    fn requests(&self) -> [u64; 4] {
        let counters = self.setup.simulator.counters();
        [
            counters.static_requests,
            counters.static_unchanged,
            counters.static_with_key,
            counters.calls,
        ]
    }

    fn stored_names(&self) -> Vec<Vec<Option<String>>> {
        self.place.rows(
            "SELECT kind, id, patch, language, name, image FROM static_names ORDER BY kind, id, patch",
        )
    }
}

async fn names_are_fetched_without_the_key_and_only_what_is_new_again(place: Place) {
    let rig = Rig::new(place, 1).await;
    rig.place.open().await.close().await.unwrap();
    let first = rig.fetch_names(&[]).await;
    assert_eq!(rig.requests(), [FILES, 0, 0, 0]);
    let stored = rig.stored_names();
    assert_eq!(first["names"].as_u64(), Some(stored.len() as u64));
    let patches = rig.lines("SELECT DISTINCT patch AS row FROM static_names");
    assert_eq!(patches.len(), 1);
    let version = first["version"].as_str().unwrap();
    assert!(
        version.starts_with(&format!("{}.", patches[0])),
        "{version}"
    );
    let lee =
        "SELECT name || ' ' || image AS row FROM v_names WHERE kind = 'champion' AND number = 64";
    assert_eq!(rig.lines(lee), ["Lee Sin LeeSin.png"]);

    // A look at the versions is enough, for a week.
    let again = rig.fetch_names(&[]).await;
    assert_eq!(
        (again["files"].as_u64(), again["names"].as_u64()),
        (Some(1), Some(0))
    );
    assert_eq!(rig.requests(), [FILES + 1, 1, 0, 0]);
    rig.execute("UPDATE static_files SET checked_at = checked_at - 8 * 86400000");
    rig.fetch_names(&[]).await;
    rig.fetch_names(&["--all"]).await;
    assert_eq!(
        rig.requests(),
        [3 * FILES + 1, 2 * FILES + 1, 0, 0],
        "nothing is sent again"
    );
    assert_eq!(rig.stored_names(), stored);

    // A new patch has names of its own, and those of the old one stay.
    let world = &rig.setup.world;
    world.set_now(world.now() + Duration::from_hours(24 * 14));
    let next = rig.fetch_names(&[]).await;
    assert_ne!(next["version"], first["version"]);
    assert_eq!(rig.requests(), [4 * FILES + 1, 2 * FILES + 1, 0, 0]);
    assert_eq!(rig.stored_names().len(), 2 * stored.len());
    assert_eq!(
        rig.lines(lee),
        ["Lee Sin LeeSin.png"],
        "each thing has one name"
    );

    // The same by an engine that runs.
    let serving = rig.serve_as(rig.with_files(&["serve"])).await;
    let asked = rig.requests();
    rig.fetch_names(&["--all"]).await;
    let [requests, unchanged, with_key, _] = rig.requests();
    assert_eq!(
        (requests, unchanged, with_key),
        (asked[0] + FILES, asked[1] + FILES, 0)
    );
    serving.stop().await;
}

async fn a_bad_answer_is_told_and_the_names_stay(place: Place) {
    let rig = Rig::new(place, 1).await;
    rig.place.open().await.close().await.unwrap();
    let control = rig.setup.simulator.control();
    let endless = vec![b' '; 17 * 1024 * 1024];
    for there in [false, true] {
        if there {
            control.set_static_answer(None);
            rig.fetch_names(&[]).await;
        }
        let before = (
            rig.stored_names(),
            rig.lines("SELECT file AS row FROM static_files"),
        );
        assert_eq!(before.0.is_empty(), !there);
        let cases: [(&str, u16, &[u8], &str); 8] = [
            ("item.json", 200, b"<html>", "item.json is no such file"),
            ("item.json", 200, b"", "item.json is no such file"),
            ("champion.json", 200, b"{\"data\":{}}", "names no champion"),
            ("queues.json", 404, b"", "queues.json answered HTTP 404"),
            ("maps.json", 302, b"", "maps.json answered HTTP 302"),
            ("versions.json", 500, b"", "versions.json answered HTTP 500"),
            ("versions.json", 200, b"[\"../../x\"]", "names no version"),
            (
                "runesReforged.json",
                200,
                &endless,
                "more than 16777216 bytes",
            ),
        ];
        for (part, status, body, told) in cases {
            control.set_static_answer(Some((part, status, body)));
            let output = run(rig.with_files(&["names", "--all"])).await;
            let said = text(&output);
            assert_eq!(output.status.code(), Some(1), "{part}: {said}");
            assert!(said.contains(told), "{part}: {said}");
            assert!(said.contains("names.base_url"), "{part}: {said}");
            let after = (
                rig.stored_names(),
                rig.lines("SELECT file AS row FROM static_files"),
            );
            assert_eq!(after, before, "{part}: all of it, or nothing");
        }
    }
    let mut wrong = rig.with_files(&["names"]);
    wrong.env("RIFTSYNC_NAMES__LANGUAGE", "../en");
    let output = run(wrong).await;
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(
        text(&output).contains("names.language"),
        "{}",
        text(&output)
    );
}

async fn names_stand_where_champions_are_shown_and_in_exports(place: Place) {
    let rig = Rig::new(place, 12).await;
    let sync = [
        "sync",
        PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2025",
        "--json",
    ];
    let mut sync = rig.command(&sync);
    sync.env("RIFTSYNC_DATA__MASTERY", "true");
    let output = run(sync).await;
    assert!(output.status.success(), "{}", text(&output));
    // One whose name documents spell in another way.
    rig.execute(
        "UPDATE player_yearly_stats SET counts = '{\"c\":{\"64\":[99,\"LEESIN\"]}}'
         WHERE player_id = (SELECT min(id) FROM players WHERE tracked)",
    );
    let year = async || rig.done(&["stats", PLAYER]).await.remove(0)["years"][0].take();
    let best = async || rig.done(&["rank", PLAYER]).await.remove(0)["mastery"][0].take();
    assert_eq!(
        (
            year().await["most_played_name"].take(),
            best().await["champion"].take()
        ),
        (Value::Null, Value::Null)
    );
    rig.fetch_names(&[]).await;
    let stats = year().await;
    assert_eq!(
        (&stats["most_played_name"], &stats["most_played_champion"]),
        (&"Lee Sin".into(), &"LEESIN".into())
    );
    let shown = run(rig.command(&["stats", PLAYER])).await;
    assert!(
        String::from_utf8(shown.stdout)
            .unwrap()
            .contains("Lee Sin (99)")
    );
    let mastery = best().await;
    let name = mastery["champion"].as_str().unwrap();
    let shown = run(rig.command(&["rank", PLAYER])).await;
    assert!(String::from_utf8(shown.stdout).unwrap().contains(name));
    for (what, cell) in [("mastery", name), ("names", "Lee Sin")] {
        let output = run(rig.command(&["export", "--what", what, "--out", "-"])).await;
        let table = String::from_utf8(output.stdout).unwrap();
        assert!(table.contains(&format!(",{cell},")), "{what}: {table}");
        let rows = ["mastery_history", "static_names"][usize::from(what == "names")];
        let rows = rig.number(&format!("SELECT count(*) FROM {rows}"));
        assert_eq!(table.lines().count() as u64, rows + 1, "{what}");
    }
    let copy = Place::sqlite();
    rig.done(&[
        "db",
        "copy",
        "--from",
        &rig.place.url(),
        "--to",
        &copy.url(),
    ])
    .await;
    let names =
        "SELECT kind, id, number, name, image, patch, language FROM v_names ORDER BY kind, id";
    assert_eq!(copy.rows(names), rig.place.rows(names));
}

async fn without_a_network_queues_and_maps_have_names_and_nothing_is_asked(place: Place) {
    let rig = Rig::new(place, 6).await;
    rig.done(&["sync", PLAYER, "--platform", "euw1", "--year", "2025"])
        .await;
    // As every other test has it.
    let told = rig.done(&["names"]).await.remove(0);
    assert!(
        told["result"]["note"]
            .as_str()
            .unwrap()
            .contains("names.base_url"),
        "{told:#}"
    );
    assert_eq!(rig.requests()[0], 0);
    let nameless = "SELECT CAST(m.queue_id AS TEXT) AS row FROM matches m
        LEFT JOIN v_names q ON q.kind = 'queue' AND q.number = m.queue_id
        LEFT JOIN v_names p ON p.kind = 'map' AND p.number = m.map_id
        LEFT JOIN v_names g ON g.kind = 'mode' AND g.id = m.game_mode
        WHERE m.game_duration_s > 0 AND (q.name IS NULL OR p.name IS NULL OR g.name IS NULL)";
    assert_eq!(rig.lines(nameless), Vec::<String>::new());
    assert!(rig.number("SELECT count(*) FROM matches") > 3);
}
