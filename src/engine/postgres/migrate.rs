//! Brings a database up to date: all that is missing in one transaction, one engine at a time.

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::BoxFuture;

use super::address::Address;
use crate::store::{Migrations, StoreError, StoreResult, Words, say};
use riftsync_basics::Foreign;

/// A migration: its version, its name, its statements.
pub type Migration = (&'static str, &'static str, &'static str);

/// Whose a database is, and which tables it has.
#[derive(Debug)]
pub struct Format {
    /// Oldest first.
    pub migrations: &'static [Migration],
    /// How the versions of these begin. Others may be in the database: they are none of theirs.
    pub versions: &'static str,
    /// How a person makes the tables, as an error says it.
    pub made_by: &'static str,
    /// How errors say what is to be done; none: in words of their own.
    pub words: Option<&'static Words>,
    /// Where engines tell each other of new work (`LISTEN`): a name of lower-case letters and `_`.
    pub channel: &'static str,
    /// Looks at a database that is to be written, once its tables are up to date: an error refuses it.
    pub ready: for<'c> fn(&'c mut AsyncPgConnection, &'c Address) -> BoxFuture<'c, StoreResult<()>>,
}

/// How the versions of the engine's own tables begin ([`PostgresStore`](super::PostgresStore)).
pub(super) const ENGINE: &str = "engine";

impl Format {
    fn knows(&self, version: &str) -> bool {
        self.migrations.iter().any(|(known, ..)| *known == version)
    }
}

/// Held while one engine migrates; any number that nobody else uses.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(7523094288207667809)";

/// The same table as diesel's own command line uses.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (
    version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct IsThere {
    #[diesel(sql_type = Bool)]
    is_there: bool,
}

/// Applies what is missing to a database that is to be written. One that cannot hold every text is not touched.
pub async fn run(
    conn: &mut AsyncPgConnection,
    address: &Address,
    format: &Format,
) -> StoreResult<()> {
    say(format.words);
    refuse_other_encodings(conn, address).await?;
    bring_up_to_date(conn, address, format).await
}

/// The same for one that is only read from now on, whatever its encoding: so can its data be brought to another.
pub async fn run_on_source(
    conn: &mut AsyncPgConnection,
    address: &Address,
    format: &Format,
) -> StoreResult<()> {
    say(format.words);
    check(conn, address, format).await?;
    bring_up_to_date(conn, address, format).await
}

/// Texts are in every script there is: most encodings lack some, and under `SQL_ASCII` nobody checks what is stored.
async fn refuse_other_encodings(
    conn: &mut AsyncPgConnection,
    address: &Address,
) -> StoreResult<()> {
    let rows: Vec<Applied> =
        diesel::sql_query("SELECT current_setting('server_encoding') AS version")
            .load(conn)
            .await?;
    match rows.into_iter().next().map(|row| row.version) {
        Some(encoding) if encoding != "UTF8" => Err(StoreError::Encoding {
            database: address.to_string(),
            encoding,
            create: address.createdb(&address.name_beside()),
        }),
        _ => Ok(()),
    }
}

/// In the server's words.
pub(super) fn said(error: &diesel::result::Error) -> Foreign {
    error.to_string().into()
}

async fn bring_up_to_date(
    conn: &mut AsyncPgConnection,
    address: &Address,
    format: &Format,
) -> StoreResult<()> {
    let failed = |error: diesel::result::Error| StoreError::Unreachable {
        database: address.to_string(),
        cause: format!(
            "its migration failed, and nothing was changed: {}",
            said(&error)
        ),
    };
    // `CREATE TABLE IF NOT EXISTS` tells of a table that exists; nobody needs to hear it.
    let begin = format!(
        "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL client_min_messages = warning; {LOCK}; {TABLE}"
    );
    conn.batch_execute(&begin).await.map_err(failed)?;
    let outcome = apply_missing(conn, address, format).await;
    let end = if outcome.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    let ended = conn.batch_execute(end).await.map_err(failed);
    outcome.and(ended)
}

async fn apply_missing(
    conn: &mut AsyncPgConnection,
    address: &Address,
    format: &Format,
) -> StoreResult<()> {
    let applied = applied(conn, address, format).await?;
    if applied.is_empty() && has_jobs(conn).await? {
        return Err(StoreError::OtherProgram {
            database: address.to_string(),
            cause: "it has a table jobs, which is another program's".to_owned(),
        });
    }
    for (version, name, text) in format.migrations {
        if applied.iter().any(|applied| applied == version) {
            continue;
        }
        let failed = |error: diesel::result::Error| StoreError::Unreachable {
            database: address.to_string(),
            cause: format!(
                "its migration {version}_{name} failed, and nothing was changed: {}",
                said(&error)
            ),
        };
        conn.batch_execute(text).await.map_err(failed)?;
        let note = format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')");
        conn.batch_execute(&note).await.map_err(failed)?;
    }
    Ok(())
}

async fn has_jobs(conn: &mut AsyncPgConnection) -> StoreResult<bool> {
    let there = "SELECT to_regclass('jobs') IS NOT NULL AS is_there";
    let row: IsThere = diesel::sql_query(there).get_result(conn).await?;
    Ok(row.is_there)
}

/// What is applied; an error if this program does not know all of it.
async fn applied(
    conn: &mut AsyncPgConnection,
    address: &Address,
    format: &Format,
) -> StoreResult<Vec<String>> {
    let rows: Vec<Applied> =
        diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version")
            .load(conn)
            .await?;
    let versions = rows.into_iter().map(|row| row.version);
    let ours = versions.filter(|version| version.starts_with(format.versions));
    let ours: Vec<String> = ours.collect();
    match ours.iter().find(|version| !format.knows(version)) {
        // A newer program has made what is known here, too.
        Some(unknown) if ours.iter().any(|version| format.knows(version)) => {
            Err(StoreError::Newer {
                path: address.to_string().into(),
                version: unknown.clone(),
            })
        }
        Some(unknown) => Err(StoreError::OtherProgram {
            database: address.to_string(),
            cause: whose(unknown),
        }),
        None => Ok(ours),
    }
}

/// What a database is that has this migration, and none that is known.
fn whose(version: &str) -> String {
    let what = if version.starts_with(ENGINE) {
        "the jobs of another program, which is built with the same engine"
    } else {
        "the tables of another program"
    };
    format!("it holds {what} (it has the migration {version})")
}

/// Checks without a change that the tables are there or can be made, and are not those of a newer program.
pub(super) async fn check(
    conn: &mut AsyncPgConnection,
    address: &Address,
    format: &Format,
) -> StoreResult<Migrations> {
    let there: Vec<Applied> = diesel::sql_query(
        "SELECT relname::text AS version FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations')",
    )
    .load(conn)
    .await?;
    let applied = if there.is_empty() {
        refuse_other_encodings(conn, address).await?;
        Vec::new()
    } else {
        applied(conn, address, format).await?
    };
    let pending = format
        .migrations
        .iter()
        .map(|(version, ..)| (*version).to_owned())
        .filter(|version| !applied.contains(version))
        .collect();
    Ok(Migrations { applied, pending })
}
