//! What Riot's published files call things: champions, items, runes, spells, queues, maps and modes.

use serde::Serialize;

/// A kind of thing that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NamedKind {
    Champion,
    Item,
    Rune,
    Spell,
    Queue,
    Map,
    Mode,
}

impl NamedKind {
    pub const ALL: [Self; 7] = [
        Self::Champion,
        Self::Item,
        Self::Rune,
        Self::Spell,
        Self::Queue,
        Self::Map,
        Self::Mode,
    ];

    /// As the column `kind` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Champion => "champion",
            Self::Item => "item",
            Self::Rune => "rune",
            Self::Spell => "spell",
            Self::Queue => "queue",
            Self::Map => "map",
            Self::Mode => "mode",
        }
    }
}

/// The name of a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StaticName {
    /// Riot's number, or the word of a mode.
    pub id: String,
    pub name: String,
    /// Its file in Data Dragon.
    pub image: Option<String>,
}

/// The patch of a version as people call it: `16.4` of `16.4.1`. None: it is no version.
pub fn patch_of_version(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    let (major, minor) = (parts.next()?, parts.next()?);
    let is_number = |part: &str| {
        (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let rest_is_fine = version.len() <= 40
        && version
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_');
    (is_number(major) && is_number(minor) && rest_is_fine).then(|| format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_is_the_beginning_of_a_version_and_nothing_else_is_one() {
        assert_eq!(patch_of_version("16.4.1").as_deref(), Some("16.4"));
        assert_eq!(patch_of_version("16.10").as_deref(), Some("16.10"));
        for wrong in [
            "",
            "16",
            "lolpatch_3.7",
            "16.x.1",
            "16.4/../..",
            "16.4.1?x",
            "99999.1.1",
        ] {
            assert_eq!(patch_of_version(wrong), None, "{wrong}");
        }
    }
}
