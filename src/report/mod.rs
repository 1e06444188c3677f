#![doc = include_str!("README.md")]

mod chart;
mod figures;
mod games;
mod page;
mod text;
mod year;

pub use games::{Companion, Game, OBJECTIVES};
pub use page::{STYLE, body, file};
pub use text::{file_name, shown};
pub use year::{
    Best, Day, Fact, GameGroup, Objective, Player, Point, Streak, Tally, Wholeness, Year, YearSpan,
};
