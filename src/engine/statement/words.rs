//! The words that the databases spell differently, filled in when a statement is compiled.

/// Which database a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Sqlite,
    Postgres,
}

/// A word: as it stands in braces, as SQLite has it, as PostgreSQL has it.
type Word = (&'static str, &'static str, &'static str);

const WORDS: &[Word] = &[
    // An empty object in JSON is no word.
    ("", "{}", "{}"),
    // Is among the values of a `List`.
    ("in ?", "IN (SELECT value FROM json_each(?))", "= ANY(?)"),
    // The values of a `List` as rows: `listed.value`.
    (
        "rows of ?",
        "json_each(?) AS listed",
        "unnest(?) AS listed (value)",
    ),
    // The smaller one of two, none of which is nothing.
    ("least", "min", "least"),
    ("json array", "json_array", "json_build_array"),
    // As an index with a condition on a flag says it: SQLite uses it only for the same word.
    ("true", "1", "TRUE"),
    // Rows are locked as they are read; SQLite has one writer.
    ("for update", "", "FOR UPDATE"),
    ("for update skip locked", "", "FOR UPDATE SKIP LOCKED"),
    // The index that SQLite is to use. PostgreSQL decides that by its statistics.
    ("indexed by jobs_running", "INDEXED BY jobs_running", ""),
    (
        "indexed by jobs_ended_badly",
        "INDEXED BY jobs_ended_badly",
        "",
    ),
];

const fn is(word: &[u8], text: &[u8], at: usize) -> bool {
    let mut i = 0;
    while i < word.len() {
        if at + i >= text.len() || text[at + i] != word[i] {
            return false;
        }
        i += 1;
    }
    at + i < text.len() && text[at + i] == b'}'
}

/// What stands for the word in the braces at this place, and where the text goes on.
const fn word(text: &[u8], at: usize, server: Server) -> (&'static [u8], usize) {
    let mut i = 0;
    while i < WORDS.len() {
        let (name, sqlite, postgres) = WORDS[i];
        if is(name.as_bytes(), text, at + 1) {
            let spelt = match server {
                Server::Sqlite => sqlite,
                Server::Postgres => postgres,
            };
            return (spelt.as_bytes(), at + name.len() + 2);
        }
        i += 1;
    }
    panic!("a word in braces that src/engine/statement/words.rs does not have")
}

/// How long the statement is for this database.
#[doc(hidden)]
pub const fn length(text: &str, server: Server) -> usize {
    let text = text.as_bytes();
    let (mut at, mut length) = (0, 0);
    while at < text.len() {
        if text[at] == b'{' {
            let (spelt, next) = word(text, at, server);
            length += spelt.len();
            at = next;
        } else {
            length += 1;
            at += 1;
        }
    }
    length
}

/// The statement for this database, `length` bytes of it.
#[doc(hidden)]
pub const fn filled<const N: usize>(text: &str, server: Server) -> [u8; N] {
    let text = text.as_bytes();
    let mut filled = [0; N];
    let (mut at, mut to) = (0, 0);
    while at < text.len() {
        if text[at] == b'{' {
            let (spelt, next) = word(text, at, server);
            let mut i = 0;
            while i < spelt.len() {
                filled[to + i] = spelt[i];
                i += 1;
            }
            to += spelt.len();
            at = next;
        } else {
            filled[to] = text[at];
            at += 1;
            to += 1;
        }
    }
    filled
}

#[doc(hidden)]
pub const fn text(filled: &[u8]) -> &str {
    match std::str::from_utf8(filled) {
        Ok(text) => text,
        Err(_) => panic!("texts put into a text are a text"),
    }
}

#[cfg(test)]
mod tests {
    use super::Server::{Postgres, Sqlite};
    use super::{Server, filled, length, text};

    const ASKED: &str =
        "SELECT 'ä' FROM t WHERE a {in ?} AND b = ? AND {least}(a, b) > 0 AND c <> '{}'";

    fn spelt<const N: usize>(server: Server) -> String {
        assert_eq!(length(ASKED, server), N);
        text(&filled::<N>(ASKED, server)).to_owned()
    }

    #[test]
    fn a_statement_has_the_words_of_its_database() {
        let sqlite = spelt::<{ length(ASKED, Sqlite) }>(Sqlite);
        let told = "SELECT 'ä' FROM t WHERE a IN (SELECT value FROM json_each(?)) AND b = ? AND min(a, b) > 0 AND c <> '{}'";
        assert_eq!(sqlite, told);
        let postgres = spelt::<{ length(ASKED, Postgres) }>(Postgres);
        let told = "SELECT 'ä' FROM t WHERE a = ANY(?) AND b = ? AND least(a, b) > 0 AND c <> '{}'";
        assert_eq!(postgres, told);
    }

    #[test]
    fn rows_are_locked_on_a_server_and_an_index_is_named_in_a_file() {
        const ASKED: &str =
            "SELECT 1 FROM jobs {indexed by jobs_running} LIMIT 1 {for update skip locked}";
        let sqlite = filled::<{ length(ASKED, Sqlite) }>(ASKED, Sqlite);
        let told = "SELECT 1 FROM jobs INDEXED BY jobs_running LIMIT 1 ";
        assert_eq!(text(&sqlite), told);
        let postgres = filled::<{ length(ASKED, Postgres) }>(ASKED, Postgres);
        let told = "SELECT 1 FROM jobs  LIMIT 1 FOR UPDATE SKIP LOCKED";
        assert_eq!(text(&postgres), told);
    }

    #[test]
    #[should_panic(expected = "a word in braces")]
    fn a_word_that_nobody_knows_is_refused() {
        length("SELECT {in}", Sqlite);
    }
}
