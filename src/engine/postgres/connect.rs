//! One connection: how it is made, set, and known to be dead.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::task::AbortHandle;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error, NoTls, Notification, SimpleQueryMessage,
};

use super::address::{cause_of, socket_of};
use super::codes::Tap;
use super::settings::Settings;
use super::tls::{Tls, Way};
use crate::store::question::ANSWER_MAX;
use crate::store::{StoreError, StoreResult};

/// The server ends a statement that takes longer.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The server ends a transaction of somebody who says nothing more: stopped or cut off in the middle of it, he would
/// keep its locks from all other engines.
const SILENCE_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
    /// What keeps the engine alive among others: small statements that are answered at once.
    Vital,
    /// Questions from outside, which the server too gives no more time than those who ask.
    Ask,
}

/// A connection. Dropping it closes its socket at once, also when its peer is silent.
pub struct Link {
    pub conn: AsyncPgConnection,
    closed: Arc<AtomicBool>,
    driver: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link")
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct ConnectError {
    pub(super) cause: String,
    /// The server is there and asks for patience.
    pub(super) starting: bool,
    /// The server is there, and has no such database.
    pub(super) absent: bool,
}

impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        Self {
            starting: error.code() == Some(&SqlState::CANNOT_CONNECT_NOW),
            absent: error.code() == Some(&SqlState::INVALID_CATALOG_NAME),
            cause: cause_of(&error),
        }
    }
}

impl From<String> for ConnectError {
    fn from(cause: String) -> Self {
        Self {
            cause,
            starting: false,
            absent: false,
        }
    }
}

/// What a server says besides its answers. A connection does nothing unless these are asked for.
type Messages = BoxStream<'static, Result<AsyncMessage, Error>>;

fn messages_of<S, T>(mut connection: Connection<S, T>) -> Messages
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    stream::poll_fn(move |cx| connection.poll_message(cx)).boxed()
}

async fn over_tcp(mut config: Config, tls: Tls) -> Result<(Client, Messages), Error> {
    // TLS asks for a name; an address is one.
    if config.get_hosts().is_empty() {
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    let way = Way::of(&mut config, tls);
    let (client, connection) = config.connect(way).await?;
    Ok((client, messages_of(connection)))
}

/// The library connects to sockets too, but lets nobody hear what is said there.
async fn on_socket(config: &Config, path: &Path) -> Result<(Client, Messages), ConnectError> {
    let socket = UnixStream::connect(path)
        .await
        .map_err(|error| error.to_string())?;
    let (client, connection) = config.connect_raw(Tap::new(socket), NoTls).await?;
    let mut messages = messages_of(connection);
    let wanted = config.get_target_session_attrs();
    if wanted != TargetSessionAttrs::Any {
        let asked = client.simple_query("SHOW transaction_read_only");
        let rows = tokio::select! {
            rows = asked => rows?,
            () = async { while let Some(Ok(_)) = messages.next().await {} } => {
                return Err("it closed the connection".to_owned().into());
            }
        };
        let is_on = |row: &SimpleQueryMessage| matches!(row, SimpleQueryMessage::Row(row) if row.get(0) == Some("on"));
        let read_only = rows.iter().any(is_on);
        if read_only != (wanted == TargetSessionAttrs::ReadOnly) {
            let is = if read_only {
                "takes no writes"
            } else {
                "is not read only"
            };
            return Err(format!("the database {is}").into());
        }
    }
    Ok((client, messages))
}

impl Link {
    /// Connects. Must be called on the runtime that is to drive the connection.
    pub(super) async fn connect(
        settings: &Settings,
        purpose: Purpose,
    ) -> Result<Self, ConnectError> {
        Self::connect_and_hear(settings, purpose, |_| {}).await
    }

    pub(super) async fn connect_and_hear(
        settings: &Settings,
        purpose: Purpose,
        mut hear: impl FnMut(Notification) + Send + 'static,
    ) -> Result<Self, ConnectError> {
        let (client, mut messages) = reach(settings, purpose).await?;
        let closed = Arc::new(AtomicBool::new(false));
        let told = closed.clone();
        let driver = tokio::spawn(async move {
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notification(notification) = message {
                    hear(notification);
                }
            }
            told.store(true, Ordering::Release);
        })
        .abort_handle();
        let made = AsyncPgConnection::try_from(client).await;
        let mut conn = made.map_err(|error| {
            driver.abort();
            ConnectError {
                absent: false,
                starting: false,
                cause: error.to_string(),
            }
        })?;
        if settings.pooler {
            // The next transaction may run on another of the pooler's sessions.
            use diesel_async::AsyncConnection;
            conn.set_prepared_statement_cache_size(diesel::connection::CacheSize::Disabled);
        }
        Ok(Self {
            conn,
            closed,
            driver,
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// Tries the servers of an address one after the other.
async fn reach(settings: &Settings, purpose: Purpose) -> Result<(Client, Messages), ConnectError> {
    let mut failed: Option<ConnectError> = None;
    for config in settings.address.configs() {
        match reach_one(settings, purpose, config.clone()).await {
            Ok(pair) => return Ok(pair),
            // Who asks for patience is there: that counts, whatever the others say.
            Err(error) if error.starting => failed = Some(error),
            Err(error) if failed.as_ref().is_none_or(|failed| !failed.starting) => {
                failed = Some(error);
            }
            Err(_) => {}
        }
    }
    Err(failed.expect("an address names a host"))
}

async fn reach_one(
    settings: &Settings,
    purpose: Purpose,
    mut config: Config,
) -> Result<(Client, Messages), ConnectError> {
    if config.get_application_name().is_none() {
        config.application_name(settings.application);
    }
    if !settings.pooler {
        let options = session_options(purpose);
        match config.get_options() {
            Some(own) => config.options(format!("{options} {own}")),
            None => config.options(options),
        };
    }
    // A host name can have many addresses, each with a time-out of its own; this is for all.
    let limit = config
        .get_connect_timeout()
        .copied()
        .unwrap_or(STATEMENT_TIMEOUT)
        * 2;
    let socket = socket_of(&config);
    let at = |cause: String| match &socket {
        Some(socket) => format!("the socket {}: {cause}", socket.display()),
        None => cause,
    };
    let connecting = async {
        match &socket {
            Some(socket) => on_socket(&config, socket).await,
            None => over_tcp(config, settings.address.tls.clone())
                .await
                .map_err(ConnectError::from),
        }
    };
    match tokio::time::timeout(limit, connecting).await {
        Ok(Ok(pair)) => Ok(pair),
        Ok(Err(error)) => Err(ConnectError {
            cause: at(error.cause),
            ..error
        }),
        Err(_) => Err(ConnectError {
            starting: false,
            absent: false,
            cause: at(format!("no answer within {limit:?}")),
        }),
    }
}

/// Connects for the first time: what is wrong now is wrong with the address, and told. A server that is
/// just starting is waited for.
pub async fn first(settings: &Settings) -> StoreResult<Link> {
    let begun = tokio::time::Instant::now();
    loop {
        match Link::connect(settings, Purpose::Write).await {
            Ok(link) => return Ok(link),
            Err(error) if error.starting && begun.elapsed() < STATEMENT_TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => {
                let (database, cause) = (settings.address.to_string(), error.cause);
                let create = settings.address.create_this();
                return Err(match create.filter(|_| error.absent) {
                    Some(create) => StoreError::Absent {
                        database,
                        cause,
                        create,
                    },
                    None => StoreError::Unreachable { database, cause },
                });
            }
        }
    }
}

/// How a session is set. Plans are made once: every statement here has one good plan, along an index, and
/// arrays of ids hide from the planner how many there are. Without bitmaps: once statistics know of a long backlog, it
/// would gather and sort all of it for each claim of a few.
fn session_options(purpose: Purpose) -> String {
    let limit = match purpose {
        Purpose::Write | Purpose::Read | Purpose::Vital => STATEMENT_TIMEOUT,
        Purpose::Ask => ANSWER_MAX,
    };
    let timeouts = format!(
        "-c statement_timeout={} -c idle_in_transaction_session_timeout={} -c default_transaction_isolation=read\\ committed",
        limit.as_millis(),
        SILENCE_IN_TRANSACTION.as_millis()
    );
    match purpose {
        // A plan that was made while a table was small would read all of it when it no longer is.
        Purpose::Read | Purpose::Vital | Purpose::Ask => {
            format!("{timeouts} -c enable_seqscan=off -c jit=off")
        }
        Purpose::Write => format!("{timeouts} {PLANS}"),
    }
}

const PLANS: &str = "-c plan_cache_mode=force_generic_plan -c jit=off -c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off";

/// Opens a transaction. It says how it sees what others commit meanwhile: a server may have another default. Behind a pooler the session's settings are the transaction's.
pub(super) fn begin(settings: &Settings) -> &'static str {
    if settings.pooler {
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = '30s'; SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off"
    } else {
        "BEGIN ISOLATION LEVEL READ COMMITTED"
    }
}
