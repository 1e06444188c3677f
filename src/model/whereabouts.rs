//! Where a player plays, as far as anybody can tell.

use super::Platform;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    On(Platform),
    /// Nobody is called so.
    Nobody,
    /// It cannot be told, and why.
    Untold(String),
}
