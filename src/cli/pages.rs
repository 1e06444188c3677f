//! What is made of the words themselves: completions for shells, manual pages, and what `help` says.

use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use serde_json::{Value, json};

use super::{Cli, CliError};
use crate::manual;

/// What programs add to any verb.
pub const JSON: &str = "--json";

/// The words of riftsync.
fn words() -> Command {
    Cli::command()
}

/// What `help` lists below the verbs.
pub(super) fn topics() -> String {
    let width = manual::PAGES.iter().map(|page| page.topic.len()).max();
    let width = width.unwrap_or_default();
    let lines = manual::PAGES
        .iter()
        .map(|page| format!("\n  {:width$}  {}", page.topic, page.about));
    let head = "Topics of the manual, for `riftsync help TOPIC`:".to_owned();
    std::iter::once(head).chain(lines).collect()
}

/// What the words `help` and `help TOPIC` ask for; with `--json` it is a document, of a verb too. None: for what clap
/// shows, or refuses, by itself. It needs no settings.
pub fn asked(typed: &[String]) -> Option<Result<String, CliError>> {
    let json = typed.iter().any(|word| word == JSON);
    let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
    let typed: Vec<&str> = typed.into_iter().filter(|word| *word != JSON).collect();
    let ["help", asked @ ..] = typed.as_slice() else {
        return None;
    };
    let mut words = words();
    words.build();
    let topic = match asked {
        [topic] => *topic,
        [] if json => return Some(Ok(overview(&words).to_string())),
        verb if json => return verb_page(words, verb).map(|page| Ok(page.to_string())),
        _ => return None,
    };
    if let Some(page) = manual::page(topic) {
        let text = page.text.trim_end();
        return Some(Ok(if json {
            json!({ "topic": page.topic, "about": page.about, "text": text }).to_string()
        } else {
            text.to_owned()
        }));
    }
    if topic.starts_with('-') || topic == "help" {
        return None;
    }
    if words.find_subcommand(topic).is_some() {
        let page = json.then(|| verb_page(words, asked)).flatten();
        return page.map(|page| Ok(page.to_string()));
    }
    let verbs: Vec<&str> = verbs(&words).map(Command::get_name).collect();
    let topics: Vec<&str> = manual::PAGES.iter().map(|page| page.topic).collect();
    Some(Err(CliError::Usage(format!(
        "there is no verb and no topic '{topic}'. Verbs: {}. Topics: {}",
        verbs.join(", "),
        topics.join(", ")
    ))))
}

fn verbs(words: &Command) -> impl Iterator<Item = &Command> {
    let verbs = words.get_subcommands();
    verbs.filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
}

fn about(verb: &Command) -> String {
    verb.get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// What there is to ask for.
fn overview(words: &Command) -> Value {
    let verbs = verbs(words).map(|verb| json!({ "verb": verb.get_name(), "about": about(verb) }));
    let topics = manual::PAGES
        .iter()
        .map(|page| json!({ "topic": page.topic, "about": page.about }));
    json!({ "verbs": verbs.collect::<Vec<_>>(), "topics": topics.collect::<Vec<_>>() })
}

/// What is told of a verb; none: there is no such verb.
fn verb_page(mut words: Command, typed: &[&str]) -> Option<Value> {
    let mut verb = &mut words;
    for word in typed {
        verb = verb.find_subcommand_mut(word)?;
    }
    let text = verb.render_long_help().to_string();
    let named = json!({ "verb": typed.join(" "), "about": about(verb), "text": text.trim_end() });
    Some(named)
}

/// Prints a shell's completions.
pub fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut words(), "riftsync", &mut script);
    crate::outln!("{}", String::from_utf8_lossy(&script).trim_end());
}

/// Prints the manual page, or writes one for each verb into a folder.
pub fn man(folder: Option<&Path>) -> Result<(), CliError> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(words()).render(&mut page);
        return rendered
            .and_then(|()| io::stdout().write_all(&page))
            .or_else(|error| match error.kind() {
                // Whoever reads has had enough.
                io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(CliError::Usage(format!(
                    "the page cannot be printed: {error}"
                ))),
            });
    };
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(words(), folder));
    written.map_err(|error| {
        let folder = folder.display();
        CliError::Usage(format!("the pages cannot be written to {folder}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_and_every_shell_its_completions() {
        let folder = tempfile::TempDir::new().unwrap();
        man(Some(folder.path())).unwrap();
        for page in ["riftsync.1", "riftsync-sync.1", "riftsync-queue-set.1"] {
            let page = std::fs::read_to_string(folder.path().join(page)).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{page}");
        }
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut words(), "riftsync", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in ["queue", "top", "dry-run"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn a_topic_is_never_called_as_a_verb_is() {
        for page in manual::PAGES {
            let topic = page.topic;
            assert!(words().find_subcommand(topic).is_none(), "{topic}");
            assert!(page.text.starts_with("# "), "{topic} begins with its title");
        }
    }

    #[test]
    fn the_words_are_without_contradiction() {
        words().debug_assert();
    }
}
