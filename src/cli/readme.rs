//! What the README and the manual tell a person to type is understood.

use clap::Parser;
use clap::error::ErrorKind;

use super::Cli;

/// A command, with its line.
struct Typed {
    line: usize,
    words: Vec<String>,
    /// Of a block: all of it stands there. Within a sentence, a verb may be named without what it needs.
    whole: bool,
}

/// All commands of a text: in its blocks of code, and between backticks.
fn typed(text: &str) -> Vec<Typed> {
    let mut found = Vec::new();
    let (mut block, mut picture) = (false, false);
    let (mut sentence, mut before) = (String::new(), String::new());
    for (place, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            block = !block;
            picture = line == "```text";
        } else if !block {
            // Each keeps its line, also where one goes on in the next.
            sentence.push_str(line);
            sentence.push('\n');
            continue;
        } else if picture {
            // It shows what riftsync says.
        } else if let Some(first) = line.strip_suffix('\\') {
            before.push_str(first);
        } else {
            let all = format!("{}{line}", std::mem::take(&mut before));
            found.extend(
                ways(&all)
                    .iter()
                    .filter_map(|way| command(way))
                    .map(|words| Typed {
                        line: place + 1,
                        words,
                        whole: true,
                    }),
            );
        }
        sentence.push('\n');
    }
    let mut line = 1;
    for (place, part) in sentence.split('`').enumerate() {
        if place % 2 == 1
            && let Some(words) = command(part)
        {
            found.push(Typed {
                line,
                words,
                whole: false,
            });
        }
        line += part.matches('\n').count();
    }
    found
}

/// What a line says may be typed: all that stands outside of brackets, and that with each of the brackets.
fn ways(line: &str) -> Vec<String> {
    let mut ways = vec![String::new()];
    for (place, part) in line.split(" [").enumerate() {
        let (choice, rest) = match part.split_once(']') {
            Some((choice, rest)) if place > 0 => (Some(choice), rest),
            _ => (None, part),
        };
        ways[0].push_str(rest);
        ways.extend(choice.map(str::to_owned));
    }
    let (all, choices) = ways.split_at(1);
    let with = choices.iter().map(|choice| format!("{} {choice}", all[0]));
    all.iter().cloned().chain(with).collect()
}

/// The words of a command that starts riftsync, as a shell gives them.
fn command(line: &str) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(String::new()),
            c => words.last_mut()?.push(c),
        }
    }
    words.retain(|word| !word.is_empty() && word != "...");
    if words.iter().any(|word| word == "──>") {
        // A picture.
        return None;
    }
    if words.iter().any(|word| word == "--example") {
        return None;
    }
    if words.first()? == "cargo"
        && let Some(own) = words.iter().position(|word| word == "--")
    {
        words.splice(..=own, ["riftsync".to_owned()]);
    }
    // Variables may stand before it, or a program that starts it in a container.
    let start = match words.first()?.as_str() {
        "docker" if words[1] == "exec" => words.iter().rposition(|word| word == "riftsync")?,
        _ => words.iter().position(|word| !word.contains('='))?,
    };
    let end = |word: &String| ["#", ">", ">>", "2>>", "|", "&", "&&"].contains(&word.as_str());
    let words: Vec<String> = words
        .split_off(start)
        .into_iter()
        .take_while(|word| !end(word))
        .collect();
    (words.len() > 1 && words[0] == "riftsync").then_some(words)
}

#[test]
fn the_commands_of_the_readme_and_the_manual_are_understood() {
    let readme = ("README", include_str!("../../README.md"));
    let pages = crate::manual::PAGES
        .iter()
        .map(|page| (page.topic, page.text));
    let of = |(name, text): (&'static str, &str)| {
        typed(text).into_iter().map(move |typed| (name, typed))
    };
    let commands: Vec<_> = std::iter::once(readme).chain(pages).flat_map(of).collect();
    assert!(commands.len() > 60, "{} commands", commands.len());
    let mut faults = Vec::new();
    for (name, Typed { line, words, whole }) in commands {
        // A topic of the manual is no word of the parser.
        if super::pages::asked(&words[1..]).is_some_and(|page| page.is_ok()) {
            continue;
        }
        let Err(error) = Cli::try_parse_from(&words) else {
            continue;
        };
        let named = [
            ErrorKind::MissingRequiredArgument,
            ErrorKind::MissingSubcommand,
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
        ];
        let shown = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
        if !shown.contains(&error.kind()) && (whole || !named.contains(&error.kind())) {
            let why = error.to_string();
            let why = why.lines().next().unwrap_or_default();
            faults.push(format!("{name}.md:{line}: {}: {why}", words.join(" ")));
        }
    }
    assert!(
        faults.is_empty(),
        "\n{}\n\nThe rule: what the documentation tells to type, riftsync understands. Mend the command there, or the verb.",
        faults.join("\n")
    );
}
