//! SQLite.

pub mod codes;
