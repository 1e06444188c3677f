//! The screen at the sizes that people have, and what keys do to it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

use super::app::{App, ControlCommand, Over, Panel, Step};
use super::feed::Told;
use super::view;
use crate::model::Timestamp;
use crate::model::snapshot::{Snapshot, read};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_100_000);
const QUEUES: [&str; 6] = [
    "player_sync",
    "match_processing",
    "timeline_processing",
    "recovery",
    "maintenance",
    "default",
];

fn at(seconds_ago: u64) -> String {
    (NOW - std::time::Duration::from_secs(seconds_ago)).to_string()
}

fn job(id: i64, state: &str, percent: u64) -> Value {
    json!({
        "job_id": id, "kind": "sync_player_data", "queue": "player_sync", "key": format!("kr/faker#{id}/2025"),
        "state": state, "attempt": 1, "step": "processing_matches", "percent": percent,
        "enqueued_at": at(80), "started_at": at(75), "finished_at": null,
    })
}

/// An engine at work. `commits`: what it had done by then.
fn busy(commits: u64) -> Snapshot {
    let queues = QUEUES.iter().enumerate().map(|(n, name)| {
        json!({
            "queue": name, "slots": 16, "rate": "100/m", "running": 16 - n, "paused": n == 3, "held": n == 1,
            "available": 123_456_789, "scheduled": 0, "retryable": 7, "blocked": 12,
        })
    });
    let actors = ["canceller", "queues", "queues/recovery", "store_writer"].map(|name| {
        json!({
            "actor": format!("/engine/{name}"), "up": name != "canceller",
            "restarts": u64::from(name == "store_writer") * 3, "since": at(75),
        })
    });
    let windows = [
        (None, 1, 19, 20),
        (None, 120, 50, 100),
        (Some("match"), 10, 0, 2_000),
    ];
    let windows = windows.map(|(method, seconds, used, limit)| {
        json!({ "method": method, "seconds": seconds, "used": used, "limit": limit })
    });
    let failed = json!({
        "job_id": 9, "kind": "sync_player_data", "key": "kr/nobody#404/2025", "state": "discarded",
        "finished_at": at(60), "error": { "message": "no player is called 'Nobody#404'", "remedy": "check the name" },
    });
    Snapshot {
        status: read(json!({
            "engine": "6f1d0c2a9b3e4d58", "version": "0.1.0", "state": "running", "pid": 4711, "uptime_s": 75,
            "database": "/home/me/riftsync.db", "key": "valid", "calls": 1_234, "rate_limited": 2, "running": 81,
            "commits": commits, "queues": queues.collect::<Vec<_>>(),
        })),
        metrics: read(json!({
            "totals": [
                { "actor": "/engine/queues/player_sync", "kind": "queue", "processed": commits, "failed": 0 },
                { "actor": "/engine/riot_gate/KR", "kind": "limiter", "granted": 3, "waiting": 0,
                  "windows": [{ "method": null, "seconds": 1, "used": 0, "limit": 20 }] },
                { "actor": "/engine/riot_gate/ASIA", "kind": "limiter", "granted": 900, "waiting": 33, "in_flight": 2,
                  "paused_s": 3.5, "windows": windows },
                { "actor": "/engine/store_writer", "kind": "store", "database_bytes": 15_u64 << 20,
                  "ms": { "p99": 12.4 } },
                { "actor": "/engine", "kind": "process", "rss_bytes": 36_u64 << 20, "cpu_ms": commits },
            ],
            "actors": actors,
            "events": [{ "at": at(3), "event": "actor_restarted", "actor": "/engine/store_writer", "detail": "a bug" }],
            "failures": [
                { "at": at(5), "job_id": 12, "kind": "sync_match_data", "key": "KR_1", "message": "HTTP 503", "retried": true },
                { "at": at(61), "job_id": 9, "kind": "sync_player_data", "message": "an attempt of 9", "retried": true },
            ],
        })),
        jobs: [job(2, "running", 0), job(1, "blocked", 41)]
            .map(read)
            .to_vec(),
        failed: vec![read(failed)],
    }
}

fn app() -> App {
    let mut app = App::default();
    let before = NOW - std::time::Duration::from_secs(2);
    app.on_told(Told::Looked(Box::new(busy(100))), before);
    app.on_told(Told::Looked(Box::new(busy(160))), NOW);
    app
}

/// The screen as lines.
fn screen(app: &App, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, app, NOW)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| {
        (0..width)
            .map(|x| buffer[(x, y)].symbol())
            .collect::<String>()
    };
    (0..height).map(line).collect()
}

#[track_caller]
fn assert_shows(lines: &[String], words: &[&str]) {
    let shown = |line: &String| words.iter().all(|word| line.contains(word));
    assert!(
        lines.iter().any(shown),
        "no line has {words:?}:\n{}",
        lines.join("\n")
    );
}

fn press(app: &mut App, code: KeyCode) -> Step {
    app.on_key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn everything_is_on_a_small_screen_and_on_a_large_one() {
    for (width, height) in [(80, 24), (200, 60)] {
        let lines = screen(&app(), width, height);
        assert_shows(&lines, &["running", "API key valid", "pid 4711"]);
        assert_shows(
            &lines,
            &["1234 calls", "2 x 429", "160 commits 30/s", "cpu 3%"],
        );
        for queue in QUEUES {
            assert_shows(&lines, &[queue]);
        }
        assert_shows(
            &lines,
            &["match_processing", "held", "15/16", "100/m", "123.5M", "12"],
        );
        assert_shows(&lines, &["recovery", "paused"]);
        assert_shows(&lines, &["player_sync", "16/16", "30/s"]);
        assert_shows(
            &lines,
            &["player kr/faker#1/2025", "children", "41%", "processing"],
        );
        assert_shows(&lines, &["key 1s", "█", "19/20"]);
        assert_shows(&lines, &["ASIA", "paused 4s"]);
        // Few jobs leave room for all of the limits.
        assert_shows(&lines, &["0/20"]);
        assert_shows(&lines, &["ACTORS 1 down", "RESTARTS 3"]);
        assert_shows(&lines, &["canceller", "down"]);
        assert_shows(&lines, &["12 match KR_1", "retried", "HTTP 503"]);
        assert_shows(
            &lines,
            &["9 player kr/nobody#404", "discarded", "no player is called"],
        );
        assert_shows(&lines, &["Tab list", "q quit"]);
    }
    // Whole headings on the small screen, and on the large one numbers near what they are of.
    let mut crowded = app();
    crowded.snapshot.jobs = (1..40).map(|n| read(job(n, "running", 1))).collect();
    assert_shows(&screen(&crowded, 80, 24), &["LIMITS 1-", "/6"]);
    let wide = screen(&app(), 200, 60);
    let queue = wide
        .iter()
        .find(|line| line.contains("player_sync  "))
        .unwrap();
    let gap = queue.find("open").unwrap() - queue.find("player_sync").unwrap();
    assert!(gap < 40, "{queue}");
    // The route that does the work is before the one that was asked once.
    let row = |word: &str| wide.iter().position(|line| line.contains(word)).unwrap();
    assert!(row(" ASIA ") < row(" KR "), "{}", wide.join("\n"));
    assert_shows(&wide, &["actor restarted", "store_writer a bug", "3s"]);
}

#[test]
fn a_job_that_holds_a_slot_and_waits_is_told_from_one_that_works() {
    let mut app = app();
    let mut snapshot = busy(1);
    let mut waits = job(3, "running", 0);
    (waits["kind"], waits["key"]) = (json!("sync_match_timeline"), json!("EUW1_1"));
    waits["step"] = Value::Null;
    waits["waiting"] = json!({
        "reason": "queue_rate", "text": "the rate of queue timeline_processing is 30/m", "for": "the queue's rate of 30/m",
        "left_s": 2,
    });
    snapshot.jobs = vec![read(waits), read(job(4, "running", 0))];
    let timelines = &mut snapshot.status.queues[2];
    (timelines.running, timelines.waits) = (
        0,
        read(json!([{ "for": "the queue's rate of 30/m", "jobs": 7, "left_s": 2 }])),
    );
    app.on_told(Told::Looked(Box::new(snapshot)), NOW);
    for (width, height) in [(80, 24), (200, 60)] {
        let lines = screen(&app, width, height);
        assert_shows(&lines, &["timeline_processing", "0/16", " 7 "]);
        assert_shows(&lines, &["match_timeline EUW1_1", "waits", "the queue"]);
        assert_shows(&lines, &["player kr/faker#4", "running"]);
    }
    assert_shows(&screen(&app, 200, 60), &["the queue's rate of"]);
    press(&mut app, KeyCode::End);
    press(&mut app, KeyCode::Enter);
    assert_shows(
        &screen(&app, 80, 24),
        &[
            "waits",
            "the rate of queue timeline_processing is 30/m, 2 s",
        ],
    );
}

#[test]
fn no_size_and_no_name_breaks_it() {
    let long = "많은 소환사 이름 ".repeat(40);
    let mut snapshot = busy(1);
    snapshot.status.database.clone_from(&long);
    snapshot.status.queues[0].queue.clone_from(&long);
    snapshot.jobs[0].key = Some(long.clone());
    snapshot.failed[0].error.as_mut().unwrap().message = format!("{long}\n\u{1b}[2J");
    snapshot.metrics.actors[0].actor = long.replace(' ', "/");
    snapshot.metrics.totals[2].windows[0].limit = 0;
    let mut app = App::default();
    let sizes = [
        (1, 1),
        (2, 3),
        (20, 5),
        (30, 9),
        (80, 24),
        (129, 14),
        (130, 18),
        (300, 3),
    ];
    for (width, height) in sizes {
        screen(&app, width, height);
    }
    app.on_told(Told::Looked(Box::new(snapshot)), NOW);
    let sure = Over::Sure { job: 1, what: long };
    for over in [Over::Nothing, Over::Help, Over::More, sure] {
        app.over = over;
        for panel in Panel::ALL {
            app.focus = panel;
            for (width, height) in sizes {
                let lines = screen(&app, width, height);
                assert!(!lines.concat().contains('\u{1b}'), "{lines:?}");
            }
        }
    }
    app.over = Over::Nothing;
    app.focus = Panel::Jobs;
    // Where there is room for nothing else, there is for the jobs.
    assert_shows(&screen(&app, 30, 6), &["1 player kr/f", "children"]);
}

#[test]
fn a_chosen_row_is_told_by_what_it_is_and_can_be_seen() {
    let mut app = app();
    let jobs =
        |ids: std::ops::Range<i64>| -> Vec<_> { ids.map(|n| read(job(n, "running", 1))).collect() };
    let mut snapshot = busy(1);
    snapshot.jobs = jobs(100..140);
    app.on_told(Told::Looked(Box::new(snapshot.clone())), NOW);
    press(&mut app, KeyCode::PageDown);
    press(&mut app, KeyCode::PageDown);
    assert_eq!(app.chosen_at(Panel::Jobs), Some(20));
    assert_shows(&screen(&app, 80, 24), &["120 player"]);
    // Jobs before it end: it is the same job.
    snapshot.jobs = jobs(110..140);
    app.on_told(Told::Looked(Box::new(snapshot.clone())), NOW);
    assert_eq!(app.chosen_at(Panel::Jobs), Some(10));
    press(&mut app, KeyCode::Enter);
    assert_shows(&screen(&app, 80, 24), &["riftsync job show 120"]);
    press(&mut app, KeyCode::Esc);
    press(&mut app, KeyCode::End);
    assert_shows(&screen(&app, 80, 24), &["139 player"]);
    press(&mut app, KeyCode::Down);
    assert_eq!(app.chosen_at(Panel::Jobs), Some(29));
    snapshot.jobs.clear();
    app.on_told(Told::Looked(Box::new(snapshot)), NOW);
    assert_eq!(app.chosen_at(Panel::Jobs), None);
    assert_shows(&screen(&app, 80, 24), &["no job runs"]);
}

#[test]
fn a_job_is_cancelled_only_after_a_yes_and_then_the_one_that_was_asked_about() {
    let mut app = app();
    assert_eq!(press(&mut app, KeyCode::Char('c')), Step::Stay);
    assert_shows(&screen(&app, 80, 24), &["Cancel job 1?"]);
    assert_eq!(press(&mut app, KeyCode::Enter), Step::Stay);
    assert_eq!(app.over, Over::Nothing);
    press(&mut app, KeyCode::Char('c'));
    // The list moves meanwhile.
    let mut snapshot = busy(1);
    snapshot.jobs = vec![read(job(77, "running", 1))];
    app.on_told(Told::Looked(Box::new(snapshot)), NOW);
    let command = press(&mut app, KeyCode::Char('y'));
    assert_eq!(command, Step::Do(ControlCommand::Cancel(1)));
}

#[test]
fn keys_do_what_the_foot_says_and_nothing_where_they_make_no_sense() {
    let mut app = app();
    assert_eq!(press(&mut app, KeyCode::Char('p')), Step::Stay);
    assert_shows(&screen(&app, 80, 24), &["choose a queue"]);
    assert_eq!(press(&mut app, KeyCode::Char('t')), Step::Stay);
    assert_shows(&screen(&app, 80, 24), &["choose a failed job"]);
    press(&mut app, KeyCode::BackTab);
    press(&mut app, KeyCode::Down);
    let queue = || QUEUES[1].to_owned();
    let pause = press(&mut app, KeyCode::Char('p'));
    assert_eq!(pause, Step::Do(ControlCommand::Pause(queue())));
    let resume = press(&mut app, KeyCode::Char('r'));
    assert_eq!(resume, Step::Do(ControlCommand::Resume(queue())));
    let all = press(&mut app, KeyCode::Char('P'));
    assert_eq!(all, Step::Do(ControlCommand::Pause("all".to_owned())));
    press(&mut app, KeyCode::BackTab);
    assert_eq!(app.focus, Panel::Errors);
    press(&mut app, KeyCode::Down);
    assert_eq!(
        press(&mut app, KeyCode::Char('t')),
        Step::Do(ControlCommand::Retry(9))
    );
    assert_eq!(press(&mut app, KeyCode::Char('?')), Step::Stay);
    assert_shows(&screen(&app, 80, 24), &["pause or resume the chosen queue"]);
    // It takes the help away, and leaves nothing else.
    assert_eq!(press(&mut app, KeyCode::Char('q')), Step::Stay);
    assert_eq!(press(&mut app, KeyCode::Char('q')), Step::Quit);
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(app.on_key(ctrl_c), Step::Quit);
}

#[test]
fn an_engine_that_has_gone_is_waited_for_and_its_successor_is_another() {
    let mut app = app();
    let gone = |app: &mut App, seconds: u64| {
        let why = Told::Gone("no engine listens".to_owned());
        app.on_told(why, NOW - std::time::Duration::from_secs(seconds));
    };
    gone(&mut app, 30);
    gone(&mut app, 0);
    let lines = screen(&app, 80, 24);
    assert_shows(&lines, &["engine gone, waiting 30s"]);
    assert_shows(&lines, &["no engine listens"]);
    assert_shows(&lines, &["player kr/faker#1/2025"]);
    let mut next = busy(3);
    next.status.engine = "another".to_owned();
    app.on_told(Told::Looked(Box::new(next)), NOW);
    let lines = screen(&app, 80, 24);
    assert_shows(&lines, &["running", "API key valid"]);
    assert!(
        !lines.concat().contains("/s"),
        "nothing is known of its pace"
    );
}
