//! What goes wrong on the way: the errors, broken bodies and silences that real clients meet.
//!
//! Which call fails, and how, follows from the seed and the number of the call alone. The answer to
//! a single call is thus repeatable; which request becomes which call is up to the client.

use std::sync::OnceLock;

use crate::simulator::fragments::{Gap, Stencil};
use crate::simulator::hash::{Draw, hash};

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    InternalError,
    /// With the HTML page of the network in front of the API.
    BadGateway,
    Unavailable,
    GatewayTimeout,
    /// A 429 that says `service`: not the client's fault.
    ServiceLimit,
    /// A 429 that says nothing at all.
    UntypedLimit,
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
}

impl FaultKind {
    pub const ALL: [Self; 11] = [
        Self::InternalError,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::ServiceLimit,
        Self::UntypedLimit,
        Self::Reset,
        Self::CutGzip,
        Self::NotJson,
        Self::Bomb,
        Self::Stall,
    ];

    /// Whether the call got as far as the rate limiter: its answer has rate headers, and it is counted.
    pub fn is_counted(self) -> bool {
        !matches!(self, Self::BadGateway | Self::UntypedLimit | Self::Reset)
    }
}

/// How often something goes wrong, and what it may be. Kinds named twice are twice as likely.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// Of each call, from 0 to 1.
    pub probability: f64,
    pub kinds: Vec<FaultKind>,
    /// How long a stall lasts.
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

    /// Every kind, as often as said.
    pub fn all(probability: f64) -> Self {
        Self {
            probability,
            kinds: FaultKind::ALL.to_vec(),
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

/// How long an answer takes: a log-normal distribution, as measured latencies nearly have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Latency {
    /// Half of the answers are faster. 0: no waiting at all.
    pub median_ms: f64,
    /// The spread: with 0.5 one answer in a hundred takes three times the median.
    pub sigma: f64,
}

impl Latency {
    pub fn of_call(self, seed: u64, call: u64) -> std::time::Duration {
        if self.median_ms <= 0.0 {
            return std::time::Duration::ZERO;
        }
        let mut draw = Draw::new(hash(&[seed, 0x1A7E, call]));
        // Box and Muller's way from two even numbers to a normal one.
        let radius = (-2.0 * (1.0 - draw.unit()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * draw.unit()).cos();
        let seconds = self.median_ms / 1000.0 * (self.sigma * normal).exp();
        std::time::Duration::from_secs_f64(seconds.clamp(0.0, LATENCY_S_MAX))
    }
}

const LATENCY_S_MAX: f64 = 120.0;

/// The page that answers when the API itself cannot.
pub const HTML_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";

/// A gzip member of about 130 kB that unpacks to 128 MB: blanks around an empty list, valid JSON.
pub fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        const PIECE_BYTES: usize = 1 << 20;
        const PIECES: usize = 128;
        let blanks = " ".repeat(PIECE_BYTES);
        let stencil = Stencil::new(&[(Gap::Any, blanks.as_str())]).repeated(PIECES);
        let mut gaps: Vec<&[u8]> = vec![b""; stencil.gaps()];
        gaps[0] = b"[";
        gaps[PIECES] = b"]";
        stencil.fill(&gaps)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::fragments::tests::gunzip;

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
        assert!(FaultKind::ALL.iter().all(|kind| kinds(1).contains(kind)));
        assert_eq!(Faults::none().of_call(1, 1), None);
    }

    #[test]
    fn the_bomb_is_small_outside_and_valid_inside() {
        assert!(bomb().len() < 300_000, "{}", bomb().len());
        let text = gunzip(bomb());
        assert!(text.len() > 100_000_000);
        assert_eq!((text[0], text[text.len() - 1]), (b'[', b']'));
    }

    #[test]
    fn half_of_the_answers_are_faster_than_the_median() {
        let latency = Latency {
            median_ms: 40.0,
            sigma: 0.5,
        };
        let fast = (0..2000)
            .filter(|call| latency.of_call(3, *call).as_secs_f64() < 0.04)
            .count();
        assert!((900..1100).contains(&fast), "{fast}");
        assert!(Latency::default().of_call(3, 3).is_zero());
    }
}
