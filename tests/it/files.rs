//! Paths that people name, right and wrong, and the files that the program makes.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use clap::CommandFactory as _;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use futures_util::StreamExt as _;
use riftsync::cli::Cli;
use serde_json::Value;
use tempfile::TempDir;

use crate::setup::{PLAYER, Setup, as_user, bare, exited, on_a_small_disk, run, setup, text};

/// What has not ended in this time never does.
const PATIENCE: Duration = Duration::from_mins(1);
const PROGRAMS_AT_ONCE: usize = 4;

/// Words that bring every verb to its work, or would if it had an engine, a key or a player. None of them runs for long.
const VERBS: &[&[&str]] = &[
    &["sync", "A#B", "--platform", "kr"],
    &["recover", "A#B"],
    &["cleanup", "--dry-run"],
    &["replay", "--dry-run"],
    &["recompress", "--dry-run"],
    &["stats", "A#B"],
    &["serve"],
    &["ladder", "--tier", "challenger", "--platform", "kr"],
    &["export", "--what", "matches"],
    &["report", "A#B"],
    &["simulate", "--limits", "nonsense"],
    &["job", "list"],
    &["job", "wait", "1"],
    &["job", "show", "1"],
    &["job", "cancel", "1"],
    &["job", "retry", "1"],
    &["queue", "list"],
    &["queue", "pause", "all"],
    &["queue", "resume", "all"],
    &["queue", "set", "all", "--slots", "1"],
    &["status"],
    &["top"],
    &["health"],
    &["schedule", "list"],
    &[
        "schedule",
        "add",
        "x",
        "--when",
        "off",
        "--kind",
        "cleanup_old_data",
    ],
    &["schedule", "remove", "x"],
    &["track", "A#B"],
    &["untrack", "A#B"],
    &["tracked"],
    &["rank", "A#B"],
    &["names"],
    &["engine", "drain"],
    &["engine", "stop"],
    &["key", "set"],
    &["key", "share"],
    &["db", "info"],
    &["db", "migrate"],
    &["db", "copy", "--to", "other.db"],
    &["db", "backup", "backup.db"],
    &["db", "restore", "none.db"],
    &["config", "show"],
    &["bench", "jobs", "--jobs", "1", "--latency-seconds", "1"],
    &["bench", "pipeline", "--players", "1", "--matches", "1"],
    &["bench", "control", "--singles", "1", "--jobs", "1"],
    &["bench", "recovery", "--matches", "1", "--of-player", "1"],
    &["bench", "export", "--rows", "1"],
    &["bench", "limiter", "--limits", "nonsense"],
    &["completions", "bash"],
    &["man"],
];

/// Options that name a path and belong to one verb: the words before the path.
const PATHS: &[(&str, &[&str])] = &[
    ("sync --file", &["sync", "--platform", "kr", "--file"]),
    (
        "export --out",
        &["export", "--what", "matches", "--format", "csv", "--out"],
    ),
    ("export --dir", &["export", "--all", "--dir"]),
    ("report --out", &["report", "A#B", "--out"]),
    ("copy --from", &["db", "copy", "--to", "other.db", "--from"]),
    ("copy --to", &["db", "copy", "--to"]),
    (
        "jobs --folder",
        &[
            "bench",
            "jobs",
            "--jobs",
            "1",
            "--latency-seconds",
            "1",
            "--folder",
        ],
    ),
    (
        "pipeline --folder",
        &[
            "bench",
            "pipeline",
            "--players",
            "1",
            "--matches",
            "1",
            "--folder",
        ],
    ),
    (
        "control --folder",
        &[
            "bench",
            "control",
            "--singles",
            "1",
            "--jobs",
            "1",
            "--folder",
        ],
    ),
    (
        "recovery --folder",
        &[
            "bench",
            "recovery",
            "--matches",
            "1",
            "--of-player",
            "1",
            "--folder",
        ],
    ),
    (
        "export --folder",
        &["bench", "export", "--rows", "1", "--folder"],
    ),
    ("backup file", &["db", "backup"]),
    (
        "restore file",
        &["db", "restore", "--replace", "--database", "restored.db"],
    ),
    ("man folder", &["man"]),
];

const GLOBAL_OPTIONS: [&str; 3] = ["--config", "--socket", "--database"];

/// The words of every verb there is.
pub fn verbs() -> Vec<Vec<String>> {
    let mut verbs = Vec::new();
    let mut open = vec![(Cli::command(), Vec::<String>::new())];
    while let Some((command, words)) = open.pop() {
        let subcommands = command.get_subcommands();
        let subcommands = subcommands.filter(|sub| sub.get_name() != "help");
        let mut subcommands = subcommands.peekable();
        if subcommands.peek().is_none() {
            verbs.push(words.clone());
        }
        for sub in subcommands {
            let words = [&words[..], &[sub.get_name().to_owned()]].concat();
            open.push((sub.clone(), words));
        }
    }
    verbs
}

/// The verbs that are none of these, which have more words behind them.
pub fn verbs_besides(tried: &[&[&str]]) -> Vec<Vec<String>> {
    let mut verbs = verbs();
    verbs.retain(|verb| {
        !tried
            .iter()
            .any(|words| words.starts_with(&verb.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    verbs
}

#[test]
fn every_verb_and_every_option_that_names_a_path_is_tried() {
    assert_eq!(verbs_besides(VERBS), Vec::<Vec<String>>::new());
    let mut paths = Vec::new();
    let mut global = Vec::new();
    let mut open = vec![Cli::command()];
    while let Some(command) = open.pop() {
        for arg in command.get_arguments() {
            let named = arg.get_value_names().unwrap_or_default();
            if !named
                .iter()
                .any(|name| ["FILE", "PATH", "FOLDER", "URL"].contains(&name.as_str()))
            {
                continue;
            }
            let name = arg
                .get_long()
                .map_or(arg.get_id().to_string(), |long| format!("--{long}"));
            if arg.is_global_set() {
                global.push(name);
            } else {
                paths.push(format!("{} {name}", command.get_name()));
            }
        }
        let subcommands = command.get_subcommands();
        open.extend(subcommands.filter(|sub| sub.get_name() != "help").cloned());
    }
    paths.sort();
    let mut tried: Vec<_> = PATHS.iter().map(|(name, _)| (*name).to_owned()).collect();
    tried.sort();
    assert_eq!(paths, tried);
    global.sort();
    global.dedup();
    let mut known = GLOBAL_OPTIONS.to_vec();
    known.sort_unstable();
    assert_eq!(global, known);
}

/// Places where nothing can be read or written, by what is wrong with them.
struct Wrong {
    _folder: TempDir,
    places: Vec<(&'static str, PathBuf)>,
}

impl Wrong {
    fn places() -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("folder")).unwrap();
        symlink(path("loop"), path("loop")).unwrap();
        let mut places = vec![
            ("a folder", path("folder")),
            ("a link", path("loop")),
            ("a long name", path(&"n".repeat(300))),
            ("a long path", path(&"long/".repeat(1_000)).join("x")),
            // Not even root makes anything there.
            ("no permission", PathBuf::from("/proc/none/x")),
            ("nonsense", path("folder").join("\u{fffd}\n\u{1b}[31m")),
        ];
        let pipe = path("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        places.push(("a pipe", pipe));
        // One of our own: what is done to it is done to no other.
        let node = path("device");
        let made = Command::new("mknod")
            .arg(&node)
            .args(["c", "1", "7"])
            .output();
        if made.is_ok_and(|output| output.status.success()) {
            places.push(("a device", node));
        } else {
            eprintln!("SKIPPED a device: it needs root, and a place where devices can be made");
        }
        Self {
            _folder: folder,
            places,
        }
    }

    /// They are what they were.
    fn check(&self) {
        for (kind, path) in &self.places {
            let is = std::fs::symlink_metadata(path).map(|there| there.file_type());
            match *kind {
                "a folder" => assert!(is.unwrap().is_dir()),
                "a link" => assert!(is.unwrap().is_symlink()),
                "a device" => assert!(is.unwrap().is_char_device()),
                "a pipe" => assert!(is.unwrap().is_fifo()),
                _ => {}
            }
        }
    }
}

/// A try: the words, and what was wrong, for a failure to be found.
type Try = (Vec<String>, &'static str, PathBuf);

async fn tried(home: &Path, (words, kind, path): Try) -> (Try, Output) {
    let args: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = bare(&args);
    command.current_dir(home).env("HOME", home);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let ended = tokio::time::timeout(PATIENCE, exited(child.unwrap())).await;
    let output = ended.unwrap_or_else(|_| panic!("{words:?} with {kind} never ends"));
    ((words, kind, path), output)
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn no_verb_panics_or_hangs_on_a_wrong_path() {
    let wrong = Wrong::places();
    let home = TempDir::new().unwrap();
    let with = |words: &[&str], option: Option<&str>, path: &Path| {
        let mut words = owned(words);
        words.extend(option.map(str::to_owned));
        words.push(path.to_str().unwrap().to_owned());
        words
    };
    let mut migrate = bare(&["db", "migrate"]);
    migrate.env("HOME", home.path());
    assert!(run(migrate).await.status.success());
    let mut tries: Vec<Try> = Vec::new();
    for (n, verb) in VERBS.iter().enumerate() {
        for (m, option) in GLOBAL_OPTIONS.iter().enumerate() {
            // A measurement takes its time, and looks at neither socket nor file.
            if verb[0] == "bench" && m > 0 {
                continue;
            }
            // Each verb with some of them, and all of them with some verb.
            for k in 0..2 {
                let (kind, path) = &wrong.places[(n + m + 3 * k) % wrong.places.len()];
                tries.push((with(verb, Some(option), path), kind, path.clone()));
            }
        }
    }
    let verbs = tries.len();
    let mut ended: Vec<_> = futures_util::stream::iter(tries)
        .map(|one| tried(home.path(), one))
        .buffered(PROGRAMS_AT_ONCE)
        .collect()
        .await;
    // The tries of one option come one after the other: they may want the same database for themselves.
    let of_option = |words: &'static [&'static str]| {
        let (home, wrong, with) = (home.path(), &wrong, &with);
        async move {
            let mut ended = Vec::new();
            for (kind, path) in &wrong.places {
                ended.push(tried(home, (with(words, None, path), *kind, path.clone())).await);
            }
            ended
        }
    };
    let own: Vec<_> = futures_util::stream::iter(PATHS)
        .map(|(_, words)| of_option(words))
        .buffered(PROGRAMS_AT_ONCE)
        .collect()
        .await;
    ended.extend(own.into_iter().flatten());
    for (n, ((words, kind, path), output)) in ended.iter().enumerate() {
        let said = text(output);
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| code < 5 || code == 130) && !said.contains("panicked"),
            "{words:?} with {kind}: {:?} {said}",
            output.status
        );
        // A folder is where pages and measurements go, and a link to nothing can be made a folder nowhere.
        let fits = *kind == "a folder"
            && words
                .iter()
                .any(|word| ["man", "--folder", "--dir"].contains(&word.as_str()))
            || *kind == "nonsense";
        if n >= verbs && !fits {
            assert_ne!(code, Some(0), "{words:?} with {kind}: {said}");
            let name = path.to_string_lossy();
            let name = &name[..name.len().min(60)];
            assert!(said.contains(name), "{words:?} with {kind}: {said}");
            // Another place is named by the option that named this one.
            if words[..2] == ["db", "copy"] || words[..2] == ["db", "restore"] {
                assert!(
                    !said.contains("with --database"),
                    "{words:?} with {kind}: {said}"
                );
            }
        }
    }
    wrong.check();
}

/// A database with a player's year in it.
async fn filled(matches: u32) -> Setup {
    let setup = setup(matches).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    setup
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn export(setup: &Setup, out: &Path, more: &[&str]) -> Command {
    let out = out.to_str().unwrap();
    let words = [
        "export",
        "--what",
        "participants",
        "--format",
        "csv",
        "--out",
        out,
    ];
    setup.command(&[&words, more].concat())
}

#[tokio::test]
async fn an_export_writes_a_file_and_leaves_all_else_as_it_is() {
    let setup = filled(40).await;
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("folder")).unwrap();
    std::fs::write(path("notes"), "mine").unwrap();
    symlink(path("notes"), path("link.csv")).unwrap();
    symlink(path("nowhere"), path("dangling.csv")).unwrap();
    let pipe = Command::new("mkfifo").arg(path("pipe")).status();
    assert!(pipe.unwrap().success());
    let before = names(folder.path());
    for (name, named) in [
        ("folder", "it is a folder"),
        ("link.csv", "it is a link to"),
        ("dangling.csv", "it is a link to"),
        ("pipe", "--out -"),
        ("none/m.csv", "--mkdir"),
        ("notes/m.csv", "is no folder"),
    ] {
        let output = run(export(&setup, &path(name), &[])).await;
        assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output));
        let said = text(&output);
        assert!(said.contains(named) && said.contains(name), "{said}");
    }
    assert_eq!(names(folder.path()), before);
    assert_eq!(std::fs::read_to_string(path("notes")).unwrap(), "mine");
    let is = |name: &str| std::fs::symlink_metadata(path(name)).unwrap().file_type();
    assert!(is("link.csv").is_symlink() && is("pipe").is_fifo());

    let made = path("none/of/these/m.csv");
    let output = run(export(&setup, &made, &["--mkdir"])).await;
    assert!(output.status.success(), "{}", text(&output));
    let table = std::fs::read(&made).unwrap();
    assert!(table.len() > 10_000);
    let bits = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((bits(&made), bits(&path("none"))), (0o600, 0o700));

    let output = run(export(&setup, Path::new("-"), &["--json"])).await;
    assert!(output.status.success(), "{}", text(&output));
    assert!(
        output.stdout == table,
        "stdout has the table and nothing else"
    );
    let told: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(told["bytes"], table.len());
    let parquet = ["--format", "parquet"];
    let mut words = vec!["export", "--what", "matches", "--out", "-"];
    words.extend(parquet);
    let output = run(setup.command(&words)).await;
    assert!(output.stdout.starts_with(b"PAR1") && output.stdout.ends_with(b"PAR1"));
}

#[tokio::test]
async fn an_export_that_runs_out_of_room_fails_and_leaves_nothing() {
    let setup = filled(60).await;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("m.csv");
    std::fs::write(&path, "of yesterday").unwrap();
    let output = run(on_a_small_disk(&export(&setup, &path, &[]), 64)).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("m.csv"), "{}", text(&output));
    assert_eq!(names(folder.path()), ["m.csv"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "of yesterday");
    let mut full = export(&setup, Path::new("-"), &[]);
    full.stdout(std::fs::File::create("/dev/full").unwrap());
    full.stderr(Stdio::piped());
    let output = exited(full.spawn().unwrap()).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("stdout"), "{}", text(&output));
}

#[tokio::test]
async fn no_spreadsheet_runs_a_name_and_programs_get_it_raw() {
    let setup = filled(20).await;
    let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
    let formula = "=HYPERLINK(\"http://evil\")";
    diesel::sql_query("UPDATE players SET game_name = ? WHERE game_name IS NOT NULL")
        .bind::<diesel::sql_types::Text, _>(formula)
        .execute(&mut conn)
        .unwrap();
    drop(conn);
    for (more, cell) in [
        (&[][..], format!("'{formula}")),
        (&["--raw"], formula.to_owned()),
    ] {
        let output = run(export(&setup, Path::new("-"), more)).await;
        assert!(output.status.success(), "{}", text(&output));
        let mut table = csv::Reader::from_reader(&*output.stdout);
        let at = table.headers().unwrap().iter();
        let at = at.clone().position(|name| name == "game_name").unwrap();
        let cells: Vec<String> = table
            .records()
            .map(|row| row.unwrap()[at].to_owned())
            .filter(|cell| !cell.is_empty())
            .collect();
        assert!(
            !cells.is_empty() && cells.iter().all(|one| *one == cell),
            "{cells:?}"
        );
    }
}

/// Every file and folder below, with its mode.
fn modes(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let there = std::fs::symlink_metadata(&path).unwrap();
        found.push((path.clone(), there.permissions().mode() & 0o777));
        if there.is_dir() {
            modes(&path, found);
        }
    }
}

/// What is in a folder when an engine was killed in the middle, its files as they were while it ran.
async fn left_by_a_killed_engine(readers: Option<&str>) -> (Setup, Vec<(PathBuf, u32)>) {
    let setup = setup(130).await;
    let home = setup.folder.path().join("home");
    let database = format!("sqlite://{}", home.join("data/t.db").display());
    let mut command = setup.command_on(
        &database,
        &["sync", PLAYER, "--platform", "euw1", "--year", "2025"],
    );
    command
        .env("HOME", &home)
        .env("RIFTSYNC_METRICS__INTERVAL_S", "1");
    if let Some(readers) = readers {
        command.env("RIFTSYNC_FILES__READABLE_BY", readers);
    }
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while setup.document_calls() < 100 && child.try_wait().unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut found = Vec::new();
    modes(&home, &mut found);
    (setup, found)
}

#[tokio::test]
async fn what_is_made_is_its_owners_alone_unless_the_settings_say_otherwise() {
    let (_setup, found) = left_by_a_killed_engine(None).await;
    for end in [
        "t.db",
        "t.db-wal",
        "t.db-shm",
        "t.db.lock",
        "metrics.jsonl",
        "engines",
    ] {
        assert!(
            found.iter().any(|(path, _)| path.ends_with(end)),
            "{end}: {found:?}"
        );
    }
    for (path, mode) in &found {
        assert_eq!(mode & 0o077, 0, "{} has {mode:o}", path.display());
    }
    let (_setup, found) = left_by_a_killed_engine(Some("group")).await;
    for (path, mode) in &found {
        let end = path.extension().unwrap_or_default();
        let secret = end == "lock" || end == "sock";
        let expected = match (secret, path.is_dir()) {
            (true, _) => 0o600,
            (false, true) => 0o750,
            (false, false) => 0o640,
        };
        assert_eq!(*mode, expected, "{} has {mode:o}", path.display());
    }
}

#[tokio::test]
async fn files_that_others_can_read_keep_their_modes_and_are_told_of() {
    let setup = filled(1).await;
    let database = PathBuf::from(setup.database());
    let key = setup.folder.path().join("key");
    std::fs::write(&key, riftsync::simulator::SIMULATED_KEY).unwrap();
    let sync = async |readers: &str, mode| {
        for path in [&database, &key] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut command = setup.sync();
        command
            .env_remove("RIOT_API_KEY")
            .env("RIOT_API_KEY_FILE", &key)
            .env("RIFTSYNC_FILES__READABLE_BY", readers);
        let output = run(command).await;
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(std::fs::metadata(&database).unwrap().mode() & 0o777, mode);
        let told = String::from_utf8(output.stderr).unwrap();
        let lines = told
            .lines()
            .filter(|line| line.contains("can be read by other users"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let told = sync("owner", 0o644).await;
    assert_eq!(told.len(), 2, "{told:?}");
    for (line, path) in told.iter().zip([&database, &key]) {
        assert!(
            line.contains(path.to_str().unwrap()) && line.contains("chmod go="),
            "{line}"
        );
    }
    for (readers, mode) in [("owner", 0o600), ("group", 0o640), ("all", 0o644)] {
        assert_eq!(sync(readers, mode).await, [""; 0], "{readers} {mode:o}");
    }
}

#[tokio::test]
async fn another_user_neither_holds_the_lock_nor_writes_where_he_may_not() {
    let setup = filled(1).await;
    let folder = TempDir::new().unwrap();
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(setup.folder.path(), 0o755);
    open(folder.path(), 0o755);
    // As an older version made it.
    let lock = setup.folder.path().join("t.db.lock");
    open(&lock, 0o644);
    assert!(run(setup.sync()).await.status.success());
    assert_eq!(std::fs::metadata(&lock).unwrap().mode() & 0o777, 0o600);
    let secret = folder.path().join("config.toml");
    std::fs::write(&secret, "").unwrap();
    open(&secret, 0o600);
    let (lock, secret) = (lock.to_str().unwrap(), secret.to_str().unwrap());
    let db = folder.path().join("none.db");
    for args in [
        &["db", "info", "--config", secret][..],
        &["db", "migrate", "--database", db.to_str().unwrap()],
        &[
            "db",
            "migrate",
            "--database",
            lock.trim_end_matches(".lock"),
        ],
    ] {
        let Some(command) = as_user(folder.path(), 65_534, args) else {
            eprintln!(
                "SKIPPED another_user_neither_holds_the_lock: it needs root, to become somebody else, and setpriv"
            );
            return;
        };
        let output = run(command).await;
        assert!(
            [Some(2), Some(3)].contains(&output.status.code()),
            "{}",
            text(&output)
        );
        assert!(
            text(&output).contains("ermission denied"),
            "{}",
            text(&output)
        );
        assert!(!text(&output).contains("panicked"), "{}", text(&output));
    }
}
