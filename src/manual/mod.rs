//! The manual, a page for each subject. `riftsync help TOPIC` prints the same pages.

/// A page of the manual, as it was written: Markdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// What `riftsync help` calls it. No verb has the same name.
    pub topic: &'static str,
    /// What it is about, in a few words.
    pub about: &'static str,
    pub text: &'static str,
}

/// A module for each page, with the page as its documentation, and the list of all of them.
macro_rules! pages {
    ($($topic:ident: $about:literal,)*) => {
        $(
            #[allow(clippy::doc_markdown, reason = "for people who read it as it is")]
            #[doc = include_str!(concat!(stringify!($topic), ".md"))]
            pub mod $topic {}
        )*

        /// All pages, in the order in which they are listed.
        pub const PAGES: &[Page] = &[$(Page {
            topic: stringify!($topic),
            about: $about,
            text: include_str!(concat!(stringify!($topic), ".md")),
        },)*];
    };
}

pages! {
    guide: "First steps, many players, tracking, schedules, exports",
    recovery: "Find and mend what is missing, delete what is old, save space",
    operations: "A service, containers, backups, PostgreSQL, several engines, settings",
    data: "Every table and column, and questions in SQL",
    limits: "The key's limits, other programs on the key, outages",
    protocol: "The control socket, for other programs",
    metrics: "The metrics log and Prometheus",
    simulator: "A Riot API for tests: limits, faults, switches",
    speed: "What was measured, and how to measure it",
    comparison: "Other programs, and what they do better",
    architecture: "How it works, and where each thing is decided",
    library: "The engine with kinds of jobs of your own",
}

/// The page of a topic.
pub fn page(topic: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.topic == topic)
}
