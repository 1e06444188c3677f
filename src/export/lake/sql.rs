//! The lake as views of `DuckDB`: the tables of the database by their names, over exactly the files of a generation.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::manifest::Manifest;
use crate::model::table::Kind;
use crate::store::lake::{LakeTable, TABLES};

pub(super) const NAME: &str = "lake.sql";

/// What is asked of tables again and again.
const VIEWS: &str = include_str!("views.sql");
/// The other views of the database, which take more than single files of tables.
const MATCHES: &str = include_str!("matches.sql");
const NAMES_AND_RANKS: &str = include_str!("names_and_ranks.sql");

const ALL_VIEWS: [&str; 3] = [VIEWS, MATCHES, NAMES_AND_RANKS];

/// The names of the views that are put together of tables.
pub(super) fn views() -> impl Iterator<Item = &'static str> {
    let lines = ALL_VIEWS.into_iter().flat_map(str::lines);
    lines.filter_map(|line| line.strip_prefix("CREATE VIEW ")?.strip_suffix(" AS"))
}

/// `prefix`: stands before each path.
pub(super) fn statements(manifest: &Manifest, prefix: &str) -> String {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in &manifest.files {
        files.entry(&file.table).or_default().push(&file.path);
    }
    let mut sql = format!(
        "-- Generation {} of this lake, for DuckDB: the tables of the database, over the files that belong together.\n\
         -- Run it{}, and again after each export; see README.md.\n",
        manifest.generation,
        if prefix.is_empty() {
            " where it lies"
        } else {
            ""
        }
    );
    for table in TABLES.iter() {
        let files = files.get(table.name).map_or(&[][..], Vec::as_slice);
        view(&mut sql, table, files, prefix);
    }
    for views in ALL_VIEWS {
        sql += &views.replace("CREATE VIEW", "CREATE OR REPLACE VIEW");
    }
    sql
}

/// The generation of statements that were written so.
pub(super) fn generation_of(sql: &str) -> Option<u64> {
    let rest = sql.strip_prefix("-- Generation ")?;
    rest.split(' ').next()?.parse().ok()
}

/// Moments are milliseconds in the database, and timestamps in the files.
fn view(sql: &mut String, table: &LakeTable, files: &[&str], prefix: &str) {
    let columns = table.columns.iter().map(|column| {
        let name = column.name();
        match (files.is_empty(), column.kind) {
            (true, kind) => format!("NULL::{} AS \"{name}\"", type_of(kind)),
            (false, Kind::Time) => format!("epoch_ms(\"{name}\") AS \"{name}\""),
            (false, _) => format!("\"{name}\""),
        }
    });
    let columns: Vec<String> = columns.collect();
    let columns = columns.join(", ");
    let _ = write!(
        sql,
        "CREATE OR REPLACE VIEW {} AS SELECT {columns}",
        table.name
    );
    if files.is_empty() {
        sql.push_str(" WHERE false;\n");
        return;
    }
    sql.push_str("\nFROM read_parquet([\n");
    for (at, file) in files.iter().enumerate() {
        let comma = if at == 0 { "" } else { ",\n" };
        let path = format!("{prefix}{file}").replace('\'', "''");
        let _ = write!(sql, "{comma}    '{path}'");
    }
    sql.push_str("\n], hive_partitioning = false);\n");
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "INTEGER",
        Kind::Long | Kind::Time => "BIGINT",
        Kind::Double => "DOUBLE",
        Kind::Bool => "BOOLEAN",
        Kind::Text => "VARCHAR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_views_are_those_of_the_manual() {
        assert!(include_str!("../../manual/data.md").contains(VIEWS));
    }
}
