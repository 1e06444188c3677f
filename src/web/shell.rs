//! What is round every page: the links to others, and where style and script are.

use super::assets;
use super::site::Site;

/// What is round every page.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    /// The path that all links begin with.
    pub(crate) base: String,
    pub(crate) hash: &'static str,
    /// The page's name in the list of pages; empty: it is not in there.
    pub(crate) page: &'static str,
    pub(crate) signed_in: bool,
    pub(crate) read_only: bool,
}

/// The pages that are named on each.
const PAGES: [(&str, &str); 9] = [
    ("", "Overview"),
    ("jobs", "Jobs"),
    ("submit", "Submit"),
    ("players", "Players"),
    ("actors", "Actors"),
    ("schedules", "Schedules"),
    ("data", "Data"),
    ("settings", "Settings"),
    ("log", "Log"),
];

impl Shell {
    pub(crate) fn new(site: &Site, page: &'static str) -> Self {
        Self {
            page,
            signed_in: true,
            ..Self::stranger(site)
        }
    }

    /// For who has not signed in.
    pub(crate) fn stranger(site: &Site) -> Self {
        Self {
            base: site.place.settings.prefix.clone(),
            hash: &assets::HASH,
            page: "-",
            signed_in: false,
            read_only: site.place.settings.read_only,
        }
    }

    pub(crate) fn pages(&self) -> &'static [(&'static str, &'static str)] {
        if self.signed_in { &PAGES } else { &[] }
    }
}
