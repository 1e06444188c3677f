//! The engine over a riftsync database: its types, with that store put in.

use super::{Effect, Store};

pub type Engine = crate::engine::Engine<dyn Store>;
pub type EngineHandle = crate::engine::EngineHandle<dyn Store>;
pub type JobContext = crate::engine::JobContext<dyn Store>;
pub type Looker = crate::engine::scheduler::Looker<dyn Store>;
pub type Registry = crate::engine::Registry<dyn Store>;
pub type Services = crate::engine::Services<dyn Store>;
pub type TaskFuture = crate::engine::TaskFuture<Effect>;
pub type TaskResult = crate::engine::TaskResult<Effect>;
