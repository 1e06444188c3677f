//! Links of documents lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{nothing_wrong, root};

/// The lines of a document that are not code, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut code = false;
    let mut prose = Vec::new();
    for (place, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if !code {
            prose.push((place + 1, line));
        }
    }
    prose
}

/// The anchors of a document's headings, as pages of a repository have them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        // Of two that are the same, the second has a number.
        let numbered = (1..).map(|n| format!("{anchor}-{n}"));
        let free = std::iter::once(anchor.clone())
            .chain(numbered)
            .find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// The targets of `[text](target)`.
fn targets(line: &str) -> Vec<&str> {
    let behind = line.split("](").skip(1);
    behind.filter_map(|rest| rest.split(')').next()).collect()
}

/// Why a link of a document leads nowhere.
fn broken(document: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let there = if file.is_empty() {
        document.to_owned()
    } else {
        document.parent()?.join(file)
    };
    if !there.exists() {
        return Some(format!("there is no {file}"));
    }
    let known = if file.is_empty() {
        anchors(text)
    } else {
        anchors(&fs::read_to_string(&there).unwrap_or_default())
    };
    (!anchor.is_empty() && !known.contains(anchor))
        .then(|| format!("there is no heading for #{anchor}"))
}

/// All documents of the tree.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn links_of_documents_lead_somewhere() {
    let mut faults = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let shown = document.strip_prefix(root()).unwrap().display();
        for (line, words) in prose(&text) {
            for target in targets(words) {
                if let Some(why) = broken(&document, &text, target) {
                    faults.push(format!("{shown}:{line}: ({target}): {why}"));
                }
            }
        }
    }
    nothing_wrong(
        &faults,
        "a link in a document leads to a file or a heading that is there. Mend its target.",
    );
}

#[test]
fn headings_have_the_anchors_of_their_words() {
    let text = "# The `sync` verb, first\n```\n# no heading\n```\n## Twice\n## Twice\n";
    let expected = ["the-sync-verb-first", "twice", "twice-1"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
}
