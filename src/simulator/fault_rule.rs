//! A fault at a place and a time: "the 7th call for a match is reset", "kr answers 503 for 30 s".
//!
//! In code a rule is built (`FaultRule::new(FaultKind::Reset).of_method(Method::Match).at_call(7)`),
//! on the command line it is a text:
//!
//! ```text
//! KIND[=TIME]@[WHERE:]WHEN
//!
//! WHERE  kr | asia | match | asia/match        a route, a method, or one method of one route
//! WHEN   5%                                    each call with this chance
//!        7 | 10..20 | 10..                     the calls with these numbers, the first is 1
//!        30s | 10s..40s | 10s..                this long, or between, from the start of the script
//!        always                                may be left out after a WHERE
//! ```
//!
//! A rule counts the calls of its own place, from the moment its script was set.

use std::str::FromStr;

use crate::model::Route;
use crate::simulator::call::Method;
use crate::simulator::faults::FaultKind;
use crate::simulator::setting::{SettingError, number, read_ms};

/// When a rule strikes, out of the calls of its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    Always,
    /// Each call with this probability, from 0 to 1.
    Chance(f64),
    /// The calls from `first` to `last`, both included; without a last one for good. 1 is the first.
    Calls {
        first: u64,
        last: Option<u64>,
    },
    /// From `from_ms` until before `to_ms` after the script was set; without an end for good.
    Between {
        from_ms: u64,
        to_ms: Option<u64>,
    },
}

/// One line of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule {
    pub kind: FaultKind,
    /// How long a stall or drip takes; `Faults::stall_ms` unless told.
    pub stall_ms: Option<u64>,
    /// None: on every route.
    pub route: Option<Route>,
    /// None: whatever is asked for.
    pub method: Option<Method>,
    pub when: When,
}

impl FaultRule {
    /// Always and everywhere, until it is told otherwise.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            stall_ms: None,
            route: None,
            method: None,
            when: When::Always,
        }
    }

    #[must_use]
    pub fn on_route(self, route: Route) -> Self {
        Self {
            route: Some(route),
            ..self
        }
    }

    #[must_use]
    pub fn of_method(self, method: Method) -> Self {
        Self {
            method: Some(method),
            ..self
        }
    }

    #[must_use]
    pub fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    /// Only the call with this number; 1 is the first.
    #[must_use]
    pub fn at_call(self, number: u64) -> Self {
        self.when(When::Calls {
            first: number,
            last: Some(number),
        })
    }

    /// An outage that begins now and ends by itself.
    #[must_use]
    pub fn for_ms(self, to_ms: u64) -> Self {
        self.when(When::Between {
            from_ms: 0,
            to_ms: Some(to_ms),
        })
    }
}

const EXAMPLES: &str =
    "503@5%, reset@match:7, 403@kr:10..20, 503@asia/match:30s or stall=5s@always";

impl FromStr for FaultRule {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let (what, place) = text.split_once('@').ok_or_else(|| {
            SettingError(format!(
                "the fault '{text}' does not say when. Write it as {EXAMPLES}"
            ))
        })?;
        let (kind, stall_ms) = read_kind(text, what)?;
        let rule = Self {
            stall_ms,
            ..Self::new(kind)
        };
        match place.split_once(':') {
            Some((place, when)) => Ok(rule.read_place(text, place)?.when(read_when(text, when)?)),
            // Places begin with a letter, moments with a digit, but for one word.
            None if place == "always" || place.starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(rule.when(read_when(text, place)?))
            }
            None => rule.read_place(text, place),
        }
    }
}

fn read_kind(text: &str, what: &str) -> Result<(FaultKind, Option<u64>), SettingError> {
    let (kind, time) = match what.split_once('=') {
        Some((kind, time)) => (kind, Some(time)),
        None => (what, None),
    };
    let kind: FaultKind = kind.parse()?;
    let Some(time) = time else {
        return Ok((kind, None));
    };
    let stall_ms = read_ms(time).filter(|_| kind.takes_time()).ok_or_else(|| {
        SettingError(format!(
            "'{what}' in '{text}' is no fault with a time. Only stall and drip have one: stall=5s, drip=20s"
        ))
    })?;
    Ok((kind, Some(stall_ms)))
}

fn read_when(text: &str, when: &str) -> Result<When, SettingError> {
    read_when_or_none(when).ok_or_else(|| {
        SettingError(format!(
            "'{when}' in '{text}' is no time for a fault. Write 5%, 7, 10..20, 10.., 30s, 10s..40s or always"
        ))
    })
}

fn read_when_or_none(when: &str) -> Option<When> {
    if when == "always" {
        return Some(When::Always);
    }
    if let Some(percent) = when.strip_suffix('%') {
        let percent: f64 = percent.parse().ok()?;
        return (0.0..=100.0)
            .contains(&percent)
            .then_some(When::Chance(percent / 100.0));
    }
    let Some((from, to)) = when.split_once("..") else {
        let call = number(when).filter(|call| *call > 0);
        return match call {
            Some(call) => Some(When::Calls {
                first: call,
                last: Some(call),
            }),
            None => Some(When::Between {
                from_ms: 0,
                to_ms: Some(read_ms(when)?),
            }),
        };
    };
    let to = Some(to).filter(|to| !to.is_empty());
    if let Some(first) = number(from).filter(|first| *first > 0) {
        let last = match to {
            Some(to) => Some(number(to).filter(|last| *last >= first)?),
            None => None,
        };
        return Some(When::Calls { first, last });
    }
    let from_ms = read_ms(from)?;
    let to_ms = match to {
        Some(to) => Some(read_ms(to).filter(|to_ms| *to_ms > from_ms)?),
        None => None,
    };
    Some(When::Between { from_ms, to_ms })
}

impl FaultRule {
    fn read_place(self, text: &str, place: &str) -> Result<Self, SettingError> {
        let wrong = |name: &str| {
            SettingError(format!(
                "'{name}' in '{text}' is no place for a fault. Write a route (kr, asia), a method ({}) or both (asia/match)",
                Method::ALL.map(Method::as_str).join(", ")
            ))
        };
        let route = |name: &str| name.parse::<Route>().ok();
        if let Some((left, right)) = place.split_once('/') {
            let route = route(left).ok_or_else(|| wrong(left))?;
            let method = Method::named(right).ok_or_else(|| wrong(right))?;
            return Ok(self.on_route(route).of_method(method));
        }
        match (route(place), Method::named(place)) {
            (Some(route), _) => Ok(self.on_route(route)),
            (None, Some(method)) => Ok(self.of_method(method)),
            (None, None) => Err(wrong(place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Platform, Region};

    const KR: Route = Route::Platform(Platform::Kr);
    const ASIA: Route = Route::Region(Region::Asia);

    #[track_caller]
    fn check(text: &str, expected: FaultRule) {
        assert_eq!(text.parse(), Ok(expected));
    }

    #[test]
    fn a_rule_is_a_kind_a_place_and_a_time() {
        let reset = FaultRule::new(FaultKind::Reset);
        let outage = FaultRule::new(FaultKind::Unavailable);
        check("503@5%", outage.clone().when(When::Chance(0.05)));
        check(
            "reset@match:7",
            reset.clone().of_method(Method::Match).at_call(7),
        );
        check(
            "503@kr:10..20",
            outage.clone().on_route(KR).when(When::Calls {
                first: 10,
                last: Some(20),
            }),
        );
        check(
            "503@asia/match-ids:30s",
            outage
                .clone()
                .on_route(ASIA)
                .of_method(Method::MatchIds)
                .for_ms(30_000),
        );
        check("503@kr", outage.clone().on_route(KR));
        check("reset@always", reset.clone());
        check(
            "reset@3..",
            reset.clone().when(When::Calls {
                first: 3,
                last: None,
            }),
        );
        check(
            "503@10s..1m",
            outage.clone().when(When::Between {
                from_ms: 10_000,
                to_ms: Some(60_000),
            }),
        );
        check(
            "503@10s..",
            outage.when(When::Between {
                from_ms: 10_000,
                to_ms: None,
            }),
        );
        let stall = FaultRule {
            stall_ms: Some(5000),
            ..FaultRule::new(FaultKind::Stall)
        };
        check(
            "stall=5s@timeline:1",
            stall.of_method(Method::Timeline).at_call(1),
        );
    }

    #[test]
    fn a_wrong_rule_is_told_what_a_right_one_looks_like() {
        for (text, remedy) in [
            ("", "does not say when"),
            ("503", "503@5%"),
            ("5o3@5%", "cut-gzip"),
            ("@5%", "cut-gzip"),
            ("503=5s@5%", "stall=5s"),
            ("stall=5@5%", "stall=5s"),
            ("503@", "asia/match"),
            ("503@mars", "asia/match"),
            ("503@mars:7", "asia/match"),
            ("503@match/asia:7", "asia/match"),
            ("503@kr/", "match-ids"),
            ("503@kr:", "10s..40s"),
            ("503@kr:0", "10s..40s"),
            ("503@101%", "10s..40s"),
            ("503@-1%", "asia/match"),
            ("503@kr:nan%", "10s..40s"),
            ("503@20..10", "10s..40s"),
            ("503@2..10s", "10s..40s"),
            ("503@40s..10s", "10s..40s"),
            ("503@kr:5%:5%", "10s..40s"),
        ] {
            let error = text.parse::<FaultRule>().unwrap_err().to_string();
            assert!(error.contains(remedy), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn every_kind_and_method_can_be_named() {
        for kind in FaultKind::ALL {
            check(&format!("{}@always", kind.as_str()), FaultRule::new(kind));
        }
        for method in Method::ALL {
            check(
                &format!("503@{}", method.as_str()),
                FaultRule::new(FaultKind::Unavailable).of_method(method),
            );
        }
    }
}
