//! Statements that are prepared once: the macro is the engine's, whose own SQL is written with it too.

pub(super) use crate::engine::statement;
