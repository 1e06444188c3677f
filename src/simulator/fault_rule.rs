//! A fault at a place and a time: "the 7th call for a match is reset", "kr answers 503 for 30 s".
//!
//! In code a rule is built (`FaultRule::new(FaultKind::Reset).of_method(Method::Match).at_call(7)`),
//! on the command line it is a text:
//!
//! ```text
//! KIND[=TIME]@[WHERE:]WHEN
//!
//! WHERE  kr | asia | match | asia/match        a route, a method, or one method of one route
//!        listed | asia/listed | listed/match   matches and timelines that exist, or one of the two
//! WHEN   5%                                    each call with this chance
//!        7 | 10..20 | 10..                     the calls with these numbers, the first is 1
//!        30s | 10s..40s | 10s..                this long, or between, from the start of the script
//!        always                                may be left out after a WHERE
//!        5% | 5%:30m                           after listed: this share of the ids, the same ones each time
//! ```
//!
//! A rule counts the calls of its own place, from the moment its script was set. Time is that of the server, and with
//! it goes the world's clock when it is set: `404@listed:30m` ends when that clock was moved by half an hour.

use std::str::FromStr;

use crate::call::Method;
use crate::faults::FaultKind;
use crate::setting::{SettingError, number, read_ms};
use riftsync_model::Route;

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
    /// How long a stall or drip takes (`Faults::stall_ms` unless told), or how old a match must be to be served.
    pub time_ms: Option<u64>,
    /// How many ids are listed; 1,000 unless told.
    pub number: Option<usize>,
    /// None: on every route.
    pub route: Option<Route>,
    /// None: whatever is asked for.
    pub method: Option<Method>,
    /// Only matches and timelines that exist, and this share of their ids, from 0 to 1: the same ids each time.
    pub listed: Option<f64>,
    pub when: When,
}

impl FaultRule {
    /// Always and everywhere, until it is told otherwise.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            time_ms: None,
            number: None,
            route: None,
            method: None,
            listed: None,
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

    /// Only matches and timelines that exist, and of their ids this share.
    #[must_use]
    pub fn of_listed(self, share: f64) -> Self {
        Self {
            listed: Some(share),
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
    "503@5%, reset@match:7, 403@kr:10..20, 503@asia/match:30s, 404@listed:5% or stall=5s@always";

impl FromStr for FaultRule {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let (what, place) = text.split_once('@').ok_or_else(|| {
            SettingError(format!(
                "the fault '{text}' does not say when. Write it as {EXAMPLES}"
            ))
        })?;
        let rule = read_kind(text, what)?;
        match place.split_once(':') {
            Some((place, when)) => rule.read_place(text, place)?.read_moment(text, when),
            // Places begin with a letter, moments with a digit, but for one word.
            None if place == "always" || place.starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(rule.when(read_when(text, place)?))
            }
            None => rule.read_place(text, place),
        }
    }
}

fn read_kind(text: &str, what: &str) -> Result<FaultRule, SettingError> {
    let (kind, time) = match what.split_once('=') {
        Some((kind, time)) => (kind, Some(time)),
        None => (what, None),
    };
    let kind: FaultKind = kind.parse()?;
    let rule = FaultRule::new(kind);
    let Some(value) = time else {
        return Ok(rule);
    };
    let time_ms = read_ms(value).filter(|_| kind.takes_time());
    let number = number(value).filter(|_| kind.takes_number());
    if time_ms.is_none() && number.is_none() {
        return Err(SettingError(format!(
            "'{what}' in '{text}' is no fault with a time or a number. Those that have one: stall=5s, drip=20s, young-404=10m, list-cap=500"
        )));
    }
    Ok(FaultRule {
        time_ms,
        number,
        ..rule
    })
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

/// The place of documents that exist.
const LISTED: &str = "listed";

impl FaultRule {
    /// What stands behind the place: a moment, and after `listed` a share of the ids before it.
    fn read_moment(self, text: &str, when: &str) -> Result<Self, SettingError> {
        if self.listed.is_none() {
            return Ok(self.when(read_when(text, when)?));
        }
        let (share, when) = match when.split_once(':') {
            Some((share, when)) => (Some(share), Some(when)),
            None if when.ends_with('%') => (Some(when), None),
            None => (None, Some(when)),
        };
        let when = when.map_or(Ok(When::Always), |when| read_when(text, when))?;
        let share = share.map_or(Ok(When::Chance(1.0)), |share| read_when(text, share))?;
        match share {
            When::Chance(share) => Ok(self.of_listed(share).when(when)),
            _ => Err(SettingError(format!(
                "'{text}' names no share of the ids. Write {LISTED}:5%, {LISTED}:5%:30m or {LISTED}:30m"
            ))),
        }
    }

    fn read_place(self, text: &str, place: &str) -> Result<Self, SettingError> {
        let wrong = |name: &str| {
            SettingError(format!(
                "'{name}' in '{text}' is no place for a fault. Write a route (kr, asia), a method ({}), both (asia/match), or listed, asia/listed, listed/match",
                Method::ALL.map(Method::as_str).join(", ")
            ))
        };
        let route = |name: &str| name.parse::<Route>().ok();
        if place == LISTED {
            return Ok(self.of_listed(1.0));
        }
        if let Some((left, right)) = place.split_once('/') {
            if left == LISTED {
                let method = Method::named(right).filter(|method| method.is_of_a_match());
                let method = method.ok_or_else(|| wrong(right))?;
                return Ok(self.of_listed(1.0).of_method(method));
            }
            if right == LISTED {
                let route = route(left).ok_or_else(|| wrong(left))?;
                return Ok(self.of_listed(1.0).on_route(route));
            }
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
    use riftsync_model::{Platform, Region};

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
            time_ms: Some(5000),
            ..FaultRule::new(FaultKind::Stall)
        };
        check(
            "stall=5s@timeline:1",
            stall.of_method(Method::Timeline).at_call(1),
        );
    }

    #[test]
    fn a_rule_about_listed_ids_takes_a_share_of_them_and_a_time() {
        let missing = FaultRule::new(FaultKind::NotFound);
        check("404@listed", missing.clone().of_listed(1.0));
        check("404@listed:5%", missing.clone().of_listed(0.05));
        check(
            "404@listed:5%:30m",
            missing.clone().of_listed(0.05).for_ms(1_800_000),
        );
        check(
            "404@listed:30s",
            missing.clone().of_listed(1.0).for_ms(30_000),
        );
        check(
            "404@asia/listed:10%",
            missing.clone().of_listed(0.1).on_route(ASIA),
        );
        check(
            "404@listed/timeline:10%:3..",
            missing
                .of_listed(0.1)
                .of_method(Method::Timeline)
                .when(When::Calls {
                    first: 3,
                    last: None,
                }),
        );
        let young = FaultRule {
            time_ms: Some(600_000),
            ..FaultRule::new(FaultKind::NotFoundYoung)
        };
        check("young-404=10m@listed:20%", young.of_listed(0.2));
        let cap = FaultRule {
            number: Some(500),
            ..FaultRule::new(FaultKind::ListCap)
        };
        check("list-cap=500@asia", cap.on_route(ASIA));
    }

    #[test]
    fn a_wrong_rule_is_told_what_a_right_one_looks_like() {
        for (text, remedy) in [
            ("", "does not say when"),
            ("503", "503@5%"),
            ("5o3@5%", "cut-gzip"),
            ("@5%", "cut-gzip"),
            ("503=5s@5%", "stall=5s"),
            ("list-cap=5s@always", "list-cap=500"),
            ("young-404=5@always", "young-404=10m"),
            ("404@listed/status", "listed/match"),
            ("404@listed/kr", "listed/match"),
            ("404@mars/listed", "listed/match"),
            ("404@listed:5%:", "10s..40s"),
            ("404@listed:30m:5%", "listed:5%:30m"),
            ("404@listed:101%", "10s..40s"),
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
