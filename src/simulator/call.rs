//! Requests, read: which operation a path means, and the parameters behind it.

use percent_encoding::percent_decode_str;

/// An operation of the API, as rate limits tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    AccountByRiotId,
    AccountByPuuid,
    AccountRegion,
    Summoner,
    MatchIds,
    Match,
    Timeline,
    ChallengerLeague,
    GrandmasterLeague,
    MasterLeague,
    LeagueEntries,
    LeagueExpEntries,
    LeagueOfPlayer,
    Mastery,
    Status,
}

impl Method {
    pub const ALL: [Self; 15] = [
        Self::AccountByRiotId,
        Self::AccountByPuuid,
        Self::AccountRegion,
        Self::Summoner,
        Self::MatchIds,
        Self::Match,
        Self::Timeline,
        Self::ChallengerLeague,
        Self::GrandmasterLeague,
        Self::MasterLeague,
        Self::LeagueEntries,
        Self::LeagueExpEntries,
        Self::LeagueOfPlayer,
        Self::Mastery,
        Self::Status,
    ];

    /// Its name in scripts and counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccountByRiotId => "account-by-riot-id",
            Self::AccountByPuuid => "account-by-puuid",
            Self::AccountRegion => "account-region",
            Self::Summoner => "summoner",
            Self::MatchIds => "match-ids",
            Self::Match => "match",
            Self::Timeline => "timeline",
            Self::ChallengerLeague => "challenger-league",
            Self::GrandmasterLeague => "grandmaster-league",
            Self::MasterLeague => "master-league",
            Self::LeagueEntries => "league-entries",
            Self::LeagueExpEntries => "league-exp-entries",
            Self::LeagueOfPlayer => "league-of-player",
            Self::Mastery => "mastery",
            Self::Status => "status",
        }
    }

    /// A match's document or its timeline.
    pub fn is_of_a_match(self) -> bool {
        matches!(self, Self::Match | Self::Timeline)
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

/// A path that exists, with its parts decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub method: Method,
    /// The variable parts of the path, in their order.
    pub parts: Vec<String>,
}

impl Call {
    /// The call behind a path without its route: `/lol/status/v4/platform-data`.
    pub fn parse(path: &str) -> Option<Self> {
        let decode = |part: &str| {
            percent_decode_str(part)
                .decode_utf8()
                .ok()
                .map(std::borrow::Cow::into_owned)
        };
        let segments: Vec<String> = path
            .trim_start_matches('/')
            .split('/')
            .map(decode)
            .collect::<Option<_>>()?;
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (method, parts) = match names.as_slice() {
            ["riot", "account", "v1", "accounts", "by-riot-id", name, tag] => {
                (Method::AccountByRiotId, vec![*name, *tag])
            }
            ["riot", "account", "v1", "accounts", "by-puuid", puuid] => {
                (Method::AccountByPuuid, vec![*puuid])
            }
            [
                "riot",
                "account",
                "v1",
                "region",
                "by-game",
                game @ ("lol" | "tft"),
                "by-puuid",
                puuid,
            ] => (Method::AccountRegion, vec![*puuid, *game]),
            ["lol", "summoner", "v4", "summoners", "by-puuid", puuid] => {
                (Method::Summoner, vec![*puuid])
            }
            ["lol", "match", "v5", "matches", "by-puuid", puuid, "ids"] => {
                (Method::MatchIds, vec![*puuid])
            }
            ["lol", "match", "v5", "matches", id] => (Method::Match, vec![*id]),
            ["lol", "match", "v5", "matches", id, "timeline"] => (Method::Timeline, vec![*id]),
            [
                "lol",
                "league",
                "v4",
                "challengerleagues",
                "by-queue",
                queue,
            ] => (Method::ChallengerLeague, vec![*queue]),
            [
                "lol",
                "league",
                "v4",
                "grandmasterleagues",
                "by-queue",
                queue,
            ] => (Method::GrandmasterLeague, vec![*queue]),
            ["lol", "league", "v4", "masterleagues", "by-queue", queue] => {
                (Method::MasterLeague, vec![*queue])
            }
            ["lol", "league", "v4", "entries", "by-puuid", puuid] => {
                (Method::LeagueOfPlayer, vec![*puuid])
            }
            ["lol", "league", "v4", "entries", queue, tier, division] => {
                (Method::LeagueEntries, vec![*queue, *tier, *division])
            }
            ["lol", "league-exp", "v4", "entries", queue, tier, division] => {
                (Method::LeagueExpEntries, vec![*queue, *tier, *division])
            }
            [
                "lol",
                "champion-mastery",
                "v4",
                "champion-masteries",
                "by-puuid",
                puuid,
            ] => (Method::Mastery, vec![*puuid]),
            ["lol", "status", "v4", "platform-data"] => (Method::Status, vec![]),
            _ => return None,
        };
        let parts = parts.into_iter().map(str::to_owned).collect();
        Some(Self { method, parts })
    }
}

/// The value of a parameter; unknown names are ignored as the real API ignores them.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.replace('+', " "))
        .next()?;
    Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_after_they_are_taken_apart() {
        let call =
            Call::parse("riot/account/v1/accounts/by-riot-id/a%2Fb%20%ED%95%9C/T%23G").unwrap();
        assert_eq!(call.method, Method::AccountByRiotId);
        assert_eq!(call.parts, ["a/b 한", "T#G"]);
        assert_eq!(
            Call::parse("lol/match/v5/matches/EUW1_1/timeline")
                .unwrap()
                .method,
            Method::Timeline
        );
        for nothing in [
            "",
            "lol",
            "lol/match/v4/matches/1",
            "lol/match/v5/matches/EUW1_1/",
            "lol/match/v5/matches/%FF",
        ] {
            assert_eq!(Call::parse(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        assert_eq!(parameter("start=1&count=2", "count").as_deref(), Some("2"));
        assert_eq!(parameter("discount=2&x", "count"), None);
        assert_eq!(parameter("type=a%20b+c", "type").as_deref(), Some("a b c"));
    }
}
