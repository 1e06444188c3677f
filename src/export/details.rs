//! The tables beside the first rows of a match as files: what its match is, then the columns of the table.

use std::io;
use std::sync::LazyLock;

use super::What;
use crate::model::details::{self, SHEETS, TEAMS};
use crate::model::table::{Cell, Column, Kind, Rows, Value};
use crate::store::export::{BAN_COLUMNS, DetailRow, DetailTable, MINUTE_COLUMNS, PURCHASE_COLUMNS};

/// What every row begins with.
const OF_MATCH: [Column; 4] = [
    Column::of::<String>("match_id"),
    Column::of::<String>("platform"),
    Column::of::<i32>("year"),
    Column::of::<Option<String>>("patch"),
];

fn columns_of(table: DetailTable) -> Vec<Column> {
    let (number, columns) = match table {
        DetailTable::Damage => ("participant_id", SHEETS[0].columns),
        DetailTable::Combat => ("participant_id", SHEETS[1].columns),
        DetailTable::Vision => ("participant_id", SHEETS[2].columns),
        DetailTable::Loadout => ("participant_id", SHEETS[3].columns),
        DetailTable::Teams => ("team_id", TEAMS.columns),
        DetailTable::Bans => ("ban", BAN_COLUMNS),
        DetailTable::Minutes => ("participant_id", MINUTE_COLUMNS),
        DetailTable::Purchases => ("participant_id", PURCHASE_COLUMNS),
    };
    let cells = columns.iter().map(|column| Column {
        name: column.name,
        kind: match column.kind {
            details::Kind::Int | details::Kind::Small => Kind::Int,
            details::Kind::Flag => Kind::Bool,
        },
        optional: true,
    });
    let number = Column::of::<i32>(number);
    OF_MATCH.into_iter().chain([number]).chain(cells).collect()
}

static COLUMNS: LazyLock<[Vec<Column>; 8]> = LazyLock::new(|| {
    use DetailTable::{Bans, Combat, Damage, Loadout, Minutes, Purchases, Teams, Vision};
    [
        Damage, Combat, Vision, Loadout, Teams, Bans, Minutes, Purchases,
    ]
    .map(columns_of)
});

pub(super) fn columns(table: DetailTable) -> &'static [Column] {
    &COLUMNS[table as usize]
}

/// The table of an export; none: another kind of table.
pub(super) fn table(what: What) -> Option<DetailTable> {
    Some(match what {
        What::Damage => DetailTable::Damage,
        What::Combat => DetailTable::Combat,
        What::Vision => DetailTable::Vision,
        What::Loadout => DetailTable::Loadout,
        What::Teams => DetailTable::Teams,
        What::Bans => DetailTable::Bans,
        What::Minutes => DetailTable::Minutes,
        What::Purchases => DetailTable::Purchases,
        What::Matches
        | What::Participants
        | What::TimelineFrames
        | What::TimelineEvents
        | What::Stats
        | What::Ranks
        | What::Mastery
        | What::Names => return None,
    })
}

pub(super) fn write(row: &DetailRow, columns: &[Column], rows: &mut dyn Rows) -> io::Result<()> {
    rows.cell(row.match_id.cell())?;
    rows.cell(row.platform.cell())?;
    rows.cell(row.year.cell())?;
    rows.cell(row.patch.cell())?;
    for (value, column) in row.cells.iter().zip(&columns[OF_MATCH.len()..]) {
        rows.cell(match (value, column.kind) {
            (None, _) => Cell::None,
            (Some(value), Kind::Bool) => Cell::Bool(*value != 0),
            (Some(value), _) => Cell::Int((*value).into()),
        })?;
    }
    rows.end_row()
}
