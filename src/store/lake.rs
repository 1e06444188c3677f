//! The data as a lake reads it: partitions whose content has a number, and their rows column by column.
//!
//! A partition's stamp is another one whenever a row of the partition was stored, changed or deleted, by the commit
//! that did it (triggers, see the migration `lake`). It is read before the rows: what is committed after it was read
//! is found by the next reader, for whom the stamp is another one.

use std::sync::LazyLock;

use async_trait::async_trait;

use super::StoreResult;
use super::export::{BAN_COLUMNS, MINUTE_COLUMNS, PURCHASE_COLUMNS, details_columns};
use crate::model::details::{self, SHEETS, TEAMS};
use crate::model::table::{Cells, Column, RowBatch, Values};
use crate::model::table_columns;

/// The partition that stands for the database itself.
pub const DATABASE: &str = "database";

/// What the partitions of a table are named by, behind the name of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// All that belongs to matches: platform, year and month of the game's start (UTC).
    Matches,
    /// Platform and year.
    Stats,
    /// Platform.
    Players,
    /// Year and month of when it was seen.
    Ranks,
    Mastery,
    /// One partition.
    Names,
    /// Year and month of when a name ended.
    FormerNames,
    /// Year and month of when it was missed first.
    Missing,
    /// Platform and year.
    PlayerYears,
}

impl Group {
    pub const ALL: [Self; 9] = [
        Self::Matches,
        Self::Stats,
        Self::Players,
        Self::Ranks,
        Self::Mastery,
        Self::Names,
        Self::FormerNames,
        Self::Missing,
        Self::PlayerYears,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matches => "matches",
            Self::Stats => "stats",
            Self::Players => "players",
            Self::Ranks => "ranks",
            Self::Mastery => "mastery",
            Self::Names => "names",
            Self::FormerNames => "former",
            Self::Missing => "missing",
            Self::PlayerYears => "years",
        }
    }

    /// The names of what comes behind the group's name.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Matches => &["platform", "year", "month"],
            Self::Stats | Self::PlayerYears => &["platform", "year"],
            Self::Players => &["platform"],
            Self::Ranks | Self::Mastery | Self::FormerNames | Self::Missing => &["year", "month"],
            Self::Names => &[],
        }
    }

    pub fn tables(self) -> impl Iterator<Item = &'static LakeTable> {
        TABLES.iter().filter(move |table| table.group == self)
    }

    /// The group of a partition; none: one that no group has.
    pub fn of(partition: &str) -> Option<Self> {
        let name = partition.split('|').next()?;
        let group = Self::ALL.into_iter().find(|group| group.as_str() == name)?;
        (partition.split('|').count() == group.keys().len() + 1).then_some(group)
    }
}

/// A table or a view of the database, and what of it stands in a lake.
#[derive(Debug)]
pub struct LakeTable {
    pub name: &'static str,
    pub group: Group,
    pub columns: Vec<Column>,
    /// The first columns are its key.
    pub key: usize,
}

fn table(name: &'static str, group: Group, key: usize, columns: Vec<Column>) -> LakeTable {
    LakeTable {
        name,
        group,
        columns,
        key,
    }
}

/// A table whose columns are listed with the documents that they come from.
fn detailed(
    name: &'static str,
    number: &'static str,
    listed: &'static [details::Column],
) -> LakeTable {
    let mut columns = table_columns![match_id Text];
    columns.extend(details_columns(number, listed));
    table(name, Group::Matches, 2, columns)
}

/// All tables of a lake.
pub static TABLES: LazyLock<Vec<LakeTable>> = LazyLock::new(|| {
    let mut tables = of_matches();
    tables.extend(of_players());
    tables.extend(of_what_was_and_lacks());
    tables
});

fn of_matches() -> Vec<LakeTable> {
    let group = Group::Matches;
    vec![
        table(
            "matches",
            group,
            1,
            table_columns![
                match_id Text, platform Text, data_version Text, game_creation Time, game_start Time, game_end Time,
                game_duration_s Long, queue_id Int, map_id Int, game_mode Text, game_type Text, game_version Text,
                end_of_game_result Text "?", year Int, is_remake Bool, stored_at Time, patch Text "?",
            ],
        ),
        table(
            "match_participants",
            group,
            2,
            table_columns![
                match_id Text, participant_id Int, player_id Long "?", team_id Int, champion_id Int, champion_name Text,
                team_position Text, role Text, lane Text, kills Int, deaths Int, assists Int, win Bool, gold_earned Int,
                total_minions_killed Int, neutral_minions_killed Int, damage_to_champions Int, vision_score Int,
                champ_level Int, placement Int "?", subteam_id Int "?", item0 Int, item1 Int, item2 Int, item3 Int,
                item4 Int, item5 Int, item6 Int, spell1 Int, spell2 Int, perk_primary_style Int, perk_sub_style Int,
            ],
        ),
        detailed("match_teams", "team_id", TEAMS.columns),
        detailed("match_bans", "ban", BAN_COLUMNS),
        detailed(SHEETS[0].table, "participant_id", SHEETS[0].columns),
        detailed(SHEETS[1].table, "participant_id", SHEETS[1].columns),
        detailed(SHEETS[2].table, "participant_id", SHEETS[2].columns),
        detailed(SHEETS[3].table, "participant_id", SHEETS[3].columns),
        table(
            "match_timelines",
            group,
            1,
            table_columns![
                match_id Text, data_version Text, frame_interval_ms Long, frame_count Int, event_count Int,
                stored_at Time,
            ],
        ),
        detailed("participant_minutes", "participant_id", MINUTE_COLUMNS),
        detailed("participant_purchases", "participant_id", PURCHASE_COLUMNS),
        table(
            "match_events",
            group,
            2,
            table_columns![
                match_id Text, event Int, at_ms Int "?", type Text "?", participant_id Int "?", victim_id Int "?",
                team_id Int "?", assists Text "?", x Int "?", y Int "?", item_id Int "?", value Int "?", bounty Int "?",
                about Text "?", about_more Text "?", lane Text "?",
            ],
        ),
    ]
}

fn of_players() -> Vec<LakeTable> {
    vec![
        table(
            "player_yearly_stats",
            Group::Stats,
            3,
            table_columns![
                player_id Long, year Int, platform Text, total_matches Long, wins Long, losses Long, remakes Long,
                total_kills Long, total_deaths Long, total_assists Long, total_gold_earned Long,
                total_minions_killed Long, total_neutral_minions_killed Long, total_damage_to_champions Long,
                unique_champions_played Long, most_played_champion Text "?", most_played_champion_count Long,
                unique_roles_played Long, unique_lanes_played Long, win_rate Double, kda_ratio Double,
                average_kills Double, average_deaths Double, average_assists Double, average_gold_per_match Double,
                average_cs_per_match Double,
            ],
        ),
        table(
            "players",
            Group::Players,
            1,
            table_columns![
                id Long, puuid Text, game_name Text "?", tag_line Text "?", platform Text, profile_icon_id Int "?",
                summoner_level Long "?", tracked Bool, created_at Time,
            ],
        ),
        table(
            "rank_history",
            Group::Ranks,
            3,
            table_columns![
                player_id Long, queue Text, seen_at Time, tier Text "?", division Text "?", league_points Int "?",
                wins Int "?", losses Int "?", hot_streak Bool "?",
            ],
        ),
        table(
            "mastery_history",
            Group::Mastery,
            3,
            table_columns![
                player_id Long, champion_id Int, seen_at Time, level Int "?", points Long "?", last_played Time "?",
            ],
        ),
        table(
            "static_names",
            Group::Names,
            4,
            table_columns![
                kind Text, id Text, patch Text, language Text, name Text, image Text "?", stored_at Time,
            ],
        ),
    ]
}

/// Names of before, and what is known to be missing.
fn of_what_was_and_lacks() -> Vec<LakeTable> {
    vec![
        table(
            "former_names",
            Group::FormerNames,
            3,
            table_columns![
                player_id Long, valid_to Time, name_folded Text, game_name Text, tag_line Text, valid_from Time,
            ],
        ),
        table(
            "missing_payloads",
            Group::Missing,
            2,
            table_columns![
                kind Text, id Text, reason Text, first_seen Time, last_seen Time, tries Int, next_try Time "?",
                expires_at Time "?",
            ],
        ),
        table(
            "player_years",
            Group::PlayerYears,
            3,
            table_columns![
                player_id Long, year Int, platform Text, listed_at Time, listed_matches Long, list_ends_at Text "?",
            ],
        ),
        table(
            "listed_matches",
            Group::PlayerYears,
            4,
            table_columns![player_id Long, year Int, platform Text, match_id Text],
        ),
    ]
}

impl LakeTable {
    pub fn key_columns(&self) -> &[Column] {
        &self.columns[..self.key]
    }

    /// Those that people look up one of: they get bloom filters.
    pub fn ids(&self) -> impl Iterator<Item = &Column> {
        let is_id = |name| {
            matches!(name, "match_id" | "player_id" | "puuid") || (name == "id" && self.key == 1)
        };
        self.columns.iter().filter(move |one| is_id(one.name))
    }

    pub(super) fn key_list(&self) -> String {
        let names: Vec<&str> = self.key_columns().iter().map(|one| one.name).collect();
        names.join(", ")
    }
}

/// A value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    Number(i64),
    Text(String),
}

/// The key of the last row; none: there is no row.
pub fn last_key(batch: &RowBatch, table: &LakeTable) -> Option<Vec<KeyPart>> {
    let last = |cells: &Cells| match &cells.values {
        Values::Int(values) => Some(KeyPart::Number((*values.last()?).into())),
        Values::Long(values) => Some(KeyPart::Number(*values.last()?)),
        Values::Text(texts, ends) => {
            let (end, before) = (*ends.last()?, ends.iter().rev().nth(1).copied());
            Some(KeyPart::Text(texts[before.unwrap_or(0)..end].to_owned()))
        }
        Values::Double(_) | Values::Bool(_) => None,
    };
    batch.columns[..table.key].iter().map(last).collect()
}

/// Which rows of a table.
#[derive(Debug, Clone)]
pub enum Rows {
    /// All of these matches, in their order.
    OfMatches(Vec<String>),
    /// Of a partition the next after a key, up to a number.
    After {
        partition: String,
        key: Option<Vec<KeyPart>>,
        limit: usize,
    },
}

#[async_trait]
pub trait LakeStore {
    /// Every partition that ever had a row, with its stamp; and [`DATABASE`].
    async fn partition_stamps(&self) -> StoreResult<Vec<(String, String)>>;
    /// Matches after this one in the order of their ids: the id, and the partition.
    async fn lake_matches(&self, after: &str, limit: usize) -> StoreResult<Vec<(String, String)>>;
    /// `table`: one of [`TABLES`]; matches are asked for of tables of [`Group::Matches`] alone, keys of the others.
    async fn lake_rows(&self, table: &'static LakeTable, rows: Rows) -> StoreResult<RowBatch>;
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::table::Kind;
    use crate::store::Store;

    /// Every table by its matches, or by its keys.
    pub(in crate::store) async fn read_all(store: &dyn Store) -> StoreResult<()> {
        for table in TABLES.iter() {
            if table.group == Group::Matches {
                let ids = vec![format!("EUW1_{}", crate::store::synthetic::FIRST_GAME)];
                store.lake_rows(table, Rows::OfMatches(ids)).await?;
                continue;
            }
            let part = |column: &Column| match column.kind {
                Kind::Text => KeyPart::Text(String::new()),
                _ => KeyPart::Number(0),
            };
            let key: Vec<KeyPart> = table.key_columns().iter().map(part).collect();
            for key in [None, Some(key)] {
                let rows = Rows::After {
                    partition: "players|euw1".to_owned(),
                    key,
                    limit: 2,
                };
                store.lake_rows(table, rows).await?;
            }
        }
        Ok(())
    }

    #[test]
    fn a_partition_is_known_by_its_group_and_all_its_keys() {
        for (partition, group) in [
            ("matches|kr|2026|11", Some(Group::Matches)),
            ("stats|kr|2026", Some(Group::Stats)),
            ("players|kr", Some(Group::Players)),
            ("names", Some(Group::Names)),
            ("years|kr|2026", Some(Group::PlayerYears)),
            ("missing|2026|11", Some(Group::Missing)),
            ("matches|kr", None),
            ("names|kr", None),
            (DATABASE, None),
            ("", None),
        ] {
            assert_eq!(Group::of(partition), group, "{partition}");
        }
    }

    #[test]
    fn every_table_has_a_name_of_its_own_and_a_key_that_is_always_there() {
        for (at, table) in TABLES.iter().enumerate() {
            assert!(TABLES[..at].iter().all(|other| other.name != table.name));
            assert!(table.key_columns().iter().all(|column| !column.optional));
        }
    }
}
