//! Statements that are prepared once: the macros are the engine's, whose own SQL is written with them too.

pub(super) use crate::engine::statement::List;
pub(super) use crate::engine::{shared_statement, statement};
