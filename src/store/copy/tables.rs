//! Which tables a copy takes along, in which order, and what stays behind.

use super::rows::{Column, Kind, Row};
use crate::store::{StoreError, StoreResult};

/// A table that is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// Its primary key, or what is as good: unique, without NULLs, indexed in this order.
    pub key: &'static [&'static str],
    /// The database gives its ids. Such a table may have a second unique column (a player's puuid, an
    /// open job's key), which rows may have traded when the source changed between two runs of a copy.
    pub numbered: bool,
}

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table {
        name,
        key,
        numbered: false,
    }
}

const fn numbered(name: &'static str) -> Table {
    Table {
        name,
        key: &["id"],
        numbered: true,
    }
}

/// Parents before children.
pub const COPIED: &[Table] = &[
    numbered("players"),
    table("matches", &["match_id"]),
    table("match_participants", &["match_id", "participant_id"]),
    table("match_teams", &["match_id", "team_id"]),
    table("match_bans", &["match_id", "ban"]),
    table("participant_damage", &["match_id", "participant_id"]),
    table("participant_combat", &["match_id", "participant_id"]),
    table("participant_vision", &["match_id", "participant_id"]),
    table("participant_loadout", &["match_id", "participant_id"]),
    table("match_timelines", &["match_id"]),
    table("participant_timelines", &["match_id", "participant_id"]),
    table("match_events", &["match_id", "event"]),
    table("player_yearly_stats", &["player_id", "year", "platform"]),
    table("cleaned_matches", &["match_id"]),
    table("cleaned_stats", &["player_id", "year", "platform"]),
    table("missing_payloads", &["kind", "id"]),
    table("player_years", &["player_id", "year", "platform"]),
    table(
        "listed_matches",
        &["player_id", "year", "platform", "match_id"],
    ),
    table("unread_payloads", &["match_id", "kind"]),
    table("former_names", &["player_id", "valid_to", "name_folded"]),
    table("rank_history", &["player_id", "queue", "seen_at"]),
    table("mastery_history", &["player_id", "champion_id", "seen_at"]),
    table("static_names", &["kind", "id", "patch", "language"]),
    table("static_files", &["file"]),
    numbered("payload_dictionaries"),
    table("payloads", &["match_id", "kind"]),
    numbered("jobs"),
    table("job_links", &["child_id", "parent_id"]),
    table("schedules", &["name"]),
];

/// What belongs to the engines of one database, or to the database itself.
pub const LEFT_OUT: &[&str] = &[
    "engines",
    "leadership",
    "rate_budgets",
    "store_commits",
    "partition_stamps",
    "__diesel_schema_migrations",
    super::MARK_TABLE,
    // Handed on before the first row is.
    crate::store::world::WORLD_TABLE,
];

/// A table with the columns that both databases agreed on.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) table: Table,
    pub(super) columns: Vec<Column>,
    /// Where the key's columns stand in a row.
    key: Vec<usize>,
}

impl Plan {
    /// Both sides must have the same columns, in any order; else a row would arrive with less than it had.
    pub(super) fn agreed(
        table: Table,
        source: Vec<Column>,
        mut target: Vec<Column>,
    ) -> StoreResult<Self> {
        let mut sorted = source.clone();
        sorted.sort_by(|one, other| one.name.cmp(&other.name));
        target.sort_by(|one, other| one.name.cmp(&other.name));
        let alike = sorted.len() == target.len()
            && sorted
                .iter()
                .zip(&target)
                .all(|(one, other)| one.name == other.name && one.kind.agrees(other.kind));
        if source.is_empty() || !alike {
            return Err(StoreError::Refused(format!(
                "the table {} has other columns in the two databases ({sorted:?} and {target:?}): was one of them changed by hand? Nothing was copied",
                table.name
            )));
        }
        let place = |name: &&str| source.iter().position(|column| column.name == *name);
        let key: Option<Vec<usize>> = table.key.iter().map(place).collect();
        let key = key.ok_or_else(|| {
            StoreError::Unexpected(format!("{} lacks its key {:?}", table.name, table.key))
        })?;
        let mut columns = source;
        for column in &mut columns {
            let boolean = |other: &Column| other.name == column.name && other.kind == Kind::Boolean;
            if target.iter().any(boolean) {
                column.kind = Kind::Boolean;
            }
        }
        Ok(Self {
            table,
            columns,
            key,
        })
    }

    /// A row's key as a JSON array.
    pub(super) fn key_of(&self, row: &Row) -> String {
        let values = self.key.iter().map(|place| row[*place].clone()).collect();
        serde_json::Value::Array(values).to_string()
    }

    pub(super) fn key_columns(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.key
            .iter()
            .map(|place| &self.columns[*place])
            .enumerate()
    }

    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| &*column.name).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: Kind) -> Column {
        Column {
            name: name.to_owned(),
            kind,
        }
    }

    #[test]
    fn the_order_of_columns_may_differ_and_nothing_else() {
        let source = vec![column("name", Kind::Text), column("n", Kind::Integer)];
        let agreed = |target| Plan::agreed(table("t", &["n"]), source.clone(), target);
        let plan = agreed(vec![column("n", Kind::Boolean), column("name", Kind::Text)]).unwrap();
        let row = vec!["x".into(), 7.into()];
        assert_eq!(plan.key_of(&row), "[7]");
        assert_eq!(plan.columns[1].kind, Kind::Boolean, "it is one on one side");
        for other in [
            vec![column("n", Kind::Integer)],
            vec![column("n", Kind::Integer), column("nome", Kind::Text)],
            vec![column("n", Kind::Text), column("name", Kind::Text)],
            vec![],
        ] {
            assert!(agreed(other).is_err());
        }
    }
}
