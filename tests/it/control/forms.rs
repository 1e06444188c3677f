//! The forms by which people submit jobs: made of what each kind of job takes.

use super::pages::Browser;
use super::*;

/// A field of a form as the page has it.
struct Field {
    name: String,
    required: bool,
    is_flag: bool,
    /// What is meant when it is left out.
    hint: String,
}

/// What stands in a text between two others.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
}

fn fields(page: &str) -> Vec<Field> {
    let form = between(page, "class=\"fields\">", "</form>").unwrap();
    let field = |label: &str| {
        let is_flag = label.contains("<select");
        let hint = if is_flag {
            between(label, "as usual (", ")")
        } else {
            between(label, "placeholder=\"", "\"")
        };
        Field {
            name: between(label, "name=\"", "\"").unwrap().to_owned(),
            required: label.contains(" required"),
            is_flag,
            hint: hint.unwrap().to_owned(),
        }
    };
    form.split("<label>").skip(1).map(field).collect()
}

#[tokio::test]
async fn every_kind_that_people_can_submit_has_a_form_and_its_fields_are_arguments() {
    let setup = setup(1).await;
    let lake = setup.path("lake");
    let served = setup
        .served_with(|command| {
            let command = command.args(["--web", "0"]);
            command.env("RIFTSYNC_LAKE__DIR", &lake)
        })
        .await;
    let browser = Browser::open(&served).await;
    browser.post("/queues/pause", "queue=all").await;
    let submit =
        |kind: &str, args: Value| setup.ask("job.submit", &json!({ "kind": kind, "args": args }));
    let why = |answer: &Value| {
        answer["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let unknown = why(&submit("nope", json!({})));
    let (_, known) = unknown.split_once("Known: ").unwrap();
    let known: Vec<&str> = known.split(", ").collect();
    assert!(known.len() > 12, "{unknown}");
    let page = browser.html("/submit").await;
    for kind in known {
        let is_shown = page.contains(&format!("href=\"/submit?kind={kind}\""));
        // Of an argument that no kind has.
        let refused = why(&submit(kind, json!({ "nope": 1 })));
        assert_eq!(
            is_shown,
            !refused.contains("made by other jobs alone"),
            "{kind}: {refused}"
        );
        if is_shown {
            let page = browser.html(&format!("/submit?kind={kind}")).await;
            check_form(&setup, kind, &fields(&page));
        }
    }
}

/// The engine takes what the form asks for, and what the form says of what is left out is so.
fn check_form(setup: &Setup, kind: &str, fields: &[Field]) {
    let submit = |args: Value| setup.ask("job.submit", &json!({ "kind": kind, "args": args }));
    for field in fields {
        // An argument that the kind does not have is refused by its name.
        let answer = submit(json!({ &field.name: Value::Null }));
        let why = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(
            !why.contains("unknown field"),
            "{kind} {}: {why}",
            field.name
        );
    }
    let args: serde_json::Map<String, Value> = (fields.iter())
        .filter(|field| field.required)
        .map(|field| (field.name.clone(), example(&field.name)))
        .collect();
    let answer = submit(args.into());
    let id = &answer["result"]["job_id"];
    assert!(id.is_i64(), "{kind}: {answer}");
    let job = setup.ask("job.get", &json!({ "job_id": id }))["result"].take();
    for field in fields.iter().filter(|field| !field.required) {
        let usual = &job["args"][&field.name];
        let (said, usual) = if field.is_flag {
            (json!(field.hint == "yes"), json!(*usual == true))
        } else if field.hint.parse::<u64>().is_ok() {
            (json!(field.hint), json!(usual.to_string()))
        } else {
            continue;
        };
        assert_eq!(said, usual, "{kind} {}", field.name);
    }
}

/// An argument that a kind asks for.
fn example(name: &str) -> Value {
    match name {
        "riot_id" => json!("Somebody#SIM"),
        "platform" => json!("kr"),
        "year" => json!(2025),
        "match_id" => json!("KR_1"),
        "tier" => json!("challenger"),
        _ => json!(30),
    }
}
