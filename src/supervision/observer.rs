//! Who watches the lives of children, and how those end.

use serde_json::Value;

/// How a child came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// It finished what it was for.
    Normal,
    /// It was told to stop, and did.
    Shutdown,
    /// It panicked, or its arbiter dropped it.
    Died(String),
}

/// Who is told of the lives of children and supervisors, each by its path: `/engine/queues/match_processing`.
pub trait Observer: Send + Sync {
    /// A child was made, for the first time or again.
    fn started(&self, path: &str);
    /// A child says how it stands.
    fn reported(&self, _path: &str, _state: Value) {}
    /// A child ended that nobody had told to.
    fn ended(&self, path: &str, reason: &EndReason);
    /// A supervisor restarted more than it may, and ends.
    fn gave_up(&self, path: &str, why: &str);
}
