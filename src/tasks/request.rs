//! A player's year as somebody asks for it.

use serde::Deserialize;

use crate::basics::{Form, Shown, form};
use crate::model::{Platform, Puuid, RiotId};

/// [`PlayerSyncArgs`] as somebody writes them: the name in one or in two parts, the year left out or not checked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    #[serde(default)]
    pub(super) riot_id: Option<RiotId>,
    #[serde(default)]
    pub(super) puuid: Option<Puuid>,
    #[serde(default)]
    pub(super) game_name: Option<String>,
    #[serde(default)]
    pub(super) tag_line: Option<String>,
    pub(super) platform: Platform,
    #[serde(default)]
    pub(super) year: Option<i16>,
    #[serde(default = "yes")]
    pub(super) timelines: bool,
    #[serde(default)]
    pub(super) dry_run: bool,
    /// Of a recovery only.
    #[serde(default)]
    pub(super) verify: bool,
    #[serde(default = "yes")]
    pub(super) track: bool,
    #[serde(default)]
    pub(super) old_timelines: bool,
    #[serde(default)]
    pub(super) wait: bool,
}

impl Order {
    /// What people fill in; a recovery alone can verify.
    pub(super) fn form(kind: &'static str, about: &'static str, verify: Shown) -> Form {
        form!(
            kind,
            about,
            Order {
                riot_id: Shown::Needed("Riot ID", "Name#TAG"),
                platform: Shown::Needed("Platform", "kr, euw1, na1 ..."),
                year: Shown::Needed("Year", "2026"),
                timelines: Shown::Asked("Timelines too", "yes"),
                old_timelines: Shown::Asked(
                    "Timelines that Riot has deleted by its rules, too",
                    "no"
                ),
                track: Shown::Asked("Again by schedule", "yes"),
                wait: Shown::Asked("Wait for matches that are too young to be served", "no"),
                verify: verify,
                dry_run: Shown::Asked("Only count", "no"),
                // People name a player in one way.
                puuid: Shown::Hidden,
                game_name: Shown::Hidden,
                tag_line: Shown::Hidden,
            }
        )
    }
}

fn yes() -> bool {
    true
}
