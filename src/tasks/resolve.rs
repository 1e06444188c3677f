//! `resolve_player`: who a player is under the key of today.
//!
//! A puuid is of one key. When a key takes the place of another in the middle of a sync, the matches that are left know
//! the player by another puuid, and would leave half of the year to a row of its own. So the first matches under the
//! new key in which a tracked player sits spawn this job: the sync that waits for them waits for it too, and ends with
//! one row of the player.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;

use super::failed::{bad_arguments, failed};
use super::identity::{self, Wanted};
use super::player::Stop;
use super::{PLAYER_SYNC, Policies};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::gate::RiotApi;
use crate::model::records::MatchRecord;
use crate::model::{
    After, NewJob, Platform, Priority, Puuid, Retention, RetryPolicy, RiotId, Route,
};
use crate::riot::RiotError;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::{Store, StoreResult};

/// Tracked players that are looked at when the key is another one.
const PLAYERS_MAX: usize = 10_000;
/// Matches that may spawn the job of one player: the first could be lost with its attempt.
const SPAWNED_MAX: u8 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    riot_id: RiotId,
    /// Of another key than the one in use: it names the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    puuid: Option<Puuid>,
    platform: Platform,
}

impl Args {
    fn job(&self, priority: Priority, policy: RetryPolicy) -> NewJob {
        NewJob {
            kind: PlayerResolve::KIND,
            queue: PLAYER_SYNC,
            lane: Route::Region(self.platform.region()).as_str(),
            key: Some(format!("{}/{}", self.platform, self.riot_id.folded())),
            args: serde_json::to_string(self).expect("names are JSON"),
            priority,
            max_attempts: policy.max_attempts(),
            run_at: None,
            after: After::default(),
        }
    }
}

/// Tracked players whose puuid is of another key than the one in use.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The key in use, as far as matches have told.
    key: Option<Arc<str>>,
    /// By folded Riot ID, with the spawns that are left.
    players: HashMap<String, (Args, u8)>,
}

impl Strangers {
    /// Jobs for those who sit in this match, which came under this key.
    pub(super) async fn met(
        &self,
        store: &dyn Store,
        key: &Arc<str>,
        record: &MatchRecord,
        priority: Priority,
        policy: RetryPolicy,
    ) -> StoreResult<Vec<NewJob>> {
        let mut known = self.known.lock().await;
        if known.key.as_ref() != Some(key) {
            let tracked = store.tracked_players(PLAYERS_MAX).await?;
            let others = tracked.into_iter().map(|tracked| tracked.player);
            let others = others.filter(|player| player.key_fingerprint != **key);
            let players = others.filter_map(|player| {
                let riot_id = player.riot_id?;
                let args = Args {
                    riot_id,
                    puuid: Some(player.puuid),
                    platform: player.platform,
                };
                Some((args.riot_id.folded(), (args, SPAWNED_MAX)))
            });
            *known = Known {
                key: Some(key.clone()),
                players: players.collect(),
            };
        }
        if known.players.is_empty() {
            return Ok(Vec::new());
        }
        let mut jobs = Vec::new();
        let seated = record.participants.iter().filter_map(|participant| {
            let player = participant.player.as_ref()?;
            player.riot_id.as_ref().map(RiotId::folded)
        });
        for name in seated {
            let Some((args, left)) = known.players.get_mut(&name) else {
                continue;
            };
            jobs.push(args.job(priority, policy));
            *left -= 1;
            if *left == 0 {
                known.players.remove(&name);
            }
        }
        Ok(jobs)
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct PlayerResolve {
    api: Arc<RiotApi>,
    policies: Policies,
}

impl PlayerResolve {
    pub const KIND: &str = "resolve_player";

    pub fn new(api: Arc<RiotApi>, policies: Policies) -> Self {
        Self { api, policies }
    }
}

impl Task<dyn Store> for PlayerResolve {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        PLAYER_SYNC
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policies.player
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let args: Args = serde_json::from_str(args).map_err(|error| error.to_string())?;
        Ok(args.job(Priority::DEFAULT, self.policies.player))
    }

    fn form(&self) -> Option<Form> {
        let about = "Finds out who has a name now. No match is fetched.";
        Some(form!(
            Self::KIND,
            about,
            Args {
                riot_id: Shown::Needed("Riot ID", "Name#TAG"),
                puuid: Shown::Hidden,
                platform: Shown::Needed("Platform", "kr, euw1, na1 ..."),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let (api, retention) = (self.api.clone(), self.policies.retention);
        Box::pin(async move {
            let args: Args = match serde_json::from_str(&context.job.args) {
                Ok(args) => args,
                Err(error) => return bad_arguments(&error),
            };
            match resolve(&api, &context, &args, retention).await {
                Ok(result) => result,
                Err(stop) => stop.into(),
            }
        })
    }
}

async fn resolve(
    api: &RiotApi,
    context: &JobContext,
    args: &Args,
    retention: Retention,
) -> Result<TaskResult, Stop> {
    let key = api.key_fingerprint();
    let wanted = Wanted {
        riot_id: Some(args.riot_id.clone()),
        puuid: args.puuid.clone(),
        platform: args.platform,
        // Whether the player is tracked is for the rows that become one to say: it may have been changed meanwhile.
        track: false,
        retention,
    };
    let found = identity::find(api, context, &wanted).await?;
    let mut own = json!({ "riot_id": found.player.riot_id, "puuid": found.player.puuid });
    let written = identity::written(api, context, found, &key).await?;
    if api.key_fingerprint() != key {
        // Once more, under the key that came meanwhile.
        return Ok(failed(&RiotError::ForeignPuuid));
    }
    own["notes"] = json!(written.notes);
    Ok(TaskResult::complete(own).with_effects(written.effects))
}
