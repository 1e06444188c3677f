//! What goes wrong on the way: the errors, broken bodies and silences that real clients meet.
//!
//! Which call fails by chance, and how, follows from the seed and the number of the call alone. The
//! answer to a single call is thus repeatable; which request becomes which call is up to the client.
//! What is wrong with an id or a document is wrong each time, whichever call asks for it.
//! Faults at a chosen place and time are in `fault_rule`, what they send in `fault_reply`.

use std::str::FromStr;

use crate::call::Method;
use crate::hash::{Draw, hash};
use crate::setting::SettingError;

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    InternalError,
    /// With the HTML page of the network in front of the API, as all that end in `Html`.
    InternalErrorHtml,
    /// With the HTML page.
    BadGateway,
    BadGatewayJson,
    Unavailable,
    UnavailableHtml,
    GatewayTimeout,
    GatewayTimeoutHtml,
    /// A 429 that says `application`, though the call is within its limits.
    ApplicationLimit,
    /// The same for `method`.
    MethodLimit,
    /// A 429 that says `service`: not the client's fault.
    ServiceLimit,
    /// A 429 that says `server`, a value that no document knows.
    ServerLimit,
    /// A 429 that says nothing at all.
    UntypedLimit,
    /// 401 for a good key. Once it is transient; for good, the key is dead.
    Unauthorized,
    /// 403 for a good key.
    Forbidden,
    /// 403 from the firewall, for a path whose letters it does not like.
    ForbiddenHtml,
    /// The connection is reset instead of an answer.
    Reset,
    /// A gzip body that stops in the middle.
    CutGzip,
    /// Status 200 with a body that is not JSON.
    NotJson,
    /// Status 200 with a small body that unpacks to more than 100 MB.
    Bomb,
    /// The right answer after a minute.
    Stall,
    /// The right answer, its body in small pieces over a minute.
    Drip,
    /// No body at all, as leagues answer after a reset.
    NoContent,
    /// Sent elsewhere, where nothing is.
    Found,
    /// The backend lost patience.
    RequestTimeout,
    /// Kept back for reasons of law.
    Unavailable451,
    /// "match file not found", as of a document that does not exist.
    NotFound,
    /// The page of the network in front: no word of the API's.
    NotFoundHtml,
    /// A 404 in the API's words that never reached the counter: without rate headers.
    NotFoundPlain,
    /// A 404 for a document of a match that ended less than half an hour ago, though it is listed.
    NotFoundYoung,
    /// A 404 for a match older than two years or a timeline older than one; such matches are not listed.
    Retention,
    /// The same, but such matches are listed on.
    RetentionListed,
    /// A document in which one thing is not as in all others: see `odd`. The same thing each time.
    OddValues,
    /// The match list ends after the newest 1,000, whatever its time filter says.
    ListCap,
    /// Every page of the match list is the first.
    SamePage,
    /// A listed player changes their name just before the call is answered; every fourth takes one that
    /// another has left.
    Rename,
}

impl FaultKind {
    /// All there are: first the transient ones, which any call may meet and which are over with the next call.
    pub const ALL: [Self; 36] = [
        Self::InternalError,
        Self::InternalErrorHtml,
        Self::BadGateway,
        Self::BadGatewayJson,
        Self::Unavailable,
        Self::UnavailableHtml,
        Self::GatewayTimeout,
        Self::GatewayTimeoutHtml,
        Self::ApplicationLimit,
        Self::MethodLimit,
        Self::ServiceLimit,
        Self::ServerLimit,
        Self::UntypedLimit,
        Self::Unauthorized,
        Self::Forbidden,
        Self::ForbiddenHtml,
        Self::Reset,
        Self::CutGzip,
        Self::NotJson,
        Self::Bomb,
        Self::Stall,
        Self::Drip,
        Self::NoContent,
        Self::Found,
        Self::RequestTimeout,
        Self::Unavailable451,
        Self::NotFound,
        Self::NotFoundHtml,
        Self::NotFoundPlain,
        Self::NotFoundYoung,
        Self::Retention,
        Self::RetentionListed,
        Self::OddValues,
        Self::ListCap,
        Self::SamePage,
        Self::Rename,
    ];

    /// What goes wrong by chance, unless other kinds are asked for.
    pub fn transient() -> &'static [Self] {
        const ALL: &[FaultKind] = &FaultKind::ALL;
        &ALL[..22]
    }

    /// Its name in scripts and counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InternalError => "500",
            Self::InternalErrorHtml => "500-html",
            Self::BadGateway => "502-html",
            Self::BadGatewayJson => "502",
            Self::Unavailable => "503",
            Self::UnavailableHtml => "503-html",
            Self::GatewayTimeout => "504",
            Self::GatewayTimeoutHtml => "504-html",
            Self::ApplicationLimit => "429-application",
            Self::MethodLimit => "429-method",
            Self::ServiceLimit => "429-service",
            Self::ServerLimit => "429-server",
            Self::UntypedLimit => "429-untyped",
            Self::Unauthorized => "401",
            Self::Forbidden => "403",
            Self::ForbiddenHtml => "403-html",
            Self::Reset => "reset",
            Self::CutGzip => "cut-gzip",
            Self::NotJson => "not-json",
            Self::Bomb => "bomb",
            Self::Stall => "stall",
            Self::Drip => "drip",
            Self::NoContent => "204",
            Self::Found => "302",
            Self::RequestTimeout => "408",
            Self::Unavailable451 => "451",
            Self::NotFound => "404",
            Self::NotFoundHtml => "404-html",
            Self::NotFoundPlain => "plain-404",
            Self::NotFoundYoung => "young-404",
            Self::Retention => "retention",
            Self::RetentionListed => "retention-listed",
            Self::OddValues => "odd-values",
            Self::ListCap => "list-cap",
            Self::SamePage => "same-page",
            Self::Rename => "rename",
        }
    }

    /// Whether the call got as far as the rate limiter: its answer has rate headers, and it is
    /// counted. Keys are looked at before, and what the network in front answers goes no further.
    pub fn is_counted(self) -> bool {
        match self {
            Self::InternalErrorHtml
            | Self::BadGateway
            | Self::UnavailableHtml
            | Self::GatewayTimeoutHtml
            | Self::ServerLimit
            | Self::UntypedLimit
            | Self::Unauthorized
            | Self::Forbidden
            | Self::ForbiddenHtml
            | Self::Reset
            | Self::NotFoundHtml
            | Self::NotFoundPlain => false,
            Self::InternalError
            | Self::BadGatewayJson
            | Self::Unavailable
            | Self::GatewayTimeout
            | Self::ApplicationLimit
            | Self::MethodLimit
            | Self::ServiceLimit
            | Self::CutGzip
            | Self::NotJson
            | Self::Bomb
            | Self::Stall
            | Self::Drip
            | Self::NoContent
            | Self::Found
            | Self::RequestTimeout
            | Self::Unavailable451
            | Self::NotFound
            | Self::NotFoundYoung
            | Self::Retention
            | Self::RetentionListed
            | Self::OddValues
            | Self::ListCap
            | Self::SamePage
            | Self::Rename => true,
        }
    }

    /// Whether the right answer is sent, though late, in part, or odd.
    pub fn spoils_the_answer_only(self) -> bool {
        matches!(
            self,
            Self::CutGzip
                | Self::Stall
                | Self::Drip
                | Self::OddValues
                | Self::ListCap
                | Self::SamePage
                | Self::Rename
        )
    }

    /// Whether it only changes what is listed or true: any number of these meet in one call, beside another fault.
    pub fn shapes(self, method: Method) -> bool {
        match self {
            Self::ListCap | Self::SamePage | Self::Rename => true,
            Self::Retention => method == Method::MatchIds,
            _ => false,
        }
    }

    /// Whether a rule may tell its time: `stall=5s`, `young-404=10m`.
    pub fn takes_time(self) -> bool {
        matches!(self, Self::Stall | Self::Drip | Self::NotFoundYoung)
    }

    /// Whether a rule may tell its number: `list-cap=500`.
    pub fn takes_number(self) -> bool {
        self == Self::ListCap
    }
}

impl FromStr for FaultKind {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        kind.ok_or_else(|| {
            SettingError(format!(
                "'{text}' is no kind of fault. Known: {}",
                Self::ALL.map(Self::as_str).join(", ")
            ))
        })
    }
}

/// How often something goes wrong, and what it may be. Kinds named twice are twice as likely.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// Of each call, from 0 to 1.
    pub probability: f64,
    pub kinds: Vec<FaultKind>,
    /// How long a stall lasts, and a drip from its first piece to its last.
    pub stall_ms: u64,
}

impl Faults {
    pub fn none() -> Self {
        Self {
            probability: 0.0,
            kinds: Vec::new(),
            stall_ms: 60_000,
        }
    }

    /// Every transient kind, as often as said.
    pub fn all(probability: f64) -> Self {
        Self {
            probability,
            kinds: FaultKind::transient().to_vec(),
            stall_ms: 60_000,
        }
    }

    /// What happens to the call with this number.
    pub fn of_call(&self, seed: u64, call: u64) -> Option<FaultKind> {
        let mut draw = Draw::new(hash(&[seed, 0xFA17, call]));
        let struck = draw.unit() < self.probability && !self.kinds.is_empty();
        struck.then(|| *draw.pick(&self.kinds))
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_as_frequent_as_asked_and_the_same_each_time() {
        let faults = Faults::all(0.25);
        let kinds = |seed| {
            (0..4000)
                .filter_map(|call| faults.of_call(seed, call))
                .collect::<Vec<_>>()
        };
        assert_eq!(kinds(1), kinds(1));
        assert_ne!(kinds(1), kinds(2));
        assert!((900..1100).contains(&kinds(1).len()));
        assert!(
            FaultKind::transient()
                .iter()
                .all(|kind| kinds(1).contains(kind))
        );
        assert_eq!(Faults::none().of_call(1, 1), None);
    }
}
