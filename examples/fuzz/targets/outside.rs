//! What comes over a wire: answers of the API with their headers, and lines of the control socket.

use std::collections::HashMap;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use fastrand::Rng;
use futures_util::FutureExt as _;
use riftsync::control::rpc::{self, Malformed, Request, RpcLine};
use riftsync::control::{Lines, Taken};
use riftsync::gate::observation;
use riftsync::limiter::{Admission, Budget, Margins, PAUSE_MAX};
use riftsync::model::{Platform, Puuid, Timestamp, host};
use riftsync::riot::{Answered, ApiKey, Call, as_gzip, read_answer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::bytes;
use super::super::corpus::Corpus;
use super::super::json::Json;
use super::texts::{leaks, with_key};
use super::{KEY, is_showable};

const HEADERS: [&str; 9] = [
    "x-app-rate-limit",
    "x-app-rate-limit-count",
    "x-method-rate-limit",
    "x-method-rate-limit-count",
    "x-rate-limit-type",
    "retry-after",
    "date",
    "content-encoding",
    "content-type",
];

/// What is told of windows, good and bad.
fn windows(rng: &mut Rng) -> String {
    let pair = |rng: &mut Rng| {
        let number = |rng: &mut Rng| match rng.u8(..8) {
            0 => rng.u32(..).to_string(),
            1 => rng.u64(..).to_string(),
            2 => ["0", "-1", "+5", "1e3", "", " ", "4294967295", "4294967296"][rng.usize(..8)]
                .to_owned(),
            _ => rng.u32(..1_000).to_string(),
        };
        format!("{}:{}", number(rng), number(rng))
    };
    let pairs: Vec<String> = (0..rng.usize(..5)).map(|_| pair(rng)).collect();
    match rng.u8(..16) {
        0 => pairs.join(",").repeat(rng.usize(..500)),
        1 => pairs.join(";"),
        _ => pairs.join(","),
    }
}

const TELLING: [&str; 24] = [
    "gzip",
    "GZIP",
    "br",
    "deflate",
    "identity",
    "gzip, gzip",
    "application",
    "method",
    "service",
    "0",
    "1",
    "120",
    "999999999",
    "18446744073709551615",
    "18446744073709551616",
    "-5",
    "1.5",
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Sat, 01 Jan 0000 00:00:00 GMT",
    "Mon, 30 Feb 2026 25:61:61 +9999",
    "application/json;charset=utf-8",
    "text/html",
    "2026-11-27T00:00:00Z",
];

fn header(rng: &mut Rng) -> Vec<u8> {
    let mut value = match rng.u8(..4) {
        0 | 1 => windows(rng).into_bytes(),
        _ => TELLING[rng.usize(..TELLING.len())].as_bytes().to_vec(),
    };
    match rng.u8(..8) {
        0 => bytes::change(&mut value, rng, KEY.as_bytes()),
        1 => value = with_key(&bytes::text(&value), rng).into_bytes(),
        _ => {}
    }
    value
}

fn any_call(corpus: &Corpus, rng: &mut Rng) -> Call {
    let puuid: Puuid = "p".repeat(Puuid::LEN).parse().expect("a puuid");
    let platform = Platform::ALL[rng.usize(..Platform::ALL.len())];
    let id = corpus.matches[0].id;
    let (from, to) = (Timestamp::EPOCH, Timestamp::from_millis(1));
    match rng.u8(..7) {
        0 => Call::match_document(id),
        1 => Call::timeline(id),
        2 => Call::match_ids(&puuid, platform, from, to, 0),
        3 => Call::summoner(&puuid, platform),
        4 => Call::status(platform),
        5 => Call::league(platform, "RANKED_SOLO_5x5", "MASTER"),
        _ => Call::account(&"a#b".parse().expect("a Riot ID"), platform),
    }
}

/// The body of an answer, packed or not.
fn body(corpus: &Corpus, rng: &mut Rng) -> Vec<u8> {
    let mut body = match rng.u8(..8) {
        0 => Vec::new(),
        1 => b"<html><h1>502 Bad Gateway</h1>".to_vec(),
        2 => br#"{"status":{"message":"Bad Request - Exception decrypting x","status_code":400}}"#
            .to_vec(),
        3 => corpus.matches[rng.usize(..corpus.short[0])]
            .json
            .text
            .clone(),
        _ => br#"{"headers":{"x-riot-token":""#.to_vec(),
    };
    if rng.u8(..4) == 0 {
        bytes::change(&mut body, rng, b"<html>");
    }
    if rng.bool() {
        // Behind the rest: what is changed of it is not the key any more.
        body.extend_from_slice(with_key(" ", rng).as_bytes());
    }
    if rng.u8(..3) == 0 {
        as_gzip(&body).to_vec()
    } else {
        body
    }
}

/// An answer of a server that may be anything.
fn answered(corpus: &Corpus, rng: &mut Rng) -> (Call, Answered) {
    let status = match rng.u8(..4) {
        0 => 200,
        1 => 429,
        _ => rng.u16(100..1_000),
    };
    let mut response = axum::http::Response::new(body(corpus, rng));
    *response.status_mut() = status.try_into().expect("a status");
    for _ in 0..rng.u8(..12) {
        let name = HeaderName::from_static(HEADERS[rng.usize(..HEADERS.len())]);
        if let Ok(value) = HeaderValue::from_bytes(&header(rng)) {
            response.headers_mut().append(name, value);
        }
    }
    let call = any_call(corpus, rng);
    let key = ApiKey::new(KEY).expect("a key");
    let read = read_answer(&call, &key, response.into());
    let answered = read.now_or_never().expect("the whole answer is there");
    (call, answered)
}

pub fn answer(corpus: &Corpus, rng: &mut Rng) {
    let (call, (_, result)) = answered(corpus, rng);
    match result {
        Ok(response) => {
            assert_eq!(response.route, call.route);
            assert!(!leaks(&response.key_fingerprint));
        }
        Err(error) => {
            let told = error.to_string();
            is_showable(&told, 450);
            assert!(!leaks(&told) && !leaks(&format!("{error:?}")), "{told}");
        }
    }
}

/// A route whose answers are such: it is never stopped for good, and its windows stay what they can be.
pub fn limits(corpus: &Corpus, rng: &mut Rng) {
    let mut budget = Budget::new(Margins::default());
    let mut now = Duration::from_secs(5);
    for _ in 0..12 {
        let method = rng.u8(..3);
        let at = match budget.admit(method, now) {
            Admission::At(at) => at,
            Admission::Now | Admission::AfterAnswer => now,
        };
        assert!(
            at <= now + PAUSE_MAX + Duration::from_mins(1),
            "nothing goes before {at:?}, at {now:?}"
        );
        now = at;
        if budget.admit(method, now) == Admission::Now {
            let departure = budget.depart(method, now);
            let sent = now;
            now += Duration::from_millis(rng.u64(..2_000));
            let (_, (headers, result)) = answered(corpus, rng);
            let headers = if rng.u8(..16) == 0 { None } else { headers };
            let _ = budget.observe(&departure, sent, now, &observation(headers, &result));
        } else {
            now += Duration::from_millis(rng.u64(..20_000));
        }
        let last = budget.estimate(now, &[(method, rng.u32(..5_000))]);
        assert!(last >= now);
        for window in budget.windows(now) {
            assert!((1..=3_600).contains(&window.seconds), "{window:?}");
        }
        for scope in [None, Some(method)] {
            assert!(budget.paused_until(scope) <= now + PAUSE_MAX + Duration::from_secs(1));
        }
    }
    assert_eq!(budget.in_flight(), 0);
}

const LINES: [&str; 8] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"engine.status"}"#,
    r#"{"jsonrpc":"2.0","id":"a","method":"job.submit","params":{"kind":"sync_player_data","args":{"riot_id":"A#B"}}}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"job.subscribe","params":{"job_id":7}}"#,
    r#"{"jsonrpc":"2.0","method":"queue.set","params":{"name":"recovery","slots":3,"rate":"5/m"}}"#,
    r#"[{"jsonrpc":"2.0","id":1,"method":"job.get","params":{"job_id":1}},{"jsonrpc":"2.0","method":"x"}]"#,
    r#"{"jsonrpc":"2.0","id":null,"method":"job.list","params":{"limit":10,"state":"running"}}"#,
    "[]",
    "",
];

/// Lines of a client, some of them too long.
pub fn socket(_: &Corpus, rng: &mut Rng) {
    const LINE_MAX: usize = 4_096;
    let mut sent = Vec::new();
    for _ in 0..rng.u8(1..6) {
        let json = Json::of(LINES[rng.usize(..LINES.len())].as_bytes().to_vec());
        sent.extend(json.changed(rng, &json));
        if rng.u8(..8) > 0 {
            sent.push(b'\n');
        }
    }
    let ends = memchr::memchr_iter(b'\n', &sent).count();
    let mut lines = Lines::new(&sent[..], LINE_MAX);
    let mut taken = 0;
    loop {
        match lines.take() {
            Taken::Line(line) => {
                taken += 1;
                assert!(
                    line.len() <= LINE_MAX || lines.has_ended(),
                    "{}",
                    line.len()
                );
                is_answered(&line);
            }
            Taken::TooLong => taken += 1,
            Taken::Nothing if lines.has_ended() => break,
            Taken::Nothing => lines
                .fill()
                .now_or_never()
                .expect("it is there")
                .expect("memory can be read"),
        }
    }
    assert!((ends..=ends + 1).contains(&taken), "{taken} of {ends}");
}

fn is_answered(line: &[u8]) {
    let answer = |request: Result<Request<'_>, Malformed<'_>>| {
        let mut out = Vec::new();
        match request {
            Ok(request) => {
                let read = request.params.read::<Value>();
                rpc::answer(&mut out, request.id, &read);
            }
            Err(malformed) => rpc::answer(&mut out, malformed.id, &Err(malformed.error)),
        }
        assert!(!out.contains(&b'\n'), "an answer is one line");
        // Half a character in an id comes back as it was written: JSON has such, and many of its readers take none.
        let answer: HashMap<&str, &RawValue> =
            serde_json::from_slice(&out).expect("an answer is JSON");
        assert_eq!(answer["jsonrpc"].get(), "\"2.0\"");
    };
    match rpc::read_line(line, 100) {
        RpcLine::One(request) => answer(request),
        RpcLine::Batch(requests) => {
            assert!(requests.len() <= 100);
            requests.into_iter().for_each(answer);
        }
    }
}

/// Names that a browser of somebody else could be sent here by.
pub fn host(_: &Corpus, rng: &mut Rng) {
    let known = [
        "127.0.0.1:9464",
        "[::1]:9464",
        "localhost",
        "riftsync:1",
        "evil.example",
        "[fe80::1%lo]:80",
    ];
    let mut name = known[rng.usize(..known.len())].as_bytes().to_vec();
    bytes::change(&mut name, rng, b".evil.example:80");
    let name = bytes::text(&name);
    if host::is_known(&name, &["riftsync".to_owned()]) {
        let lower = name.to_ascii_lowercase();
        assert!(!lower.contains("evil") && !lower.contains('/'), "{name:?}");
    }
}
