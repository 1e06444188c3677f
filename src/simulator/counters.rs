//! What the simulator saw: how a client behaved, told from the outside.

use std::collections::BTreeMap;

use crate::simulator::call::Method;
use crate::simulator::faults::FaultKind;

/// A copy of the counts at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Everything that arrived, whatever became of it.
    pub calls: u64,
    /// Calls with an accepted key to an existing path.
    pub by_method: BTreeMap<Method, u64>,
    /// Answers that were sent. A reset connection has none.
    pub by_status: BTreeMap<u16, u64>,
    pub limited_application: u64,
    pub limited_method: u64,
    pub limited_service: u64,
    /// 429 without a type.
    pub limited_untyped: u64,
    /// Calls beyond a limit, also where the simulator is lenient and answers them.
    pub over_limit: u64,
    pub faults: BTreeMap<FaultKind, u64>,
    /// Calls without a key, or with one that is not accepted.
    pub key_refused: u64,
    /// Bytes of bodies as sent.
    pub body_bytes: u64,
}

impl Counters {
    pub fn of_method(&self, method: Method) -> u64 {
        self.by_method.get(&method).copied().unwrap_or(0)
    }

    pub fn of_status(&self, status: u16) -> u64 {
        self.by_status.get(&status).copied().unwrap_or(0)
    }

    /// All 429 answers.
    pub fn limited(&self) -> u64 {
        self.of_status(429)
    }
}
