//! `db backup` and `db restore`, as somebody types them beside an engine and after it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use riftsync::store::sqlite::{Backup, SqliteStore};
use riftsync::store::{DataStore, Database};

use crate::setup::{PLAYER, Setup, run, setup, text};
use crate::wait;

/// Documents fetched before a backup is made in the middle of a sync.
const IN_THE_MIDDLE: u64 = 60;

fn path(setup: &Setup, name: &str) -> PathBuf {
    setup.folder.path().join(name)
}

async fn db(setup: &Setup, verb: &[&str]) -> Output {
    run(setup.command(&[&["db"], verb].concat())).await
}

async fn matches(path: &Path) -> u64 {
    let store = SqliteStore::open_read_only(path).unwrap();
    store.census().await.unwrap().matches
}

/// What is in a folder, with what it holds; logs and locks of readers aside.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.to_str().unwrap();
            path.is_file()
                && ![".lock", "-wal", "-shm"]
                    .iter()
                    .any(|end| name.ends_with(end))
        })
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_backup_of_a_running_engine_that_is_restored_goes_on_exactly() {
    let setup = setup(101).await;
    setup.submit(&[PLAYER]).await;
    let mut engine = setup.serve().spawn().unwrap();
    wait::until_soon("the middle", async || {
        setup.document_calls() >= IN_THE_MIDDLE || wait::not_yet(&mut engine, || setup.log())
    })
    .await;
    let file = path(&setup, "saved.db");
    let saved = db(&setup, &["backup", file.to_str().unwrap(), "--json"]).await;
    assert!(saved.status.success(), "{}", text(&saved));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // The engine uses the database: it is left alone.
    let restore = ["restore", file.to_str().unwrap(), "--replace"];
    let refused = db(&setup, &restore).await;
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused).contains("in use"), "{}", text(&refused));
    engine.kill().unwrap();
    engine.wait().unwrap();
    let database = PathBuf::from(setup.database());
    let (in_backup, before) = (matches(&file).await, matches(&database).await);
    assert!(0 < in_backup && in_backup <= before, "{in_backup} {before}");
    let restored = db(&setup, &restore).await;
    assert!(restored.status.success(), "{}", text(&restored));
    assert_eq!(matches(&database).await, in_backup);
    let aside = path(&setup, "t.db.before-restore");
    assert_eq!(matches(&aside).await, before);
    assert_eq!(setup.run_to_the_end().await, [0_i64; 0]);
    setup.check_complete().await;
    // Once more, from the same file.
    assert!(db(&setup, &restore).await.status.success());
    assert_eq!(matches(&database).await, in_backup);
    assert!(matches(&path(&setup, "t.db.before-restore.2")).await > in_backup);
}

/// The file that is to be brought back is named by no option, and made by no sync.
fn names_no_other_verbs_remedy(told: &str) {
    for other in ["riftsync sync", "--database", ".recover"] {
        assert!(!told.contains(other), "{told}");
    }
}

#[tokio::test]
async fn what_cannot_be_backed_up_or_restored_is_told_and_nothing_is_changed() {
    let setup = setup(3).await;
    let file = path(&setup, "saved.db");
    let saved = file.to_str().unwrap().to_owned();
    for name in ["simulated.db", "two\nlines.db", "notes.txt"] {
        std::fs::write(path(&setup, name), "").unwrap();
    }
    let none = db(&setup, &["backup", &saved]).await;
    assert_eq!(none.status.code(), Some(3));
    let told =
        "it does not exist yet; `riftsync sync` makes it. In its folder: simulated.db. Choose";
    assert!(text(&none).contains(told), "{}", text(&none));
    assert!(run(setup.sync()).await.status.success());
    assert!(db(&setup, &["backup", &saved]).await.status.success());
    let damaged = path(&setup, "damaged.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0x5a);
    fs::write(&damaged, bytes).unwrap();
    let notes = path(&setup, "notes.txt");
    let folder = setup.folder.path().to_str().unwrap();
    fs::write(
        &notes,
        "no database, and longer than the head of one is: ".repeat(4),
    )
    .unwrap();
    let (damaged, notes) = (damaged.to_str().unwrap(), notes.to_str().unwrap());
    let absent = path(&setup, "absent.db");
    let deep = path(&setup, "no/such/folder/b.db");
    let before = contents(setup.folder.path());
    for (verb, why) in [
        (&["backup", &saved][..], "of that name already"),
        (&["backup", deep.to_str().unwrap()], "No such file"),
        (&["restore", &saved], "--replace"),
        (
            &["restore", absent.to_str().unwrap(), "--replace"],
            "does not exist",
        ),
        (&["restore", folder, "--replace"], "cannot be brought back"),
        (&["restore", damaged, "--replace"], "damaged"),
        (
            &["restore", notes, "--replace"],
            "is not a riftsync database",
        ),
        (
            &["restore", &setup.database(), "--replace"],
            "the backup itself",
        ),
        (
            &[
                "restore",
                &saved,
                "--replace",
                "--database",
                &format!("sqlite://{notes}"),
            ],
            "is not a riftsync database",
        ),
    ] {
        let told = match verb {
            [.., "--database", database] => {
                let verb = &verb[..verb.len() - 2];
                run(setup.command_on(database, &[&["db"], verb].concat())).await
            }
            _ => db(&setup, verb).await,
        };
        assert!(!told.status.success(), "{verb:?}");
        assert!(text(&told).contains(why), "{verb:?}: {}", text(&told));
        if verb[0] == "restore" && !why.contains("--replace") && !verb.contains(&"--database") {
            names_no_other_verbs_remedy(&text(&told));
        }
        let after = contents(setup.folder.path());
        assert!(after == before, "{verb:?} changed something");
    }
    let server = "postgres://somebody:hidden@127.0.0.1:1/riftsync";
    let told = run(setup.command_on(server, &["db", "backup", "x.db"])).await;
    assert_eq!(told.status.code(), Some(2));
    assert!(text(&told).contains("pg_dump"), "{}", text(&told));
    assert!(!text(&told).contains("hidden"), "{}", text(&told));
}

#[tokio::test]
async fn a_backup_that_is_given_up_leaves_nothing_and_one_that_was_cut_off_is_begun_anew() {
    let setup = setup(3).await;
    assert!(run(setup.sync()).await.status.success());
    let (database, file) = (PathBuf::from(setup.database()), path(&setup, "saved.db"));
    let given_up = Backup::new(&database, &file);
    assert!(given_up.give_up());
    assert!(given_up.write().is_err());
    let partial = path(&setup, "saved.db.partial");
    assert!(!file.exists() && !partial.exists());
    fs::write(&partial, "what a crash left").unwrap();
    let again = Backup::new(&database, &file);
    let written = again.write().unwrap();
    assert_eq!(written.bytes, file.metadata().unwrap().len());
    assert!(!partial.exists());
    assert!(!again.give_up(), "it has its name already");
    assert_eq!(matches(&file).await, matches(&database).await);
}

#[tokio::test]
async fn the_way_back_that_a_backup_names_works_as_it_stands() {
    let setup = setup(2).await;
    assert!(run(setup.sync()).await.status.success());
    let file = path(&setup, "my \"saved\" one.db");
    let saved = db(&setup, &["backup", file.to_str().unwrap()]).await;
    let told = String::from_utf8(saved.stdout).unwrap();
    let way = told
        .lines()
        .find_map(|line| line.strip_prefix("bring it back with: riftsync "));
    let way = way.unwrap_or_else(|| panic!("{told}"));
    fs::remove_file(setup.database()).unwrap();
    // Without what the other commands have in their environment.
    let program = env!("CARGO_BIN_EXE_riftsync");
    let back = std::process::Command::new("sh")
        .args(["-c", &format!("exec '{program}' {way}")])
        .env_clear()
        .output();
    let back = back.unwrap();
    assert!(back.status.success(), "{way}: {}", text(&back));
    assert!(matches(Path::new(&setup.database())).await > 0);
}

#[tokio::test]
async fn a_database_that_a_link_leads_to_is_one_database_under_both_names() {
    let setup = setup(3).await;
    assert!(run(setup.sync()).await.status.success());
    let (saved, link) = (path(&setup, "saved.db"), path(&setup, "link.db"));
    let saved = saved.to_str().unwrap();
    // By a path that is seen from the link.
    std::os::unix::fs::symlink("t.db", &link).unwrap();
    let by_link = format!("sqlite://{}", link.display());
    let backup = ["db", "backup", saved];
    assert!(
        run(setup.command_on(&by_link, &backup))
            .await
            .status
            .success()
    );
    let restore = ["db", "restore", saved, "--replace"];
    let engine = SqliteStore::open(Path::new(&setup.database())).unwrap();
    let refused = run(setup.command_on(&by_link, &restore)).await;
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("in use"), "{}", text(&refused));
    engine.close().await.unwrap();
    drop(engine);
    let restored = run(setup.command_on(&by_link, &restore)).await;
    assert!(restored.status.success(), "{}", text(&restored));
    assert!(fs::read_link(&link).is_ok(), "the link stays");
    assert!(path(&setup, "t.db.before-restore").exists());
    let logs = ["link.db.lock", "link.db-wal", "link.db.before-restore"];
    assert!(logs.iter().all(|name| !path(&setup, name).exists()));
}
