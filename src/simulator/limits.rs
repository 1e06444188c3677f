//! Rate limits as the API enforces them: counted windows per key and route, and per method too.
//!
//! Rejected calls are counted like others: the real counters go on rising (developer-relations
//! issue 697). How windows begin and end is in `window`.

use std::collections::HashMap;

use crate::call::Method;
use crate::hash::{hash, hash_text};
use crate::meter::{Meter, Reading};
use crate::people::KeyScope;
use crate::stranger::Stranger;
use crate::window::WindowModel;
use riftsync_model::Route;

/// So many calls in so many seconds.
pub type Limit = (u32, u32);

/// Whose limit was overrun: the value of `X-Rate-Limit-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitType {
    Application,
    Method,
    Service,
    /// Seen in July 2026 and documented nowhere (developer-relations issue 1169).
    Server,
    /// There is no such header.
    Untyped,
}

impl LimitType {
    /// None: it is not told.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Application => Some("application"),
            Self::Method => Some("method"),
            Self::Service => Some("service"),
            Self::Server => Some("server"),
            Self::Untyped => None,
        }
    }
}

/// What the limits say to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Names and values of the rate headers, which every counted answer has.
    pub headers: Vec<(&'static str, String)>,
    /// Why the call is over a limit, and for how many whole seconds.
    pub over: Option<(LimitType, u64)>,
    /// Of the method if it is limited, and of the application.
    pub method: Option<Reading>,
    pub app: Option<Reading>,
    /// Calls of another program since the call before this one, and how many of them were refused.
    pub strangers: [u64; 2],
}

/// How windows behave, apart from their limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Edges {
    pub model: WindowModel,
    pub jitter_ms: u64,
    pub seed: u64,
    /// Calls that are refused do not count.
    pub forgives_refused: bool,
}

/// The counters of all keys, routes and methods.
#[derive(Debug)]
pub struct Limiter {
    edges: Edges,
    app_limits: Vec<Limit>,
    method_limits: Vec<Limit>,
    apps: HashMap<(KeyScope, Route), Meter>,
    methods: HashMap<(KeyScope, Route, Method), Meter>,
    stranger: Option<Stranger>,
    /// When the other program calls next on a route with a key.
    stranger_calls: HashMap<(KeyScope, Route), u64>,
}

impl Limiter {
    pub fn new(edges: Edges, app_limits: Vec<Limit>, method_limits: Vec<Limit>) -> Self {
        Self {
            edges,
            app_limits,
            method_limits,
            apps: HashMap::new(),
            methods: HashMap::new(),
            stranger: None,
            stranger_calls: HashMap::new(),
        }
    }

    /// Another program uses every key, on each route from the first call to it.
    #[must_use]
    pub fn with_stranger(mut self, stranger: Option<Stranger>) -> Self {
        self.stranger = stranger;
        self
    }

    /// From the next call on. Windows whose length stays keep what they counted.
    pub fn set_app_limits(&mut self, limits: Vec<Limit>) {
        for meter in self.apps.values_mut() {
            meter.set_limits(&limits);
        }
        self.app_limits = limits;
    }

    pub fn set_method_limits(&mut self, limits: Vec<Limit>) {
        for meter in self.methods.values_mut() {
            meter.set_limits(&limits);
        }
        self.method_limits = limits;
    }

    /// Counts a call in all its windows.
    pub fn count(&mut self, key: KeyScope, route: Route, method: Method, now_ms: u64) -> Ruling {
        let mut ruling = Ruling {
            headers: Vec::with_capacity(4),
            over: None,
            method: None,
            app: None,
            strangers: [0; 2],
        };
        if !self.method_limits.is_empty() {
            let meter = self.methods.entry((key, route, method)).or_insert_with(|| {
                let seed = self.edges.seed_of(route, method as u64 + 1);
                self.edges.meter(&self.method_limits, seed)
            });
            let names = ["x-method-rate-limit", "x-method-rate-limit-count"];
            ruling.method = Some(ruling.add(LimitType::Method, names, meter.count(now_ms)));
        }
        if !self.app_limits.is_empty() {
            let meter = self.apps.entry((key, route)).or_insert_with(|| {
                let seed = self.edges.seed_of(route, 0);
                self.edges.meter(&self.app_limits, seed)
            });
            if let Some(stranger) = self.stranger {
                let next = self.stranger_calls.entry((key, route));
                let next = next.or_insert(now_ms + stranger.every_ms);
                // In its turn, before this call.
                while *next <= now_ms {
                    for _ in 0..stranger.calls {
                        let refused = meter.count(*next).blocked_ms.is_some();
                        ruling.strangers[0] += 1;
                        ruling.strangers[1] += u64::from(refused);
                    }
                    *next += stranger.every_ms;
                }
            }
            let names = ["x-app-rate-limit", "x-app-rate-limit-count"];
            ruling.app = Some(ruling.add(LimitType::Application, names, meter.count(now_ms)));
        }
        ruling
    }
}

impl Edges {
    /// Edges of different things do not drift alike.
    fn seed_of(self, route: Route, part: u64) -> u64 {
        hash(&[hash_text(self.seed, route.as_str()), part])
    }

    fn meter(self, limits: &[Limit], seed: u64) -> Meter {
        let meter = Meter::new(self.model, limits, self.jitter_ms, seed);
        if self.forgives_refused {
            meter.without_refused()
        } else {
            meter
        }
    }
}

impl Ruling {
    /// The application's limit is added last and has the last word: it stops the whole route.
    fn add(
        &mut self,
        limit_type: LimitType,
        names: [&'static str; 2],
        reading: Reading,
    ) -> Reading {
        let texts = [reading.limits_text(), reading.counts_text()];
        self.headers.extend(names.into_iter().zip(texts));
        if let Some(blocked_ms) = reading.blocked_ms {
            self.over = Some((limit_type, blocked_ms.div_ceil(1000).max(1)));
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riftsync_model::{Platform, Region};

    const KEY: KeyScope = KeyScope::SHARED;
    const KR: Route = Route::Platform(Platform::Kr);
    const ASIA: Route = Route::Region(Region::Asia);

    fn limiter() -> Limiter {
        Limiter::new(Edges::default(), vec![(20, 1), (100, 120)], vec![(5, 10)])
    }

    fn header(ruling: &Ruling, name: &str) -> String {
        ruling
            .headers
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.clone())
            .unwrap()
    }

    #[test]
    fn the_call_over_the_limit_is_told_how_long_to_wait_in_whole_seconds() {
        let mut limiter = limiter();
        for call in 1..=5 {
            let ruling = limiter.count(KEY, KR, Method::Match, call);
            assert_eq!(ruling.over, None);
            assert_eq!(
                header(&ruling, "x-method-rate-limit-count"),
                format!("{call}:10")
            );
        }
        // The window opened at 1 ms: 9.1 s are left, which is ten whole seconds.
        let ruling = limiter.count(KEY, KR, Method::Match, 901);
        assert_eq!(ruling.over, Some((LimitType::Method, 10)));
        assert_eq!(
            limiter.count(KEY, KR, Method::Match, 10_000).over,
            Some((LimitType::Method, 1))
        );
        assert_eq!(limiter.count(KEY, KR, Method::Match, 10_001).over, None);
    }

    #[test]
    fn rejected_calls_count_and_the_application_has_the_last_word() {
        let mut limiter = limiter();
        let rulings: Vec<Ruling> = (0..25)
            .map(|_| limiter.count(KEY, KR, Method::Match, 0))
            .collect();
        assert_eq!(rulings[6].over, Some((LimitType::Method, 10)));
        assert_eq!(rulings[24].over, Some((LimitType::Application, 1)));
        assert_eq!(header(&rulings[24], "x-app-rate-limit"), "20:1,100:120");
        assert_eq!(
            header(&rulings[24], "x-app-rate-limit-count"),
            "25:1,25:120"
        );
    }

    #[test]
    fn keys_routes_and_methods_are_counted_apart() {
        let mut limiter = limiter();
        for _ in 0..6 {
            limiter.count(KEY, KR, Method::Match, 0);
        }
        assert!(limiter.count(KEY, KR, Method::Match, 0).over.is_some());
        assert!(limiter.count(KEY, KR, Method::Timeline, 0).over.is_none());
        assert!(limiter.count(KEY, ASIA, Method::Match, 0).over.is_none());
        assert!(
            limiter
                .count(KeyScope::of_key("other"), KR, Method::Match, 0)
                .over
                .is_none()
        );
    }

    #[test]
    fn a_limit_that_shrinks_forgives_nothing() {
        let mut limiter = limiter();
        for _ in 0..4 {
            assert_eq!(limiter.count(KEY, KR, Method::Match, 0).over, None);
        }
        limiter.set_app_limits(vec![(4, 120)]);
        let ruling = limiter.count(KEY, KR, Method::Match, 500);
        assert_eq!(ruling.over, Some((LimitType::Application, 120)));
        assert_eq!(header(&ruling, "x-app-rate-limit"), "4:120");
        limiter.set_method_limits(vec![(5, 10)]);
        let ruling = limiter.count(KEY, KR, Method::Match, 600);
        assert_eq!(header(&ruling, "x-method-rate-limit-count"), "6:10");
        assert_eq!(limiter.count(KEY, ASIA, Method::Match, 600).over, None);
    }

    #[test]
    fn another_program_calls_in_its_turn_and_is_counted_with_the_others() {
        let stranger = Stranger {
            calls: 10,
            every_ms: 500,
        };
        let mut limiter = Limiter::new(Edges::default(), vec![(20, 1)], vec![]);
        limiter = limiter.with_stranger(Some(stranger));
        let told = |limiter: &mut Limiter, now_ms| {
            let ruling = limiter.count(KEY, KR, Method::Match, now_ms);
            (header(&ruling, "x-app-rate-limit-count"), ruling.strangers)
        };
        assert_eq!(told(&mut limiter, 0), ("1:1".to_owned(), [0, 0]));
        assert_eq!(told(&mut limiter, 999), ("12:1".to_owned(), [10, 0]));
        // Its third ten are those over the limit of the window that its second began.
        assert_eq!(told(&mut limiter, 1_600), ("21:1".to_owned(), [20, 0]));
        let other = limiter.count(KEY, ASIA, Method::Match, 1_600);
        assert_eq!(other.strangers, [0, 0], "nobody called there before");
    }

    #[test]
    fn the_edges_of_two_routes_do_not_drift_alike() {
        let edges = Edges {
            model: WindowModel::AlignedToClock,
            jitter_ms: 1000,
            seed: 3,
            ..Edges::default()
        };
        let wait_ms = |route, part| {
            let mut meter = edges.meter(&[(0, 100)], edges.seed_of(route, part));
            meter.count(5000).blocked_ms
        };
        assert_eq!(wait_ms(KR, 0), wait_ms(KR, 0));
        assert_ne!(wait_ms(KR, 0), wait_ms(ASIA, 0));
        assert_ne!(wait_ms(KR, 0), wait_ms(KR, 1));
    }

    #[test]
    fn without_limits_there_are_no_headers() {
        let mut limiter = Limiter::new(Edges::default(), vec![], vec![]);
        let ruling = limiter.count(KEY, KR, Method::Match, 0);
        assert_eq!(
            ruling,
            Ruling {
                headers: vec![],
                over: None,
                method: None,
                app: None,
                strangers: [0; 2],
            }
        );
    }
}
