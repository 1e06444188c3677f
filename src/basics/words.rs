//! How a person does what an error says is to be done: each program has its own name and its own commands.

use std::sync::OnceLock;

use super::job::JobId;

/// The words of the program that the engine is part of: its name, its commands, and how it is told about its database.
#[derive(Debug)]
pub struct Words {
    /// At the beginning of a sentence: "riftsync", "The engine".
    pub who: &'static str,
    /// What a database of it is: "a riftsync database".
    pub database: &'static str,
    /// One of its versions, after "a newer" and "an older": "riftsync", "version of this program".
    pub version: &'static str,
    /// What is to be upgraded.
    pub program: &'static str,
    /// Another of its engines, after "another": "riftsync engine".
    pub engine: &'static str,
    /// How another file is chosen, behind a blank: " with --file PATH". Nothing: its program knows.
    pub another_file: &'static str,
    /// What says where the server is: "what --server says".
    pub address: &'static str,
    /// How tables are brought up to date, a sentence.
    pub migrate: &'static str,
    /// What comes after a new database was made on a server, an end of a sentence.
    pub use_it: &'static str,
    /// What is done when nothing can be saved, after "or".
    pub anew: &'static str,
    /// The command that copies a database: "riftsync db copy". Nothing: there is none.
    pub copy: &'static str,
    /// The command that runs a failed job again, without the job's id: "riftsync job retry". Nothing: there is none.
    pub retry: &'static str,
    /// The command that gives a job up, in the same way.
    pub cancel: &'static str,
    /// The command that tells how the engine is.
    pub health: &'static str,
}

impl Words {
    /// What comes behind "run it again".
    pub fn with_retry(&self) -> String {
        with(self.retry)
    }

    /// What comes behind "cancel the job".
    pub fn with_cancel(&self) -> String {
        with(self.cancel)
    }

    /// The same for one job.
    pub fn with_cancel_of(&self, job: JobId) -> String {
        if self.cancel.is_empty() {
            return String::new();
        }
        with(&format!("{} {job}", self.cancel))
    }

    /// How a copy is finished, behind "finish it". An address without its password cannot be typed.
    pub fn to_finish(&self, from: &str, to: &str) -> String {
        match self.copy {
            "" => String::new(),
            copy if [from, to].iter().any(|name| name.contains("***")) => {
                format!(" with `{copy} --from ... --to ...` of the same two")
            }
            copy => {
                let (from, to) = (shell_quoted(from), shell_quoted(to));
                with(&format!("{copy} --from {from} --to {to}"))
            }
        }
    }

    /// Where more is told, behind a sentence.
    pub fn health_tells_more(&self) -> String {
        if self.health.is_empty() {
            return String::new();
        }
        format!("; `{}` tells more", self.health)
    }
}

fn with(command: &str) -> String {
    if command.is_empty() {
        return String::new();
    }
    format!(" with `{command}`")
}

/// Of a program that says nothing.
static PLAIN: Words = Words {
    who: "The engine",
    database: "a database of this program",
    version: "version of this program",
    program: "the program",
    engine: "engine",
    another_file: "",
    address: "the address",
    migrate: "An engine that opens it does that, and keeps everything",
    use_it: " and use that one",
    anew: "move all three files away and begin with a new one",
    copy: "",
    retry: "",
    cancel: "",
    health: "",
};

static SAID: OnceLock<&'static Words> = OnceLock::new();

/// The program that opens a database says its words; those of the first stay.
pub fn say(words: Option<&'static Words>) {
    if let Some(words) = words {
        SAID.get_or_init(|| words);
    }
}

/// Those that were said, or plain ones.
pub fn words() -> &'static Words {
    SAID.get().copied().unwrap_or(&PLAIN)
}
/// A word that a shell takes as it is.
pub fn shell_quoted(word: &str) -> String {
    if word.contains(['"', '$', '`', '\\', '!']) {
        format!("'{}'", word.replace('\'', "'\\''"))
    } else {
        format!("\"{word}\"")
    }
}
