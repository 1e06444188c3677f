//! The database as the board on which engines of one key share its limits.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::limiter::Board;
use crate::model::Route;
use crate::model::board_time::BoardTime;
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::store::{BudgetSeat, Store};

/// See the module. One for each life of a limiter.
#[derive(Debug)]
pub(super) struct StoreBoard {
    store: Arc<dyn Store>,
    key_fingerprint: Arc<str>,
    engine: Arc<str>,
}

impl StoreBoard {
    pub(super) fn new(store: Arc<dyn Store>, key_fingerprint: Arc<str>) -> Self {
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
        let seat = BudgetSeat {
            key_fingerprint: self.key_fingerprint.clone(),
            route: route.as_str(),
            engine: self.engine.clone(),
        };
        Box::pin(async move {
            let granted = store.share_budget(seat, report, BoardTime::now()).await;
            granted.map_err(|error| error.to_string())
        })
    }

    fn is_seen(&self) -> bool {
        self.store.is_seen()
    }
}
