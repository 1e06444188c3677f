//! What the database holds, how large it is and grows, and what makes it smaller; and the settings.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use riftsync_basics::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::ask;
use crate::chart::{Sparkline, short};
use crate::history::{self, Series};
use crate::respond;
use crate::shell::Shell;
use crate::show::{When, bytes, grouped};
use crate::site::Site;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    measuring: bool,
    sizes: Option<Sizes>,
}

/// `data.sizes`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sizes {
    measured_at: String,
    bytes: Option<u64>,
    players: u64,
    matches: u64,
    timelines: u64,
    unread_matches: u64,
    unread_timelines: u64,
    documents: Vec<Packed>,
    tables: Vec<Table>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Packed {
    kind: String,
    repacked: bool,
    documents: u64,
    bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Table {
    table: String,
    bytes: u64,
}

#[derive(Debug)]
struct DocumentRow {
    what: String,
    packed: &'static str,
    documents: String,
    bytes: String,
    each: String,
}

#[derive(Debug)]
struct TableRow {
    table: String,
    bytes: String,
    percent: u64,
}

#[derive(Template)]
#[template(path = "data.html")]
struct Page {
    shell: Shell,
    measuring: bool,
    measured: Option<When>,
    facts: Vec<(&'static str, String)>,
    /// How it grew while it was looked at, in words and as a line.
    growth: String,
    line: String,
    documents: Vec<DocumentRow>,
    tables: Vec<TableRow>,
}

pub(crate) async fn data(State(site): State<Arc<Site>>) -> Response {
    let shell = Shell::new(&site, "data");
    let told: Told = match ask(&site.engine, "data.sizes", json!({})).await {
        Ok(told) => told,
        Err(error) => return respond::refused(shell, &error),
    };
    let points = site.live.points(Series::Size).await;
    let sizes = told.sizes.as_ref();
    let all: u64 = sizes.map_or(0, |sizes| {
        sizes.tables.iter().map(|table| table.bytes).sum()
    });
    respond::page(&Page {
        shell,
        measuring: told.measuring,
        measured: sizes.and_then(|sizes| moment(&sizes.measured_at)),
        facts: sizes.map(facts).unwrap_or_default(),
        growth: growth(&points),
        line: Sparkline {
            title: "Size of the database",
            unit: " MiB",
            points: &points,
            width: points.len().clamp(60, history::POINTS),
        }
        .svg(),
        documents: sizes.map_or_else(Vec::new, |sizes| {
            sizes.documents.iter().map(document_row).collect()
        }),
        tables: sizes.map_or_else(Vec::new, |sizes| {
            sizes
                .tables
                .iter()
                .map(|table| table_row(table, all))
                .collect()
        }),
    })
}

fn moment(text: &str) -> Option<When> {
    let at = text.parse::<jiff::Timestamp>().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()).into())
}

fn facts(sizes: &Sizes) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("matches", grouped(sizes.matches)),
        ("timelines", grouped(sizes.timelines)),
        ("players", grouped(sizes.players)),
    ];
    if let Some(size) = sizes.bytes {
        facts.insert(0, ("size", bytes(size)));
        if let Some(each) = size.checked_div(sizes.matches) {
            facts.push(("of all, for each match", bytes(each)));
        }
    }
    if sizes.unread_matches + sizes.unread_timelines > 0 {
        let unread = sizes.unread_matches + sizes.unread_timelines;
        facts.push(("stored and not readable", grouped(unread)));
    }
    facts
}

/// `points`: MiB, one a step of the history.
fn growth(points: &[Option<f64>]) -> String {
    let mut known = points
        .iter()
        .enumerate()
        .filter_map(|(at, point)| Some((at, (*point)?)));
    let (Some(first), Some(last)) = (known.next(), known.next_back()) else {
        return "The engine looks at its size every few seconds: its growth stands here in a moment.".to_owned();
    };
    let minutes = (last.0 - first.0) as u64 * history::STEP.as_secs() / 60;
    let grown = short((last.1 - first.1).abs());
    let word = if last.1 < first.1 {
        "smaller"
    } else {
        "larger"
    };
    match minutes {
        0 => format!("{grown} MiB {word} within the last minute"),
        minutes => format!("{grown} MiB {word} within {minutes} min"),
    }
}

fn document_row(documents: &Packed) -> DocumentRow {
    DocumentRow {
        what: match &*documents.kind {
            "match" => "matches".to_owned(),
            "timeline" => "timelines".to_owned(),
            other => other.to_owned(),
        },
        packed: if documents.repacked {
            "anew"
        } else {
            "as they came"
        },
        documents: grouped(documents.documents),
        bytes: bytes(documents.bytes),
        each: bytes(
            documents
                .bytes
                .checked_div(documents.documents)
                .unwrap_or(0),
        ),
    }
}

fn table_row(table: &Table, all: u64) -> TableRow {
    TableRow {
        table: table.table.clone(),
        bytes: bytes(table.bytes),
        percent: (table.bytes * 100).checked_div(all).unwrap_or(0),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    settings: Vec<Setting>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Setting {
    name: String,
    value: Value,
    from: String,
}

/// The settings of one heading.
#[derive(Debug)]
struct Section {
    name: String,
    /// The rest of each name, its value, where it comes from, and whether somebody chose it.
    rows: Vec<(String, String, String, bool)>,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    shell: Shell,
    sections: Vec<Section>,
    chosen: usize,
}

pub(crate) async fn settings(State(site): State<Arc<Site>>) -> Response {
    let shell = Shell::new(&site, "settings");
    let told: Settings = match ask(&site.engine, "engine.settings", json!({})).await {
        Ok(told) => told,
        Err(error) => return respond::refused(shell, &error),
    };
    let sections = sections(told.settings);
    respond::page(&SettingsPage {
        shell,
        chosen: sections
            .iter()
            .flat_map(|section| &section.rows)
            .filter(|row| row.3)
            .count(),
        sections,
    })
}

/// By their first word; those without one first.
fn sections(settings: Vec<Setting>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for setting in settings {
        let (section, name) = setting.name.split_once('.').unwrap_or(("", &setting.name));
        let value = match &setting.value {
            Value::String(text) if text.is_empty() => "(empty)".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let is_chosen = setting.from != "default";
        let row = (name.to_owned(), value, setting.from.clone(), is_chosen);
        match sections.iter_mut().find(|one| one.name == section) {
            Some(one) => one.rows.push(row),
            None => sections.push(Section {
                name: section.to_owned(),
                rows: vec![row],
            }),
        }
    }
    sections.sort_by_key(|section| !section.name.is_empty());
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_told_over_the_time_that_was_looked_at() {
        let mut points = vec![None; 4];
        assert!(growth(&points).contains("in a moment"));
        points.extend([Some(1.0), None, Some(3.5)]);
        assert_eq!(growth(&points), "2.5 MiB larger within the last minute");
        points.extend([Some(3.0); 30]);
        assert_eq!(growth(&points), "2 MiB larger within 5 min");
        points.push(Some(0.5));
        assert_eq!(growth(&points), "0.5 MiB smaller within 5 min");
    }

    #[test]
    fn settings_stand_under_their_heading_and_say_whether_somebody_chose_them() {
        let setting = |name: &str, value: Value, from: &str| Setting {
            name: name.to_owned(),
            value,
            from: from.to_owned(),
        };
        let told = sections(vec![
            setting("queues.recovery.slots", json!(3), "/etc/riftsync.toml"),
            setting("profile", json!("production"), "default"),
            setting("queues.recovery.rate", json!(""), "default"),
        ]);
        assert_eq!(told[0].name, "");
        let row = |name: &str, value: &str, from: &str, chosen| {
            (name.to_owned(), value.to_owned(), from.to_owned(), chosen)
        };
        assert_eq!(
            told[1].rows,
            [
                row("recovery.slots", "3", "/etc/riftsync.toml", true),
                row("recovery.rate", "(empty)", "default", false),
            ]
        );
    }
}
