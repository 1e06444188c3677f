//! The names of things: players, matches, servers. Every value of these types is valid, so nothing
//! further down checks again, and nothing unchecked becomes part of a URL or a file name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use riftsync_basics::form::{Argument, Shape};
use riftsync_basics::typed::{cleaned, is_hash, is_joiner, is_unseen};

macro_rules! texts {
    ($($type:ty),*) => {
        $(impl Argument for $type {
            const SHAPE: Shape = Shape::Text;
        })*
    };
}
texts!(RiotId, Puuid, Platform, MatchId);

/// Why a text is not the name it was taken for. The message names the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("'{0}' is not a Riot ID: it has no '#'. Write it as \"Name#TAG\", in quotes")]
    RiotIdWithoutHash(String),
    #[error("'{0}' is not a Riot ID: {1}. Write it as \"Name#TAG\", in quotes")]
    RiotId(String, &'static str),
    #[error("'{0}' is not a platform. Known: {known}", known = Platform::known())]
    Platform(String),
    #[error("'{0}' is not a puuid: it must be {len} letters, digits, '-' or '_'", len = Puuid::LEN)]
    Puuid(String),
    #[error("'{0}' is not a match id: it looks like EUW1_6834713231")]
    MatchId(String),
}

/// A player's public name: `Name#TAG`. Compared without case by Riot, kept as written here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RiotId {
    game_name: String,
    tag_line: String,
}

impl RiotId {
    /// Longest part in characters. Riot allows 16 and 5; old accounts have more, and a limit there must be.
    const PART_CHARS_MAX: usize = 32;

    /// Of both parts what nobody can see is left out, and letters are composed: see `typed`.
    pub fn new(game_name: &str, tag_line: &str) -> Result<Self, IdError> {
        let [name, tag] = [game_name, tag_line].map(cleaned);
        let wrong = |why| Err(IdError::RiotId(shown(&format!("{name}#{tag}")), why));
        for (part, empty, long, climbs) in [
            (
                &name,
                "the name before '#' is empty",
                "the name is too long",
                "the name is nothing but dots",
            ),
            (
                &tag,
                "the tag after '#' is empty",
                "the tag is too long",
                "the tag is nothing but dots",
            ),
        ] {
            if part.is_empty() {
                return wrong(empty);
            }
            if part.chars().count() > Self::PART_CHARS_MAX {
                return wrong(long);
            }
            if part.chars().any(is_hash) {
                return wrong("it has a second '#'");
            }
            if part.contains(char::is_control) {
                return wrong("it has a control character, such as a tab, in the middle");
            }
            // In the path of a URL they would lead to another place, and no escape keeps them from it.
            if matches!(&**part, "." | "..") {
                return wrong(climbs);
            }
        }
        Ok(Self {
            game_name: name.into_owned(),
            tag_line: tag.into_owned(),
        })
    }

    pub fn game_name(&self) -> &str {
        &self.game_name
    }

    pub fn tag_line(&self) -> &str {
        &self.tag_line
    }

    /// One spelling for all that Riot treats as the same name; used in unique keys and look-ups.
    pub fn folded(&self) -> String {
        fold_name(&self.game_name) + "#" + &fold_name(&self.tag_line)
    }
}

/// A text in an error message: what is not seen would be no help there, nor would a book.
fn shown(text: &str) -> String {
    let seen = text.chars().filter(|c| !c.is_control() && !is_unseen(*c));
    seen.take(100).collect()
}

/// Riot compares names without case and without blanks.
fn fold_name(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !is_joiner(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

impl FromStr for RiotId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (name, tag) = text
            .split_once(is_hash)
            .ok_or_else(|| IdError::RiotIdWithoutHash(shown(&cleaned(text))))?;
        Self::new(name, tag)
    }
}

impl TryFrom<String> for RiotId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<RiotId> for String {
    fn from(id: RiotId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for RiotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.game_name, self.tag_line)
    }
}

/// A player's id in the API: 78 characters, encrypted for one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Puuid(Box<str>);

impl Puuid {
    pub const LEN: usize = 78;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Puuid {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let valid = text.len() == Self::LEN
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(IdError::Puuid(shown(text)))
        }
    }
}

impl TryFrom<String> for Puuid {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Puuid> for String {
    fn from(id: Puuid) -> Self {
        id.0.into()
    }
}

impl fmt::Display for Puuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! platforms {
    ($($variant:ident $code:literal $region:ident),* $(,)?) => {
        /// One game server. `ph2` and `th2` were merged into `sg2` in 2025; their matches keep their ids.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Platform { $($variant),* }

        impl Platform {
            pub const ALL: &'static [Platform] = &[$(Platform::$variant),*];

            /// The code in lower case, as host names have it.
            pub fn as_str(self) -> &'static str {
                match self { $(Platform::$variant => $code),* }
            }

            /// The regional route that serves this platform's matches.
            pub fn region(self) -> Region {
                match self { $(Platform::$variant => Region::$region),* }
            }
        }
    };
}

platforms! {
    Br1 "br1" Americas, La1 "la1" Americas, La2 "la2" Americas, Na1 "na1" Americas,
    Jp1 "jp1" Asia, Kr "kr" Asia,
    Eun1 "eun1" Europe, Euw1 "euw1" Europe, Me1 "me1" Europe, Ru "ru" Europe, Tr1 "tr1" Europe,
    Oc1 "oc1" Sea, Sg2 "sg2" Sea, Tw2 "tw2" Sea, Vn2 "vn2" Sea, Ph2 "ph2" Sea, Th2 "th2" Sea,
}

impl Platform {
    /// The codes for a message or a help text.
    pub fn known() -> String {
        Self::ALL
            .iter()
            .map(|p| p.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The code as match ids have it: `EUW1`.
    pub fn upper(self) -> String {
        self.as_str().to_ascii_uppercase()
    }
}

impl FromStr for Platform {
    type Err = IdError;
    /// Takes the code in any case, and the names players use (`euw`, `na`, `eune`, ...).
    fn from_str(text: &str) -> Result<Self, IdError> {
        let lower = text.trim().to_ascii_lowercase();
        let code = match lower.as_str() {
            "br" => "br1",
            "eune" | "eun" => "eun1",
            "euw" => "euw1",
            "jp" => "jp1",
            "lan" => "la1",
            "las" => "la2",
            "me" => "me1",
            "na" => "na1",
            "oce" | "oc" => "oc1",
            "ph" => "ph2",
            "sg" => "sg2",
            "th" => "th2",
            "tr" => "tr1",
            "tw" => "tw2",
            "vn" => "vn2",
            other => other,
        };
        Self::ALL
            .iter()
            .copied()
            .find(|p| p.as_str() == code)
            .ok_or_else(|| IdError::Platform(shown(text)))
    }
}

impl TryFrom<String> for Platform {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.as_str().to_owned()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A regional route: a cluster that serves several platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    Americas,
    Asia,
    Europe,
    Sea,
}

impl Region {
    pub const ALL: &'static [Region] =
        &[Region::Americas, Region::Asia, Region::Europe, Region::Sea];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Americas => "americas",
            Self::Asia => "asia",
            Self::Europe => "europe",
            Self::Sea => "sea",
        }
    }

    /// account-v1 is not served by `sea`; `asia` answers for it.
    #[must_use]
    pub fn for_accounts(self) -> Region {
        match self {
            Self::Sea => Self::Asia,
            other => other,
        }
    }
}

/// A host of the API. Rate limits are counted for each one apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Route {
    Platform(Platform),
    Region(Region),
}

impl Route {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform(platform) => platform.as_str(),
            Self::Region(region) => region.as_str(),
        }
    }
}

impl FromStr for Route {
    type Err = IdError;
    /// Only exact codes: a route comes from a URL, not from a person.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Some(region) = Region::ALL.iter().find(|r| r.as_str() == text) {
            return Ok(Self::Region(*region));
        }
        Platform::ALL
            .iter()
            .find(|p| p.as_str() == text)
            .map(|p| Self::Platform(*p))
            .ok_or_else(|| IdError::Platform(shown(text)))
    }
}

impl TryFrom<String> for Route {
    type Error = String;
    /// As a person writes it.
    fn try_from(text: String) -> Result<Self, String> {
        let route = text.to_ascii_lowercase().parse();
        route.map_err(|_| {
            let text: String = text.chars().take(100).collect();
            format!("'{text}' is no route. Write a platform (euw1) or a region (europe)")
        })
    }
}

impl From<Route> for String {
    fn from(route: Route) -> Self {
        route.as_str().to_owned()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `EUW1_6834713231`: where the match was played, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MatchId {
    platform: Platform,
    game_id: u64,
}

impl MatchId {
    pub fn new(platform: Platform, game_id: u64) -> Self {
        Self { platform, game_id }
    }

    pub fn platform(self) -> Platform {
        self.platform
    }

    pub fn game_id(self) -> u64 {
        self.game_id
    }

    /// The route that serves it: by the id's own prefix, for players move between platforms.
    pub fn route(self) -> Route {
        Route::Region(self.platform.region())
    }
}

impl FromStr for MatchId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError::MatchId(shown(text));
        let (prefix, number) = text.split_once('_').ok_or_else(error)?;
        let platform = Platform::ALL
            .iter()
            .copied()
            .find(|p| p.as_str().eq_ignore_ascii_case(prefix))
            .ok_or_else(error)?;
        // `parse` would take a sign and leading zeros, which would give one match two names.
        if number.is_empty()
            || number.starts_with('0')
            || !number.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(error());
        }
        let game_id = number.parse().map_err(|_| error())?;
        Ok(Self { platform, game_id })
    }
}

impl TryFrom<String> for MatchId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<MatchId> for String {
    fn from(id: MatchId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for MatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.platform.upper(), self.game_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_riot_id_keeps_unicode_and_blanks_and_folds_what_riot_folds() {
        let id: RiotId = "Hide on bush#KR1".parse().unwrap();
        assert_eq!((id.game_name(), id.tag_line()), ("Hide on bush", "KR1"));
        assert_eq!(id.folded(), "hideonbush#kr1");
        assert_eq!(
            "페이커#한국".parse::<RiotId>().unwrap().to_string(),
            "페이커#한국"
        );
    }

    #[test]
    fn a_riot_id_that_cannot_be_one_says_how_to_write_it() {
        for bad in [
            "Faker",
            "#KR1",
            "Faker#",
            "a#b#c",
            "x\u{7}y#KR1",
            "x\ty#KR1",
            " #KR1",
        ] {
            let message = bad.parse::<RiotId>().unwrap_err().to_string();
            assert!(message.contains("Name#TAG"), "{message}");
        }
        assert!("a".repeat(40).add_tag().parse::<RiotId>().is_err());
    }

    #[test]
    fn a_pasted_name_is_the_one_that_is_seen() {
        for (pasted, meant) in [
            ("\u{2066}Probe\u{2069}#TST", "Probe#TST"),
            (
                "\u{627}\u{200c}\u{61c}C\u{200d}\u{301}#TST",
                "\u{627}\u{106}#TST",
            ),
            ("\u{feff}Probe#TST", "Probe#TST"),
            ("Pro\u{200b}be#T\u{ad}ST", "Probe#TST"),
            ("Probe\u{ff03}TST", "Probe#TST"),
            ("Probe\u{fe5f}TST", "Probe#TST"),
            ("\u{202b}Probe \u{202c}#\u{a0}TST\u{a0}\r\n", "Probe#TST"),
            ("\u{0}Probe#TST\u{7}", "Probe#TST"),
            ("Hide\u{a0}on\u{3000}bush#KR1", "Hide on bush#KR1"),
            (
                "\u{1102}\u{1161}\u{1105}\u{1161}#\u{1112}\u{1161}\u{11ab}",
                "나라#한",
            ),
            ("Cafe\u{301}#E\u{301}", "Caf\u{e9}#\u{c9}"),
            ("e\u{200d}\u{301}x#1", "\u{e9}x#1"),
            ("A\u{2060}B\u{200c}C#T\u{e0041}AG", "ABC#TAG"),
        ] {
            let id = pasted.parse::<RiotId>().unwrap();
            assert_eq!(id.to_string(), meant, "{pasted:?}");
        }
    }

    #[test]
    fn a_joiner_stays_where_it_changes_a_letter_and_makes_no_other_name() {
        let with: RiotId = "\u{645}\u{6cc}\u{200c}\u{62e}#IR".parse().unwrap();
        assert!(with.game_name().contains('\u{200c}'));
        let without: RiotId = "\u{645}\u{6cc}\u{62e}#IR".parse().unwrap();
        assert_eq!(with.folded(), without.folded());
        let at_the_end: RiotId = "\u{645}\u{200c}#IR".parse().unwrap();
        assert_eq!(at_the_end.game_name(), "\u{645}");
    }

    #[test]
    fn a_name_that_would_climb_out_of_a_path_is_none() {
        for bad in [
            "..#TAG",
            ".#TAG",
            "Name#..",
            "Name#.",
            "\u{200b}..#TAG",
            ". \u{feff}#TAG",
        ] {
            let why = bad.parse::<RiotId>().unwrap_err().to_string();
            assert!(why.contains("dots") && why.contains("Name#TAG"), "{why}");
        }
        for good in ["...#TAG", ".a#TAG", "a/../b#TAG", "%2e%2e#TAG", "..\\#TAG"] {
            assert!(good.parse::<RiotId>().is_ok(), "{good}");
        }
        let hidden = "\u{200b}\u{2060}#TAG".parse::<RiotId>().unwrap_err();
        assert!(hidden.to_string().contains("empty"), "{hidden}");
    }

    trait AddTag {
        fn add_tag(&self) -> String;
    }
    impl AddTag for String {
        fn add_tag(&self) -> String {
            format!("{self}#KR1")
        }
    }

    #[test]
    fn platforms_are_taken_by_code_in_any_case_and_by_the_names_players_use() {
        for platform in Platform::ALL {
            assert_eq!(platform.upper().parse(), Ok(*platform));
        }
        assert_eq!("euw".parse(), Ok(Platform::Euw1));
        assert!(
            "xx9"
                .parse::<Platform>()
                .unwrap_err()
                .to_string()
                .contains("euw1")
        );
    }

    #[test]
    fn what_an_error_quotes_is_short_and_controls_no_terminal() {
        let text = format!("\u{1b}[31m\u{202e}eu\tw{}", "x".repeat(5_000));
        for told in [
            text.parse::<RiotId>().unwrap_err(),
            text.parse::<MatchId>().unwrap_err(),
            text.parse::<Platform>().unwrap_err(),
            text.parse::<Route>().unwrap_err(),
            text.parse::<Puuid>().unwrap_err(),
        ] {
            let told = told.to_string();
            assert!(told.len() < 400 && told.contains("[31meuwxx"), "{told}");
            assert!(!told.contains(|c: char| c.is_control() || is_unseen(c)));
        }
    }

    #[test]
    fn a_match_id_has_one_spelling_and_routes_by_its_prefix() {
        let id: MatchId = "TH2_24825892".parse().unwrap();
        assert_eq!(id.route(), Route::Region(Region::Sea));
        assert_eq!(id.to_string(), "TH2_24825892");
        for bad in [
            "EUW1",
            "EUW1_",
            "EUW1_-5",
            "EUW1_+5",
            "EUW1_05",
            "XX_5",
            "EUW1_5/..",
            "EUW1_99999999999999999999",
        ] {
            assert!(bad.parse::<MatchId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_puuid_is_78_url_safe_characters() {
        assert!("a".repeat(78).parse::<Puuid>().is_ok());
        for bad in [
            "BOT".to_owned(),
            "a".repeat(77),
            "a".repeat(79),
            "/".repeat(78),
        ] {
            assert!(bad.parse::<Puuid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn accounts_of_sea_are_asked_for_in_asia() {
        assert_eq!(Platform::Sg2.region().for_accounts(), Region::Asia);
        assert_eq!(Platform::Kr.region().for_accounts(), Region::Asia);
        assert_eq!(Platform::Na1.region().for_accounts(), Region::Americas);
    }
}
