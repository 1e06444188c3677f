#![doc = include_str!("README.md")]

mod chart;
mod compare;
mod figures;
mod games;
mod kills;
mod leads;
mod match_page;
mod one_match;
mod page;
mod ranks;
mod recap;
mod text;
mod thin;
mod year;

pub use compare::{ComparedPaths, compared_body, compared_file};
pub use games::{Companion, Game, Kill, Lead, OBJECTIVES, SeenRank};
pub use kills::{KillMap, KillPhase, Spots};
pub use leads::{LEAD_GAMES_MIN, LeadMinute, Leads, Quartiles};
pub use match_page::match_body;
pub use one_match::{Event, OneMatch, Participant, Team};
pub use page::{STYLE, View, body, file};
pub use ranks::{RankLine, RankPoint, rank_lines};
pub use text::{file_name, shown};
pub use year::{
    Best, Day, Fact, GameGroup, Objective, Player, Point, Recent, Streak, Tally, Wholeness, Year,
    YearSpan,
};
