//! Rate limits as the API enforces them: counted windows per key and route, and per method too.
//!
//! The core is a pure function from a window's state and a moment to its next state, so other
//! models of when a window begins and ends are another arm of `WindowModel::count`. Rejected calls
//! are counted like others: the real counters go on rising (developer-relations issue 697).

use std::collections::HashMap;

use crate::model::Route;
use crate::simulator::call::Method;
use crate::simulator::people::KeyScope;

/// So many calls in so many seconds.
pub type Limit = (u32, u32);

/// When a window begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowModel {
    /// With the first call that is counted in it, and its length later.
    #[default]
    OpenedByFirstCall,
}

/// A window between two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowState {
    pub opened_ms: u64,
    /// Calls so far; 0 before the first one ever.
    pub count: u32,
}

impl WindowModel {
    /// The window after one more call at `now_ms`, and when it ends.
    pub fn count(self, state: WindowState, length_ms: u64, now_ms: u64) -> (WindowState, u64) {
        match self {
            Self::OpenedByFirstCall => {
                let running = state.count > 0 && now_ms < state.opened_ms + length_ms;
                let opened_ms = if running { state.opened_ms } else { now_ms };
                let count = if running {
                    state.count.saturating_add(1)
                } else {
                    1
                };
                (WindowState { opened_ms, count }, opened_ms + length_ms)
            }
        }
    }
}

/// All windows of one thing that is limited.
#[derive(Debug, Clone)]
struct Meter {
    windows: Vec<(Limit, WindowState)>,
}

#[derive(Debug)]
struct Reading {
    limits: String,
    counts: String,
    /// Until the last of the overrun windows ends; none if all is well.
    blocked_ms: Option<u64>,
}

impl Meter {
    fn new(limits: &[Limit]) -> Self {
        Self {
            windows: limits
                .iter()
                .map(|limit| (*limit, WindowState::default()))
                .collect(),
        }
    }

    fn count(&mut self, model: WindowModel, now_ms: u64) -> Reading {
        let mut blocked_ms = None;
        for ((limit, seconds), state) in &mut self.windows {
            let (next, ends_ms) = model.count(*state, u64::from(*seconds) * 1000, now_ms);
            *state = next;
            if next.count > *limit {
                blocked_ms = blocked_ms.max(Some(ends_ms - now_ms));
            }
        }
        let pairs = |number: fn(&(Limit, WindowState)) -> u32| {
            let pairs: Vec<String> = self
                .windows
                .iter()
                .map(|w| format!("{}:{}", number(w), w.0.1))
                .collect();
            pairs.join(",")
        };
        Reading {
            limits: pairs(|w| w.0.0),
            counts: pairs(|w| w.1.count),
            blocked_ms,
        }
    }
}

/// Whose limit was overrun: the value of `X-Rate-Limit-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitType {
    Application,
    Method,
    Service,
}

impl LimitType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Method => "method",
            Self::Service => "service",
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
}

/// The counters of all keys, routes and methods.
#[derive(Debug)]
pub struct Limiter {
    model: WindowModel,
    app_limits: Vec<Limit>,
    method_limits: Vec<Limit>,
    apps: HashMap<(KeyScope, Route), Meter>,
    methods: HashMap<(KeyScope, Route, Method), Meter>,
}

impl Limiter {
    pub fn new(model: WindowModel, app_limits: Vec<Limit>, method_limits: Vec<Limit>) -> Self {
        Self {
            model,
            app_limits,
            method_limits,
            apps: HashMap::new(),
            methods: HashMap::new(),
        }
    }

    /// New limits begin with new windows.
    pub fn set_app_limits(&mut self, limits: Vec<Limit>) {
        self.app_limits = limits;
        self.apps.clear();
    }

    pub fn set_method_limits(&mut self, limits: Vec<Limit>) {
        self.method_limits = limits;
        self.methods.clear();
    }

    /// Counts a call in all its windows.
    pub fn count(&mut self, key: KeyScope, route: Route, method: Method, now_ms: u64) -> Ruling {
        let mut ruling = Ruling {
            headers: Vec::with_capacity(4),
            over: None,
        };
        if !self.method_limits.is_empty() {
            let meter = self
                .methods
                .entry((key, route, method))
                .or_insert_with(|| Meter::new(&self.method_limits));
            let reading = meter.count(self.model, now_ms);
            ruling.add(
                LimitType::Method,
                ["x-method-rate-limit", "x-method-rate-limit-count"],
                reading,
            );
        }
        if !self.app_limits.is_empty() {
            let meter = self
                .apps
                .entry((key, route))
                .or_insert_with(|| Meter::new(&self.app_limits));
            let reading = meter.count(self.model, now_ms);
            ruling.add(
                LimitType::Application,
                ["x-app-rate-limit", "x-app-rate-limit-count"],
                reading,
            );
        }
        ruling
    }
}

impl Ruling {
    /// The application's limit is added last and has the last word: it stops the whole route.
    fn add(&mut self, limit_type: LimitType, names: [&'static str; 2], reading: Reading) {
        self.headers
            .extend(names.into_iter().zip([reading.limits, reading.counts]));
        if let Some(blocked_ms) = reading.blocked_ms {
            self.over = Some((limit_type, blocked_ms.div_ceil(1000).max(1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Platform, Region};

    const KEY: KeyScope = KeyScope::SHARED;
    const KR: Route = Route::Platform(Platform::Kr);
    const ASIA: Route = Route::Region(Region::Asia);

    fn limiter() -> Limiter {
        Limiter::new(
            WindowModel::default(),
            vec![(20, 1), (100, 120)],
            vec![(5, 10)],
        )
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
    fn a_window_opens_with_its_first_call_and_lasts_its_length() {
        let model = WindowModel::OpenedByFirstCall;
        let (state, ends_ms) = model.count(WindowState::default(), 1000, 500);
        assert_eq!((state.count, ends_ms), (1, 1500));
        let (state, ends_ms) = model.count(state, 1000, 1499);
        assert_eq!((state.count, ends_ms), (2, 1500));
        let (state, ends_ms) = model.count(state, 1000, 1500);
        assert_eq!((state.count, ends_ms), (1, 2500));
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
    fn without_limits_there_are_no_headers() {
        let mut limiter = Limiter::new(WindowModel::default(), vec![], vec![]);
        let ruling = limiter.count(KEY, KR, Method::Match, 0);
        assert_eq!(
            ruling,
            Ruling {
                headers: vec![],
                over: None
            }
        );
    }
}
