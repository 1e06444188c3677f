pub mod model;
pub mod simulator;
