//! What the simulator saw: how a client behaved, told from the outside.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::call::Method;
use crate::faults::FaultKind;
use crate::limits::{LimitType, Ruling};
use crate::meter::Reading;
use riftsync_model::Route;

/// A copy of the counts at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Everything that arrived, whatever became of it.
    pub calls: u64,
    /// Calls with an accepted key to an existing path.
    pub by_method: BTreeMap<Method, u64>,
    /// Those of them that the rate limiter counted and found within all limits.
    pub permitted: BTreeMap<(Route, Method), u64>,
    /// Answers that were sent. A reset connection has none.
    pub by_status: BTreeMap<u16, u64>,
    /// 429 answers by their type, those of faults included.
    pub limited_application: u64,
    pub limited_method: u64,
    pub limited_service: u64,
    pub limited_server: u64,
    /// 429 without a type.
    pub limited_untyped: u64,
    /// Calls beyond a limit, also where the simulator is lenient and answers them. Faults are not in
    /// it: a client that keeps the limits leaves it at 0.
    pub over_limit: u64,
    /// Calls of another program (`SimulatorConfig::stranger`), and those of them that were over a limit. They are in no
    /// other count.
    pub stranger_calls: u64,
    pub stranger_refused: u64,
    /// All keys together.
    pub windows: BTreeMap<WindowName, WindowUse>,
    /// 403 answers to keys that ran into too many 429s, ...
    pub blacklisted: u64,
    /// ... and how often that began.
    pub blacklistings: u64,
    /// Answers of an outage (`Control::fail_all`, `Control::fail_route`). Those of rules are faults.
    pub outage: u64,
    pub faults: BTreeMap<FaultKind, u64>,
    /// Requests for published files, those of them that were answered with 304, and those that brought a key. They
    /// are in no
    /// other count.
    pub static_requests: u64,
    pub static_unchanged: u64,
    pub static_with_key: u64,
    /// Calls without a key, or with one that is not accepted, or no longer.
    pub key_refused: u64,
    /// Bytes of bodies as sent.
    pub body_bytes: u64,
}

/// A limit of a route, or of a method on a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowName {
    pub route: Route,
    /// None: the application's.
    pub method: Option<Method>,
    pub seconds: u32,
}

/// How a limit was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowUse {
    /// As it was last.
    pub limit: u32,
    pub calls: u64,
    /// Calls beyond it.
    pub over: u64,
    /// How often it went from no calls to one: of fixed windows, how many there were.
    pub opened: u64,
    /// The most calls that counted at one time.
    pub fullest: u32,
}

impl Counters {
    pub fn of_method(&self, method: Method) -> u64 {
        self.by_method.get(&method).copied().unwrap_or(0)
    }

    pub fn of_status(&self, status: u16) -> u64 {
        self.by_status.get(&status).copied().unwrap_or(0)
    }

    /// Calls of a method within all limits, on all routes.
    pub fn permitted_of(&self, method: Method) -> u64 {
        let of = self.permitted.iter().filter(|((_, of), _)| *of == method);
        of.map(|(_, calls)| calls).sum()
    }

    /// All 429 answers.
    pub fn limited(&self) -> u64 {
        self.of_status(429)
    }

    pub(super) fn add_limited(&mut self, limit_type: LimitType) {
        let count = match limit_type {
            LimitType::Application => &mut self.limited_application,
            LimitType::Method => &mut self.limited_method,
            LimitType::Service => &mut self.limited_service,
            LimitType::Server => &mut self.limited_server,
            LimitType::Untyped => &mut self.limited_untyped,
        };
        *count += 1;
    }

    /// A call that came as far as the rate limiter.
    pub(super) fn add_ruling(&mut self, route: Route, method: Method, ruling: &Ruling) {
        if ruling.over.is_some() {
            self.over_limit += 1;
        } else {
            *self.permitted.entry((route, method)).or_default() += 1;
        }
        self.stranger_calls += ruling.strangers[0];
        self.stranger_refused += ruling.strangers[1];
        self.add_reading(route, Some(method), ruling.method.as_ref());
        self.add_reading(route, None, ruling.app.as_ref());
    }

    fn add_reading(&mut self, route: Route, method: Option<Method>, reading: Option<&Reading>) {
        let Some(reading) = reading else {
            return;
        };
        for (&(limit, seconds), &(count, _)) in reading.limits.iter().zip(&reading.counts) {
            let name = WindowName {
                route,
                method,
                seconds,
            };
            let used = self.windows.entry(name).or_default();
            used.limit = limit;
            used.calls += 1;
            used.over += u64::from(count > limit);
            used.opened += u64::from(count == 1);
            used.fullest = used.fullest.max(count);
        }
    }

    /// The counts as other processes read them. Names are added in later releases, never changed.
    pub fn to_json(&self) -> Value {
        let by_method: BTreeMap<&str, u64> = self
            .by_method
            .iter()
            .map(|(method, n)| (method.as_str(), *n))
            .collect();
        let mut permitted: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for ((route, method), n) in &self.permitted {
            let of_route = permitted.entry(route.as_str()).or_default();
            of_route.insert(method.as_str(), *n);
        }
        let faults: BTreeMap<&str, u64> = self
            .faults
            .iter()
            .map(|(kind, n)| (kind.as_str(), *n))
            .collect();
        let windows: Vec<Value> = self.windows.iter().map(window_json).collect();
        json!({
            "calls": self.calls,
            "by_method": by_method,
            "by_status": self.by_status,
            "permitted": permitted,
            "limited": {
                "application": self.limited_application,
                "method": self.limited_method,
                "service": self.limited_service,
                "server": self.limited_server,
                "untyped": self.limited_untyped,
            },
            "over_limit": self.over_limit,
            "stranger_calls": self.stranger_calls,
            "stranger_refused": self.stranger_refused,
            "windows": windows,
            "blacklisted": self.blacklisted,
            "blacklistings": self.blacklistings,
            "outage": self.outage,
            "faults": faults,
            "key_refused": self.key_refused,
            "body_bytes": self.body_bytes,
        })
    }
}

fn window_json((name, used): (&WindowName, &WindowUse)) -> Value {
    json!({
        "route": name.route.as_str(),
        "method": name.method.map(Method::as_str),
        "seconds": name.seconds,
        "limit": used.limit,
        "calls": used.calls,
        "over": used.over,
        "opened": used.opened,
        "fullest": used.fullest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Edges, Limiter};
    use crate::people::KeyScope;
    use riftsync_model::Platform;

    #[test]
    fn windows_tell_how_full_they_were_and_how_often_they_began() {
        let route = Route::Platform(Platform::Kr);
        let mut limiter = Limiter::new(Edges::default(), vec![(3, 1)], vec![(2, 10)]);
        let mut counters = Counters::default();
        for now_ms in [0, 1, 2, 1500, 20_000] {
            let ruling = limiter.count(KeyScope::SHARED, route, Method::Match, now_ms);
            counters.add_ruling(route, Method::Match, &ruling);
        }
        let name = |method, seconds| WindowName {
            route,
            method,
            seconds,
        };
        assert_eq!(
            counters.windows[&name(None, 1)],
            WindowUse {
                limit: 3,
                calls: 5,
                over: 0,
                opened: 3,
                fullest: 3
            }
        );
        assert_eq!(
            counters.windows[&name(Some(Method::Match), 10)],
            WindowUse {
                limit: 2,
                calls: 5,
                over: 2,
                opened: 2,
                fullest: 4
            }
        );
        assert_eq!(
            (counters.over_limit, counters.permitted_of(Method::Match)),
            (2, 3)
        );
        let json = counters.to_json();
        assert_eq!(json["permitted"]["kr"]["match"], 3);
        assert_eq!(json["windows"][0]["method"], Value::Null);
        assert_eq!(json["windows"][1]["over"], 2);
    }
}
