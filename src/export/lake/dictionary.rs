//! What the tables and columns of a lake mean: of the data dictionary, what a lake has.

use std::sync::LazyLock;

use super::sql;
use crate::store::lake::{LakeTable, TABLES};

/// Its first line, by which it is known.
pub(super) const TITLE: &str = "# Data dictionary";

const PAGE: &str = include_str!("../../manual/data.md");

const INTRODUCTION: &str = "

Every table and every column of this lake. Names that begin with `v_`, `lane_leads` and `match_runes` are views, which
`lake.sql` makes.

| type here | in the files | meaning |
|---|---|---|
| integer | INT32 or INT64 | a whole number; a count unless a unit is named |
| text | STRING | UTF-8 |
| real | DOUBLE | a number with a fraction |
| boolean | BOOLEAN | |
| time | TIMESTAMP in milliseconds | in UTC; `lake.sql` gives milliseconds since 1970-01-01, as the database does |

*Since* is the version of the database's tables; the metadata of each file has the version that it was made of.

- Years are calendar years in UTC, by the match's own start.
- Games that never took place, and remakes, count nowhere, unless a column says so.
- A number that the document does not have is 0, and a text is empty, unless the column may be null.
- A match whose game never began has no moment of its own: it is in the folder `year=1970/month=01`, and its `year` is
  that of the lobby.
- `started_at` and `ended_at` of views are timestamps in UTC.
";

static OF_LAKE: LazyLock<String> = LazyLock::new(|| pick(PAGE));

/// The text of DICTIONARY.md.
pub(super) fn of_lake() -> &'static str {
    &OF_LAKE
}

/// Of a page with a section for each table, those of a lake's tables with their columns, and those of its views.
fn pick(page: &str) -> String {
    let mut told = format!("{TITLE}{INTRODUCTION}");
    for section in page.split("\n### ").skip(1) {
        // The last one of a chapter is followed by the next chapter.
        let section = section.split("\n## ").next().unwrap_or_default();
        let name = section.lines().next().unwrap_or_default();
        let table = TABLES.iter().find(|table| table.name == name);
        if table.is_none() && !sql::views().any(|view| view == name) {
            continue;
        }
        told += "\n### ";
        for line in section.lines().filter(|line| is_of(line, table)) {
            let line = without_links(line);
            // What is a view of the database is a file here.
            let view = line.strip_prefix("A view: ").filter(|_| table.is_some());
            match view.and_then(|rest| rest.split_at_checked(1)) {
                Some((first, rest)) => told.extend([&first.to_uppercase(), rest]),
                None => told += &line,
            }
            told.push('\n');
        }
    }
    told
}

/// Whether a line says nothing of a column that the table does not have here.
fn is_of(line: &str, table: Option<&LakeTable>) -> bool {
    let column = line
        .strip_prefix("| `")
        .and_then(|rest| rest.split('`').next());
    let (Some(column), Some(table)) = (column, table) else {
        return true;
    };
    table.columns.iter().any(|one| one.name() == column)
}

/// What links lead to is not here.
fn without_links(line: &str) -> String {
    let (mut told, mut rest) = (String::new(), line);
    while let Some((before, link)) = rest.split_once('[') {
        told += before;
        match link
            .split_once("](")
            .and_then(|(text, to)| Some((text, to.split_once(')')?.1)))
        {
            Some((text, after)) if !text.contains([']', '[']) => {
                told += text;
                rest = after;
            }
            _ => {
                told.push('[');
                rest = link;
            }
        }
    }
    told + rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::table::Column;

    #[test]
    fn it_has_each_table_and_view_of_a_lake_with_its_columns_and_no_other() {
        let page = of_lake();
        let told: BTreeSet<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            .collect();
        let tables = TABLES.iter().map(|table| table.name);
        assert_eq!(told, tables.chain(sql::views()).collect());
        for table in TABLES.iter() {
            let section = page.split(&format!("### {}\n", table.name)).nth(1).unwrap();
            let section = section.split("\n### ").next().unwrap();
            let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
            let told: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
            let columns = table.columns.iter().map(Column::name);
            assert_eq!(told, columns.collect(), "{}", table.name);
        }
        assert!(!page.contains("]("), "a link leads to what is not there");
        assert!(
            page.contains("\nA participant at a minute."),
            "it is no view here"
        );
    }

    #[test]
    fn links_become_their_words_and_other_brackets_stay() {
        assert_eq!(
            without_links("see [this](a#b) and [that](c)."),
            "see this and that."
        );
        for other in ["JSON: `[[1], 2]` (of old)", "[", "a [b](c"] {
            assert_eq!(without_links(other), other);
        }
    }
}
