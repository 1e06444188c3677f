//! Reads: on connections of their own, which do not wait for the writers. A read that loses its connection
//! is made again on another.

use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};

use super::Settings;
use super::connect::{Link, Purpose};
use super::fault::Fault;
use crate::store::{StoreError, StoreResult};

/// How long a read waits for a database that is away.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// A few connections; a caller takes the first that is free, or waits.
#[derive(Debug)]
pub(super) struct Readers {
    settings: Settings,
    runtime: Handle,
    connections: [Mutex<Option<Link>>; 2],
}

/// One read, and until when it is tried.
#[derive(Debug)]
pub(super) struct Patience(Instant);

impl Patience {
    pub(super) fn begin() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// Pauses before the next try; an error when there is none.
    async fn wait(&self, why: String) -> StoreResult<()> {
        if Instant::now() >= self.0 {
            return Err(StoreError::Unavailable(why));
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// A connection, ours until dropped.
pub(super) struct Borrowed<'r>(MutexGuard<'r, Option<Link>>);

impl Borrowed<'_> {
    pub(super) fn conn(&self) -> &AsyncPgConnection {
        &self.0.as_ref().expect("filled when it was borrowed").conn
    }

    /// What a failed read comes to: nothing, if it is worth another try.
    pub(super) async fn failed(
        mut self,
        error: diesel::result::Error,
        patience: &Patience,
    ) -> StoreResult<()> {
        let closed = self.0.as_ref().is_none_or(Link::is_closed);
        match Fault::from(error) {
            Fault::Command(error) if !closed => Err(error),
            fault => {
                if closed || matches!(fault, Fault::Lost(_)) {
                    self.0.take();
                }
                drop(self);
                patience.wait(fault.into_error().to_string()).await
            }
        }
    }
}

impl Readers {
    pub(super) fn new(settings: &Settings, runtime: Handle) -> Self {
        Self {
            settings: settings.clone(),
            runtime,
            connections: [Mutex::new(None), Mutex::new(None)],
        }
    }

    pub(super) async fn borrow(&self, patience: &Patience) -> StoreResult<Borrowed<'_>> {
        let [first, second] = &self.connections;
        let mut slot = match first.try_lock() {
            Ok(slot) => slot,
            Err(_) => second.lock().await,
        };
        if slot.as_ref().is_some_and(Link::is_closed) {
            slot.take();
        }
        while slot.is_none() {
            let settings = self.settings.clone();
            let connecting = async move { Link::connect(&settings, Purpose::Read).await };
            // On the store's own runtime, which drives the connection.
            match self.runtime.spawn(connecting).await {
                Ok(Ok(link)) => *slot = Some(link),
                Ok(Err(error)) => patience.wait(error.cause).await?,
                Err(_) => return Err(StoreError::Closed),
            }
        }
        Ok(Borrowed(slot))
    }

    pub(super) async fn close(&self) {
        for slot in &self.connections {
            slot.lock().await.take();
        }
    }
}

/// Makes a read until it succeeds, fails by itself, or patience ends. `conn` names the connection in it.
macro_rules! read {
    ($readers:expr, $conn:ident => $query:expr) => {{
        let patience = Patience::begin();
        loop {
            let reader = $readers.borrow(&patience).await?;
            let outcome = {
                let $conn = &mut reader.conn();
                $query
            };
            match outcome {
                Ok(rows) => break rows,
                Err(error) => reader.failed(error, &patience).await?,
            }
        }
    }};
}
pub(super) use read;
