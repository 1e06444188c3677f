//! The file beneath the program: damaged, moved away, read only, deep down, or not ours at all.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use serde_json::Value;
use tempfile::TempDir;

use crate::setup::{PLAYER, Setup, bare, exited, run, setup, signal, text};
use crate::wait;

const PAGE: u64 = 4096;

/// What a command comes to; one that hangs fails the test.
async fn ended(mut command: Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    exited(command.spawn().unwrap()).await
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

fn pages(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len() / PAGE
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

impl Setup {
    fn file(&self) -> PathBuf {
        PathBuf::from(self.database())
    }

    async fn synced(&self) {
        let synced = ended(self.sync()).await;
        assert!(synced.status.success(), "{}", text(&synced));
    }

    async fn until_called(&self, calls: u64, engine: &mut Child) {
        while self.document_calls() < calls {
            assert!(engine.try_wait().unwrap().is_none(), "it ended too soon");
            tokio::task::yield_now().await;
        }
    }

    /// An engine at work that is killed, so that its log stays.
    async fn killed(&self, calls: u64) {
        let mut sync = self.sync();
        let mut child = sync
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.until_called(calls, &mut child).await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(fs::metadata(beside(&self.file(), "-wal")).unwrap().len() > 0);
    }

    /// A running engine, as soon as it can be asked and its start is over.
    async fn serving(&self) -> Child {
        let mut child = self.serve().spawn().unwrap();
        wait::until("an engine that is ready", async || {
            let is_ready = self.log().contains("is ready")
                && ended(self.command(&["status"])).await.status.success();
            is_ready || wait::not_yet(&mut child, || self.log())
        })
        .await;
        child
    }
}

type Harm = fn(&Path);

/// Ways in which a file gets damaged.
const HARMS: [(&str, Harm); 7] = [
    ("the starts of pages in the middle", |path| {
        for page in (60..pages(path)).step_by(7) {
            overwrite(path, page * PAGE, &[0xa5; 100]);
        }
    }),
    // One page may be the end of a document, which nothing but its content would tell.
    ("a piece of it", |path| {
        overwrite(path, pages(path) / 2 * PAGE, &[0xa5; 16 * 4096]);
    }),
    ("the roots of its tables", |path| {
        for page in 4..40 {
            overwrite(path, page * PAGE, &[0xff; 64]);
        }
    }),
    ("cut off", |path| {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(pages(path) / 2 * PAGE + 100).unwrap();
    }),
    ("its header", |path| overwrite(path, 16, &[0xa5; 84])),
    ("its very beginning", |path| overwrite(path, 0, &[0; 512])),
    ("its schema", |path| {
        overwrite(path, 100, &[0x0d, 0, 0, 0, 0, 0, 0, 0]);
    }),
];

fn verbs(copy: &str) -> Vec<Vec<&str>> {
    [
        &["sync", PLAYER, "--platform", "euw1", "--year", "2025"][..],
        &[
            "sync",
            PLAYER,
            "--platform",
            "euw1",
            "--year",
            "2025",
            "--dry-run",
        ],
        &["recover", PLAYER, "--platform", "euw1", "--year", "2025"],
        &["recover", "--all"],
        &["ladder", "--platform", "euw1", "--tier", "challenger"],
        &["stats", PLAYER],
        &[
            "export",
            "--what",
            "matches",
            "--out",
            "/dev/null",
            "--format",
            "csv",
        ],
        &["cleanup"],
        &["cleanup", "--dry-run"],
        &["replay"],
        &["recompress"],
        &["recompress", "--dry-run"],
        &["db", "info"],
        &["db", "migrate"],
        &["db", "copy", "--to", copy],
        &["job", "list"],
        &["job", "show", "1"],
        &["serve"],
    ]
    .map(<[&str]>::to_vec)
    .into()
}

#[tokio::test]
async fn every_verb_ends_on_a_damaged_file_with_exit_code_3_and_leaves_it_as_it_was() {
    let setup = setup(30).await;
    setup.synced().await;
    let whole = fs::read(setup.file()).unwrap();
    let copy = format!("sqlite://{}", setup.folder.path().join("copy.db").display());
    for (harm, harmed) in HARMS {
        fs::write(setup.file(), &whole).unwrap();
        harmed(&setup.file());
        let before = fs::read(setup.file()).unwrap();
        for verb in verbs(&copy) {
            let output = ended(setup.command(&verb)).await;
            let told = text(&output);
            assert_eq!(output.status.code(), Some(3), "{harm}, {verb:?}: {told}");
            let named = format!("the database {} is damaged", setup.database());
            assert_eq!(told.matches(&named).count(), 1, "{harm}, {verb:?}: {told}");
            for remedy in ["backup", ".recover", "move all three files away"] {
                assert!(told.contains(remedy), "{harm}, {verb:?}: {told}");
            }
            assert!(!told.contains("report this"), "{harm}, {verb:?}: {told}");
        }
        assert!(before == fs::read(setup.file()).unwrap(), "{harm}: changed");
    }
    let output = ended(setup.command(&["stats", PLAYER, "--json"])).await;
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"]["kind"], "database");
    assert_eq!(document["error"]["retryable"], false, "no retry helps");
}

#[tokio::test]
async fn a_damaged_file_that_is_moved_away_is_fetched_anew_and_what_can_be_read_is_saved() {
    let setup = setup(30).await;
    setup.synced().await;
    let sh = |line: &str| {
        let output = Command::new("sh").args(["-c", line]).output().unwrap();
        (output.status.success() && output.stderr.is_empty(), output)
    };
    // A sqlite3 of a distribution may be made without that command: then it cannot be tried here.
    let intact = format!("sqlite3 '{}' .recover", setup.database());
    let can_recover = sh(&intact).0;
    HARMS[0].1(&setup.file());
    let told = text(&ended(setup.command(&["stats", PLAYER])).await);
    if can_recover {
        let line = told.split('`').nth(1).unwrap();
        let (worked, output) = sh(line);
        assert!(worked, "{line}: {output:?}");
        let saved = format!("{}.saved", setup.database());
        let stats = ended(bare(&["stats", PLAYER, "--database", &saved])).await;
        assert!(stats.status.code() != Some(3), "{}", text(&stats));
    }
    fs::rename(setup.file(), setup.folder.path().join("away.db")).unwrap();
    setup.synced().await;
    setup.check_complete_small(30).await;
}

/// The store looks through a file only when it opens it: what is damaged later is met by what reads or writes it.
#[tokio::test]
async fn an_engine_that_meets_damage_says_it_once_and_stops_with_exit_code_3() {
    let setup = setup(30).await;
    setup.synced().await;
    let whole = fs::read(setup.file()).unwrap();
    let meetings: [&[&str]; 3] = [
        &["sync", PLAYER, "--platform", "euw1", "--year", "2024"],
        &["job", "list", "--state", "completed"],
        &[
            "recover",
            PLAYER,
            "--platform",
            "euw1",
            "--year",
            "2025",
            "--verify",
        ],
    ];
    for met in meetings {
        fs::write(setup.file(), &whole).unwrap();
        let engine = setup.serving().await;
        let size = pages(&setup.file());
        for page in 3..size {
            overwrite(&setup.file(), page * PAGE, &[0xa5; 4096]);
        }
        let output = ended(setup.command(met)).await;
        assert_eq!(output.status.code(), Some(3), "{met:?}: {}", text(&output));
        let ended = exited(engine).await;
        let log = setup.log();
        assert_eq!(ended.status.code(), Some(3), "{met:?}: {log}");
        assert_eq!(log.matches("is damaged").count(), 1, "{met:?}: {log}");
        assert_eq!(
            log.matches("ERROR").count(),
            2,
            "the line, and the last that points to it: {log}"
        );
        assert!(log.contains(".recover"), "{log}");
        for end in ["-wal", "-shm"] {
            let _ = fs::remove_file(beside(&setup.file(), end));
        }
    }
}

#[tokio::test]
async fn a_log_that_is_damaged_or_belongs_to_another_file_never_keeps_a_verb_from_its_end() {
    let harms: [(&str, Harm); 4] = [
        ("its middle", |log| {
            let middle = fs::metadata(log).unwrap().len() / 2;
            overwrite(log, middle, &[0xa5; 5000]);
        }),
        ("its header", |log| overwrite(log, 0, &[0xa5; 32])),
        ("cut off", |log| {
            let file = fs::OpenOptions::new().write(true).open(log).unwrap();
            file.set_len(file.metadata().unwrap().len() / 3).unwrap();
        }),
        ("beside an older file", |log| {
            let database = log.with_file_name("t.db");
            fs::copy(log.with_file_name("older.db"), database).unwrap();
        }),
    ];
    for (harm, harmed) in harms {
        let setup = setup(130).await;
        ended(setup.command(&["sync", PLAYER, "--platform", "euw1", "--year", "2024"])).await;
        fs::copy(setup.file(), setup.folder.path().join("older.db")).unwrap();
        setup.killed(setup.document_calls() + 60).await;
        harmed(&beside(&setup.file(), "-wal"));
        let again = ended(setup.sync()).await;
        if again.status.code() == Some(3) {
            let told = text(&again);
            assert!(told.contains("is damaged"), "{harm}: {told}");
        } else {
            assert!(again.status.success(), "{harm}: {}", text(&again));
        }
        // The log of another file can fit where it does not belong: nothing tells that but a comparison with Riot.
        if again.status.code() == Some(3) || harm == "beside an older file" {
            for end in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(beside(&setup.file(), end));
            }
            setup.synced().await;
        }
        setup.check_complete().await;
    }
}

type Change = fn(&Path);

/// What can happen to the names of a file that is open. Each can be taken back, or leaves all there is in the file.
const CHANGES: [(&str, Change, Change); 4] = [
    (
        "moved",
        |path| fs::rename(path, path.with_file_name("away.db")).unwrap(),
        |path| fs::rename(path.with_file_name("away.db"), path).unwrap(),
    ),
    (
        "replaced",
        |path| {
            fs::rename(path, path.with_file_name("away.db")).unwrap();
            fs::write(path, "notes").unwrap();
        },
        |path| fs::rename(path.with_file_name("away.db"), path).unwrap(),
    ),
    (
        "its folder was moved",
        |path| {
            let folder = path.parent().unwrap();
            fs::rename(folder, folder.with_file_name("away")).unwrap();
        },
        |path| {
            let folder = path.parent().unwrap();
            let _ = fs::remove_dir_all(folder);
            fs::rename(folder.with_file_name("away"), folder).unwrap();
        },
    ),
    (
        "its log was deleted",
        |path| fs::remove_file(beside(path, "-wal")).unwrap(),
        |_| {},
    ),
];

#[tokio::test]
async fn a_file_that_is_moved_under_a_sync_ends_it_and_is_whole_when_it_is_put_back() {
    for (what, change, undo) in CHANGES {
        let setup = setup(130).await;
        let folder = setup.folder.path().join("data");
        fs::create_dir(&folder).unwrap();
        // A link to it stays, and leads nowhere or to another file then.
        symlink(folder.join("t.db"), setup.file()).unwrap();
        let path = folder.join("t.db");
        let mut sync = setup.sync();
        sync.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = sync.spawn().unwrap();
        setup.until_called(40, &mut child).await;
        change(&path);
        let output = exited(child).await;
        let told = text(&output);
        assert_eq!(output.status.code(), Some(3), "{what}: {told}");
        assert!(told.contains("is not the file any more"), "{what}: {told}");
        assert!(told.contains("put that one back"), "{what}: {told}");
        if what == "moved" {
            assert!(!path.exists(), "nothing is made in its place");
        }
        undo(&path);
        setup.synced().await;
        setup.check_complete().await;
    }
}

#[tokio::test]
async fn an_engine_whose_file_was_moved_or_deleted_says_so_and_stops_though_it_has_nothing_to_do() {
    let changes: [(&str, Change); 3] = [
        ("moved", |path| {
            fs::rename(path, beside(path, ".away")).unwrap();
        }),
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("replaced", |path| {
            fs::copy(path, beside(path, ".copy")).unwrap();
            fs::rename(beside(path, ".copy"), path).unwrap();
        }),
    ];
    for (what, change) in changes {
        let setup = setup(10).await;
        setup.synced().await;
        let engine = setup.serving().await;
        change(&setup.file());
        let ended = exited(engine).await;
        let log = setup.log();
        assert_eq!(ended.status.code(), Some(3), "{what}: {log}");
        assert_eq!(
            log.matches("is not the file any more").count(),
            1,
            "{what}: {log}"
        );
        let left = fs::metadata(beside(&setup.file(), "-wal"));
        assert!(
            left.is_err() || left.unwrap().len() == 0,
            "{what}: the log of one file is not left beside another"
        );
        assert!(!fs::exists(setup.file()).unwrap() || what == "replaced");
    }
}

/// The program as somebody runs it who is not root: for root every file can be written.
struct Anybody {
    folder: TempDir,
}

impl Anybody {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("riftsync");
        fs::copy(env!("CARGO_BIN_EXE_riftsync"), &program).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        fs::set_permissions(&out, Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn chmod(&self, folder: u32, file: u32) {
        for file_there in fs::read_dir(self.data()).unwrap() {
            let path = file_there.unwrap().path();
            fs::set_permissions(path, Permissions::from_mode(file)).unwrap();
        }
        fs::set_permissions(self.data(), Permissions::from_mode(folder)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_on(&self.data().join("r.db"), args)
    }

    fn command_on(&self, database: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(self.folder.path().join("riftsync"));
        let url = format!("sqlite://{}", database.display());
        command
            .env_clear()
            .env("HOME", self.folder.path().join("out"))
            .current_dir(self.folder.path().join("out"))
            .args(args)
            .args(["--database", &url])
            .stdin(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        }
        command
    }
}

impl Drop for Anybody {
    fn drop(&mut self) {
        self.chmod(0o755, 0o644);
    }
}

const READING: [&[&str]; 6] = [
    &["stats", PLAYER, "--json"],
    &[
        "export", "--what", "matches", "--format", "csv", "--out", "m.csv", "--json",
    ],
    &["export", "--what", "participants", "--out", "p.parquet"],
    &["db", "info", "--json"],
    &["job", "list", "--json"],
    &["cleanup", "--dry-run", "--json"],
];

#[tokio::test]
async fn a_copy_that_may_only_be_read_is_read() {
    let setup = setup(30).await;
    setup.synced().await;
    let anybody = Anybody::new();
    fs::copy(setup.file(), anybody.data().join("r.db")).unwrap();
    let stats = |output: &Output| -> Value { serde_json::from_slice(&output.stdout).unwrap() };
    let usual = stats(&ended(setup.command(READING[0])).await);
    for (folder, file) in [(0o555, 0o444), (0o555, 0o666), (0o777, 0o444)] {
        anybody.chmod(folder, file);
        for args in READING {
            let output = ended(anybody.command(args)).await;
            assert!(
                output.status.success(),
                "{folder:o} {file:o} {args:?}: {}",
                text(&output)
            );
        }
        assert_eq!(stats(&ended(anybody.command(READING[0])).await), usual);
        let names: Vec<_> = fs::read_dir(anybody.data()).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing is made beside it: {names:?}");
    }
    // To write is refused with what is to be done.
    let output = ended(anybody.command(&["replay"])).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("--database"), "{}", text(&output));
}

#[tokio::test]
async fn a_copy_with_a_log_that_may_only_be_read_is_read_with_it_or_says_what_to_do() {
    let setup = setup(130).await;
    setup.killed(80).await;
    let anybody = Anybody::new();
    for end in ["", "-wal"] {
        fs::copy(
            beside(&setup.file(), end),
            beside(&anybody.data().join("r.db"), end),
        )
        .unwrap();
    }
    anybody.chmod(0o555, 0o444);
    for args in READING {
        let output = ended(anybody.command(args)).await;
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", text(&output));
        assert!(
            text(&output).contains("Copy both files"),
            "{args:?}: {}",
            text(&output)
        );
    }
    // What that says is done.
    let copy = anybody.folder.path().join("out/copy.db");
    for end in ["", "-wal"] {
        fs::copy(
            beside(&anybody.data().join("r.db"), end),
            beside(&copy, end),
        )
        .unwrap();
        fs::set_permissions(beside(&copy, end), Permissions::from_mode(0o666)).unwrap();
    }
    let output = ended(anybody.command_on(&copy, &["db", "info"])).await;
    assert!(output.status.success(), "{}", text(&output));
    // With the index of a log that somebody has open, it is read where it is.
    anybody.chmod(0o755, 0o644);
    let path = anybody.data().join("r.db");
    let mut open = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    open.batch_execute("SELECT count(*) FROM jobs; PRAGMA wal_autocheckpoint = 0; UPDATE jobs SET priority = priority")
        .unwrap();
    anybody.chmod(0o555, 0o444);
    let output = ended(anybody.command(&["db", "info"])).await;
    assert!(output.status.success(), "{}", text(&output));
}

#[tokio::test]
async fn a_database_that_lies_deep_is_synced_and_its_engine_found_however_it_is_named() {
    let setup = setup(10).await;
    let root = setup.folder.path();
    let deep = root.join(format!("a folder/{}/{}", "d".repeat(60), "e e".repeat(20)));
    let path = deep.join("r.db");
    let at = |args: &[&str], database: &str| {
        let mut command = setup.command_on(database, args);
        command.env("TMPDIR", root).current_dir(root);
        command
    };
    let url = format!("sqlite://{}", path.display());
    let sync = [
        "sync",
        PLAYER,
        "--platform",
        "euw1",
        "--year",
        "2025",
        "--json",
    ];
    let output = ended(at(&sync, &url)).await;
    assert!(output.status.success(), "{}", text(&output));

    let shown = ended(at(&["config", "show", "--json"], &url)).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let socket = PathBuf::from(shown["places"]["socket"].as_str().unwrap());
    assert!(
        socket.starts_with(root) && socket.as_os_str().len() < 108,
        "{socket:?}"
    );

    let mut engine = at(&["serve"], &url);
    engine.stdout(Stdio::null()).stderr(Stdio::null());
    let engine = engine.spawn().unwrap();
    symlink(&deep, root.join("short")).unwrap();
    let relative = path.strip_prefix(root).unwrap().to_str().unwrap();
    for name in [
        url.as_str(),
        relative,
        "short/r.db",
        "./a folder/../short/r.db",
    ] {
        wait::until(name, async || {
            ended(at(&["status"], name)).await.status.success()
        })
        .await;
    }
    let folder = socket.parent().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder), mode(&socket)), (0o700, 0o600));
    let output = ended(at(&sync, relative)).await;
    assert!(
        output.status.success(),
        "through the engine: {}",
        text(&output)
    );
    signal(&engine, "-TERM");
    assert_eq!(exited(engine).await.status.code(), Some(0));
}

#[tokio::test]
async fn where_no_socket_can_be_a_verb_runs_inside_and_serve_says_what_to_do() {
    let setup = setup(10).await;
    let root = setup.folder.path();
    let deep = root.join("d".repeat(120)).join("r.db");
    let url = format!("sqlite://{}", deep.display());
    // A folder that others can enter: what listens there could be theirs.
    let uid = rustix::process::geteuid().as_raw();
    let open = root.join(format!("riftsync-{uid}"));
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let at = |args: &[&str]| {
        let mut command = setup.command_on(&url, args);
        command.env("TMPDIR", root);
        command
    };
    let sync = ["sync", PLAYER, "--platform", "euw1", "--year", "2025"];
    let output = ended(at(&sync)).await;
    assert!(output.status.success(), "{}", text(&output));
    for args in [
        &["cleanup"][..],
        &["recover", PLAYER, "--platform", "euw1", "--year", "2025"],
    ] {
        let output = ended(at(args)).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output));
    }
    let output = ended(at(&["serve"])).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(
        text(&output).contains("not yours alone"),
        "{}",
        text(&output)
    );
    assert!(text(&output).contains("--socket"), "{}", text(&output));
}

#[tokio::test]
async fn a_socket_path_that_is_too_long_is_refused_with_exit_code_2() {
    let setup = setup(1).await;
    let long = format!("/tmp/{}.sock", "s".repeat(110));
    let folder = format!("/tmp/{}/s", "s".repeat(98));
    let shown = [
        &["status"][..],
        &["serve"],
        &["config", "show"],
        &["job", "list"],
        &["cleanup"],
    ];
    for socket in [&long, &folder] {
        for args in shown {
            let mut command = setup.command(args);
            command.args(["--socket", socket]);
            let output = ended(command).await;
            let told = text(&output);
            assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
            assert!(
                told.contains("shorter one with --socket"),
                "{args:?}: {told}"
            );
            let mut command = setup.command(args);
            command.env("RIFTSYNC_CONTROL__SOCKET", socket);
            assert_eq!(ended(command).await.status.code(), Some(2), "{args:?}");
        }
    }
}

#[tokio::test]
async fn odd_paths_are_taken_as_they_are_or_refused_by_name() {
    let setup = setup(4).await;
    let root = setup.folder.path();
    let sync = ["sync", PLAYER, "--platform", "euw1", "--year", "2025"];
    for name in [
        "what? is# 100%25.db",
        "file:x.db",
        "a&b=c.db",
        "übung 数据.db",
        ":memory:",
        "-x.db",
    ] {
        let url = format!("sqlite://{}", root.join(name).display());
        for args in [&sync[..], &["stats", PLAYER]] {
            let output = ended(setup.command_on(&url, args)).await;
            assert!(output.status.success(), "{name}: {}", text(&output));
        }
        assert!(root.join(name).exists(), "{name}");
    }
    // Bytes that are no text, where they come from the home folder.
    let home = root.join(OsStr::from_bytes(b"h\xffme"));
    fs::create_dir(&home).unwrap();
    for args in [
        &[
            "sync",
            "A#B",
            "--platform",
            "euw1",
            "--simulate",
            "--matches",
            "5",
            "--limits",
            "none",
        ][..],
        &["stats", "A#B", "--simulate"],
    ] {
        let mut command = bare(args);
        command.env("HOME", &home);
        let output = ended(command).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output));
    }
    // Longer than SQLite takes.
    let long = root
        .join("l".repeat(200))
        .join("m".repeat(200))
        .join("n".repeat(200));
    let url = format!("sqlite://{}", long.display());
    let output = ended(setup.command_on(&url, &sync)).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("504"), "{}", text(&output));
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_named_and_left_as_it_was() {
    let setup = setup(1).await;
    let root = setup.folder.path();
    let other = root.join("other.db");
    let mut conn = SqliteConnection::establish(other.to_str().unwrap()).unwrap();
    conn.batch_execute(
        "PRAGMA journal_mode = WAL; CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)",
    )
    .unwrap();
    drop(conn);
    fs::write(root.join("notes.db"), "these are notes").unwrap();
    fs::write(root.join("short.db"), "SQLite format 3\0").unwrap();
    fs::create_dir(root.join("folder.db")).unwrap();
    let pipe = Command::new("mkfifo").arg(root.join("pipe.db")).status();
    assert!(pipe.unwrap().success());
    for (name, named) in [
        ("other.db", "another program"),
        ("notes.db", "does not begin as a SQLite file"),
        ("short.db", "damaged"),
        ("folder.db", "it is a folder"),
        ("pipe.db", "it is not a file"),
    ] {
        let path = root.join(name);
        let is_file = path.is_file();
        let before = is_file.then(|| fs::read(&path).unwrap());
        let url = format!("sqlite://{}", path.display());
        // Twice: what the first left would change what the second says.
        for _ in 0..2 {
            for args in [
                &["sync", PLAYER, "--platform", "euw1"][..],
                &["stats", PLAYER],
                &["db", "info"],
                &["db", "migrate"],
                &["job", "list"],
                &["serve"],
            ] {
                let output = ended(setup.command_on(&url, args)).await;
                let told = text(&output);
                assert_eq!(output.status.code(), Some(3), "{name} {args:?}: {told}");
                assert!(told.contains(named), "{name} {args:?}: {told}");
            }
        }
        assert_eq!(before, is_file.then(|| fs::read(&path).unwrap()), "{name}");
        for end in ["-wal", "-shm", ".lock", "-journal"] {
            if name != "short.db" {
                assert!(!beside(&path, end).exists(), "{name}{end}");
            }
        }
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_database_and_cannot_be_read_before() {
    let setup = setup(2).await;
    fs::write(setup.file(), "").unwrap();
    for args in [
        &["stats", PLAYER][..],
        &["db", "info"],
        &["export", "--what", "matches"],
    ] {
        let output = run(setup.command(args)).await;
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", text(&output));
        assert!(
            text(&output).contains("it is empty; `riftsync sync`"),
            "{}",
            text(&output)
        );
    }
    setup.synced().await;
    setup.check_complete_small(2).await;
    // One that was emptied has a log that is not for it.
    setup.killed_after_emptying().await;
}

impl Setup {
    async fn killed_after_emptying(&self) {
        fs::write(self.file(), "").unwrap();
        fs::write(beside(&self.file(), "-wal"), "what is left of a log").unwrap();
        for args in [&["stats", PLAYER][..], &["cleanup"]] {
            let output = run(self.command(args)).await;
            assert_eq!(output.status.code(), Some(3), "{args:?}: {}", text(&output));
            assert!(
                text(&output).contains("the log beside it is not"),
                "{}",
                text(&output)
            );
        }
        let left = fs::read(beside(&self.file(), "-wal")).unwrap();
        assert_eq!(left, b"what is left of a log");
    }
}
