//! The examples of the manual, typed into a real engine.

use super::*;

/// Fields whose values are different at every run; that they are there and of the same type is checked.
const VOLATILE: &[&str] = &[
    "job_id",
    "pid",
    "engine",
    "version",
    "started_at",
    "finished_at",
    "enqueued_at",
    "run_at",
    "uptime_s",
    "at",
    "since",
    "database",
    "socket",
    "calls",
    "commits",
    "step",
    "percent",
    "total_matches",
    "wins",
    "running",
    "state",
    "available",
    "scheduled",
    "blocked",
    "retryable",
    "attempt",
];

/// What the manual promises is there: every field, with its type, and its value unless it changes.
fn check(promised: &Value, got: &Value, path: &str) {
    match (promised, got) {
        (Value::Object(promised), Value::Object(got)) => {
            for (name, value) in promised {
                let path = format!("{path}.{name}");
                let there = got
                    .get(name)
                    .unwrap_or_else(|| panic!("{path} is not in {got:?}"));
                if VOLATILE.contains(&name.as_str()) {
                    let same = std::mem::discriminant(value) == std::mem::discriminant(there);
                    assert!(
                        same || value.is_null() || there.is_null(),
                        "{path}: {value} and {there}"
                    );
                } else {
                    check(value, there, &path);
                }
            }
        }
        (Value::Array(promised), Value::Array(got)) => {
            for (number, value) in promised.iter().enumerate() {
                check(value, &got[number], &format!("{path}[{number}]"));
            }
        }
        _ => assert_eq!(promised, got, "{path}"),
    }
}

#[tokio::test]
async fn the_examples_of_the_manual_are_answered_as_it_says() {
    let page = include_str!("../../../src/manual/protocol.md");
    let setup = setup(12).await;
    let _served = setup.served().await;
    let examples: Vec<(char, Value)> = page
        .split("```jsonrpc\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .flat_map(str::lines)
        .filter_map(|line| {
            let (who, text) = line.split_at_checked(2)?;
            let who = who.chars().next()?;
            assert!(who == '>' || who == '<', "{line}");
            let text = text.replace("Name#TAG", PLAYER);
            // What is no JSON is sent as it is.
            Some((
                who,
                serde_json::from_str(&text).unwrap_or(Value::String(text)),
            ))
        })
        .collect();
    assert!(examples.len() > 20, "{} lines", examples.len());
    let mut lines = setup.connect();
    let typed = tokio::task::spawn_blocking(move || {
        for (who, example) in examples {
            if who == '>' {
                match example {
                    Value::String(text) => lines.send(&text),
                    request => lines.send(&request.to_string()),
                }
                continue;
            }
            // Progress may be told any number of times, also in between.
            let mut got = lines.line();
            while got["method"] == "job.progress" && example["method"] != "job.progress" {
                got = lines.line();
            }
            check(&example, &got, "");
        }
    });
    typed.await.unwrap();
}

#[tokio::test]
async fn every_method_and_every_kind_stands_in_the_manual() {
    let page = include_str!("../../../src/manual/protocol.md");
    let setup = setup(1).await;
    let _served = setup.served().await;
    let answers = tokio::task::spawn_blocking({
        let mut lines = setup.connect();
        move || {
            let unknown = json!({ "kind": "nothing", "args": {} });
            [("engine.nope", json!({})), ("job.submit", unknown)].map(|(method, params)| {
                let request =
                    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
                lines.send(&request.to_string());
                lines.line()["error"].clone()
            })
        }
    });
    let [methods, kinds] = answers.await.unwrap();
    let methods = methods["data"]["methods"].as_array().unwrap();
    for method in methods.iter().filter_map(Value::as_str) {
        let listed =
            page.contains(&format!("| `{method}`")) || page.contains(&format!(", `{method}` |"));
        assert!(listed, "{method} has no row in src/manual/protocol.md");
    }
    let (_, known) = kinds["message"]
        .as_str()
        .unwrap()
        .split_once("Known: ")
        .unwrap();
    assert!(known.split(", ").count() > 10, "{known}");
    for kind in known.split(", ") {
        let listed = page.contains(&format!("| `{kind}` |"));
        assert!(listed, "{kind} has no row in src/manual/protocol.md");
    }
}
