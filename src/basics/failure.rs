//! Why an attempt failed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The words of failures ([`Failure::kind`]) which say that what a job was to bring is not there, or not now. Any other
/// failure is work that was lost.
pub const ABSENT: [&str; 6] = [
    "not_found",
    "refused",
    "too_old",
    "not_yet",
    "outage",
    "unusable",
];

/// Why an attempt failed, in the shape every program sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word for programs: `not_found`, `unavailable`, `panic`, ...
    pub kind: String,
    pub message: String,
    pub retryable: bool,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remedy: Option<String>,
    /// Somebody has told people of it, for all jobs that it concerns.
    #[serde(skip)]
    pub told: bool,
}

impl Failure {
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.into(),
            retryable: false,
            remedy: None,
            told: false,
        }
    }

    /// The log has it already, once for all jobs that it concerns.
    #[must_use]
    pub fn told(mut self) -> Self {
        self.told = true;
        self
    }

    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
