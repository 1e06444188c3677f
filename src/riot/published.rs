//! Riot's published files: names of champions, items and the rest. They are on hosts of their own, need no key, and
//! have no
//! limits that are told; the client is apart from that of the API and never has its key.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::Value;

use crate::model::Foreign;
use crate::model::names::{NamedKind, StaticName, patch_of_version};

/// Largest file taken. That of the items has some 2 MB.
const BODY_MAX: usize = 16 * 1024 * 1024;
/// Names of one file. There are some 700 items.
const NAMES_MAX: usize = 20_000;
const NAME_CHARS_MAX: usize = 200;
const ETAG_CHARS_MAX: usize = 200;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Of Data Dragon; empty: nothing is fetched.
    pub base_url: String,
    /// Of queues, maps and modes; empty: they are not fetched.
    pub constants_url: String,
    /// As `en_US`.
    pub language: String,
}

impl Published {
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        for (name, url) in [
            ("base_url", &self.base_url),
            ("constants_url", &self.constants_url),
        ] {
            let parsed = reqwest::Url::parse(url);
            let is_fine =
                parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if !url.is_empty() && !is_fine {
                return Err(format!(
                    "{name} is '{url}', which is no URL. Write it as https://host/path, or leave it empty"
                ));
            }
        }
        let is_of_one = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !(2..=10).contains(&self.language.len()) || !self.language.chars().all(is_of_one) {
            return Err(format!(
                "language is '{}', which is no language of Data Dragon. Write it as en_US",
                self.language
            ));
        }
        Ok(())
    }
}

/// One of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    Versions,
    Names(NamedKind),
}

impl File {
    /// All but that of the versions.
    pub const NAMES: [Self; 7] = [
        Self::Names(NamedKind::Champion),
        Self::Names(NamedKind::Item),
        Self::Names(NamedKind::Rune),
        Self::Names(NamedKind::Spell),
        Self::Names(NamedKind::Queue),
        Self::Names(NamedKind::Map),
        Self::Names(NamedKind::Mode),
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Versions => "versions",
            Self::Names(kind) => kind.as_str(),
        }
    }

    /// Where it is; none: it is not wanted.
    pub fn url(self, at: &Published, version: &str) -> Option<String> {
        let base = at.base_url.trim_end_matches('/');
        let constants = at.constants_url.trim_end_matches('/');
        let of_version = |file| format!("{base}/cdn/{version}/data/{}/{file}.json", at.language);
        let constant = |file| format!("{constants}/{file}.json");
        let is_constant = matches!(
            self,
            Self::Names(NamedKind::Queue | NamedKind::Map | NamedKind::Mode)
        );
        let wanted = if is_constant { constants } else { base };
        let url = match self {
            Self::Versions => format!("{base}/api/versions.json"),
            Self::Names(NamedKind::Champion) => of_version("champion"),
            Self::Names(NamedKind::Item) => of_version("item"),
            Self::Names(NamedKind::Rune) => of_version("runesReforged"),
            Self::Names(NamedKind::Spell) => of_version("summoner"),
            Self::Names(NamedKind::Queue) => constant("queues"),
            Self::Names(NamedKind::Map) => constant("maps"),
            Self::Names(NamedKind::Mode) => constant("gameModes"),
        };
        (!wanted.is_empty()).then_some(url)
    }
}

/// A file, or that it is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    Unchanged,
    Body { text: Vec<u8>, etag: Option<String> },
}

/// Why there is none; in one line, with its address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url} {why}")]
pub struct PublishedError {
    url: String,
    why: Foreign,
    /// Trying again may help.
    pub passes: bool,
}

/// Fetches the files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PublishedClient(reqwest::Client);

impl PublishedClient {
    pub fn new() -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("riftsync/", env!("CARGO_PKG_VERSION")))
            .build();
        http.map(Self).map_err(|error| error.to_string())
    }

    /// Fetches a file, once. `etag`: of the one that is known.
    pub async fn fetch(&self, url: &str, etag: Option<&str>) -> Result<Fetched, PublishedError> {
        let failed = |why: String, passes| PublishedError {
            url: url.to_owned(),
            why: why.into(),
            passes,
        };
        let mut request = self.0.get(url);
        if let Some(etag) = etag {
            request = request.header(reqwest::header::IF_NONE_MATCH, etag);
        }
        let unreachable = |error: reqwest::Error| {
            let why = super::client::chain(&error.without_url());
            failed(format!("cannot be fetched: {}", why.as_str()), true)
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        if status == 304 && etag.is_some() {
            return Ok(Fetched::Unchanged);
        }
        if status != 200 {
            let passes = status >= 500 || status == 429;
            return Err(failed(format!("answered HTTP {status}"), passes));
        }
        let etag = response.headers().get(reqwest::header::ETAG);
        let etag = etag
            .and_then(|etag| etag.to_str().ok())
            .filter(|etag| etag.len() <= ETAG_CHARS_MAX)
            .map(str::to_owned);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(failed(format!("has more than {BODY_MAX} bytes"), false));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched::Body {
            text: body.to_vec(),
            etag,
        })
    }
}

/// The newest version of the game.
pub fn parse_versions(text: &[u8]) -> Result<String, String> {
    let versions: Vec<Value> = read(text)?;
    let is_one = |version: &&str| patch_of_version(version).is_some();
    let newest = versions.iter().filter_map(Value::as_str).find(is_one);
    newest
        .map(str::to_owned)
        .ok_or_else(|| "names no version".to_owned())
}

/// The names in a file. One without any is no file of names.
pub fn parse_names(kind: NamedKind, text: &[u8]) -> Result<Vec<StaticName>, String> {
    let found = match kind {
        NamedKind::Champion | NamedKind::Spell => of_data(text, |_, entry| entry["key"].as_str())?,
        NamedKind::Item => of_data(text, |id, _| Some(id))?,
        NamedKind::Rune => runes(&read::<Vec<Value>>(text)?),
        NamedKind::Queue => of_list(
            &read::<Vec<Value>>(text)?,
            "queueId",
            &["description", "map"],
        ),
        NamedKind::Map => of_list(&read::<Vec<Value>>(text)?, "mapId", &["mapName"]),
        NamedKind::Mode => of_list(&read::<Vec<Value>>(text)?, "gameMode", &["description"]),
    };
    let mut ids = BTreeSet::new();
    let is_right = |one: &StaticName| {
        let is_id = kind == NamedKind::Mode || one.id.parse::<i32>().is_ok();
        is_id && !one.name.is_empty() && !one.id.is_empty()
    };
    let names: Vec<StaticName> = found
        .into_iter()
        .filter(|one| is_right(one) && ids.insert(one.id.clone()))
        .take(NAMES_MAX)
        .collect();
    if names.is_empty() {
        return Err(format!("names no {}", kind.as_str()));
    }
    Ok(names)
}

fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| format!("is no such file: {error}"))
}

/// Without letters that no name has, and not without end.
fn clean(text: &str) -> String {
    let text = text.chars().filter(|c| !c.is_control());
    text.take(NAME_CHARS_MAX).collect()
}

fn named(id: &str, name: &str, image: Option<&str>) -> StaticName {
    StaticName {
        id: clean(id),
        name: clean(name),
        image: image.map(clean),
    }
}

/// Data Dragon's `{"data": {id: {...}}}`.
fn of_data(
    text: &[u8],
    id: impl for<'v> Fn(&'v str, &'v Value) -> Option<&'v str>,
) -> Result<Vec<StaticName>, String> {
    #[derive(Deserialize)]
    struct Data {
        data: BTreeMap<String, Value>,
    }
    let Data { data } = read(text)?;
    let name = |(key, entry): (&String, &Value)| {
        let image = entry["image"]["full"].as_str();
        Some(named(id(key, entry)?, entry["name"].as_str()?, image))
    };
    Ok(data.iter().filter_map(name).collect())
}

/// The paths and, of each of their slots, the runes.
fn runes(paths: &[Value]) -> Vec<StaticName> {
    let mut found = Vec::new();
    let mut add = |rune: &Value| {
        if let (Some(id), Some(name)) = (rune["id"].as_i64(), rune["name"].as_str()) {
            found.push(named(&id.to_string(), name, rune["icon"].as_str()));
        }
    };
    for path in paths {
        add(path);
        for slot in path["slots"].as_array().into_iter().flatten() {
            slot["runes"]
                .as_array()
                .into_iter()
                .flatten()
                .for_each(&mut add);
        }
    }
    found
}

/// Lists of constants; the first of the fields that says something is the name.
fn of_list(list: &[Value], id: &str, fields: &[&str]) -> Vec<StaticName> {
    let name = |entry: &Value| {
        let id = match &entry[id] {
            Value::Number(number) => number.to_string(),
            Value::String(word) => word.clone(),
            _ => return None,
        };
        let texts = fields.iter().filter_map(|field| entry[*field].as_str());
        let name = texts
            .map(|text| text.trim_end_matches(" games"))
            .find(|text| !text.is_empty())?;
        Some(named(&id, name, None))
    };
    list.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: NamedKind, text: &str) -> Vec<String> {
        let names = parse_names(kind, text.as_bytes()).unwrap();
        let line = |one: StaticName| format!("{}={}", one.id, one.name);
        names.into_iter().map(line).collect()
    }

    #[test]
    fn names_are_read_from_each_kind_of_file_and_odd_entries_are_left_out() {
        let champions = r#"{"type":"champion","data":{"MonkeyKing":{"key":"62","name":"Wukong","image":{"full":"MonkeyKing.png"}},
            "Odd":{"key":"x","name":"Odd"},"Bare":{"key":"7"},"None":null,"Z":{"key":"8","name":"\u0000A\nb"}}}"#;
        assert_eq!(told(NamedKind::Champion, champions), ["62=Wukong", "8=Ab"]);
        let items = r#"{"data":{"1001":{"name":"Boots"},"word":{"name":"x"},"1002":{"name":""}}}"#;
        assert_eq!(told(NamedKind::Item, items), ["1001=Boots"]);
        let runes = r#"[{"id":8100,"name":"Domination","slots":[{"runes":[{"id":8112,"name":"Electrocute"}]},7]},{"slots":null}]"#;
        assert_eq!(
            told(NamedKind::Rune, runes),
            ["8100=Domination", "8112=Electrocute"]
        );
        let queues = r#"[{"queueId":0,"map":"Custom games","description":null},{"queueId":420,"description":"5v5 Ranked Solo games"},{}]"#;
        assert_eq!(
            told(NamedKind::Queue, queues),
            ["0=Custom", "420=5v5 Ranked Solo"]
        );
        let modes = r#"[{"gameMode":"CLASSIC","description":"Classic"}]"#;
        assert_eq!(told(NamedKind::Mode, modes), ["CLASSIC=Classic"]);
    }

    #[test]
    fn what_is_no_file_of_names_is_an_error() {
        for broken in ["", "<html>", "null", "[]", "{}", r#"{"data":{}}"#, "7"] {
            for kind in NamedKind::ALL {
                assert!(
                    parse_names(kind, broken.as_bytes()).is_err(),
                    "{kind:?} {broken}"
                );
            }
            assert!(parse_versions(broken.as_bytes()).is_err(), "{broken}");
        }
        assert_eq!(
            parse_versions(br#"["16.4.1","16.3.1"]"#),
            Ok("16.4.1".to_owned())
        );
        assert_eq!(
            parse_versions(br#"["../x",7,"16.3.1"]"#),
            Ok("16.3.1".to_owned())
        );
    }

    #[test]
    fn an_address_that_is_none_is_refused_before_anything_is_asked() {
        let published = |base: &str, language: &str| Published {
            base_url: base.to_owned(),
            constants_url: String::new(),
            language: language.to_owned(),
        };
        assert_eq!(published("https://x.y", "en_US").check(), Ok(()));
        assert_eq!(published("", "en_US").check(), Ok(()));
        for (base, language) in [
            ("x", "en_US"),
            ("ftp://x", "en_US"),
            ("https://x.y", "../en"),
        ] {
            assert!(
                published(base, language).check().is_err(),
                "{base} {language}"
            );
        }
        let none = published("", "en_US");
        assert!(
            File::NAMES
                .iter()
                .all(|file| file.url(&none, "1.1").is_none())
        );
    }
}
