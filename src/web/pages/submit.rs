//! Work for the engine: a form for each kind of job.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use riftsync_basics::form::{Form, Shape};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::respond;
use crate::shell::Shell;
use crate::site::Site;

#[derive(Template)]
#[template(path = "submit.html")]
struct Submit<'s> {
    shell: Shell,
    forms: &'s [Form],
    form: &'s Form,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Chosen {
    #[serde(default)]
    kind: String,
}

fn form_of<'s>(forms: &'s [Form], kind: &str) -> Option<&'s Form> {
    forms.iter().find(|form| form.kind == kind)
}

pub(crate) async fn submit_form(
    State(site): State<Arc<Site>>,
    Query(chosen): Query<Chosen>,
) -> Response {
    let shell = Shell::new(&site, "submit");
    let forms = &*site.forms;
    let chosen = form_of(forms, &chosen.kind).or(forms.first());
    let Some(form) = chosen else {
        let message = "This engine has no kind of job that people submit.";
        return respond::problem(shell, StatusCode::NOT_FOUND, "No such kind", message, "");
    };
    respond::page(&Submit { shell, forms, form })
}

pub(crate) async fn submit(
    State(site): State<Arc<Site>>,
    axum::Form(given): axum::Form<Vec<(String, String)>>,
) -> Response {
    let shell = Shell::new(&site, "submit");
    let value = |name: &str| {
        let mut pairs = given.iter();
        let found = pairs.find(|(given, _)| given == name);
        found.map_or("", |(_, value)| value.trim())
    };
    let Some(form) = form_of(&site.forms, value("kind")) else {
        let message = format!("There is no kind of job '{}'.", value("kind"));
        return respond::problem(shell, StatusCode::BAD_REQUEST, "No such kind", &message, "");
    };
    let args = match args_of(form, value) {
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
    let params = json!({ "kind": form.kind, "args": args, "priority": 2 });
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
fn args_of<'v>(form: &Form, value: impl Fn(&str) -> &'v str) -> Result<Value, String> {
    let mut args = Map::new();
    for field in &form.fields {
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
    use riftsync_basics::form::Field;

    use super::*;

    #[test]
    fn what_is_left_empty_is_left_out_and_numbers_are_numbers() {
        let field = |name, label, shape| Field {
            name,
            label,
            shape,
            hint: "",
            required: false,
        };
        let form = Form {
            kind: "sync",
            about: "",
            fields: vec![
                field("riot_id", "Riot ID", Shape::Text),
                field("platform", "Platform", Shape::Text),
                field("year", "Year", Shape::Number),
                field("timelines", "Timelines too", Shape::Flag),
                field("track", "Again by schedule", Shape::Flag),
            ],
        };
        let given = |name: &str| match name {
            "riot_id" => "<b>#KR1",
            "platform" => "kr",
            "year" => "2025",
            "timelines" => "no",
            _ => "",
        };
        let args =
            json!({ "riot_id": "<b>#KR1", "platform": "kr", "year": 2025, "timelines": false });
        assert_eq!(args_of(&form, given), Ok(args));
        let wrong = args_of(&form, |name| if name == "year" { "2025x" } else { "" });
        assert_eq!(wrong, Err("Year: '2025x' is no whole number.".to_owned()));
    }
}
