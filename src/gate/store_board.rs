//! The database as the board on which engines of one key share its limits.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::machine::Machine;
use crate::limiter::Board;
use crate::model::Route;
use crate::model::board_time::BoardTime;
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::store::{BudgetMember, Store};

/// With whom a gate shares the limits of its key.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// With engines that use this database, and with those that come after us.
    pub store: Arc<dyn Store>,
    /// With riftsyncs of this machine that use others; none: there are none.
    pub machine: Option<Arc<Machine>>,
}

impl From<Arc<dyn Store>> for Sharing {
    fn from(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            machine: None,
        }
    }
}

impl Sharing {
    pub fn on(machine: Machine, store: Arc<dyn Store>) -> Self {
        Self {
            store,
            machine: Some(Arc::new(machine)),
        }
    }

    /// Where a new limiter shares the limits of that key.
    pub(super) fn board(&self, key_fingerprint: &str) -> Arc<dyn Board> {
        let database = StoreBoard::new(self.store.clone(), key_fingerprint.into());
        let database: Arc<dyn Board> = Arc::new(database);
        match &self.machine {
            Some(machine) => Arc::new(machine.join(key_fingerprint, database)),
            None => database,
        }
    }
}

/// See the module. One for each life of a limiter.
#[derive(Debug)]
struct StoreBoard {
    store: Arc<dyn Store>,
    key_fingerprint: Arc<str>,
    engine: Arc<str>,
}

impl StoreBoard {
    fn new(store: Arc<dyn Store>, key_fingerprint: Arc<str>) -> Self {
        Self {
            store,
            key_fingerprint,
            engine: format!("{:016x}", fastrand::u64(..)).into(),
        }
    }
}

impl Board for StoreBoard {
    fn exchange(
        &self,
        route: Route,
        report: BoardReport,
    ) -> BoxFuture<'static, Result<BoardGrant, String>> {
        let store = self.store.clone();
        let member = BudgetMember {
            key_fingerprint: self.key_fingerprint.clone(),
            route: route.as_str(),
            engine: self.engine.clone(),
        };
        Box::pin(async move {
            let granted = store.share_budget(member, report, BoardTime::now()).await;
            granted.map_err(|error| error.to_string())
        })
    }

    fn is_seen(&self) -> bool {
        self.store.is_seen()
    }
}
