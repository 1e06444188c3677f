//! The Riot Games API: one call, no retries, no waiting. What a failure means for its caller is in
//! its type.

mod client;
mod error;
mod lenient;
mod match_details;
mod match_rows;
mod people;
#[cfg(test)]
mod properties;
mod published;
mod reading;
mod repack;
mod timeline_details;
pub mod timeline_rows;
mod unpack;

pub use client::{
    Answered, ApiKey, BaseUrl, Call, Method, RateHeaders, Response, RiotClient, Transport, chain,
    install_tls, read_answer,
};
pub use error::{LimitScope, RiotError};
pub use lenient::Odd;
pub use match_rows::{parse_match, understand_match};
pub use people::{
    Account, LeagueEntry, Summoner, parse_account, parse_league, parse_league_page, parse_mastery,
    parse_match_ids, parse_ranks, parse_region, parse_summoner,
};
pub use published::{
    Fetched, File, Published, PublishedClient, PublishedError, parse_names, parse_versions,
};
pub use reading::{Reading, Understood, kept};
pub use repack::{LEVELS, Packer, Repack, to_gzip, train};
pub use timeline_details::{parse_timeline, understand_timeline};
pub use unpack::{as_gzip, document_of, unpack, unpacked};
