//! A database for a measurement, made beside the one that is named, and dropped afterwards.

use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::{PostgresStore, Settings, first};
use crate::model::Foreign;
use crate::store::{StoreError, StoreResult};

#[derive(diesel::QueryableByName)]
struct Durability {
    #[diesel(sql_type = Text)]
    text: String,
}

impl PostgresStore {
    /// Makes an empty database on the server of these settings. Returns its own.
    pub async fn make_scratch(settings: &Settings) -> StoreResult<Settings> {
        let name = format!("riftsync_bench_{:016x}", fastrand::u64(..));
        run(settings, format!("CREATE DATABASE {name}")).await?;
        let mut scratch = settings.clone();
        scratch.address.set_database(&name);
        Ok(scratch)
    }

    /// The name of a database that `make_scratch` made.
    pub fn scratch_name(scratch: &Settings) -> &str {
        scratch.address.database()
    }

    /// Drops a database that `make_scratch` made; `settings`: what it was given.
    pub async fn drop_scratch(settings: &Settings, scratch: &Settings) -> StoreResult<()> {
        let name = scratch.address.database();
        assert!(
            name.starts_with("riftsync_bench_"),
            "only what was made for a trial"
        );
        run(
            settings,
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )
        .await
    }

    /// How commits are kept, for the reader of a measurement.
    pub async fn durability(settings: &Settings) -> StoreResult<String> {
        let reading = async |settings: Settings| {
            let mut link = first(&settings).await?;
            let rows: Vec<Durability> = diesel::sql_query(
                "SELECT 'synchronous_commit=' || current_setting('synchronous_commit')
                        || ', fsync=' || current_setting('fsync') AS text",
            )
            .load(&mut link.conn)
            .await?;
            Ok(rows.into_iter().map(|row| row.text).collect())
        };
        reading(settings.clone()).await
    }
}

async fn run(settings: &Settings, statement: String) -> StoreResult<()> {
    let mut link = first(settings).await?;
    let done = link.conn.batch_execute(&statement).await;
    done.map_err(|error| StoreError::Unreachable {
        database: settings.address.to_string(),
        cause: format!(
            "{}. A measurement makes a database of its own: name a user who may",
            Foreign::from(error.to_string())
        ),
    })
}
