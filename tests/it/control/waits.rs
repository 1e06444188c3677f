//! No wait of any verb is silent: each is made to happen, the line with its reason is read, and only then it is let go.

use std::os::unix::net::UnixListener;
use std::process::ChildStderr;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use riftsync::simulator::Latency;
use riftsync::store::sqlite::SqliteStore;

use super::top::Terminal;
use super::verbs::SYNC;
use super::*;
use crate::scratch::Scratch;
use crate::setup::{bare, exited};
use crate::wait;

/// A verb that runs without a terminal.
struct Heard {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Heard {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            stderr,
            said: String::new(),
        }
    }

    /// Reads until a line has all these words, and gives it back. The verb must still be at work.
    async fn until(mut self, words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        tokio::task::spawn_blocking(move || {
            loop {
                let mut line = String::new();
                let read = self.stderr.read_line(&mut line).unwrap();
                assert!(read > 0, "it ended without {words:?}:\n{}", self.said);
                self.said.push_str(&line);
                if words.iter().all(|word| line.contains(word.as_str())) {
                    assert!(line.contains("waits: "), "{line}");
                    return self;
                }
            }
        })
        .await
        .unwrap()
    }

    /// Its exit code and what it wrote to stdout, when it has ended.
    async fn ended(mut self) -> (Option<i32>, String) {
        tokio::task::spawn_blocking(move || {
            let mut rest = String::new();
            std::io::Read::read_to_string(&mut self.stderr, &mut rest).unwrap();
            self.said.push_str(&rest);
            assert!(!self.said.contains('\x1b'), "{}", self.said);
            let output = self.child.wait_with_output().unwrap();
            (
                output.status.code(),
                String::from_utf8(output.stdout).unwrap(),
            )
        })
        .await
        .unwrap()
    }

    async fn ended_well(self) -> String {
        let (code, out) = self.ended().await;
        assert_eq!(code, Some(0), "{out}");
        out
    }

    /// Ends it at once.
    async fn kill(mut self) {
        self.child.kill().unwrap();
        exited(self.child).await;
    }
}

fn script(setup: &Setup, rules: &[&str]) {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    setup.simulator.control().set_script(rules);
}

/// Another program that holds the database locked, until it is dropped.
pub(super) fn locked(setup: &Setup) -> SqliteConnection {
    let mut other = SqliteConnection::establish(&setup.database()).unwrap();
    // The engine may be in the middle of a commit.
    for statement in ["PRAGMA busy_timeout = 10000", "BEGIN IMMEDIATE"] {
        diesel::sql_query(statement).execute(&mut other).unwrap();
    }
    other
}

const JSON: &str = "--json";

#[tokio::test]
async fn a_sync_tells_of_the_keys_budget_with_the_time_left_and_keeps_stdout_for_the_document() {
    let setup = setup(40).await;
    setup.simulator.control().set_app_limits(vec![(12, 15)]);
    let sync = Heard::start(setup.command(&[SYNC, &[JSON]].concat()));
    let sync = sync
        .until(&["the key's budget is used up", " s; matches ", "timelines"])
        .await;
    setup.simulator.control().set_app_limits(vec![(500, 1)]);
    let document: Value = serde_json::from_str(&sync.ended_well().await).unwrap();
    assert_eq!(document["state"], "completed");
}

#[tokio::test]
async fn a_sync_through_the_engine_tells_what_the_engine_waits_for() {
    let setup = setup(40).await;
    setup.simulator.control().set_app_limits(vec![(12, 15)]);
    let _served = setup.served().await;
    let sync = Heard::start(setup.command(SYNC));
    let sync = sync.until(&["the key's budget is used up", " s; "]).await;
    let wait = Heard::start(setup.command(&["job", "wait", "1", JSON]));
    let wait = wait.until(&["the key's budget is used up"]).await;
    setup.simulator.control().set_app_limits(vec![(500, 1)]);
    sync.ended_well().await;
    let job: Value = serde_json::from_str(&wait.ended_well().await).unwrap();
    assert_eq!(job["state"], "completed");
}

#[tokio::test]
async fn a_retry_after_a_route_that_is_down_and_a_pause_after_failures_are_told() {
    for (rules, words) in [
        (
            &["429-application@match:3.."][..],
            "Riot asked for a pause on europe",
        ),
        (&["503@match:3.."], "europe does not work ("),
        (&["not-json@account-by-riot-id:1.."], "an attempt failed ("),
    ] {
        let setup = setup(20).await;
        script(&setup, rules);
        let sync = Heard::start(setup.command(SYNC));
        sync.until(&[words]).await.kill().await;
    }
}

#[tokio::test]
async fn answers_that_do_not_come_are_told_with_their_route_in_every_verb_that_makes_calls() {
    let setup = setup_with_player_file().await;
    for args in [
        &["sync", PLAYER, "--platform", "euw1", "--year", "2025"][..],
        &["sync", PLAYER, "--year", "2025"],
        &["sync", "--file", "players.txt", "--year", "2025"],
        &["recover", PLAYER, "--platform", "euw1", "--year", "2025"],
        &["ladder", "--platform", "euw1", "--tier", "challenger"],
    ] {
        script(&setup, &["stall=30s@always"]);
        let mut command = setup.command(args);
        command.current_dir(setup.folder.path());
        let verb = Heard::start(command);
        let verb = verb.until(&["Riot's first answer on", "has not come yet"]);
        verb.await.kill().await;
    }
}

async fn setup_with_player_file() -> Setup {
    let setup = setup(10).await;
    std::fs::write(setup.path("players.txt"), format!("{PLAYER}, euw1\n")).unwrap();
    setup
}

#[tokio::test]
async fn the_verbs_that_follow_jobs_of_an_engine_tell_of_calls_that_hang() {
    let setup = setup_with_player_file().await;
    assert!(setup.run(SYNC).await.status.success());
    script(&setup, &["stall=30s@always"]);
    let _served = setup.served().await;
    for args in [
        &["sync", "--file", "players.txt", "--year", "2025"][..],
        &["ladder", "--platform", "euw1", "--tier", "challenger"],
        &["recover", "--all", "--year", "2025"],
    ] {
        let mut command = setup.command(args);
        command.current_dir(setup.folder.path());
        let verb = Heard::start(command);
        verb.until(&["Riot", "answer", "on e"]).await.kill().await;
    }
    let health = Heard::start(setup.command(&["health"]));
    health
        .until(&["the engine's check is not done"])
        .await
        .kill()
        .await;
}

#[tokio::test]
async fn a_queue_that_is_paused_or_full_or_at_its_rate_is_told() {
    let setup = setup(20).await;
    let _served = setup.served().await;
    setup.json(&["queue", "pause", "match_processing"]).await;
    let sync = Heard::start(setup.command(SYNC));
    let sync = sync.until(&["queue match_processing is paused"]).await;
    setup
        .json(&["queue", "set", "match_processing", "--rate", "2/m"])
        .await;
    setup.json(&["queue", "resume", "all"]).await;
    let sync = sync
        .until(&["the rate of queue match_processing is 2/m, "])
        .await;
    // Syncs of other years have the one slot.
    setup
        .json(&["queue", "set", "player_sync", "--slots", "1"])
        .await;
    setup
        .json(&["queue", "set", "match_processing", "--rate", "none"])
        .await;
    sync.ended_well().await;
    script(&setup, &["stall=30s@always"]);
    let year = |year| ["sync", PLAYER, "--platform", "euw1", "--year", year];
    // Those that are waited for have as many slots again.
    let mut others = Vec::new();
    for other in ["2024", "2023"] {
        others.push(Heard::start(setup.command(&year(other))));
        let running = ["job", "list", "--state", "running"];
        let run = async || setup.json(&running).await["jobs"].as_array().unwrap().len();
        wait::until("its start", async || run().await >= others.len()).await;
    }
    let last = Heard::start(setup.command(&year("2022")));
    others.push(
        last.until(&["no slot of queue player_sync is free; "])
            .await,
    );
    for other in others {
        other.kill().await;
    }
}

#[tokio::test]
async fn a_database_that_another_program_locks_is_told_by_every_verb_that_writes() {
    let setup = setup(30).await;
    assert!(setup.run(SYNC).await.status.success());
    for args in [
        SYNC,
        &["cleanup", "--days", "0"],
        &["replay"],
        &["recompress"],
    ] {
        let other = locked(&setup);
        let verb = Heard::start(setup.command(args));
        let verb = verb.until(&["another program may hold it locked"]).await;
        drop(other);
        // It goes on, or has given the opening up after its ten seconds.
        let (code, _) = verb.ended().await;
        assert!(matches!(code, Some(0 | 3)), "{args:?}: {code:?}");
    }
}

#[tokio::test]
async fn a_sync_whose_database_is_locked_in_the_middle_says_so_and_goes_on() {
    let setup = setup(30).await;
    setup
        .simulator
        .control()
        .set_latency("100:0.1".parse::<Latency>().unwrap());
    let sync = Heard::start(setup.command(SYNC));
    while setup.document_calls() < 5 {
        tokio::task::yield_now().await;
    }
    let other = locked(&setup);
    let sync = sync.until(&["the database takes no writes now"]).await;
    drop(other);
    sync.ended_well().await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_told_by_every_verb_that_opens_it() {
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/d", silent.local_addr().unwrap());
    let folder = tempfile::TempDir::new().unwrap();
    for args in [
        &["stats", PLAYER][..],
        &["export", "--what", "matches"],
        &["db", "info"],
        &["db", "migrate"],
        &["cleanup", "--dry-run"],
        &["job", "list"],
        &["sync", PLAYER, "--platform", "euw1"],
        &["serve"],
    ] {
        let mut command = bare(args);
        command
            .args(["--database", &url])
            .env("HOME", folder.path())
            .env("RIOT_API_KEY", SIMULATED_KEY);
        let verb = Heard::start(command);
        let verb = verb.until(&["the connection to postgres://", "is not made yet"]);
        verb.await.kill().await;
    }
    let mut copy = bare(&["db", "copy", "--to", &url]);
    copy.env("HOME", folder.path());
    let from = folder.path().join("from.db");
    bare(&["db", "migrate", "--database", from.to_str().unwrap()])
        .env("HOME", folder.path())
        .status()
        .unwrap();
    copy.args(["--from", from.to_str().unwrap()]);
    let copy = Heard::start(copy);
    copy.until(&["has not answered yet"]).await.kill().await;
}

#[tokio::test]
async fn a_sync_waits_for_a_database_that_another_riftsync_has_for_a_moment() {
    let setup = setup(10).await;
    let store = SqliteStore::open(setup.path("t.db").as_path()).unwrap();
    let sync = Heard::start(setup.command(SYNC));
    let sync = sync.until(&["another riftsync (pid ", "has the database"]);
    let sync = sync.await;
    riftsync::store::Database::close(&store).await.unwrap();
    drop(store);
    sync.ended_well().await;
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_told_by_every_verb_that_asks_it() {
    let setup = setup(1).await;
    // It takes connections and says nothing.
    let _silent = UnixListener::bind(setup.path("riftsync.sock")).unwrap();
    for args in [
        &["status"][..],
        &["queue", "list"],
        &["schedule", "list"],
        &["tracked"],
        &["rank", PLAYER],
        &["engine", "drain"],
        &["job", "list"],
        SYNC,
    ] {
        let verb = Heard::start(setup.command(args));
        let verb = verb.until(&["the engine on", "has not answered yet"]).await;
        verb.kill().await;
    }
}

#[tokio::test]
async fn a_drain_and_a_stop_tell_which_jobs_they_wait_for_and_the_engine_says_it_in_its_log() {
    let setup = setup(20).await;
    script(&setup, &["stall=30s@match:1.."]);
    let served = setup
        .served_with(|command| command.env("RIFTSYNC_ENGINE__DRAIN_S", "12"))
        .await;
    setup.json(&[SYNC, &["--detach"]].concat()).await;
    while setup.document_calls() < 2 {
        tokio::task::yield_now().await;
    }
    let drain = Heard::start(setup.command(&["engine", "drain", JSON]));
    let drain = drain.until(&["jobs that run have to end first ("]).await;
    let stop = Heard::start(setup.command(&["engine", "stop", JSON]));
    let stop = stop
        .until(&["the engine with pid", "jobs that run end ("])
        .await;
    assert!(
        setup.log().contains("waits: jobs still run ("),
        "{}",
        setup.log()
    );
    drain.kill().await;
    let answer: Value = serde_json::from_str(&stop.ended_well().await).unwrap();
    assert_eq!(answer["state"], "stopped");
    assert_eq!(served.exited().await, Some(0));
}

#[tokio::test]
async fn a_key_that_does_not_come_on_stdin_is_told() {
    let setup = setup(1).await;
    let _served = setup.served().await;
    let mut command = setup.command(&["key", "set"]);
    command.stdin(Stdio::piped());
    let set = Heard::start(command);
    let mut set = set.until(&["the new API key has not come on stdin"]).await;
    let mut stdin = set.child.stdin.take().unwrap();
    stdin.write_all(SIMULATED_KEY.as_bytes()).unwrap();
    drop(stdin);
    assert!(set.ended_well().await.contains("already"));
}

#[tokio::test]
async fn work_that_another_engine_has_is_told_with_its_name_and_its_silence() {
    let setup = setup(20).await;
    let scratch = Scratch::new();
    let on = |args: &[&str], name: &str| {
        let mut command = bare(args);
        let folder = setup.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        command
            .args(["--database", scratch.url(), "--socket"])
            .arg(folder.join("s"))
            .env("HOME", &folder)
            .env("RIOT_API_KEY", SIMULATED_KEY)
            .env("RIFTSYNC_PROFILE", "production")
            .env("RIFTSYNC_RIOT__BASE_URL", setup.simulator.base_url());
        command
    };
    script(&setup, &["stall=60s@match:1.."]);
    let first = Heard::start(on(SYNC, "one"));
    wait::until("five calls", async || setup.document_calls() >= 5).await;
    signal(&first.child, "-STOP");
    // The jobs are open and another engine has them: this one joins them.
    let second = Heard::start(on(SYNC, "two"));
    let second = second.until(&["engine", " on ", "(pid "]).await;
    second.kill().await;
    first.kill().await;
}

#[tokio::test]
async fn the_bars_of_a_sync_are_honest_at_eighty_and_at_forty_columns_and_leave_nothing_behind() {
    let setup = setup(40).await;
    for (columns, title) in [
        (80, "Quiet Otter#SIM on euw1, 2025"),
        (40, "Quiet Otter#SIM on"),
    ] {
        let _ = std::fs::remove_file(setup.database());
        setup.simulator.control().set_app_limits(vec![(12, 15)]);
        let mut sync = Terminal::open(setup.command(SYNC), 24, columns);
        sync.until(&["waits: the key's budget is us"]);
        let lines = sync.lines();
        let at = |word: &str| {
            let found = lines.iter().find(|line| line.contains(word));
            found.unwrap_or_else(|| panic!("no {word} in {lines:#?}"))
        };
        at(title);
        for bar in ["matches  ", "timelines "] {
            let count = at(bar).split_whitespace().last().unwrap_or_default();
            let counted = count.split_once('/');
            let (done, whole) = counted.unwrap_or_else(|| panic!("{lines:#?}"));
            let [done, whole]: [u32; 2] = [done, whole].map(|number| number.parse().unwrap());
            assert!(done < whole && whole >= 20, "{lines:#?}");
            assert!(at(bar).contains(" ]"), "not full: {lines:#?}");
        }
        // A line that wrapped would push the others down.
        let widths = lines.iter().map(|line| line.chars().count());
        assert!(widths.max().unwrap() < usize::from(columns), "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| !line.is_empty()).count(), 4);
        setup.simulator.control().set_app_limits(vec![(500, 1)]);
        let (code, raw) = sync.ended();
        assert_eq!(code, Some(0));
        let mut screen = vt100::Parser::new(60.try_into().unwrap(), 200.try_into().unwrap(), 0);
        screen.process(&raw);
        let left = screen.screen().contents();
        assert!(!left.contains("] "), "a bar is left: {left}");
        assert!(!left.contains("waits"), "{left}");
    }
}

#[tokio::test]
async fn a_first_sync_tells_what_became_of_every_match_and_what_can_be_typed_next() {
    let setup = setup(60).await;
    let first = setup.run(SYNC).await;
    let said = text(&first);
    assert!(first.status.success(), "{said}");
    let line = said
        .lines()
        .find(|line| line.contains("for 2025: "))
        .unwrap();
    let numbers = |text: &str| -> Vec<u64> {
        let words = text.split(|letter: char| !letter.is_ascii_digit());
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let parts = numbers(line.split(" (").next().unwrap());
    let [whole, year, rest @ ..] = &parts[..] else {
        panic!("{line}");
    };
    assert_eq!((*year, *whole), (2025, rest.iter().sum()), "{line}");
    if let Some(line) = said.lines().find(|line| line.starts_with("of the ")) {
        let [stored, parts @ ..] = &numbers(line)[..] else {
            panic!("{line}");
        };
        assert_eq!(*stored, parts.iter().sum::<u64>(), "{line}");
    }
    // The commands work as they are written.
    let next = said
        .lines()
        .find(|line| line.starts_with("next: "))
        .unwrap();
    let typed: Vec<&str> = next.split('`').skip(1).step_by(2).collect();
    assert!(
        typed
            .iter()
            .any(|words| words.starts_with("riftsync track \"")),
        "{next}"
    );
    for words in typed.iter().filter(|words| !words.contains("serve")) {
        let program = env!("CARGO_BIN_EXE_riftsync");
        let mut shell = Command::new("sh");
        let line = words.replacen("riftsync", program, 1);
        shell
            .args(["-c", &line])
            .env("HOME", setup.folder.path())
            .current_dir(setup.folder.path());
        let output = run(shell).await;
        assert!(output.status.success(), "{words}: {}", text(&output));
    }
    let again = text(&setup.run(SYNC).await);
    assert!(!again.contains("next: "), "{again}");

    // Somebody who was in these matches.
    let mut conn = SqliteConnection::establish(&setup.database()).unwrap();
    let met: Vec<Name> = diesel::sql_query(
        "SELECT game_name || '#' || tag_line AS name FROM players JOIN player_yearly_stats ON player_id = players.id
         WHERE game_name IS NOT NULL AND tracked = 0 LIMIT 1",
    )
    .load(&mut conn)
    .unwrap();
    let stats = setup.run(&["stats", &met[0].name]).await;
    let said = text(&stats);
    assert!(
        said.contains("was only met in others' matches in 2025 on euw1: "),
        "{said}"
    );
    assert!(
        said.contains(&format!(
            "`riftsync sync \"{}\" --platform euw1 --year 2025 --database \"{}\"`",
            met[0].name,
            setup.database()
        )),
        "{said}"
    );
    let own = setup.run(&["stats", PLAYER]).await;
    assert!(!text(&own).contains("only met"), "{}", text(&own));
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

#[tokio::test]
async fn a_year_without_matches_is_named_and_shows_no_table() {
    let setup = setup(10).await;
    let sync = ["sync", PLAYER, "--platform", "euw1", "--year", "2022"];
    for served in [false, true] {
        let _served = if served {
            Some(setup.served().await)
        } else {
            None
        };
        let output = setup.run(&sync).await;
        assert!(output.status.success(), "{}", text(&output));
        assert!(
            text(&output).contains("no matches in 2022"),
            "{}",
            text(&output)
        );
        assert!(!text(&output).contains("next: "));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
        let document = setup.json(&sync).await;
        assert_eq!(document["result"]["total_matches"], 0);
    }
}
