//! The gap analysis: of the listed matches, which documents are to be fetched. Pure.

use std::collections::HashSet;

use crate::model::MatchId;
use crate::model::records::PayloadKind;
use crate::store::StoredMatches;

/// What a sync has to fetch, and what it need not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Matches to fetch; their timelines follow from them.
    pub matches: Vec<MatchId>,
    /// Timelines of matches that are stored.
    pub timelines: Vec<MatchId>,
    pub existing_matches: usize,
    pub existing_timelines: usize,
    /// Known to be missing for good; not asked for again.
    pub missing_matches: usize,
    pub missing_timelines: usize,
    /// Cleaned away on purpose; not asked for again.
    pub cleaned_matches: usize,
}

impl Plan {
    /// Timelines to fetch, those of matches that are to be fetched included.
    pub fn timeline_calls(&self, with_timelines: bool) -> usize {
        if with_timelines {
            self.timelines.len() + self.matches.len()
        } else {
            0
        }
    }
}

/// Compares a list of ids (each once) with what is stored.
pub(super) fn plan(listed: &[MatchId], stored: &StoredMatches, with_timelines: bool) -> Plan {
    let matches: HashSet<_> = stored.matches.iter().collect();
    let timelines: HashSet<_> = stored.timelines.iter().collect();
    let missing: HashSet<_> = stored.missing.iter().collect();
    let cleaned: HashSet<_> = stored.cleaned.iter().collect();
    let mut plan = Plan::default();
    for id in listed {
        if cleaned.contains(id) {
            plan.cleaned_matches += 1;
        } else if matches.contains(id) {
            plan.existing_matches += 1;
            if timelines.contains(id) {
                plan.existing_timelines += 1;
            } else if missing.contains(&(PayloadKind::Timeline, *id)) {
                plan.missing_timelines += 1;
            } else if with_timelines {
                plan.timelines.push(*id);
            }
        } else if missing.contains(&(PayloadKind::Match, *id)) {
            plan.missing_matches += 1;
        } else {
            plan.matches.push(*id);
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u64]) -> Vec<MatchId> {
        numbers
            .iter()
            .map(|n| MatchId::new(crate::model::Platform::Kr, *n))
            .collect()
    }

    #[test]
    fn only_what_is_neither_stored_nor_known_to_be_missing_is_fetched() {
        let stored = StoredMatches {
            matches: ids(&[1, 2, 3]),
            timelines: ids(&[1]),
            missing: vec![
                (PayloadKind::Timeline, ids(&[2])[0]),
                (PayloadKind::Match, ids(&[4])[0]),
            ],
            cleaned: ids(&[6]),
        };
        let with = plan(&ids(&[1, 2, 3, 4, 5, 6]), &stored, true);
        assert_eq!(
            (with.matches.clone(), with.timelines.clone()),
            (ids(&[5]), ids(&[3]))
        );
        assert_eq!((with.existing_matches, with.existing_timelines), (3, 1));
        assert_eq!((with.missing_matches, with.missing_timelines), (1, 1));
        assert_eq!(with.cleaned_matches, 1);
        assert!(plan(&ids(&[3]), &stored, false).timelines.is_empty());
    }
}
