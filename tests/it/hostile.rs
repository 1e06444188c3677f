//! Answers that were made to overrun whoever reads them: what one of them costs in memory.

use std::process::Command;

use riftsync::model::MatchId;
use riftsync::model::timeline_details::TimelineDetail;
use riftsync::riot::timeline_rows::{read_events, read_frames};
use riftsync::riot::{
    as_gzip, parse_league, parse_league_page, parse_match_ids, understand_match,
    understand_timeline, unpacked,
};

/// Of one answer, from its bytes to its rows.
const MEMORY_MAX_KIB: u64 = 64 * 1024;

/// The name of the child's part.
const READS: &str = "hostile::one_hostile_answer_is_read";

/// As large as a text may be before it is refused unread, and a little less.
const TEXT_BYTES: usize = 8 * 1024 * 1024 - 4096;

fn many(begin: &str, piece: &str, end: &str) -> Vec<u8> {
    let pieces = (TEXT_BYTES - begin.len() - end.len()) / (piece.len() + 1);
    let body = vec![piece; pieces].join(",");
    format!("{begin}{body}{end}").into_bytes()
}

/// An answer by its name, and whether it is packed.
fn answer(name: &str) -> Vec<u8> {
    let info = r#"{"metadata":{"matchId":"EUW1_7"},"info":{"gameDuration":1500,"gameStartTimestamp":1741000000000,"#;
    match name {
        "participants" => many(&format!(r#"{info}"participants":["#), "{}", "]}}"),
        "odd participants" => many(
            &format!(r#"{info}"participants":["#),
            r#"{"kills":"x","lane":7,"role":[],"win":{}}"#,
            "]}}",
        ),
        "frames" => many(&format!(r#"{info}"frames":["#), "{}", "]}}"),
        "events" => many(&format!(r#"{info}"frames":[{{"events":["#), "{}", "]}]}}"),
        "frames of events" => many(
            &format!(r#"{info}"frames":["#),
            r#"{"events":[{},{},{},{},{},{},{},{},{},{},{},{}]}"#,
            "]}}",
        ),
        "odd events" => many(
            &format!(r#"{info}"frames":["#),
            r#"{"events":[{"level":"x","itemId":[],"name":1,"type":2,"killType":3}]}"#,
            "]}}",
        ),
        "standings" => {
            let entries: Vec<String> = (0..700_000).map(|n| format!("\"{n}\":{{}}")).collect();
            let mut entries = entries.join(",");
            entries.truncate(TEXT_BYTES - 400);
            let end = entries.rfind(",\"").unwrap();
            entries.truncate(end);
            format!(r#"{info}"frames":[{{"participantFrames":{{{entries}}}}}]}}}}"#).into_bytes()
        }
        "league" => many(r#"{"entries":["#, "0", "]}"),
        "page" => many("[", "{}", "]"),
        "ids" => many("[", "\"\"", "]"),
        "one text" => [b"[\"", vec![b'x'; TEXT_BYTES].as_slice(), b"\"]"].concat(),
        "escapes" => many(r#"{"metadata":{"dataVersion":""#, r"\u00e4", r#""}}"#),
        "bytes" => [
            &br#"{"metadata":{"dataVersion":""#[..],
            &vec![0xff; TEXT_BYTES - 100],
            br#""}}"#,
        ]
        .concat(),
        "bomb" => vec![b' '; 256 * 1024 * 1024],
        other => panic!("{other}"),
    }
}

const ALL: [&str; 14] = [
    "participants",
    "odd participants",
    "frames",
    "events",
    "frames of events",
    "odd events",
    "standings",
    "league",
    "page",
    "ids",
    "one text",
    "escapes",
    "bytes",
    "bomb",
];

fn memory_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Only does something when the next test runs it: a process has one peak.
#[test]
fn one_hostile_answer_is_read() {
    type Reader<'r> = &'r dyn Fn(&[u8]);
    let Some(packed) = std::env::var_os("HOSTILE_ANSWER") else {
        return;
    };
    let id: MatchId = "EUW1_7".parse().unwrap();
    let packed = std::fs::read(packed).unwrap();
    let before = memory_kib("VmRSS");
    // Whatever it may be taken for, one after the other.
    let readers: [Reader<'_>; 10] = [
        &|text| drop(understand_match(id, text)),
        &|text| drop(understand_timeline(id, text, TimelineDetail::Off)),
        &|text| drop(understand_timeline(id, text, TimelineDetail::Minutes)),
        &|text| drop(understand_timeline(id, text, TimelineDetail::All)),
        &|text| drop(read_frames("EUW1_7", text)),
        &|text| drop(read_events("EUW1_7", text)),
        &|text| drop(parse_league(text)),
        &|text| drop(parse_league_page(text)),
        &|text| drop(parse_match_ids(text)),
        &|text| drop(riftsync::model::Foreign::of_bytes(text)),
    ];
    for read in readers {
        let _ = unpacked(&packed, |text| {
            read(text);
            Ok(())
        });
    }
    println!("peak: {}", memory_kib("VmHWM").saturating_sub(before));
}

#[test]
fn no_answer_takes_more_memory_than_it_may() {
    let folder = tempfile::TempDir::new().unwrap();
    for name in ALL {
        let path = folder.path().join("answer");
        std::fs::write(&path, as_gzip(&answer(name))).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", READS, "--nocapture"])
            .env("HOSTILE_ANSWER", &path)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success(), "{name}: {told}");
        let peak = told.lines().find_map(|line| line.split_once("peak: "));
        let peak: u64 = peak.unwrap().1.trim().parse().unwrap();
        eprintln!("{name}: {} MiB", peak / 1024);
        assert!(peak < MEMORY_MAX_KIB, "{name}: {peak} KiB");
    }
}
