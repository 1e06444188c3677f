//! What the children of a job came to: kept in the parent's row, changed by the commits that change
//! the children, so progress and completion of a parent never need a look at its children.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::failure::{ABSENT, Failure};

/// Failed descendants are listed up to this many; beyond, they are counted only.
const FAILURES_LISTED_MAX: usize = 1_000;

/// Counts of the descendants of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCount {
    pub total: u32,
    /// Did their own work. They may still wait for children of their own.
    pub completed: u32,
    /// Discarded or cancelled.
    pub failed: u32,
    /// Of the failed ones, those that did not fail because the API has no such document.
    #[serde(default, skip_serializing_if = "is_none")]
    pub lost: u32,
    /// Of the completed ones, those that something is to be told of.
    #[serde(default, skip_serializing_if = "is_none")]
    pub remarked: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// One descendant that failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedChild {
    pub kind: String,
    pub key: String,
    pub reason: String,
    /// The stable word for what went wrong, as [`Failure::kind`](super::Failure) has it; of an older version: empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

impl FailedChild {
    pub fn new(kind: impl Into<String>, key: Option<String>, why: &Failure) -> Self {
        Self {
            kind: kind.into(),
            key: key.unwrap_or_default(),
            reason: why.message.clone(),
            error: why.kind.clone(),
        }
    }
}

impl FailedChild {
    /// The API has no such document, or does not give it now; else its job was discarded or cancelled.
    pub fn is_missing(&self) -> bool {
        ABSENT.contains(&self.error.as_str())
    }
}

/// The descendants of a job, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    #[serde(flatten)]
    pub kinds: BTreeMap<String, KindCount>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedChild>,
    /// What is to be told of descendants that completed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<FailedChild>,
}

impl Rollup {
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.failures.is_empty() && self.remarks.is_empty()
    }

    pub fn of(&self, kind: &str) -> KindCount {
        self.kinds.get(kind).copied().unwrap_or_default()
    }

    fn entry(&mut self, kind: &str) -> &mut KindCount {
        if !self.kinds.contains_key(kind) {
            self.kinds.insert(kind.to_owned(), KindCount::default());
        }
        self.kinds.get_mut(kind).expect("inserted above")
    }

    pub fn child_linked(&mut self, kind: &str) {
        self.entry(kind).total += 1;
    }

    pub fn child_completed(&mut self, kind: &str) {
        self.entry(kind).completed += 1;
    }

    pub fn child_failed(&mut self, failed: FailedChild) {
        let lost = u32::from(!failed.is_missing());
        let count = self.entry(&failed.kind);
        count.failed += 1;
        count.lost += lost;
        self.failures.push(failed);
        self.failures.truncate(FAILURES_LISTED_MAX);
    }

    /// A child completes, and its parent is to tell something of it.
    pub fn child_remarked(&mut self, remark: FailedChild) {
        self.entry(&remark.kind).remarked += 1;
        self.remarks.push(remark);
        self.remarks.truncate(FAILURES_LISTED_MAX);
    }

    /// Adds what a child's own children came to.
    pub fn merge(&mut self, other: &Rollup) {
        for (kind, count) in &other.kinds {
            let mine = self.entry(kind);
            mine.total += count.total;
            mine.completed += count.completed;
            mine.failed += count.failed;
            mine.lost += count.lost;
            mine.remarked += count.remarked;
        }
        self.failures.extend(other.failures.iter().cloned());
        self.failures.truncate(FAILURES_LISTED_MAX);
        self.remarks.extend(other.remarks.iter().cloned());
        self.remarks.truncate(FAILURES_LISTED_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollup_survives_its_json_and_adds_up() {
        let mut child = Rollup::default();
        child.child_linked("timeline");
        child.child_failed(FailedChild {
            kind: "timeline".into(),
            key: "KR_1".into(),
            reason: "gone".into(),
            error: String::new(),
        });
        let mut parent = Rollup::default();
        parent.child_linked("match");
        parent.child_completed("match");
        parent.merge(&child);
        let read: Rollup = serde_json::from_str(&serde_json::to_string(&parent).unwrap()).unwrap();
        assert_eq!(read, parent);
        assert_eq!(
            read.of("timeline"),
            KindCount {
                total: 1,
                completed: 0,
                failed: 1,
                lost: 1,
                remarked: 0,
            }
        );
        assert_eq!(read.failures.len(), 1);
    }

    #[test]
    fn what_is_to_be_told_of_a_descendant_comes_up_to_the_first_and_survives_its_json() {
        let remark = |key: &str| FailedChild {
            kind: "match".into(),
            key: key.into(),
            reason: "kept unread".into(),
            error: "unread".into(),
        };
        let mut child = Rollup::default();
        child.child_remarked(remark("KR_1"));
        let mut parent = Rollup::default();
        parent.child_remarked(remark("KR_2"));
        parent.merge(&child);
        let read: Rollup = serde_json::from_str(&serde_json::to_string(&parent).unwrap()).unwrap();
        assert_eq!((read.of("match").remarked, read.remarks.len()), (2, 2));
        assert_eq!((read.of("match").failed, read.failures.len()), (0, 0));
    }

    #[test]
    fn what_riot_does_not_have_is_told_from_what_was_discarded() {
        let mut parent = Rollup::default();
        for error in ["not_found", "poison_pill", "unavailable"] {
            parent.child_failed(FailedChild {
                kind: "match".into(),
                key: "KR_1".into(),
                reason: String::new(),
                error: error.into(),
            });
        }
        let count = parent.of("match");
        assert_eq!((count.failed, count.lost), (3, 2));
    }

    #[test]
    fn an_empty_object_is_an_empty_rollup() {
        assert!(serde_json::from_str::<Rollup>("{}").unwrap().is_empty());
    }

    #[test]
    fn the_list_of_failures_is_bounded_but_their_count_is_not() {
        let mut parent = Rollup::default();
        for n in 0..1_500 {
            parent.child_failed(FailedChild {
                kind: "m".into(),
                key: n.to_string(),
                reason: String::new(),
                error: String::new(),
            });
        }
        assert_eq!(
            (parent.failures.len(), parent.of("m").failed),
            (1_000, 1_500)
        );
    }
}
