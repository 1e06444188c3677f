//! The part of the key's limits that may be used here, on each route.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{Route, Share};

/// See the module.
#[derive(Debug, Default)]
pub struct Shares(Mutex<Kept>);

/// All shares at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// On routes that have none of their own.
    pub share: Share,
    pub routes: BTreeMap<Route, Share>,
}

impl Kept {
    pub fn of(&self, route: Route) -> Share {
        self.routes.get(&route).copied().unwrap_or(self.share)
    }
}

impl Shares {
    pub fn new(kept: Kept) -> Self {
        Self(Mutex::new(kept))
    }

    pub fn of(&self, route: Route) -> Share {
        self.kept().of(route)
    }

    pub fn all(&self) -> Kept {
        self.kept().clone()
    }

    /// Of one route, or of all that have none of their own.
    pub fn set(&self, route: Option<Route>, share: Share) {
        let mut kept = self.kept();
        match route {
            Some(route) => {
                kept.routes.insert(route, share);
            }
            None => kept.share = share,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Region;

    #[test]
    fn a_route_has_its_own_share_or_that_of_all() {
        let shares = Shares::default();
        let [asia, europe] = [Region::Asia, Region::Europe].map(Route::Region);
        shares.set(Some(asia), "20%".parse().unwrap());
        shares.set(None, "80%".parse().unwrap());
        let told = [asia, europe].map(|route| shares.of(route).percent());
        assert_eq!(told, [20, 80]);
    }
}
