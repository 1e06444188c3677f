//! Work for the engine: a form for each kind of job.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::respond;
use crate::shell::Shell;
use crate::site::Site;

/// A kind of job as the form has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub about: &'static str,
    pub fields: &'static [Field],
}

/// An argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub shape: Shape,
    /// What an example looks like, or what is meant when it is left out.
    pub hint: &'static str,
    pub required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    Number,
    /// Left out where it is not told.
    Flag,
}

impl Shape {
    fn is_flag(self) -> bool {
        self == Self::Flag
    }

    fn is_number(self) -> bool {
        self == Self::Number
    }
}

const fn field(
    name: &'static str,
    label: &'static str,
    shape: Shape,
    hint: &'static str,
    required: bool,
) -> Field {
    Field {
        name,
        label,
        shape,
        hint,
        required,
    }
}

const PLAYER: [Field; 6] = [
    field("riot_id", "Riot ID", Shape::Text, "Name#TAG", true),
    field(
        "platform",
        "Platform",
        Shape::Text,
        "kr, euw1, na1 ...",
        true,
    ),
    field("year", "Year", Shape::Number, "2026", true),
    field("timelines", "Timelines too", Shape::Flag, "yes", false),
    field("track", "Again by schedule", Shape::Flag, "yes", false),
    field("dry_run", "Only count", Shape::Flag, "no", false),
];
const DRY_RUN: Field = field("dry_run", "Only count", Shape::Flag, "no", false);
const MATCH_ID: Field = field("match_id", "Match", Shape::Text, "KR_1234567890", true);
const TIMELINES: Field = field("timelines", "Timelines too", Shape::Flag, "yes", false);

/// The kinds that people submit.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "sync_player_data",
        about: "Brings a player's year in: every match that Riot lists and that is not stored yet.",
        fields: &PLAYER,
    },
    Kind {
        name: "recover_player_data",
        about: "Compares a player's year with Riot's list, and fetches what is missing.",
        fields: &PLAYER,
    },
    Kind {
        name: "sync_match_data",
        about: "Brings one match in.",
        fields: &[
            MATCH_ID,
            field("timeline", "Timeline too", Shape::Flag, "no", false),
        ],
    },
    Kind {
        name: "sync_match_timeline",
        about: "Brings the timeline of a stored match in.",
        fields: &[MATCH_ID],
    },
    Kind {
        name: "sync_ladder",
        about: "Syncs the players of a ladder's tier, the best first.",
        fields: &[
            field(
                "platform",
                "Platform",
                Shape::Text,
                "kr, euw1, na1 ...",
                true,
            ),
            field("tier", "Tier", Shape::Text, "challenger", true),
            field("division", "Division", Shape::Text, "I", false),
            field(
                "queue",
                "Ranked queue",
                Shape::Text,
                "RANKED_SOLO_5x5",
                false,
            ),
            field("limit", "Players at most", Shape::Number, "300", false),
            field("year", "Year", Shape::Number, "this one", false),
            TIMELINES,
        ],
    },
    Kind {
        name: "sync_tracked",
        about: "Syncs the players that are tracked.",
        fields: &[
            field("platform", "Platform", Shape::Text, "all", false),
            field(
                "max_players",
                "Players at most",
                Shape::Number,
                "all",
                false,
            ),
            TIMELINES,
        ],
    },
    Kind {
        name: "sync_missing",
        about: "Asks again for documents that Riot did not give.",
        fields: &[
            field(
                "max_documents",
                "Documents at most",
                Shape::Number,
                "as the settings say",
                false,
            ),
            TIMELINES,
        ],
    },
    Kind {
        name: "auto_retry_failed",
        about: "Syncs again what failed.",
        fields: &[field(
            "max_players",
            "Players at most",
            Shape::Number,
            "as the settings say",
            false,
        )],
    },
    Kind {
        name: "cleanup_old_data",
        about: "Deletes matches that are older than so many days.",
        fields: &[
            field("days", "Older than, in days", Shape::Number, "730", true),
            field(
                "adjust_stats",
                "Take them from the statistics too",
                Shape::Flag,
                "no",
                false,
            ),
            DRY_RUN,
        ],
    },
    Kind {
        name: "replay_payloads",
        about: "Makes the rows anew from the stored documents, without a call.",
        fields: &[DRY_RUN],
    },
    Kind {
        name: "recompress",
        about: "Packs the stored documents tighter.",
        fields: &[
            field("level", "Level", Shape::Number, "9", false),
            field(
                "cpu_percent",
                "Processor time at most, in percent",
                Shape::Number,
                "50",
                false,
            ),
            DRY_RUN,
        ],
    },
    Kind {
        name: "export_lake",
        about: "Brings the lake of the settings (lake.dir) up to date.",
        fields: &[field("full", "All of it anew", Shape::Flag, "no", false)],
    },
    Kind {
        name: "health_check",
        about: "Takes readings of everything, and judges them.",
        fields: &[],
    },
];

#[derive(Template)]
#[template(path = "submit.html")]
struct Submit {
    shell: Shell,
    kinds: &'static [Kind],
    kind: Kind,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Chosen {
    #[serde(default)]
    kind: String,
}

fn kind_of(name: &str) -> Option<Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}

pub(crate) async fn submit_form(
    State(site): State<Arc<Site>>,
    Query(chosen): Query<Chosen>,
) -> Response {
    respond::page(&Submit {
        shell: Shell::new(&site, "submit"),
        kinds: KINDS,
        kind: kind_of(&chosen.kind).unwrap_or(KINDS[0]),
    })
}

pub(crate) async fn submit(
    State(site): State<Arc<Site>>,
    Form(given): Form<Vec<(String, String)>>,
) -> Response {
    let shell = Shell::new(&site, "submit");
    let value = |name: &str| {
        let mut pairs = given.iter();
        let found = pairs.find(|(given, _)| given == name);
        found.map_or("", |(_, value)| value.trim())
    };
    let Some(kind) = kind_of(value("kind")) else {
        let message = format!("There is no kind of job '{}'.", value("kind"));
        return respond::problem(shell, StatusCode::BAD_REQUEST, "No such kind", &message, "");
    };
    let args = match args_of(&kind, value) {
        Ok(args) => args,
        Err(why) => {
            let remedy = "Go back and change it.";
            return respond::problem(
                shell,
                StatusCode::BAD_REQUEST,
                "That was not understood",
                &why,
                remedy,
            );
        }
    };
    // Who fills in a form waits for it.
    let params = json!({ "kind": kind.name, "args": args, "priority": 2 });
    match site.engine.call("job.submit", params).await {
        Ok(done) => {
            let base = &site.place.settings.prefix;
            respond::see(&format!(
                "{base}/jobs/{}",
                done["job_id"].as_i64().unwrap_or(0)
            ))
        }
        Err(error) => respond::refused(shell, &error),
    }
}

/// The arguments as the kind wants them; what was left empty is left out.
fn args_of<'v>(kind: &Kind, value: impl Fn(&str) -> &'v str) -> Result<Value, String> {
    let mut args = Map::new();
    for field in kind.fields {
        let text = value(field.name);
        let given = match (text, field.shape) {
            ("", _) => continue,
            (text, Shape::Text) => json!(text),
            (text, Shape::Number) => match text.parse::<u64>() {
                Ok(number) => json!(number),
                Err(_) => return Err(format!("{}: '{text}' is no whole number.", field.label)),
            },
            (text, Shape::Flag) => json!(text == "yes"),
        };
        args.insert(field.name.to_owned(), given);
    }
    Ok(Value::Object(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_empty_is_left_out_and_numbers_are_numbers() {
        let kind = kind_of("sync_player_data").unwrap();
        let given = |name: &str| match name {
            "riot_id" => "<b>#KR1",
            "platform" => "kr",
            "year" => "2025",
            "timelines" => "no",
            _ => "",
        };
        let args =
            json!({ "riot_id": "<b>#KR1", "platform": "kr", "year": 2025, "timelines": false });
        assert_eq!(args_of(&kind, given), Ok(args));
        let wrong = args_of(&kind, |name| if name == "year" { "2025x" } else { "" });
        assert_eq!(wrong, Err("Year: '2025x' is no whole number.".to_owned()));
    }
}
