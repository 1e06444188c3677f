//! Calls over HTTP: URL, key, time-out, size bound. The key is a secret that never leaves this file
//! but in the header.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::error::{LimitScope, RiotError};
use crate::model::secrets::keep_key;
use crate::model::{Foreign, MatchId, Platform, Puuid, RiotId, Route, Timestamp, fingerprint};

/// Largest body taken. Real ones are below 100 kB packed, and below 1 MB where a server does not pack them; the ladder
/// of a whole server may take some.
const BODY_MAX: usize = 8 * 1024 * 1024;
/// Windows that one header tells; the API's have two.
const WINDOWS_MAX: usize = 8;
/// Calls of a limit or a count that are believed: more than anybody makes, and few enough to be added up.
const CALLS_MAX: u32 = 100_000_000;
/// Some calls hang for a minute before they answer; asking again is quicker.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

const PATH_PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Uses ring for TLS in this process. Before the first client.
pub fn install_tls() {
    // A second call finds the first one's provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The key to the API. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Takes any text a header can hold; whether it is valid only Riot can tell.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the API key is empty");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("the API key holds characters that no key has (was it pasted whole?)");
        }
        keep_key(text);
        Ok(Self(SecretString::from(text)))
    }

    /// Tells keys apart in the database: puuids are encrypted for one key. It does not give the key
    /// away: 64 bits cannot hold the 122 random ones of a key.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.0.expose_secret().as_bytes())
    }

    fn header(&self) -> HeaderValue {
        let mut value =
            HeaderValue::from_str(self.0.expose_secret()).expect("checked when it was made");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// Where the API is: a URL with `{route}` for the host's route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    pub const RIOT: &str = "https://{route}.api.riotgames.com";

    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim_end_matches('/');
        let example = text.replace("{route}", "kr");
        match reqwest::Url::parse(&example) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => {
                return Err(format!(
                    "'{text}' is not a base URL. Write it as {}",
                    Self::RIOT
                ));
            }
        }
        if !text.contains("{route}") {
            return Err(format!(
                "the base URL '{text}' has no {{route}}. Write it as {}",
                Self::RIOT
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(&self, route: Route) -> String {
        self.0.replace("{route}", route.as_str())
    }
}

/// An endpoint, as far as its rate limit is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    AccountByRiotId,
    SummonerByPuuid,
    MatchIds,
    Match,
    Timeline,
    Status,
    AccountByPuuid,
    League,
    LeagueEntries,
    AccountRegion,
    Ranks,
    Mastery,
}

impl Method {
    const ALL: [Self; 12] = [
        Self::AccountByRiotId,
        Self::SummonerByPuuid,
        Self::MatchIds,
        Self::Match,
        Self::Timeline,
        Self::Status,
        Self::AccountByPuuid,
        Self::League,
        Self::LeagueEntries,
        Self::AccountRegion,
        Self::Ranks,
        Self::Mastery,
    ];

    /// The document of an answer without one (204), where that means that there is nothing.
    fn empty(self) -> Option<&'static [u8]> {
        match self {
            Self::League => Some(b"{}"),
            Self::LeagueEntries | Self::MatchIds | Self::Ranks | Self::Mastery => Some(b"[]"),
            Self::AccountByRiotId
            | Self::SummonerByPuuid
            | Self::Match
            | Self::Timeline
            | Self::Status
            | Self::AccountByPuuid
            | Self::AccountRegion => None,
        }
    }

    /// The name of a method by its number, as limiters know it.
    pub fn name(number: u8) -> &'static str {
        let known = Self::ALL.iter().find(|method| **method as u8 == number);
        match known {
            Some(Self::AccountByRiotId) => "account-by-riot-id",
            Some(Self::SummonerByPuuid) => "summoner",
            Some(Self::MatchIds) => "match-ids",
            Some(Self::Match) => "match",
            Some(Self::Timeline) => "timeline",
            Some(Self::Status) => "status",
            Some(Self::AccountByPuuid) => "account-by-puuid",
            Some(Self::League) => "league",
            Some(Self::LeagueEntries) => "league-entries",
            Some(Self::AccountRegion) => "account-region",
            Some(Self::Ranks) => "ranks",
            Some(Self::Mastery) => "mastery",
            None => "unknown",
        }
    }
}

/// One call: where, what, and under which limit it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub method: Method,
    pub route: Route,
    path: String,
}

impl Call {
    pub fn account(riot_id: &RiotId, platform: Platform) -> Self {
        let part = |text| utf8_percent_encode(text, PATH_PART).to_string();
        Self {
            method: Method::AccountByRiotId,
            route: Route::Region(platform.region().for_accounts()),
            path: format!(
                "/riot/account/v1/accounts/by-riot-id/{}/{}",
                part(riot_id.game_name()),
                part(riot_id.tag_line())
            ),
        }
    }

    /// Who a puuid of the key is.
    pub fn account_of(puuid: &Puuid, platform: Platform) -> Self {
        Self {
            method: Method::AccountByPuuid,
            route: Route::Region(platform.region().for_accounts()),
            path: format!("/riot/account/v1/accounts/by-puuid/{puuid}"),
        }
    }

    /// Where the owner of a puuid of the key plays.
    pub fn region_of(puuid: &Puuid, near: Platform) -> Self {
        Self {
            method: Method::AccountRegion,
            route: Route::Region(near.region().for_accounts()),
            path: format!("/riot/account/v1/region/by-game/lol/by-puuid/{puuid}"),
        }
    }

    /// A whole league of the top; `tier` in the API's word.
    pub fn league(platform: Platform, queue: &str, tier: &str) -> Self {
        let part = |text| utf8_percent_encode(text, PATH_PART).to_string();
        let tier = tier.to_ascii_lowercase();
        Self {
            method: Method::League,
            route: Route::Platform(platform),
            path: format!(
                "/lol/league/v4/{}leagues/by-queue/{}",
                part(&tier),
                part(queue)
            ),
        }
    }

    /// A page of a division, from 1; empty behind the last.
    pub fn league_page(
        platform: Platform,
        queue: &str,
        tier: &str,
        division: &str,
        page: u32,
    ) -> Self {
        let part = |text| utf8_percent_encode(text, PATH_PART).to_string();
        Self {
            method: Method::LeagueEntries,
            route: Route::Platform(platform),
            path: format!(
                "/lol/league/v4/entries/{}/{}/{}?page={page}",
                part(queue),
                part(tier),
                part(division)
            ),
        }
    }

    /// A player's places in the leagues of all queues.
    pub fn ranks(puuid: &Puuid, platform: Platform) -> Self {
        Self {
            method: Method::Ranks,
            route: Route::Platform(platform),
            path: format!("/lol/league/v4/entries/by-puuid/{puuid}"),
        }
    }

    /// What a player has come to with each champion.
    pub fn mastery(puuid: &Puuid, platform: Platform) -> Self {
        Self {
            method: Method::Mastery,
            route: Route::Platform(platform),
            path: format!("/lol/champion-mastery/v4/champion-masteries/by-puuid/{puuid}"),
        }
    }

    pub fn summoner(puuid: &Puuid, platform: Platform) -> Self {
        Self {
            method: Method::SummonerByPuuid,
            route: Route::Platform(platform),
            path: format!("/lol/summoner/v4/summoners/by-puuid/{puuid}"),
        }
    }

    /// A page of up to 100 ids of matches between two moments, newest first.
    pub fn match_ids(
        puuid: &Puuid,
        platform: Platform,
        from: Timestamp,
        to: Timestamp,
        start: usize,
    ) -> Self {
        Self {
            method: Method::MatchIds,
            route: Route::Region(platform.region()),
            path: format!(
                "/lol/match/v5/matches/by-puuid/{puuid}/ids?startTime={}&endTime={}&start={start}&count=100",
                from.as_secs(),
                to.as_secs()
            ),
        }
    }

    pub fn match_document(id: MatchId) -> Self {
        Self {
            method: Method::Match,
            route: id.route(),
            path: format!("/lol/match/v5/matches/{id}"),
        }
    }

    pub fn timeline(id: MatchId) -> Self {
        Self {
            method: Method::Timeline,
            route: id.route(),
            path: format!("/lol/match/v5/matches/{id}/timeline"),
        }
    }

    /// What is asked for, without the host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The puuid in the path of a call that has one.
    fn puuid(&self) -> Option<&str> {
        let (_, rest) = self.path.split_once("/by-puuid/")?;
        rest.split(['/', '?']).next()
    }

    pub fn status(platform: Platform) -> Self {
        Self {
            method: Method::Status,
            route: Route::Platform(platform),
            path: "/lol/status/v4/platform-data".to_owned(),
        }
    }
}

/// Seconds -> calls.
pub type Limits = BTreeMap<u32, u32>;

/// What an answer says of the limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateHeaders {
    pub app_limits: Limits,
    pub app_counts: Limits,
    pub method_limits: Limits,
    pub method_counts: Limits,
    /// When the head of the answer came; the body takes longer.
    pub received: Option<Instant>,
}

impl RateHeaders {
    fn read(headers: &HeaderMap) -> Self {
        let pairs = |name: &str| {
            let text = headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            text.split(',')
                .take(WINDOWS_MAX)
                .filter_map(|pair| {
                    let (calls, seconds) = pair.trim().split_once(':')?;
                    let calls: u32 = calls.parse().ok()?;
                    Some((seconds.parse().ok()?, calls.min(CALLS_MAX)))
                })
                .collect()
        };
        Self {
            app_limits: pairs("x-app-rate-limit"),
            app_counts: pairs("x-app-rate-limit-count"),
            method_limits: pairs("x-method-rate-limit"),
            method_counts: pairs("x-method-rate-limit-count"),
            received: None,
        }
    }
}

/// A good answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub route: Route,
    /// Of the key it was made with: the puuids in it are that key's.
    pub key_fingerprint: Arc<str>,
    pub body: Bytes,
    pub is_gzip: bool,
    /// The server's clock, to a second.
    pub date: Option<Timestamp>,
}

/// One HTTP client for all routes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RiotClient {
    http: reqwest::Client,
    base: BaseUrl,
}

/// How a call ended. The headers come with every answer, good or bad; a call that got no answer has
/// none.
pub type Answered = (Option<RateHeaders>, Result<Response, RiotError>);

/// What carries calls to the API.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Makes the call, once.
    fn send<'a>(&'a self, call: &'a Call, key: &'a ApiKey) -> BoxFuture<'a, Answered>;
}

impl Transport for RiotClient {
    fn send<'a>(&'a self, call: &'a Call, key: &'a ApiKey) -> BoxFuture<'a, Answered> {
        Box::pin(self.send(call, key))
    }
}

impl RiotClient {
    pub fn new(base: BaseUrl) -> Result<Self, RiotError> {
        let http = reqwest::Client::builder()
            .timeout(CALL_TIMEOUT)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("riftsync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| RiotError::Unavailable(chain(&error)))?;
        Ok(Self { http, base })
    }

    /// Makes the call, once.
    pub async fn send(&self, call: &Call, key: &ApiKey) -> Answered {
        let url = self.base.of(call.route) + &call.path;
        let request = self
            .http
            .get(url)
            .header(HeaderName::from_static("x-riot-token"), key.header())
            .header(reqwest::header::ACCEPT_ENCODING, "gzip");
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                return (
                    None,
                    Err(RiotError::Unavailable(chain(&error.without_url()))),
                );
            }
        };
        read_answer(call, key, response).await
    }
}

/// What an answer says, whoever gave it: its headers and its body are believed within bounds only.
pub async fn read_answer(call: &Call, key: &ApiKey, response: reqwest::Response) -> Answered {
    let rate = RateHeaders {
        received: Some(Instant::now()),
        ..RateHeaders::read(response.headers())
    };
    (Some(rate), read_result(call, key, response).await)
}

async fn read_result(
    call: &Call,
    key: &ApiKey,
    mut response: reqwest::Response,
) -> Result<Response, RiotError> {
    let status = response.status().as_u16();
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let is_gzip =
        header("content-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
    let date = header("date")
        .and_then(|text| jiff::fmt::rfc2822::parse(text).ok())
        .map(|date| Timestamp::from_millis(date.timestamp().as_millisecond()));
    let retry_after = header("retry-after")
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    let scope = match header("x-rate-limit-type") {
        Some("application") => LimitScope::Application,
        Some("method") => LimitScope::Method,
        // `service`, unknown kinds and none at all are not of our making.
        _ => LimitScope::Service,
    };
    match status {
        200 => {}
        204 if call.method.empty().is_some() => {}
        201..=299 => {
            let why = format!("there is no whole document (HTTP {status})");
            return Err(RiotError::Payload(why.into()));
        }
        404 => {
            let body = read_text(&mut response, is_gzip).await;
            let is_json =
                serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&body).is_ok();
            // A page is the word of something before the API, which knows nothing of the thing.
            return Err(if is_json {
                RiotError::NotFound
            } else {
                RiotError::Unavailable("HTTP 404 with a body that is not Riot's".into())
            });
        }
        401 | 403 => return Err(RiotError::Forbidden(status)),
        429 => return Err(RiotError::RateLimited { scope, retry_after }),
        500.. => return Err(RiotError::Unavailable(format!("HTTP {status}").into())),
        _ => {
            let body = read_text(&mut response, is_gzip).await;
            return Err(refusal(call, status, &String::from_utf8_lossy(&body)));
        }
    }
    let body = match (status, call.method.empty()) {
        (204, Some(empty)) => Bytes::from_static(empty),
        _ => read_body(&mut response).await?,
    };
    Ok(Response {
        route: call.route,
        key_fingerprint: key.fingerprint().into(),
        body,
        is_gzip: is_gzip && status == 200,
        date,
    })
}

/// The body of an answer that is not good, as far as it can be read.
async fn read_text(response: &mut reqwest::Response, is_gzip: bool) -> Vec<u8> {
    let body = read_body(response).await.unwrap_or_default();
    if is_gzip {
        super::unpack(&body).unwrap_or_default()
    } else {
        body.to_vec()
    }
}

/// What a status means that says neither that there is no such thing nor that it should be tried later.
fn refusal(call: &Call, status: u16, body: &str) -> RiotError {
    let lower = body.to_ascii_lowercase();
    // What stands in between may send back what it was sent.
    let text = Foreign::new(body);
    match status {
        400 if lower.contains("unknown apikey") => RiotError::Forbidden(status),
        // Of another key, or in a form that no key gives: either way the name has to be asked for again.
        400 if lower.contains("decrypting") => RiotError::ForeignPuuid,
        400 if call
            .puuid()
            .is_some_and(|puuid| body.contains(puuid) || lower.contains("puuid")) =>
        {
            RiotError::ForeignPuuid
        }
        // Documented for every call.
        400 | 405 | 415 => RiotError::BadRequest(status, text),
        _ => RiotError::Odd(status, text),
    }
}

async fn read_body(response: &mut reqwest::Response) -> Result<Bytes, RiotError> {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_MAX => {
                let why = format!("it is larger than {BODY_MAX} bytes");
                return Err(RiotError::Payload(why.into()));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => {
                let why = format!("the answer broke off: {}", chain(&error.without_url()));
                return Err(RiotError::Unavailable(why.into()));
            }
        }
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> Foreign {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_no_debug_output_and_in_no_text_from_outside() {
        let key = ApiKey::new(" RGAPI-secret ").unwrap();
        let client = RiotClient {
            http: {
                install_tls();
                reqwest::Client::new()
            },
            base: BaseUrl::new(BaseUrl::RIOT).unwrap(),
        };
        assert!(!format!("{client:?} {key:?} {:?}", key.header()).contains("secret"));
        let text = Foreign::new("with RGAPI-secret in it");
        assert_eq!(text.as_str(), "with <api key> in it");
        assert!(!key.fingerprint().contains("secret"));
    }

    #[test]
    fn names_are_encoded_into_the_path() {
        let id: RiotId = "Hide on/bush#K%1".parse().unwrap();
        let call = Call::account(&id, Platform::Sg2);
        assert_eq!(
            call.path,
            "/riot/account/v1/accounts/by-riot-id/Hide%20on%2Fbush/K%251"
        );
        assert_eq!(call.route.as_str(), "asia");
    }

    #[test]
    fn a_base_url_needs_its_route_and_works_with_a_path() {
        let base = BaseUrl::new("http://127.0.0.1:8080/{route}/").unwrap();
        assert_eq!(
            base.of(Route::Platform(Platform::Kr)),
            "http://127.0.0.1:8080/kr"
        );
        assert!(BaseUrl::new("http://127.0.0.1:8080").is_err());
        assert!(BaseUrl::new("ftp://{route}").is_err());
    }

    #[test]
    fn limit_headers_are_read_in_any_order_and_bad_pairs_left_out() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-app-rate-limit",
            HeaderValue::from_static("100:120, 20:1,x:y"),
        );
        let read = RateHeaders::read(&headers);
        assert_eq!(read.app_limits, Limits::from([(1, 20), (120, 100)]));
        assert!(read.method_limits.is_empty());
        let many: Vec<String> = (1..=20).map(|seconds| format!("5:{seconds}")).collect();
        let many = HeaderValue::from_str(&many.join(",")).unwrap();
        headers.insert("x-method-rate-limit", many);
        assert_eq!(RateHeaders::read(&headers).method_limits.len(), 8);
        // Whoever adds up what is told must not run over.
        let endless = HeaderValue::from_static("4294967295:1,4294967296:2");
        headers.insert("x-app-rate-limit-count", endless);
        let counts = RateHeaders::read(&headers).app_counts;
        assert_eq!(counts, Limits::from([(1, CALLS_MAX)]));
    }

    #[test]
    fn a_400_about_the_puuid_tells_of_another_key_and_other_statuses_are_what_they_are() {
        let puuid: Puuid = "p".repeat(Puuid::LEN).parse().unwrap();
        let by_puuid = Call::summoner(&puuid, Platform::Kr);
        let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(1));
        let list = Call::match_ids(&puuid, Platform::Kr, from, to, 0);
        let by_name = Call::account(&"a#b".parse().unwrap(), Platform::Kr);
        let echoed = format!(r#"{{"message":"{puuid} is malformed"}}"#);
        for body in [
            r#"{"status":{"message":"Bad Request - Exception decrypting x","status_code":400}}"#,
            r#"{"status":{"message":"Bad Request - Invalid PUUID"}}"#,
            r#"{"message":"encryptedPUUID has a wrong length"}"#,
            &echoed,
        ] {
            for call in [&by_puuid, &list] {
                assert_eq!(refusal(call, 400, body), RiotError::ForeignPuuid, "{body}");
            }
        }
        for (call, status, body) in [
            (
                &list,
                400,
                "invalid parameter value 101, must be between 0 and 100",
            ),
            (&by_name, 400, "there is no puuid here"),
            (&list, 415, ""),
            (&by_puuid, 405, "puuid"),
        ] {
            let error = refusal(call, status, body);
            assert_eq!(error, RiotError::BadRequest(status, body.into()));
        }
        let unknown = refusal(&by_puuid, 400, r#"{"message":"Unknown apikey"}"#);
        assert_eq!(unknown, RiotError::Forbidden(400));
        for status in [301, 302, 307, 402, 406, 408, 410, 418, 425, 451, 499] {
            let error = refusal(&by_puuid, status, "");
            assert_eq!(error, RiotError::Odd(status, Foreign::default()));
        }
    }
}
