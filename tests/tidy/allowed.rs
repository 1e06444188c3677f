//! Lists of what does not keep a rule yet.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::root;

/// What breaks a rule: how much of it, and what to show for it.
#[derive(Debug, Default)]
pub struct Found {
    pub measure: usize,
    pub shown: Vec<String>,
}

/// A list below `allowed/`. A line is a measure and what it is of; behind a `#` stands why.
pub struct Allowed {
    name: &'static str,
    path: PathBuf,
    lines: Vec<Line>,
}

struct Line {
    number: usize,
    text: String,
    /// None: a remark.
    entry: Option<(usize, String)>,
}

impl Allowed {
    pub fn read(name: &'static str) -> Self {
        let path = root().join("tests/tidy/allowed").join(name);
        let text = fs::read_to_string(&path).unwrap();
        let line = |(place, text): (usize, &str)| {
            let said = text.split(" #").next().unwrap_or_default().trim();
            let entry = (!said.is_empty() && !said.starts_with('#')).then(|| {
                let (measure, what) = said.split_once(' ').unwrap();
                (measure.parse().unwrap(), what.trim().to_owned())
            });
            Line {
                number: place + 1,
                text: text.to_owned(),
                entry,
            }
        };
        let lines = text.lines().enumerate().map(line).collect();
        Self { name, path, lines }
    }

    /// What is found and not allowed, and what is allowed and no longer found.
    pub fn faults(mut self, found: &BTreeMap<String, Found>) -> Vec<String> {
        let mut faults = Vec::new();
        for (what, found) in found {
            let allowed = self.lines.iter().find_map(|line| match &line.entry {
                Some((measure, listed)) if listed == what => Some(*measure),
                _ => None,
            });
            if found.measure > allowed.unwrap_or(0) {
                let listed = allowed.map_or("is not in the list".to_owned(), |allowed| {
                    format!("the list has {allowed}")
                });
                faults.push(format!("{what}: {}; {listed}", found.measure));
                faults.extend(found.shown.iter().map(|shown| format!("    {shown}")));
            }
        }
        let shrink = std::env::var_os("TIDY_SHRINK").is_some();
        for line in &mut self.lines {
            let Some((measure, what)) = &line.entry else {
                continue;
            };
            let now = found.get(what).map_or(0, |found| found.measure);
            if now >= *measure {
                continue;
            }
            if shrink {
                line.text = line
                    .text
                    .replacen(&measure.to_string(), &now.to_string(), 1);
                line.entry = Some((now, what.clone()));
                continue;
            }
            faults.push(format!(
                "tests/tidy/allowed/{}:{}: {what}: the list has {measure}, there is {now}. Lists only shrink: \
                 run TIDY_SHRINK=1 cargo test --test tidy",
                self.name, line.number
            ));
        }
        if shrink {
            let needed = |line: &&Line| line.entry.as_ref().is_none_or(|(measure, _)| *measure > 0);
            let kept: Vec<&str> = (self.lines.iter().filter(needed))
                .map(|line| line.text.as_str())
                .collect();
            fs::write(&self.path, kept.join("\n") + "\n").unwrap();
        }
        faults
    }
}
