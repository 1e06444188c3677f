//! Every statement of the store is held against the migrated tables of its database.
//!
//! What [`statement!`](super::statement) declares puts itself on a list, and is prepared with the types of its fields
//! and its columns; a shared statement does so for each database. What is written otherwise (a pragma, the parts of a
//! copy) is nothing before it is put together, so it is run: each SQL literal of the source has to be part of a
//! statement that was prepared or was run.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use diesel::connection::{
    Instrumentation, InstrumentationEvent, SimpleConnection, set_default_instrumentation,
};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use tokio_postgres::types::Type;

use super::copy::{Copy, MARK_TABLE};
use super::postgres::{PostgresStore, Settings};
use super::scratch::Scratch;
use super::sqlite::{Backup, open};
use super::synthetic::{FIRST_GAME, Synthetic};
use super::world::Taken;
use super::{Location, Repair, Store, StoreError, StoreResult};
use crate::engine;
use crate::engine::statement::{Declared, Server};
use crate::model::Timestamp;
use crate::model::details::{TEAM_CELLS, TeamRecord};
use crate::model::timeline_details::ParticipantTimeline;

fn declared(database: Server) -> impl Iterator<Item = &'static Declared> {
    inventory::iter::<Declared>
        .into_iter()
        .filter(move |statement| statement.database == database)
}

#[track_caller]
fn nothing_wrong(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "\n{}\n\n{rule}", faults.join("\n"));
}

fn fault(statement: &Declared, why: &str) -> String {
    let (file, line) = statement.place;
    format!("{file}:{line}: {}: {why}", statement.name)
}

const UNDERSTOOD: &str = "A statement must be understood by the tables as the migrations make them, with the types of \
     its declaration. Mend the name or the type, or write the migration.";

/// One step of SQLite's program for a statement. The one that gives a row says of how many columns.
#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    opcode: String,
    #[diesel(sql_type = Integer)]
    p2: i32,
}

#[test]
fn sqlite_understands_every_declared_statement() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.db");
    let mut conn = open::FORMAT.open_writer(&path).unwrap();
    let mut faults = Vec::new();
    for statement in declared(Server::Sqlite) {
        // To explain it is to prepare it; nothing runs.
        let steps = diesel::sql_query(format!("EXPLAIN {}", statement.text)).load(&mut conn);
        let steps: Vec<Step> = match steps {
            Ok(steps) => steps,
            Err(error) => {
                faults.push(fault(statement, &error.to_string()));
                continue;
            }
        };
        let columns = (statement.columns)().len();
        let given = steps.iter().find(|step| step.opcode == "ResultRow");
        let given = given.map_or(0, |step| usize::try_from(step.p2).unwrap());
        if columns > 0 && columns != given {
            let why = format!("it reads {columns} columns of {given}");
            faults.push(fault(statement, &why));
        }
    }
    nothing_wrong(&faults, UNDERSTOOD);
    assert!(declared(Server::Sqlite).count() > 100);
}

#[tokio::test]
async fn postgres_understands_every_declared_statement() {
    let scratch = Scratch::new();
    let (client, connection) = tokio_postgres::connect(scratch.url(), NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut faults = Vec::new();
    for statement in declared(Server::Postgres) {
        let typed = |number: u32| Type::from_oid(number).unwrap();
        let fields: Vec<Type> = (statement.fields)().into_iter().map(typed).collect();
        match client
            .prepare_typed(&numbered(statement.text), &fields)
            .await
        {
            Ok(prepared) => {
                let columns: Vec<Type> = (statement.columns)().into_iter().map(typed).collect();
                let given: Vec<Type> = (prepared.columns().iter())
                    .map(|column| column.type_().clone())
                    .collect();
                if !columns.is_empty() && columns != given {
                    let why = format!("it reads {columns:?} of {given:?}");
                    faults.push(fault(statement, &why));
                }
            }
            Err(error) => {
                let why = match error.as_db_error() {
                    Some(said) => said.message().to_owned(),
                    None => error.to_string(),
                };
                faults.push(fault(statement, &why));
            }
        }
    }
    drop(client);
    connection.await.unwrap().unwrap();
    nothing_wrong(&faults, UNDERSTOOD);
    assert!(declared(Server::Postgres).count() > 100);
}

/// The statement as PostgreSQL takes it: `$1` for the first `?`.
fn numbered(text: &str) -> String {
    let mut pieces = text.split('?');
    let mut numbered = pieces.next().unwrap_or_default().to_owned();
    for (place, piece) in pieces.enumerate() {
        write!(numbered, "${}{piece}", place + 1).unwrap();
    }
    numbered
}

/// A statement without what `src/engine/statement/words.rs` spells for one database, and without spaces.
fn spelt_alike(text: &str) -> String {
    const SPELT: [(&str, &str); 6] = [
        ("IN (SELECT value FROM json_each(?))", "= ANY(?)"),
        ("FOR UPDATE", ""),
        ("SKIP LOCKED", ""),
        ("INDEXED BY jobs_running", ""),
        ("INDEXED BY jobs_ended_badly", ""),
        ("::bigint", ""),
    ];
    let mut text = text.to_owned();
    for (spelt, alike) in SPELT {
        text = text.replace(spelt, alike);
    }
    text.split_whitespace().collect()
}

#[test]
fn a_statement_of_both_databases_stands_once() {
    let all = |database| declared(database).map(|one| (spelt_alike(one.text), one));
    let sqlite: Vec<(String, &Declared)> = all(Server::Sqlite).collect();
    let (mut faults, mut shared) = (Vec::new(), 0);
    for (text, other) in all(Server::Postgres) {
        for (_, one) in sqlite.iter().filter(|(same, _)| *same == text) {
            if one.place == other.place {
                shared += 1;
            } else {
                let (file, line) = other.place;
                let why = format!("it is as {file}:{line}: {}", other.name);
                faults.push(fault(one, &why));
            }
        }
    }
    nothing_wrong(
        &faults,
        "What both databases understand is written once, with `shared_statement!`. What they spell differently stands in \
         braces (src/engine/statement/words.rs).",
    );
    assert!(shared > 100, "{shared} statements are shared");
}

/// A string of the source, with its place.
struct Literal {
    place: String,
    text: String,
}

/// Words that a string is SQL by. Those of statements without a name of ours (`PRAGMA`, `BEGIN`) are not among them.
const SQL: &[&str] = &[
    "ANALYZE",
    "CONFLICT",
    "CREATE",
    "DELETE",
    "DROP",
    "FROM",
    "INSERT",
    "JOIN",
    "LIMIT",
    "ORDER",
    "RETURNING",
    "SELECT",
    "SET",
    "TRUNCATE",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WHERE",
];

fn is_sql(text: &str) -> bool {
    !text.starts_with("PRAGMA")
        && text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .any(|word| SQL.contains(&word))
}

/// The SQL literals of the store and of the engine's own, but for those of tests.
fn literals() -> Vec<Literal> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut tests) = (Vec::new(), BTreeSet::new());
    let mut folders = vec![
        root.join("src/store"),
        root.join("src/engine/sql"),
        root.join("src/engine/sqlite"),
        root.join("src/engine/postgres"),
    ];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    for file in &files {
        let shown = file.strip_prefix(root).unwrap().display().to_string();
        let tokens: TokenStream = fs::read_to_string(file).unwrap().parse().unwrap();
        let mut look = Look {
            folder: &folder_of_modules(file),
            file: &shown,
            found: Vec::new(),
            tests: &mut tests,
        };
        look.walk(tokens);
        found.push((file.clone(), look.found));
    }
    found
        .into_iter()
        .filter(|(file, _)| !tests.contains(file))
        .flat_map(|(_, literals)| literals)
        .collect()
}

/// Where the modules of a file are.
fn folder_of_modules(file: &Path) -> PathBuf {
    if file.ends_with("mod.rs") {
        file.parent().unwrap().to_owned()
    } else {
        file.with_extension("")
    }
}

struct Look<'l> {
    folder: &'l Path,
    file: &'l str,
    found: Vec<Literal>,
    /// Files that are there for tests alone.
    tests: &'l mut BTreeSet<PathBuf>,
}

impl Look<'_> {
    fn walk(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    tokens.next_if(|next| matches!(next, TokenTree::Punct(_)));
                    let Some(TokenTree::Group(attribute)) =
                        tokens.next_if(|next| matches!(next, TokenTree::Group(_)))
                    else {
                        continue;
                    };
                    if attribute.stream().to_string().replace(' ', "") == "cfg(test)" {
                        self.pass_over(&mut tokens);
                    }
                }
                TokenTree::Group(group) => self.walk(group.stream()),
                TokenTree::Literal(literal) => {
                    let line = literal.span().start().line;
                    if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                        let text = text.value();
                        if is_sql(&text) {
                            let place = format!("{}:{line}", self.file);
                            self.found.push(Literal { place, text });
                        }
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }

    /// Passes over an item of tests.
    fn pass_over(&mut self, tokens: &mut impl Iterator<Item = TokenTree>) {
        let mut before = String::new();
        for token in tokens {
            match &token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
                TokenTree::Punct(mark) if mark.as_char() == ';' => {
                    if let Some((_, name)) = before.rsplit_once("mod ") {
                        self.tests
                            .insert(self.folder.join(format!("{}.rs", name.trim())));
                    }
                    return;
                }
                token => write!(before, "{token} ").unwrap(),
            }
        }
    }
}

/// Whether a statement has these words. Where the source has a hole (`{}`, `{name}`), anything may stand.
fn is_part_of(literal: &str, statement: &str) -> bool {
    let (mut rest, mut at) = (literal, statement);
    loop {
        let (piece, behind) = match rest.find('{') {
            Some(hole) => match rest[hole..].find('}') {
                Some(end) => (&rest[..hole], Some(&rest[hole + end + 1..])),
                None => (rest, None),
            },
            None => (rest, None),
        };
        let Some(found) = at.find(piece) else {
            return false;
        };
        at = &at[found + piece.len()..];
        match behind {
            Some(behind) => rest = behind,
            None => return true,
        }
    }
}

static RUN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes what is run.
struct Noting;

impl Instrumentation for Noting {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            RUN.lock().unwrap().insert(query.to_string());
        }
    }
}

/// Gives a match a team and a participant's minutes: what is written of the tables beside its first rows is made of the
/// list of their columns, or for several rows at once.
async fn write_details(store: &dyn Store) -> StoreResult<()> {
    let id = format!("EUW1_{}", FIRST_GAME + 1).parse().unwrap();
    let found = store.documents(&[id]).await?.remove(0);
    let (mut record, cells) = (found.record.unwrap(), vec![Some(1); TEAM_CELLS]);
    let team_id = 100;
    record.teams.push(TeamRecord { team_id, cells });
    let record = record.into();
    let details = Repair::Details { record };
    let mut record = found.timeline.unwrap();
    record.details.participants.push(ParticipantTimeline {
        participant_id: 1,
        minutes: "[]".to_owned(),
        purchases: "[]".to_owned(),
    });
    let payload = None;
    let timeline = Repair::Timeline { record, payload };
    store
        .repair(vec![details, timeline], Timestamp::now())
        .await
}

/// Runs what is put together of parts, or stands for itself.
async fn run_the_rest(folder: &Path) -> StoreResult<()> {
    let file = |name: &str| Location::Sqlite(folder.join(name));
    let server = |settings: &Settings| Location::Postgres(Box::new(settings.clone()));
    let (one, other) = (Scratch::new(), Scratch::new());

    // A world takes an empty database, and knows it when it comes again.
    let scratch = PostgresStore::make_scratch(&one.settings()).await?;
    for place in [file("world.db"), server(&scratch)] {
        for taken in [Taken::Fresh, Taken::Same] {
            assert_eq!(place.take_for_world("a world", false).await?, taken);
        }
        drop(place.open().await?);
        let refused = place.refuse_simulated().await.unwrap_err();
        assert!(refused.to_string().contains("(a world)"), "{refused}");
    }
    PostgresStore::durability(&scratch).await?;
    PostgresStore::drop_scratch(&one.settings(), &scratch).await?;

    // Made-up matches fill both, and are copied both ways.
    let made_up = Synthetic {
        matches: 100,
        of_player: 20,
        finished_jobs: 5,
    };
    made_up.fill(&file("source.db")).await?;
    made_up.fill(&server(&one.settings())).await?;
    for (from, to) in [
        (file("source.db"), server(&other.settings())),
        (server(&other.settings()), file("back.db")),
    ] {
        assert!(Copy::start(from, to)?.done().await?);
    }
    Backup::new(&folder.join("source.db"), &folder.join("backup.db")).write()?;

    // Behind a pooler, each transaction brings its own settings.
    let mut pooled = other.settings();
    pooled.pooler = true;
    for place in [server(&pooled), file("back.db")] {
        let store = place.open().await?;
        store.engine_stopped("nobody", Timestamp::now()).await?;
        store.give_back(1).await?;
        write_details(&*store).await?;
        super::export::tests::read_all(&*store).await?;
        super::lake::tests::read_all(&*store).await?;
        store.close().await?;
    }
    super::postgres::export::tests::read_mixed(&other).await;

    // An engine makes tables of its own where riftsync has none.
    let empty = Scratch::on_server(&std::env::var("TEST_DATABASE_URL").unwrap());
    let alone = engine::postgres::PostgresStore::<Infallible>::open(empty.url()).await?;
    super::Database::close(&alone).await?;

    // The target of a copy that did not end is nobody's.
    let mark = format!(
        "CREATE TABLE {MARK_TABLE} (source TEXT NOT NULL); INSERT INTO {MARK_TABLE} VALUES ('elsewhere')"
    );
    one.run(&mark);
    let mut conn = open::FORMAT.open_writer(&folder.join("source.db"))?;
    conn.batch_execute(&mark)?;
    drop(conn);
    for place in [server(&one.settings()), file("source.db")] {
        let refused = place.open().await;
        assert!(matches!(refused, Err(StoreError::UnfinishedCopy { .. })));
    }
    Ok(())
}

/// Set where the test runs in a process of its own.
const ALONE: &str = "TEST_IS_ALONE";

#[tokio::test]
async fn every_other_statement_is_run() {
    if std::env::var_os(ALONE).is_none() {
        // What other tests run meanwhile must not count.
        let alone = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::prepared::every_other_statement_is_run"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&alone.stdout);
        assert!(
            alone.status.success() && told.contains("1 passed"),
            "{told}"
        );
        return;
    }
    set_default_instrumentation(|| Some(Box::new(Noting))).unwrap();
    let folder = TempDir::new().unwrap();
    run_the_rest(folder.path()).await.unwrap();
    let run = RUN.lock().unwrap().clone();
    let prepared = inventory::iter::<Declared>.into_iter().map(|one| one.text);
    let known: Vec<&str> = prepared.chain(run.iter().map(String::as_str)).collect();
    let faults: Vec<String> = literals()
        .iter()
        .filter(|literal| !known.iter().any(|known| is_part_of(&literal.text, known)))
        .map(|literal| format!("{}: {:?}", literal.place, literal.text))
        .collect();
    nothing_wrong(
        &faults,
        "SQL of the store is written with `statement!` or `shared_statement!`, so that it is prepared against the migrated tables. What cannot be \
         is run by `run_the_rest` in src/store/prepared.rs: call it there. What nobody calls is dead: delete it.",
    );
}
