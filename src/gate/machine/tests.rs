//! The machine's board with real files, locks and processes.

use std::fs::{File, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::files::{ALL, MemberFiles, remove_unfinished};
use super::member::{Member, now};
use crate::model::budget_share::{BoardReport, WindowGrant, WindowKey, WindowReport};

const BOARD: &str = "0123456789abcdef-kr";
const LIMIT: u32 = 100;

fn report_of(seconds: u32, in_use: u32, wanted: u32, keep: u32) -> BoardReport {
    BoardReport {
        windows: vec![WindowReport {
            key: WindowKey {
                method: None,
                seconds,
            },
            limit: LIMIT,
            places: vec![(seconds * 1_000, in_use)],
            wanted,
            keep,
            cleared: None,
        }],
        ..BoardReport::default()
    }
}

/// Of a window that does not end while a test runs.
fn report(in_use: u32, wanted: u32) -> BoardReport {
    report_of(3_000, in_use, wanted, in_use)
}

fn open(folder: &Path) -> Member {
    Member::open(&[made(folder)], BOARD, &Arc::default()).unwrap()
}

/// The folder of boards in a folder.
fn made(folder: &Path) -> PathBuf {
    folder.join("riftsync")
}

fn ask(member: &mut Member, report: &BoardReport) -> WindowGrant {
    member.exchange(report).unwrap().windows[0]
}

/// The same once the other member is gone. A process that another test starts has the locks of this one until
/// its program begins.
fn ask_when_gone(member: &mut Member, report: &BoardReport) -> WindowGrant {
    loop {
        let told = ask(member, report);
        if told.ended.is_some() {
            return told;
        }
    }
}

/// The only file of the board with that end.
fn file(folder: &Path, end: &str) -> PathBuf {
    let mut files = names(folder);
    files.retain(|name| name.ends_with(end));
    assert_eq!(files.len(), 1, "{files:?}");
    folder.join(&files[0])
}

fn names(folder: &Path) -> Vec<String> {
    let there = std::fs::read_dir(folder).unwrap();
    let names = there.map(|one| one.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn who_begins_while_another_begins_joins_all_the_same() {
    let folder = TempDir::new().unwrap();
    let files = MemberFiles::new(folder.path(), format!("{ALL}{BOARD}-1"));
    let mut times = 0;
    let lock = files.take_with(|| {
        times += 1;
        if times < 3 {
            remove_unfinished(folder.path()).unwrap();
        }
    });
    assert!(files.is_taken_by(&lock.unwrap()).unwrap());
    assert_eq!(times, 3);
}

#[test]
fn members_of_one_board_share_a_key_and_others_do_not() {
    let folder = TempDir::new().unwrap();
    let (mut one, mut two) = (open(folder.path()), open(folder.path()));
    assert_eq!(ask(&mut one, &report(0, 60)).cap, 60);
    assert_eq!(ask(&mut two, &report(0, 500)).cap, 39);
    let folders = [made(folder.path())];
    let mut other = Member::open(&folders, "fedcba9876543210-kr", &Arc::default()).unwrap();
    assert_eq!(ask(&mut other, &report(0, 500)).cap, 99);
    // One says its last word.
    let mut last = report(10, 0);
    last.last = true;
    one.exchange(&last).unwrap();
    assert_eq!(ask(&mut two, &report(0, 500)).cap, 89);
}

#[test]
fn who_is_gone_is_known_at_once_and_leaves_a_doubt_until_its_windows_are_over() {
    let folder = TempDir::new().unwrap();
    let (mut one, mut two) = (open(folder.path()), open(folder.path()));
    ask(&mut one, &report(20, 500));
    let there = ask(&mut two, &report(0, 500));
    assert!(there.cap == 0 && there.ended.is_none(), "{there:?}");
    drop(one);
    let told = ask_when_gone(&mut two, &report(0, 500));
    let end = told.ended.unwrap();
    assert_eq!((told.cap, end.doubt), (1, 79));
    // All hear of one moment.
    let mut three = open(folder.path());
    let again = ask(&mut three, &report(0, 0));
    assert_eq!(again.ended.unwrap().at, end.at);
}

#[test]
fn what_others_could_read_or_plant_is_not_used() {
    let temp = TempDir::new().unwrap();
    let folder = |name: &str| temp.path().join(name);
    let member = Member::open(&[folder("made")], BOARD, &Arc::default()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder("made")), 0o700);
    assert_eq!(mode(&file(&folder("made"), ".alive")), 0o600);
    drop(member);

    std::fs::create_dir(folder("open")).unwrap();
    std::fs::set_permissions(folder("open"), Permissions::from_mode(0o750)).unwrap();
    symlink(folder("made"), folder("link")).unwrap();
    std::fs::write(folder("file"), "mine").unwrap();
    let refused = ["open", "link", "file", "no/where"].map(folder);
    let why = Member::open(&refused, BOARD, &Arc::default()).unwrap_err();
    for path in &refused {
        assert!(why.contains(&path.display().to_string()), "{why}");
    }
    assert!(why.contains("mode 700") && why.contains("TMPDIR"), "{why}");
    assert_eq!(std::fs::read_to_string(folder("file")).unwrap(), "mine");
    // The first that can be used is.
    let [open, ..] = refused;
    let mut member = Member::open(&[open, folder("made")], BOARD, &Arc::default()).unwrap();
    assert_eq!(ask(&mut member, &report(0, 500)).cap, 99);

    let members = || {
        names(&folder("made"))
            .iter()
            .filter(|name| name.contains(".alive"))
            .count()
    };
    while members() > 1 {
        // Until it finds that the first one is gone, which never wrote.
        ask(&mut member, &report(0, 500));
    }

    // A row is never written through a link.
    symlink(
        folder("file"),
        file(&folder("made"), ".alive").with_extension("half"),
    )
    .unwrap();
    let error = member.exchange(&report(0, 500)).unwrap_err();
    assert!(error.contains("cannot be used"), "{error}");
    assert_eq!(std::fs::read_to_string(folder("file")).unwrap(), "mine");
}

#[test]
fn a_row_that_is_damaged_leaves_one_call_that_asks() {
    for damage in [
        "",
        "\0\0\0\0",
        "{\"pid\":1}",
        "{\"database\":\"a\",\"pid\":",
    ] {
        let folder = TempDir::new().unwrap();
        let (mut one, mut two) = (open(folder.path()), open(folder.path()));
        ask(&mut one, &report(20, 0));
        let row = file(&made(folder.path()), ".json");
        std::fs::write(row, damage).unwrap();
        // It is there, and may be calling.
        assert_eq!(ask(&mut two, &report(0, 500)).cap, 0);
        // It says so again.
        ask(&mut one, &report(20, 0));
        assert_eq!(ask(&mut two, &report(0, 500)).cap, 79);
        ask(&mut two, &report(0, 0));
        drop(one);
        for name in names(&made(folder.path()))
            .iter()
            .filter(|name| name.contains(".json"))
        {
            std::fs::write(made(folder.path()).join(name), damage).unwrap();
        }
        let told = ask_when_gone(&mut two, &report(0, 500));
        assert_eq!((told.cap, told.ended.unwrap().doubt), (1, 99));
    }
}

#[test]
fn files_that_somebody_removed_are_made_again() {
    let temp = TempDir::new().unwrap();
    let folder = temp.path().join("board");
    let mut one = Member::open(std::slice::from_ref(&folder), BOARD, &Arc::default()).unwrap();
    ask(&mut one, &report(60, 0));
    for name in names(&folder) {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    ask(&mut one, &report(60, 0));
    let mut two = Member::open(std::slice::from_ref(&folder), BOARD, &Arc::default()).unwrap();
    assert_eq!(ask(&mut two, &report(0, 500)).cap, 39);
    std::fs::remove_dir_all(&folder).unwrap();
    one.exchange(&report(60, 0)).unwrap_err();
    assert!(one.is_gone());
}

#[test]
fn what_is_over_is_removed_and_many_that_ended_become_one_row() {
    let folder = TempDir::new().unwrap();
    let mut last = report(1, 0);
    last.last = true;
    for _ in 0..60 {
        open(folder.path()).exchange(&last).unwrap();
    }
    let mut next = open(folder.path());
    assert_eq!(ask(&mut next, &report(0, 500)).cap, 39);
    assert!(
        names(&made(folder.path())).len() < 70,
        "{}",
        names(&made(folder.path())).len()
    );

    // Places of a window that is over already, and a process that never wrote.
    let mut over = report_of(0, 5, 0, 5);
    over.last = true;
    let folders = [made(folder.path())];
    let other = || Member::open(&folders, "fedcba9876543210-kr", &Arc::default()).unwrap();
    other().exchange(&over).unwrap();
    drop(other());
    let before = now();
    while now() < before + 1_010 {
        std::thread::yield_now();
    }
    let of_other = || {
        names(&made(folder.path()))
            .iter()
            .filter(|name| name.contains("fedc"))
            .count()
    };
    assert_eq!(of_other(), 3);
    // Whoever comes sweeps.
    while of_other() > 0 {
        drop(open(folder.path()));
    }
}

/// What a process of the test below may use, since when, and how often it asked.
type Use = (u32, u32, i64, u64);

/// What all of them use, in a file that they lock.
struct Referee(File);

impl Referee {
    fn new(folder: &Path) -> Self {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        Self(options.open(folder.join("referee")).unwrap())
    }

    /// What all use, after this process has its say.
    fn set(&mut self, may: u32) -> Vec<Use> {
        self.0.lock().unwrap();
        let mut all = self.all();
        let me = std::process::id();
        let asked = all.iter().find(|one| one.0 == me).map_or(0, |one| one.3);
        all.retain(|one| one.0 != me);
        all.push((me, may, now(), asked + 1));
        let text = serde_json::to_vec(&all).unwrap();
        self.0.rewind().unwrap();
        self.0.set_len(0).unwrap();
        self.0.write_all(&text).unwrap();
        self.0.unlock().unwrap();
        all
    }

    fn all(&mut self) -> Vec<Use> {
        let mut text = Vec::new();
        self.0.rewind().unwrap();
        self.0.read_to_end(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Does something to a process that does not have the file just now.
    fn apart(&mut self, what: impl FnOnce()) {
        self.0.lock().unwrap();
        what();
        self.0.unlock().unwrap();
    }

    /// Waits, by looking, until those but `except` have asked so often.
    fn until_asked(&mut self, times: u64, except: u32, children: &mut [Child]) {
        let mut asked = |referee: &mut Self| -> u64 {
            for child in &mut *children {
                let ended = child.try_wait().unwrap();
                assert!(ended.is_none(), "{ended:?}");
            }
            referee.0.lock_shared().unwrap();
            let all = referee.all();
            referee.0.unlock().unwrap();
            let all = all.iter().filter(|one| one.0 != except);
            all.map(|one| one.3).sum()
        };
        let before = asked(self);
        while asked(self) < before + times {
            std::thread::yield_now();
        }
    }
}

const FOLDER: &str = "RIFTSYNC_TEST_BOARD";

/// Not a test: a process of the test below. It ends, and fails, when all use more than the limit.
#[test]
#[ignore = "a process of another test"]
fn asks_all_the_time() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let mut referee = Referee::new(&folder);
    let mut member = open(&folder);
    let mut may = 0;
    loop {
        let keep = fastrand::u32(0..=may);
        let in_use = fastrand::u32(0..=keep);
        referee.set(keep);
        let report = report_of(1, in_use, fastrand::u32(0..120), keep);
        may = ask(&mut member, &report).cap;
        let all = referee.set(may);
        let is_there = |pid: u32| {
            let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
            rustix::process::test_kill_process(pid).is_ok()
        };
        // The calls of who was killed count for the second that the window has.
        let counts = all
            .iter()
            .filter(|one| is_there(one.0) || now() < one.2 + 1_000);
        let used: u32 = counts.map(|one| one.1).sum();
        assert!(used <= LIMIT, "{all:?}");
    }
}

fn spawn(folder: &Path) -> Child {
    let name = "gate::machine::tests::asks_all_the_time";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn processes_that_ask_at_once_are_stopped_and_are_killed_never_use_more_than_the_limit() {
    let folder = TempDir::new().unwrap();
    let mut referee = Referee::new(folder.path());
    let mut children: Vec<Child> = (0..3).map(|_| spawn(folder.path())).collect();
    for round in 0..24 {
        referee.until_asked(50, 0, &mut children);
        let at = fastrand::usize(0..children.len());
        let pid = children[at].id();
        let signal = |name: &str| {
            let mut kill = Command::new("kill");
            let status = kill.args([name, &pid.to_string()]).status();
            assert!(status.unwrap().success());
        };
        if round % 2 == 0 {
            // The others do not wait for it.
            referee.apart(|| {
                signal("-STOP");
                // Before it really stands still it may take the file.
                let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap());
                let options = rustix::process::WaitOptions::UNTRACED;
                let (_, status) = rustix::process::waitpid(pid, options).unwrap().unwrap();
                assert!(status.stopped(), "{status:?}");
            });
            referee.until_asked(50, pid, &mut children);
            signal("-CONT");
        } else {
            referee.apart(|| {
                children[at].kill().unwrap();
                children[at].wait().unwrap();
            });
            children[at] = spawn(folder.path());
        }
    }
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
