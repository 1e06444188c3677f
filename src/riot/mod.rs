//! The Riot Games API: one call, no retries, no waiting. What a failure means for its caller is in
//! its type.

mod client;
mod documents;
mod error;
mod people;
mod repack;
pub mod timeline_rows;
mod unpack;

pub use client::{
    Answered, ApiKey, BaseUrl, Call, Method, RateHeaders, Response, RiotClient, Transport,
    install_tls,
};
pub use documents::{parse_match, parse_timeline};
pub use error::{LimitScope, RiotError};
pub use people::{
    Account, LeagueEntry, Summoner, parse_account, parse_league, parse_league_page,
    parse_match_ids, parse_region, parse_summoner,
};
pub use repack::{LEVELS, Packer, Repack, to_gzip, train};
pub use unpack::{as_gzip, document_of, unpack, unpacked};
