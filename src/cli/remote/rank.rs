//! `rank`: where a player stands, and how that came about.

use serde_json::{Value, json};

use super::table::table;
use super::{Ask as _, Reach, text};
use crate::cli::{CliError, RankArgs};
use crate::control::rank_document;
use crate::model::names::NamedKind;
use crate::store::people;

pub async fn show_rank(reach: &Reach, args: &RankArgs) -> Result<(), CliError> {
    let whom = args.player.read()?;
    let answer = if let Some(mut engine) = reach.engine_if_any().await? {
        let params = json!({
            "riot_id": whom.riot_id, "puuid": whom.puuid, "changes": args.changes, "champions": args.champions,
        });
        engine.ask("player.rank", params).await?
    } else {
        let store = reach.read_only().await?;
        let found = people::find(&*store, &whom, &reach.place()).await?;
        let (player, note) = found.map_err(CliError::JobFailed)?;
        let (changes, champions) = (args.changes.into(), args.champions.into());
        let standing = store.standing(player.id, changes, champions).await?;
        let names = store.names(NamedKind::Champion).await?;
        rank_document(&player, note.as_deref(), standing.as_ref(), &names)
    };
    if let (false, Value::String(note)) = (reach.json, &answer["note"]) {
        crate::errln!("{note}");
    }
    reach.show(&answer, |answer| rank_text(&whom.to_string(), answer));
    Ok(())
}

/// Tables of what is known, or why there is nothing.
fn rank_text(asked: &str, answer: &Value) -> String {
    let who = match &answer["riot_id"] {
        Value::String(riot_id) => riot_id,
        _ => asked,
    };
    let list = |name: &str| answer[name].as_array().map_or(&[][..], Vec::as_slice);
    let mut parts = Vec::new();
    if list("ranks").is_empty() {
        parts.push(nothing(who, answer));
    } else {
        let now = list("ranks").iter().map(|rank| {
            let games = match (&rank["wins"], &rank["losses"]) {
                (Value::Null, _) | (_, Value::Null) => "-".to_owned(),
                (wins, losses) => format!("{wins} / {losses}"),
            };
            let rate = rank["win_rate"].as_f64();
            vec![
                queue(rank),
                league(rank),
                text(&rank["league_points"]),
                games,
                rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1} %")),
                text(&rank["seen_at"]),
            ]
        });
        let header = [
            "queue",
            "league",
            "LP",
            "wins / losses",
            "win rate",
            "since",
        ];
        parts.push(table(&header, now));
        parts.push(format!(
            "Riot was last asked at {}",
            text(&answer["ranks_at"])
        ));
    }
    if list("changes").len() > list("ranks").len() {
        let changes = list("changes").iter().map(|rank| {
            vec![
                text(&rank["seen_at"]),
                queue(rank),
                league(rank),
                text(&rank["league_points"]),
            ]
        });
        parts.push(table(&["seen at", "queue", "league", "LP"], changes));
    }
    if !list("mastery").is_empty() {
        let champions = list("mastery").iter().map(|mastery| {
            let champion = match &mastery["champion"] {
                Value::String(name) => name.clone(),
                _ => text(&mastery["champion_id"]),
            };
            let more = ["level", "points", "last_played"].map(|name| text(&mastery[name]));
            [&[champion][..], &more].concat()
        });
        parts.push(table(
            &["champion", "level", "points", "last played"],
            champions,
        ));
    }
    parts.join("\n")
}

fn nothing(who: &str, answer: &Value) -> String {
    if let Value::String(at) = &answer["ranks_at"] {
        return format!("{who} is in no league: Riot was last asked at {at}");
    }
    if answer["tracked"] == true {
        return format!("where {who} stands was not asked yet: the next sync does");
    }
    format!(
        "where {who} stands was never asked: only syncs of tracked players do (`riftsync track`)"
    )
}

/// A queue as people call it.
fn queue(rank: &Value) -> String {
    match rank["queue"].as_str() {
        Some("RANKED_SOLO_5x5") => "solo/duo".to_owned(),
        Some("RANKED_FLEX_SR") => "flex".to_owned(),
        _ => text(&rank["queue"]),
    }
}

/// As `Gold II`; the tiers at the top have no divisions.
fn league(rank: &Value) -> String {
    let Some(tier) = rank["tier"].as_str() else {
        return "unranked".to_owned();
    };
    let mut letters = tier.chars();
    let first = letters.next().into_iter();
    let tier: String = first
        .chain(letters.map(|c| c.to_ascii_lowercase()))
        .collect();
    match rank["division"].as_str() {
        Some(division) if !["Challenger", "Grandmaster", "Master"].contains(&&*tier) => {
            format!("{tier} {division}")
        }
        _ => tier,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_who_has_no_rank_is_told_from_one_who_was_never_asked_for() {
        let told = |answer| rank_text("a#b", &answer);
        let unranked =
            told(json!({ "riot_id": "A#B", "ranks_at": "2026-01-01T00:00:00Z", "ranks": [] }));
        assert!(unranked.contains("A#B is in no league"), "{unranked}");
        let soon = told(json!({ "riot_id": null, "tracked": true }));
        assert!(soon.contains("a#b") && soon.contains("next sync"), "{soon}");
        let never = told(json!({ "tracked": false }));
        assert!(never.contains("riftsync track"), "{never}");
    }

    #[test]
    fn leagues_are_told_as_people_call_them() {
        let told = |tier, division| league(&json!({ "tier": tier, "division": division }));
        assert_eq!(told("GOLD", "II"), "Gold II");
        assert_eq!(told("GRANDMASTER", "I"), "Grandmaster");
        assert_eq!(league(&json!({ "tier": null })), "unranked");
    }
}
