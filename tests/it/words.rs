//! What people are told who ask for what is not there, or write it in another way.

use crate::place::Place;
use crate::rig::Rig;
use crate::scratch::Scratch;
use crate::setup::{PLAYER, bare, run, setup, text};

/// How a command ends, and all that it says.
async fn told(rig: &Rig, args: &[&str]) -> (Option<i32>, String) {
    let mut command = rig.command(args);
    command.current_dir(rig.setup.folder.path());
    let output = run(command).await;
    (output.status.code(), text(&output))
}

#[tokio::test]
async fn an_export_without_a_row_says_why_and_what_gives_it_some() {
    let rig = Rig::synced(Place::sqlite(), 3).await;
    for (args, words) in [
        (
            &["matches", "--year", "2023"][..],
            "no row of matches of 2023",
        ),
        (&["names"], "`riftsync names` fetches them"),
        (&["mastery"], "data.mastery"),
    ] {
        let (code, said) = told(&rig, &[&["export", "--what"], args].concat()).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let (code, said) = told(&rig, &["export", "--what", "matches"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("no row"), "{said}");
}

#[tokio::test]
async fn an_export_that_cannot_be_meant_is_refused_with_the_right_words() {
    let rig = Rig::synced(Place::sqlite(), 3).await;
    std::fs::create_dir(rig.setup.folder.path().join("folder")).unwrap();
    std::fs::write(rig.setup.folder.path().join("file"), "").unwrap();
    for (args, words) in [
        (
            &["--what", "matches", "--year", "25"][..],
            "'25' is not a year",
        ),
        (&["--what", "names", "--year", "2025"], "of no year"),
        (
            &["--what", "teams", "--out", "folder"],
            "is a folder. Name a file in it, as folder/teams.parquet",
        ),
        (&[], "<--what <TABLE>|--all>"),
        (&["--all", "--dir", ""], "it has no name"),
        (
            &["--all", "--dir", "file"],
            "a file is there, and no folder",
        ),
    ] {
        let (code, said) = told(&rig, &[&["export"], args].concat()).await;
        assert_ne!(code, Some(0), "{args:?}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let (code, said) = told(&rig, &["tracked", "--simulate"]).await;
    assert_eq!(code, Some(2));
    assert!(
        said.contains("'--simulate'") && !said.contains("as a value"),
        "{said}"
    );
}

#[tokio::test]
async fn options_and_settings_that_are_none_are_told_with_what_there_is() {
    let rig = Rig::synced(Place::sqlite(), 3).await;
    for (name, words) in [
        (
            "DATA__TIMELINE_ROWS",
            "expected one of `off`, `minutes`, `all`",
        ),
        ("LOG__FORMAT", "expected `text` or `json`"),
        ("FILES__READABLE_BY", "`owner`"),
    ] {
        let mut command = rig.command(&["db", "info"]);
        command.env(format!("RIFTSYNC_{name}"), "xyz");
        let said = text(&run(command).await);
        assert!(
            said.contains("`xyz`") && said.contains(words),
            "{name}: {said}"
        );
    }
    // One puuid in 64 begins so.
    let puuid = format!("-{}", "a".repeat(77));
    let (code, said) = told(&rig, &["stats", "--puuid", &puuid]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no player with the puuid"), "{said}");
}

#[tokio::test]
async fn who_is_not_there_is_told_how_to_come_into_the_same_database() {
    let setup = setup(1).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let said = text(&run(setup.command(&["stats", "Nobody#X"])).await);
    let place = format!(
        "--platform ... --database \"sqlite://{}\"",
        setup.database()
    );
    let shown = format!("--platform ... --database \"{}\"", setup.database());
    assert!(said.contains(&place) || said.contains(&shown), "{said}");
}

#[tokio::test]
async fn a_table_is_known_by_its_name_in_the_database_and_a_format_in_capitals() {
    let rig = Rig::synced(Place::sqlite(), 3).await;
    for (what, out) in [
        ("match_participants", "P.CSV"),
        ("participants", "p.csv"),
        ("participant_minutes", "m.Parquet"),
    ] {
        let (code, said) = told(&rig, &["export", "--what", what, "--out", out]).await;
        assert_eq!(code, Some(0), "{what}: {said}");
    }
    let read = |name: &str| std::fs::read(rig.setup.folder.path().join(name)).unwrap();
    assert_eq!(read("P.CSV"), read("p.csv"));
}

#[tokio::test]
async fn a_database_that_is_not_on_the_server_is_told_how_it_is_made() {
    let scratch = Scratch::new();
    let url = scratch.url().replace("/riftsync_test_", "/no_such_");
    assert_ne!(url, scratch.url());
    let output = run(bare(&["stats", PLAYER, "--database", &url])).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let said = text(&output);
    assert!(
        said.contains("there is no database") && said.contains("Make it with `createdb -h "),
        "{said}"
    );
    assert!(!said.contains("Check that it runs"), "{said}");
}

#[tokio::test]
async fn the_page_of_one_platform_does_not_take_the_place_of_that_of_another() {
    let rig = Rig::synced(Place::sqlite(), 3).await;
    for more in [&[][..], &["--platform", "kr"], &["--platform", "euw1"]] {
        let report = ["report", PLAYER, "--year", "2025"];
        let (code, said) = told(&rig, &[&report[..], more].concat()).await;
        assert_eq!(code, Some(0), "{said}");
    }
    let pages = std::fs::read_dir(rig.setup.folder.path()).unwrap();
    let pages = pages.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<String> = pages.filter(|name| name.contains("-2025")).collect();
    pages.sort();
    assert_eq!(pages.len(), 3, "{pages:?}");
    assert!(pages[0].ends_with("-2025-euw1.html"), "{pages:?}");
}

/// A made-up API deletes nothing, so nothing of it is too old.
#[tokio::test]
async fn timelines_of_a_simulated_world_are_never_too_old() {
    let setup = setup(1).await;
    let home = setup.folder.path();
    let year = (jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .year()
        - 2)
    .to_string();
    let at_home = |args: &[&str]| {
        let mut command = bare(args);
        // As people have it: the API that is asked else deletes timelines after a year.
        command.env_remove("RIFTSYNC_RIOT__TIMELINES_KEPT_DAYS");
        command.env("HOME", home);
        command
    };
    let sync = [
        "sync",
        "A#B",
        "--platform",
        "kr",
        "--year",
        &year,
        "--simulate",
        "--matches",
        "5",
        "--limits",
        "none",
        "--no-timelines",
    ];
    let synced = run(at_home(&sync)).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let stats = run(at_home(&["stats", "A#B", "--simulate"])).await;
    assert!(stats.status.success(), "{}", text(&stats));
    let shown = String::from_utf8(stats.stdout).unwrap();
    assert!(
        shown.contains("not fetched") && !shown.contains("too old"),
        "{shown}"
    );
}
