//! A script of faults on its way: which of its rules a call meets.

use std::time::Duration;

use crate::call::Method;
use crate::fault_rule::{FaultRule, When};
use crate::faults::FaultKind;
use crate::hash::{Draw, hash, hash_text};
use crate::world::{MATCHES_KEPT, TIMELINES_KEPT};
use riftsync_model::Route;

/// The rules in their order, and how many calls of its place each one has seen.
#[derive(Debug)]
pub struct FaultPlan {
    rules: Vec<(FaultRule, u64)>,
    since_ms: u64,
}

impl FaultPlan {
    /// The script begins at `now_ms`.
    pub fn new(rules: Vec<FaultRule>, now_ms: u64) -> Self {
        Self {
            rules: rules.into_iter().map(|rule| (rule, 0)).collect(),
            since_ms: now_ms,
        }
    }

    /// What happens to this call: the first rule that strikes decides, and all of them count it. Those that only shape
    /// what is listed or true strike beside it.
    pub fn of_call(&mut self, seed: u64, asked: &Asked, now_ms: u64) -> Met {
        let elapsed_ms = now_ms.saturating_sub(self.since_ms);
        let mut met = Met::default();
        for (place, (rule, calls)) in (0_u64..).zip(&mut self.rules) {
            if !asked.is_met_by(rule, seed) {
                continue;
            }
            *calls += 1;
            let strikes = match rule.when {
                When::Always => true,
                When::Chance(chance) => {
                    Draw::new(hash(&[seed, 0x5C21, place, *calls])).unit() < chance
                }
                When::Calls { first, last } => {
                    *calls >= first && last.is_none_or(|last| *calls <= last)
                }
                When::Between { from_ms, to_ms } => {
                    elapsed_ms >= from_ms && to_ms.is_none_or(|to_ms| elapsed_ms < to_ms)
                }
            };
            if !strikes {
                continue;
            }
            if rule.kind.shapes(asked.method) {
                met.shapes.push(Shaped {
                    kind: rule.kind,
                    number: rule.number,
                });
            } else if met.fault.is_none() {
                met.fault = Some((rule.kind, rule.time_ms));
            }
        }
        met
    }
}

/// What a call asks for, as far as faults look at it.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub route: Route,
    pub method: Method,
    /// The match whose document or timeline that is, if it exists.
    pub game: Option<AskedGame>,
}

/// A match that was asked for, at the world's now.
#[derive(Debug, Clone, Copy)]
pub struct AskedGame {
    /// A number that is its own.
    pub hash: u64,
    pub since_start: Duration,
    pub since_end: Duration,
}

/// What a call met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Met {
    /// With its time, if the rule tells one.
    pub fault: Option<(FaultKind, Option<u64>)>,
    pub shapes: Vec<Shaped>,
}

/// A fault that changes what is listed or true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shaped {
    pub kind: FaultKind,
    pub number: Option<usize>,
}

impl Asked {
    fn is_met_by(&self, rule: &FaultRule, seed: u64) -> bool {
        let is_here = rule.route.is_none_or(|of| of == self.route)
            && rule.method.is_none_or(|of| of == self.method);
        // Drawn by the kind, not by the rule's place: the same ids in every script.
        let is_listed = rule.listed.is_none_or(|share| {
            self.game.is_some_and(|game| {
                let kind = hash_text(seed, rule.kind.as_str());
                Draw::new(hash(&[kind, 0x1157, game.hash])).unit() < share
            })
        });
        is_here && is_listed && self.can_meet(rule.kind, rule.time_ms)
    }

    /// Whether that can go wrong with this call at all.
    pub fn can_meet(&self, kind: FaultKind, time_ms: Option<u64>) -> bool {
        match kind {
            FaultKind::OddValues => self.game.is_some(),
            FaultKind::ListCap | FaultKind::SamePage => self.method == Method::MatchIds,
            FaultKind::NotFoundYoung => self.game.is_some_and(|game| {
                let served_after = time_ms.map_or(YOUNG, Duration::from_millis);
                game.since_end < served_after
            }),
            FaultKind::Retention if self.method == Method::MatchIds => true,
            FaultKind::Retention | FaultKind::RetentionListed => self.game.is_some_and(|game| {
                let kept = match self.method {
                    Method::Timeline => TIMELINES_KEPT,
                    _ => MATCHES_KEPT,
                };
                game.since_start > kept
            }),
            _ => true,
        }
    }
}

/// How old a match is when it is served at last, unless a rule says.
const YOUNG: Duration = Duration::from_mins(30);

#[cfg(test)]
mod tests {
    use super::*;
    use riftsync_model::{Platform, Region};

    const KR: Route = Route::Platform(Platform::Kr);
    const ASIA: Route = Route::Region(Region::Asia);

    fn plan(rules: &[&str]) -> FaultPlan {
        let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        FaultPlan::new(rules, 1000)
    }

    /// The kinds that these calls meet; "-" for none.
    fn met(plan: &mut FaultPlan, calls: &[(Route, Method, u64)]) -> Vec<&'static str> {
        calls
            .iter()
            .map(|(route, method, now_ms)| {
                let asked = Asked {
                    route: *route,
                    method: *method,
                    game: None,
                };
                let met = plan.of_call(1, &asked, *now_ms);
                met.fault.map_or("-", |(kind, _)| kind.as_str())
            })
            .collect()
    }

    #[test]
    fn a_rule_counts_only_the_calls_of_its_place() {
        let mut plan = plan(&["reset@asia/match:2"]);
        let calls = [
            (ASIA, Method::Match, 1000),
            (ASIA, Method::Timeline, 1000),
            (KR, Method::Match, 1000),
            (ASIA, Method::Match, 1000),
            (ASIA, Method::Match, 1000),
        ];
        assert_eq!(met(&mut plan, &calls), ["-", "-", "-", "reset", "-"]);
    }

    #[test]
    fn the_first_rule_that_strikes_decides_and_the_others_count_on() {
        let mut plan = plan(&["503@2", "500@2..3", "401@match:3.."]);
        let calls = [(KR, Method::Match, 1000); 5];
        assert_eq!(met(&mut plan, &calls), ["-", "503", "500", "401", "401"]);
    }

    #[test]
    fn an_outage_begins_and_ends_by_the_time_since_the_script_was_set() {
        let mut plan = plan(&["503@kr:1s", "504@2s..3s"]);
        let calls = [
            (KR, Method::Status, 1000),
            (ASIA, Method::Match, 1000),
            (KR, Method::Status, 1999),
            (KR, Method::Status, 2000),
            (KR, Method::Status, 3000),
            (ASIA, Method::Match, 3999),
            (ASIA, Method::Match, 4000),
        ];
        assert_eq!(
            met(&mut plan, &calls),
            ["503", "-", "503", "-", "504", "504", "-"]
        );
    }

    /// A timeline of a match that ended so long ago.
    fn timeline(hash: u64, ago: Duration) -> Asked {
        let game = AskedGame {
            hash,
            since_start: ago + Duration::from_mins(30),
            since_end: ago,
        };
        Asked {
            route: ASIA,
            method: Method::Timeline,
            game: Some(game),
        }
    }

    #[test]
    fn a_share_of_the_listed_ids_is_the_same_in_every_script_and_for_both_documents() {
        let struck = |rules: &[&str], method| -> Vec<u64> {
            let mut plan = plan(rules);
            let mut met = |hash| {
                let asked = Asked {
                    method,
                    ..timeline(hash, Duration::from_hours(9))
                };
                plan.of_call(7, &asked, 1000).fault.is_some()
            };
            (0..2000).filter(|hash| met(*hash)).collect()
        };
        let ids = struck(&["404@listed:10%"], Method::Timeline);
        assert!((150..250).contains(&ids.len()), "{}", ids.len());
        assert_eq!(struck(&["404@listed:10%"], Method::Match), ids);
        let other_script = ["403@kr", "404@asia/listed:10%:1s"];
        assert_eq!(struck(&other_script, Method::Match), ids);
        let wider = struck(&["404@listed:20%"], Method::Match);
        assert!(ids.iter().all(|id| wider.contains(id)));
        let refused = struck(&["403@listed:10%"], Method::Match);
        assert_ne!(refused, ids, "each kind has its own");
        assert!(struck(&["404@listed/match"], Method::Timeline).is_empty());
        let nothing = Asked {
            game: None,
            ..timeline(0, Duration::ZERO)
        };
        assert_eq!(
            plan(&["404@listed"]).of_call(7, &nothing, 1000),
            Met::default()
        );
    }

    #[test]
    fn what_is_too_young_or_too_old_is_told_by_the_age_of_the_match() {
        let (hour, year) = (Duration::from_hours(1), Duration::from_hours(24 * 365));
        let met = |rule: &str, asked: Asked| {
            let fault = plan(&[rule]).of_call(7, &asked, 1000).fault;
            fault.is_some()
        };
        assert!(met("young-404@always", timeline(1, hour / 3)));
        assert!(!met("young-404@always", timeline(1, hour / 2)));
        assert!(met("young-404=2h@always", timeline(1, hour)));
        for kind in ["retention@always", "retention-listed@always"] {
            assert!(met(kind, timeline(1, year)));
            assert!(!met(kind, timeline(1, year.saturating_sub(hour))));
            let a_match = |ago| Asked {
                method: Method::Match,
                ..timeline(1, ago)
            };
            assert!(!met(kind, a_match((2 * year).saturating_sub(hour))));
            assert!(met(kind, a_match(2 * year)));
        }
    }

    #[test]
    fn what_shapes_a_list_strikes_beside_a_fault() {
        let ids = Asked {
            method: Method::MatchIds,
            game: None,
            ..timeline(0, Duration::ZERO)
        };
        let mut plan = plan(&[
            "list-cap=5@always",
            "503@2",
            "retention@always",
            "list-cap=9@kr",
        ]);
        let shapes = [(FaultKind::ListCap, Some(5)), (FaultKind::Retention, None)];
        let shapes: Vec<_> = shapes.map(|(kind, number)| Shaped { kind, number }).into();
        for fault in [None, Some((FaultKind::Unavailable, None))] {
            let met = plan.of_call(7, &ids, 1000);
            assert_eq!((met.fault, met.shapes), (fault, shapes.clone()));
        }
    }

    #[test]
    fn chance_is_as_frequent_as_asked_and_the_same_each_time() {
        let calls = vec![(KR, Method::Match, 1000); 4000];
        let run = || met(&mut plan(&["500@25%", "503@25%"]), &calls);
        assert_eq!(run(), run());
        let of = |kind| run().iter().filter(|met| **met == kind).count();
        assert!((900..1100).contains(&of("500")), "{}", of("500"));
        // The second rule draws for itself: it strikes a quarter of what the first one left.
        assert!((650..850).contains(&of("503")), "{}", of("503"));
        let none = met(&mut plan(&["500@0%"]), &calls);
        assert!(none.iter().all(|met| *met == "-"));
    }
}
