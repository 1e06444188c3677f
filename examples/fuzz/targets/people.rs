//! What people write: files of players and keys, names, settings, schedules, URLs of databases.

use std::cell::RefCell;
use std::path::PathBuf;

use fastrand::Rng;
use riftsync::cli::players::{PLAYERS_MAX, read_players};
use riftsync::config::{Config, Profile, read_key_file};
use riftsync::model::{
    Cadence, DatabaseUrl, MatchId, Platform, Puuid, RiotId, Timestamp, Whom, redact,
};
use riftsync::riot::{ApiKey, BaseUrl};
use riftsync::store::Location;
use tempfile::TempDir;

use super::super::bytes;
use super::super::corpus::Corpus;
use super::super::json::Json;
use super::is_showable;

const PLAYERS: [&str; 6] = [
    "\u{feff}Faker#KR1\n\n# friends\nQuiet Otter#SIM, euw1\r\nTab Bed#NA1\tna1\n",
    "\"A;B#C\"\teuw\n\"A\"\"B#C\"\n\u{201c}Probe#TST\u{201d}, euw1",
    "sep=;\nPlatform;Game Name;rank;Tag Line\nna1;A B;gold;1\n;C;;#2\n",
    "game_name,tag_line,platform\nHide on bush,KR1,kr\n한글,KR1,kr\n",
    "Faker\nFaker#KR1\nOtter#SIM, mars\n",
    "A#1,\rB#2;na1\r",
];

/// The bytes of one of the texts with something changed.
fn changed(texts: &[&str], rng: &mut Rng) -> Vec<u8> {
    let mut text = texts[rng.usize(..texts.len())].as_bytes().to_vec();
    let other = texts[rng.usize(..texts.len())];
    bytes::change(&mut text, rng, other.as_bytes());
    text
}

pub fn players(_: &Corpus, rng: &mut Rng) {
    let mut text = changed(&PLAYERS, rng);
    match rng.u8(..64) {
        0 => text = text.repeat(rng.usize(..200)),
        1..=4 => {
            let text_of = bytes::text(&text);
            let units = ['\u{feff}']
                .into_iter()
                .chain(text_of.chars())
                .collect::<String>();
            text = units.encode_utf16().flat_map(u16::to_le_bytes).collect();
            bytes::change(&mut text, rng, b"\n");
        }
        _ => {}
    }
    match read_players(&text, rng.bool().then_some(Platform::Kr)) {
        Ok(listed) => {
            assert!((1..=PLAYERS_MAX).contains(&listed.len()));
            let again: Vec<String> = listed
                .iter()
                .map(|one| {
                    format!(
                        "\"{}\",{}",
                        one.riot_id.to_string().replace('"', "\"\""),
                        one.platform
                    )
                })
                .collect();
            let again = "riot_id,platform\n".to_owned() + &again.join("\n");
            assert_eq!(
                read_players(again.as_bytes(), None),
                Ok(listed),
                "{again:?}"
            );
        }
        Err(why) => {
            assert!(why.lines().count() <= 21);
            why.split('\n').for_each(|line| is_showable(line, 600));
        }
    }
}

const NAMES: [&str; 10] = [
    "Hide on bush#KR1",
    "EUW1_6834713231",
    "euw",
    "KR_1",
    "a\u{200d}b#c",
    "\u{2066}Probe\u{2069}\u{ff03}TST",
    "e\u{301}#x",
    "..#..",
    "فا\u{200c}رسی#IR",
    "TW2_18446744073709551615",
];

pub fn names(_: &Corpus, rng: &mut Rng) {
    let mut text = changed(&NAMES, rng);
    if rng.u8(..32) == 0 {
        text = text.repeat(50_000);
    }
    let text = bytes::text(&text);
    match text.parse::<RiotId>() {
        Ok(id) => {
            is_showable(&id.to_string(), 65);
            assert_eq!(id.to_string().parse::<RiotId>().as_ref(), Ok(&id));
            assert!(!id.folded().contains(char::is_whitespace));
        }
        Err(error) => is_showable(&error.to_string(), 400),
    }
    match text.parse::<MatchId>() {
        Ok(id) => assert_eq!(id.to_string().parse::<MatchId>(), Ok(id)),
        Err(error) => is_showable(&error.to_string(), 400),
    }
    match text.parse::<Platform>() {
        Ok(platform) => assert_eq!(platform.to_string().parse::<Platform>(), Ok(platform)),
        Err(error) => is_showable(&error.to_string(), 400),
    }
    if let Err(error) = text.parse::<Puuid>() {
        is_showable(&error.to_string(), 400);
    }
    let asked = Json::of(br#"{"riot_id":"Hide on bush#KR1","puuid":null}"#.to_vec());
    let whom: Result<Whom, _> = serde_json::from_slice(&asked.changed(rng, &asked));
    if let Ok(whom) = whom {
        let again = serde_json::to_string(&whom).expect("names are JSON");
        assert_eq!(
            serde_json::from_str::<Whom>(&again).expect("it was written"),
            whom
        );
    }
}

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// A file with these bytes; the next takes its place.
fn file(bytes: &[u8]) -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        let folder =
            folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder can be made"));
        let path = folder.path().join("input");
        std::fs::write(&path, bytes).expect("a file can be written");
        path
    })
}

pub fn settings(corpus: &Corpus, rng: &mut Rng) {
    let lines: Vec<&str> = corpus.settings.lines().collect();
    let from = rng.usize(..lines.len());
    let to = (from + rng.usize(1..30)).min(lines.len());
    // A piece of a table belongs to it.
    let table = lines[..from]
        .iter()
        .rfind(|line| line.starts_with('['))
        .copied()
        .unwrap_or_default();
    let mut text = format!("{table}\n{}", lines[from..to].join("\n")).into_bytes();
    bytes::change(&mut text, rng, corpus.settings.as_bytes());
    if let Err(error) = Config::load(None, Profile::Development, Some(&file(&text))) {
        assert!(error.to_string().chars().count() < 4_000, "{error}");
    }
}

const SCHEDULES: [&str; 9] = [
    "30 3 * * *",
    "0 0 30 2 *",
    "*/7 1-5,22 L * MON#2",
    "every 6h",
    "at 2026-12-01T03:00",
    "off",
    "0 0 29 2 1",
    "59 23 31 12 *",
    "0 0 1W * 5L",
];

pub fn schedule(_: &Corpus, rng: &mut Rng) {
    let text = bytes::text(&changed(&SCHEDULES, rng));
    let zones = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Seoul",
        "Mars/Base",
        "../../etc/passwd",
    ];
    match Cadence::parse(&text, zones[rng.usize(..zones.len())]) {
        Ok(cadence) => {
            let after = Timestamp::from_millis(rng.i64(0..4_102_444_800_000));
            if let Some(next) = cadence.next_after(after, Timestamp::EPOCH) {
                assert!(next > after, "{text:?}: {next} after {after}");
            }
        }
        Err(why) => assert!(why.chars().count() < 2_000, "{why}"),
    }
}

/// What stands where a password does.
const PASSWORD: &str = "s3same-Op3n";

const URLS: [&str; 10] = [
    "postgres://u:s3same-Op3n@h:5432/db",
    "postgresql://u:s3same-Op3n@h1,h2:1/db?sslmode=disable&connect_timeout=5",
    "postgres://h/db?user=u&password=s3same-Op3n",
    "postgres:///db?host=/var/run/postgresql&password=s3same-Op3n",
    "postgres://u:s3same-Op3n@[::1]:5432/db?target_session_attrs=read-write",
    "postgres://u%40x:s3same-Op3n@h/d%62?options=-c%20statement_timeout%3D5",
    "sqlite:///tmp/x.db",
    "x.db",
    "mysql://u:s3same-Op3n@h/db",
    "postgres://u:s3same-Op3n@h/db?sslrootcert=/dev/zero&sslmode=verify-full",
];

/// A URL whose password stays as it is, wherever the rest goes.
pub fn url(_: &Corpus, rng: &mut Rng) {
    let url = URLS[rng.usize(..URLS.len())];
    let (before, behind) = url.split_once(PASSWORD).unwrap_or((url, ""));
    let mut parts = [before, behind].map(|part| part.as_bytes().to_vec());
    // What is before it says what it is: of that only letters of the name go.
    let other = b"@:/?&=%2570#,[]password".as_slice();
    bytes::change(&mut parts[1], rng, other);
    if rng.u8(..8) == 0 {
        let at = before.find("://").map_or(0, |at| at + 3);
        let name: String = (0..rng.u8(1..6)).map(|_| rng.alphanumeric()).collect();
        parts[0].splice(at..at, name.into_bytes());
    }
    let held = if url.contains(PASSWORD) { PASSWORD } else { "" };
    let [before, behind] = parts.map(|part| bytes::text(&part));
    let text = format!("{before}{held}{behind}");
    let is_hidden = |shown: &str| assert!(!shown.contains(PASSWORD), "{shown:?} of {text:?}");
    is_hidden(&redact(&text));
    let url = DatabaseUrl::from(text.clone());
    is_hidden(&format!("{url:?}"));
    match Location::try_from(&url) {
        Ok(location) => is_hidden(&format!("{location} {location:?}")),
        Err(error) => is_hidden(&format!("{error} {error:?}")),
    }
    let bases = [
        "https://{route}.api.riotgames.com",
        "http://127.0.0.1:8080/{route}/",
        "ftp://{route}",
    ];
    let base = bytes::text(&changed(&bases, rng));
    if let Ok(base) = BaseUrl::new(&base) {
        assert!(base.as_str().contains("{route}"));
    }
}

const KEYS: [&str; 4] = [
    "RGAPI-01234567-89ab-cdef-0123-456789abcdef\n",
    "\u{feff}RGAPI-01234567-89ab-cdef-0123-456789abcdef\r\n",
    "RIOT_API_KEY=RGAPI-01234567-89ab-cdef-0123-456789abcdef",
    "{\"key\": \"RGAPI-01234567-89ab-cdef-0123-456789abcdef\"}",
];

/// The file of a key: what stands in it is in no error.
pub fn key(_: &Corpus, rng: &mut Rng) {
    let mut text = changed(&KEYS, rng);
    if rng.u8(..32) == 0 {
        text = text.repeat(200);
    }
    match read_key_file(&file(&text)) {
        Ok(read) => match ApiKey::new(&read) {
            Ok(key) => assert_eq!(format!("{key:?}"), "ApiKey(..)"),
            Err(why) => assert!(!why.contains("0123") && !why.contains("4567")),
        },
        Err(error) => {
            let why = error.to_string();
            assert!(!why.contains("0123") && !why.contains("4567"), "{why}");
        }
    }
}
