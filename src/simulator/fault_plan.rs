//! A script of faults on its way: which of its rules a call meets.

use crate::model::Route;
use crate::simulator::call::Method;
use crate::simulator::fault_rule::{FaultRule, When};
use crate::simulator::hash::{Draw, hash};

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

    /// What happens to this call: the first rule that strikes decides, and all of them count it.
    pub fn of_call(
        &mut self,
        seed: u64,
        route: Route,
        method: Method,
        now_ms: u64,
    ) -> Option<&FaultRule> {
        let elapsed_ms = now_ms.saturating_sub(self.since_ms);
        let mut struck = None;
        for (place, (rule, calls)) in (0_u64..).zip(&mut self.rules) {
            let is_here = rule.route.is_none_or(|of| of == route)
                && rule.method.is_none_or(|of| of == method);
            if !is_here {
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
            if strikes && struck.is_none() {
                struck = Some(&*rule);
            }
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Platform, Region};

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
                let rule = plan.of_call(1, *route, *method, *now_ms);
                rule.map_or("-", |rule| rule.kind.as_str())
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
