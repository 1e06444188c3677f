//! The tables whose rows belong to matches, and what an export tells of each.

use std::sync::LazyLock;

use crate::model::details::{Column as Listed, Kind as ListedKind, SHEETS, TEAMS};
use crate::model::table::{Column, Kind};
use crate::model::table_columns;

/// A table whose rows belong to matches, and what is written of it.
#[derive(Debug)]
pub struct MatchTable {
    /// Of the table or view in the database.
    pub name: &'static str,
    pub columns: Vec<Column>,
    /// Where each of them stands: `m` is the match, `d` the table, `pl` the player.
    places: Vec<&'static str>,
    /// What its rows come in the order of.
    order: &'static [&'static str],
}

/// All of them.
pub(in crate::store) static MATCH_TABLES: LazyLock<Vec<MatchTable>> = LazyLock::new(|| {
    let sheet = |at: usize| {
        let sheet = &SHEETS[at];
        beside(
            sheet.table,
            &["participant_id"],
            "participant_id",
            sheet.columns,
        )
    };
    vec![
        matches(),
        participants(),
        sheet(0),
        sheet(1),
        sheet(2),
        sheet(3),
        beside("match_teams", &["team_id"], "team_id", TEAMS.columns),
        beside("match_bans", &["ban"], "ban", BAN_COLUMNS),
        beside(
            "participant_minutes",
            &["participant_id", "minute"],
            "participant_id",
            MINUTE_COLUMNS,
        ),
        beside(
            "participant_purchases",
            &["participant_id", "purchase"],
            "participant_id",
            PURCHASE_COLUMNS,
        ),
    ]
});

fn matches() -> MatchTable {
    let columns = table_columns![
        match_id Text, platform Text, year Int, game_creation Time, game_start Time, game_end Time,
        game_duration_s Long, queue_id Int, map_id Int, game_mode Text, game_type Text, game_version Text,
        end_of_game_result Text "?", is_remake Bool, data_version Text, stored_at Time, patch Text "?",
    ];
    match_table("matches", &[], vec![("m", columns)])
}

/// Participants, with what their match is and who they were.
fn participants() -> MatchTable {
    let of_match = table_columns![
        match_id Text, platform Text, year Int, game_start Time, game_duration_s Long, queue_id Int, game_mode Text,
        game_version Text, is_remake Bool,
    ];
    let who = table_columns![puuid Text "?", game_name Text "?", tag_line Text "?"];
    let rest = table_columns![
        team_id Int, champion_id Int, champion_name Text, team_position Text, role Text, lane Text, win Bool,
        kills Int, deaths Int, assists Int, gold_earned Int, total_minions_killed Int, neutral_minions_killed Int,
        damage_to_champions Int, vision_score Int, champ_level Int, placement Int "?", subteam_id Int "?",
        item0 Int, item1 Int, item2 Int, item3 Int, item4 Int, item5 Int, item6 Int, spell1 Int, spell2 Int,
        perk_primary_style Int, perk_sub_style Int,
    ];
    let columns = vec![
        ("m", of_match),
        ("d", table_columns![participant_id Int]),
        ("pl", who),
        ("d", rest),
    ];
    match_table("match_participants", &["participant_id"], columns)
}

/// A table beside the first rows of a match: what its match is, the number of whom a row is of, and its columns.
fn beside(
    name: &'static str,
    order: &'static [&'static str],
    number: &'static str,
    columns: &'static [Listed],
) -> MatchTable {
    let of_match = table_columns![match_id Text, platform Text, year Int, patch Text "?"];
    let columns = details_columns(number, columns).collect();
    match_table(name, order, vec![("m", of_match), ("d", columns)])
}

fn match_table(
    name: &'static str,
    order: &'static [&'static str],
    columns: Vec<(&'static str, Vec<Column>)>,
) -> MatchTable {
    let places = columns
        .iter()
        .flat_map(|(place, columns)| vec![*place; columns.len()]);
    MatchTable {
        name,
        places: places.collect(),
        columns: columns
            .into_iter()
            .flat_map(|(_, columns)| columns)
            .collect(),
        order,
    }
}

/// The number of whom a row is of, and the columns that are listed with the documents they come from.
pub(in crate::store) fn details_columns(
    number: &'static str,
    columns: &'static [Listed],
) -> impl Iterator<Item = Column> {
    let listed = columns.iter().map(|column| Column {
        name: column.name,
        kind: match column.kind {
            ListedKind::Int | ListedKind::Small => Kind::Int,
            ListedKind::Flag => Kind::Bool,
        },
        optional: true,
    });
    std::iter::once(Column::of::<i32>(number)).chain(listed)
}

impl MatchTable {
    /// The one of this name in the database.
    pub fn named(name: &str) -> Option<&'static Self> {
        MATCH_TABLES.iter().find(|table| table.name == name)
    }

    /// So many of the columns, from the first, say what all rows of a match have in common.
    pub(in crate::store) fn shared(&self) -> usize {
        if self.is_matches() {
            return 0;
        }
        self.places
            .iter()
            .take_while(|place| **place == "m")
            .count()
    }

    /// Which of its columns stand in a place.
    pub(in crate::store) fn at(&self, place: &str) -> Vec<usize> {
        let places = self.places.iter().enumerate();
        let places = places.filter(|(_, known)| **known == place);
        places.map(|(at, _)| at).collect()
    }

    /// Those of its columns that stand in one of these places, as a statement lists them.
    pub(in crate::store) fn list(
        &self,
        places: &[&str],
        told: fn(&str, &Column) -> String,
    ) -> String {
        let columns = self.places.iter().zip(&self.columns);
        let columns = columns.filter(|(place, _)| places.contains(*place));
        let columns: Vec<String> = columns.map(|(place, column)| told(place, column)).collect();
        columns.join(", ")
    }

    /// Whether it is the table of matches itself.
    pub(in crate::store) fn is_matches(&self) -> bool {
        self.order.is_empty()
    }

    pub(in crate::store) fn has_players(&self) -> bool {
        self.places.contains(&"pl")
    }

    /// Behind the match, what its rows come in the order of.
    pub(in crate::store) fn order(&self) -> impl Iterator<Item = &'static str> {
        self.order.iter().copied()
    }
}

/// The columns of bans behind their number.
pub const BAN_COLUMNS: &[Listed] = &[
    Listed {
        name: "team_id",
        kind: ListedKind::Int,
        key: "teamId",
    },
    Listed {
        name: "turn",
        kind: ListedKind::Int,
        key: "pickTurn",
    },
    Listed {
        name: "champion_id",
        kind: ListedKind::Int,
        key: "championId",
    },
];

/// A column of a view of timelines.
const fn of_timelines(name: &'static str, kind: ListedKind) -> Listed {
    Listed {
        name,
        kind,
        key: "",
    }
}

/// The columns of minutes behind the participant's number.
pub const MINUTE_COLUMNS: &[Listed] = &[
    of_timelines("minute", ListedKind::Int),
    of_timelines("gold", ListedKind::Int),
    of_timelines("xp", ListedKind::Int),
    of_timelines("cs", ListedKind::Int),
    of_timelines("jungle_cs", ListedKind::Int),
    of_timelines("level", ListedKind::Int),
    of_timelines("x", ListedKind::Int),
    of_timelines("y", ListedKind::Int),
    of_timelines("damage", ListedKind::Int),
    of_timelines("damage_taken", ListedKind::Int),
    of_timelines("is_last", ListedKind::Flag),
];

/// The same of purchases.
pub const PURCHASE_COLUMNS: &[Listed] = &[
    of_timelines("purchase", ListedKind::Int),
    of_timelines("item_id", ListedKind::Int),
    of_timelines("at_ms", ListedKind::Int),
];
