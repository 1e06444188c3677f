use std::convert::Infallible;
use std::fs::File;
use std::path::PathBuf;

use super::*;
use crate::sqlite::SqliteStore;
use crate::sqlite::place::beside;

const FORMAT: &Format = SqliteStore::<Infallible>::FORMAT;

/// A file and its log as a killed process leaves them, with most of the log in the file already.
fn cut_off() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::TempDir::new().unwrap();
    let (made, path) = (folder.path().join("made.db"), folder.path().join("t.db"));
    let mut conn = FORMAT.open_any(&made).unwrap();
    run(&mut conn, &made, "PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    fill(&mut conn, &made);
    for change in ["UPDATE pages SET page = 'x'", "UPDATE pages SET page = 'y'"] {
        run(&mut conn, &made, change).unwrap();
    }
    run(&mut conn, &made, "PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    for end in ["", "-wal", "-shm"] {
        std::fs::copy(beside(&made, end), beside(&path, end)).unwrap();
    }
    (folder, path)
}

fn fill(conn: &mut SqliteConnection, path: &Path) {
    run(
        conn,
        path,
        "CREATE TABLE pages AS WITH RECURSIVE n(i) AS
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
         SELECT i, randomblob(4096) AS page FROM n",
    )
    .unwrap();
}

/// Whoever opens the file meanwhile finds it in use: without its lock the other would begin the index of the log
/// anew, under the feet of this process.
#[test]
fn what_is_looked_into_stays_locked() {
    let (_folder, path) = cut_off();
    let remembered = log::remember(&path).unwrap();
    let _conn = FORMAT.open_any(&path).unwrap();
    assert!(holds_a_lock_on(&path) && holds_a_lock_on(&beside(&path, "-shm")));
    let _ = remembered.is_still_there(&path);
    FORMAT.check_file(&path, Purpose::Write).unwrap();
    drop(FORMAT.check(&path).unwrap());
    assert!(holds_a_lock_on(&path), "the file");
    assert!(holds_a_lock_on(&beside(&path, "-shm")), "the index");
}

/// As the kernel knows it.
fn holds_a_lock_on(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{}", std::fs::metadata(path).unwrap().ino());
    let us = std::process::id().to_string();
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(4) == Some(&us.as_str()) && words.iter().any(|word| word.ends_with(&inode))
    })
}

type Other = fn(SqliteConnection, &Path) -> Option<SqliteConnection>;

#[test]
fn a_log_that_somebody_else_copies_meanwhile_is_not_damaged() {
    let others: [(&str, Other); 4] = [
        ("ends and removes the log", |conn, _| {
            drop(conn);
            None
        }),
        ("empties the log", |mut conn, path| {
            run(&mut conn, path, "PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            Some(conn)
        }),
        (
            "begins the log anew, only in the index",
            |mut conn, path| {
                run(&mut conn, path, "PRAGMA wal_checkpoint(RESTART)").unwrap();
                Some(conn)
            },
        ),
        ("writes from the log's beginning", |mut conn, path| {
            run(&mut conn, path, "PRAGMA wal_checkpoint(RESTART)").unwrap();
            run(&mut conn, path, "UPDATE pages SET page = 'x' WHERE i = 1").unwrap();
            Some(conn)
        }),
    ];
    for (what, other) in others {
        let (_folder, path) = cut_off();
        let remembered = log::remember(&path).unwrap();
        assert!(remembered.needed > 50);
        let first = FORMAT.open_any(&path).unwrap();
        let _first = other(first, &path);
        let mut second = connect(&path, Access::Usual).unwrap();
        let opened = FORMAT.refuse_shortened(&mut second, &path, &remembered);
        assert!(opened.is_ok(), "{what}: {opened:?}");
    }
}

#[test]
fn a_log_that_lost_what_was_copied_from_it_is_damaged() {
    let (_folder, path) = cut_off();
    let log = beside(&path, "-wal");
    let bytes = std::fs::metadata(&log).unwrap().len();
    let cut = File::options().write(true).open(&log).unwrap();
    cut.set_len(bytes - 1).unwrap();
    let error = FORMAT.open_any(&path).map(drop);
    assert!(
        matches!(error, Err(StoreError::Damaged { .. })),
        "{error:?}"
    );
}
