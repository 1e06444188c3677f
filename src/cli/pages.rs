//! What is made of the words themselves: completions for shells, manual pages, and what `help` says.

use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

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

/// What the words `help TOPIC` ask for; with `--json` the page is a document. None: for no page, so the words are as
/// any other. It needs no settings.
pub fn asked(typed: &[String]) -> Option<Result<String, CliError>> {
    let json = typed.iter().any(|word| word == JSON);
    let mut typed = typed.iter().filter(|word| *word != JSON);
    let (help, topic) = (typed.next()?, typed.next()?);
    if help != "help" || typed.next().is_some() {
        return None;
    }
    if let Some(page) = manual::page(topic) {
        let text = page.text.trim_end();
        return Some(Ok(if json {
            json!({ "topic": page.topic, "about": page.about, "text": text }).to_string()
        } else {
            text.to_owned()
        }));
    }
    let words = words();
    if topic.starts_with('-') || topic == "help" || words.find_subcommand(topic).is_some() {
        return None;
    }
    let verbs = words.get_subcommands().filter(|verb| !verb.is_hide_set());
    let verbs: Vec<&str> = verbs.map(Command::get_name).collect();
    let topics: Vec<&str> = manual::PAGES.iter().map(|page| page.topic).collect();
    Some(Err(CliError::Usage(format!(
        "there is no verb and no topic '{topic}'. Verbs: {}. Topics: {}",
        verbs.join(", "),
        topics.join(", ")
    ))))
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
