//! What an attempt stands still for, as it says itself.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// Its end cannot be stored now.
    Commit,
    /// A service that tasks lean on keeps it. Both are words of that service: its name, and what of it.
    Service {
        name: &'static str,
        part: &'static str,
    },
}
