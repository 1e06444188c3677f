//! Players as a crawl looks at them: who is kept up to date, and who is known already.

use async_trait::async_trait;

use super::{StoreResult, StoredPlayer};
use crate::model::{Puuid, Timestamp};

/// Players whose names are looked up in one call.
pub const LOOKED_UP_MAX: usize = 1_000;

/// A player who is synced again by schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackedPlayer {
    pub player: StoredPlayer,
    /// The start of the newest stored match; none: there is none.
    pub last_played: Option<Timestamp>,
}

#[async_trait]
pub trait PeopleStore {
    /// Those with a name, most recently active first.
    async fn tracked_players(&self, limit: usize) -> StoreResult<Vec<TrackedPlayer>>;
    /// Has rows of players synced again by schedule, or not. Returns how many there are.
    async fn track(&self, player_ids: Vec<i64>, tracked: bool) -> StoreResult<usize>;
    /// Those of these puuids that there are, in any order.
    async fn players_by_puuid(&self, puuids: &[Puuid]) -> StoreResult<Vec<StoredPlayer>>;
}
