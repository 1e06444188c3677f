//! Who else uses the key.

use std::collections::BTreeMap;

use super::Route;

/// Those who use it now, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Company {
    /// The databases of other riftsyncs of this machine: they share its limits.
    pub databases: Vec<String>,
    /// What other programs use of a route's limits, in percent.
    pub strangers: BTreeMap<Route, u32>,
}
