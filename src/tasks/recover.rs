//! `recover_player_data`: what of a player's year is missing, discarded or not as it should be, and only that.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::failed::bad_arguments;
use super::identity;
use super::match_data::Hints;
use super::plan::{Again, Listed, Plan, Wanted, of_year, plan};
use super::player::{Stop, hints_of, list_end, resolve_and_list, tell_list_end};
use super::request::Order;
use super::verify::{Rows, Verified, verify_matches, verify_statistics};
use super::{PlayerSyncArgs, Policies, RECOVERY, match_data, timeline};
use crate::basics::{Form, Shown};
use crate::engine::Task;
use crate::gate::RiotApi;
use crate::limiter::{Elsewhere, Whose};
use crate::model::records::PayloadKind;
use crate::model::{MatchId, NewJob, Priority, Retention, RetryPolicy, Route, Timestamp};
use crate::riot::Method;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::{Effect, ListedYear, Store, StoreResult, StoredMatch};

const STEPS: [&str; 2] = ["checking_existing_data", "fetching_match_ids"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoverArgs {
    #[serde(flatten)]
    pub player: PlayerSyncArgs,
    /// Also re-read what is stored, and mend it.
    #[serde(default)]
    pub verify: bool,
    /// What Riot did not give is asked for only when it is due, as a sync does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub due_only: bool,
}

impl RecoverArgs {
    /// The job that recovers this year.
    pub fn job(&self, priority: Priority, policy: RetryPolicy) -> NewJob {
        let sync = self.player.job(priority, policy);
        let verify = if self.verify { "/verify" } else { "" };
        NewJob {
            kind: Recover::KIND,
            queue: RECOVERY,
            key: sync.key.map(|key| format!("{key}{verify}")),
            args: serde_json::to_string(self).expect("names and numbers are JSON"),
            ..sync
        }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Recover {
    api: Arc<RiotApi>,
    policies: Policies,
}

impl Recover {
    pub const KIND: &str = "recover_player_data";

    pub fn new(api: Arc<RiotApi>, policies: Policies) -> Self {
        Self { api, policies }
    }
}

impl Task<dyn Store> for Recover {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        RECOVERY
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policies.recovery
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let order: Order = serde_json::from_str(args).map_err(|error| error.to_string())?;
        let verify = order.verify;
        let player = order.into_args(Timestamp::now())?;
        let args = RecoverArgs {
            player,
            verify,
            due_only: false,
        };
        Ok(args.job(Priority::DEFAULT, self.policies.recovery))
    }

    fn form(&self) -> Option<Form> {
        let about = "Compares a player's year with Riot's list, and fetches what is missing.";
        let verify = Shown::Asked("Read again what is stored, and mend it", "no");
        Some(Order::form(Self::KIND, about, verify))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let (api, policies) = (self.api.clone(), self.policies);
        Box::pin(async move {
            match serde_json::from_str(&context.job.args) {
                Ok(args) => recover(&api, &context, args, policies)
                    .await
                    .unwrap_or_else(Into::into),
                Err(error) => bad_arguments(&error),
            }
        })
    }
}

/// Documents to fetch.
#[derive(Debug, Default)]
struct Gap {
    matches: Vec<MatchId>,
    /// Matches of these whose timeline comes with them.
    with_timeline: HashSet<MatchId>,
    timelines: Vec<MatchId>,
}

impl Gap {
    fn timeline_calls(&self) -> impl Iterator<Item = MatchId> {
        self.with_timeline.iter().chain(&self.timelines).copied()
    }

    /// The jobs that fetch it.
    fn jobs(
        &self,
        hints: impl Fn(&MatchId) -> Hints,
        priority: Priority,
        policies: Policies,
    ) -> Vec<NewJob> {
        let matches = self.matches.iter().map(|id| {
            let timeline = self.with_timeline.contains(id);
            match_data::job(*id, timeline, hints(id), priority, policies.matches)
        });
        let timelines = self
            .timelines
            .iter()
            .map(|id| timeline::job(*id, hints(id), priority, policies.timelines));
        matches.chain(timelines).collect()
    }

    /// Calls by route and method.
    fn calls(&self) -> BTreeMap<(Route, Method), u32> {
        let mut calls = BTreeMap::new();
        for id in &self.matches {
            *calls.entry((id.route(), Method::Match)).or_default() += 1;
        }
        for id in self.timeline_calls() {
            *calls.entry((id.route(), Method::Timeline)).or_default() += 1;
        }
        calls
    }
}

/// What is to be fetched: what is not there, and what the verification found broken. Pure.
fn find_gap(plan: &Plan, verified: &Verified) -> Gap {
    let mut gap = Gap {
        matches: plan.matches.clone(),
        timelines: plan.timelines.clone(),
        with_timeline: plan.with_timeline.clone(),
    };
    let absent: HashSet<MatchId> = gap.matches.iter().copied().collect();
    let more = verified.refetches(PayloadKind::Match);
    gap.matches.extend(more.filter(|id| !absent.contains(id)));
    let coming: HashSet<MatchId> = gap.timeline_calls().collect();
    let more = verified.refetches(PayloadKind::Timeline);
    gap.timelines.extend(more.filter(|id| !coming.contains(id)));
    gap
}

/// What of a player's year is there, and what is to be fetched.
#[derive(Debug)]
pub struct GapAnalysis {
    plan: Plan,
    gap: Gap,
    /// Jobs for these matches that were given up.
    discarded: u64,
}

impl GapAnalysis {
    /// Compares a list of matches with what is stored, as a recovery that does not verify.
    pub async fn of(store: &dyn Store, listed: &[MatchId], now: Timestamp) -> StoreResult<Self> {
        let wanted = Wanted {
            timelines: true,
            old_timelines: false,
            again: Again::All,
            retention: Retention::default(),
            now,
        };
        let listed: Vec<Listed> = listed.iter().map(|id| Listed::at(*id, now)).collect();
        analyse(store, &listed, &wanted, &Verified::default()).await
    }

    /// Match and timeline calls that are to be made.
    pub fn calls(&self) -> [usize; 2] {
        [self.gap.matches.len(), self.gap.timeline_calls().count()]
    }

    pub fn discarded_jobs(&self) -> u64 {
        self.discarded
    }
}

async fn analyse(
    store: &dyn Store,
    listed: &[Listed],
    wanted: &Wanted,
    verified: &Verified,
) -> StoreResult<GapAnalysis> {
    let ids: Vec<MatchId> = listed.iter().map(|listed| listed.id).collect();
    let mut stored = store.stored_matches(&ids).await?;
    stored.given_up = store.given_up(&ids).await?;
    for (kind, id) in &verified.rebuilt {
        match kind {
            PayloadKind::Match => stored.matches.push(StoredMatch {
                id: *id,
                game_start: wanted.now,
                year: 0,
            }),
            PayloadKind::Timeline => stored.timelines.push(*id),
        }
    }
    let plan = plan(listed, &stored, wanted);
    let gap = find_gap(&plan, verified);
    // Of what came later, and of what is not to be fetched, nobody needs to hear that it failed once.
    let to_fetch: Vec<MatchId> = gap.matches.iter().chain(&gap.timelines).copied().collect();
    let discarded = store.discarded_jobs(&to_fetch).await?;
    Ok(GapAnalysis {
        plan,
        gap,
        discarded,
    })
}

/// Rows of timelines that a recovery takes for right.
fn at_least(policies: Policies) -> Rows {
    Rows::AtLeast(policies.timeline_detail)
}

async fn recover(
    api: &RiotApi,
    context: &JobContext,
    RecoverArgs {
        player: args,
        verify,
        due_only,
    }: RecoverArgs,
    policies: Policies,
) -> Result<TaskResult, Stop> {
    let store = context.store();
    let retention = policies.retention;
    let (found, key_fingerprint, listed) =
        resolve_and_list(api, context, &args, STEPS, retention).await?;
    let player = &found.player;
    let year: Vec<MatchId> = listed.iter().map(|listed| listed.id).collect();
    let (of_year, other_years) = if verify {
        // What the rows say of the year is not trusted before they are verified.
        (listed, 0)
    } else {
        let known = store.stored_matches(&year).await?;
        of_year(listed, &known, args.year.get())
    };
    let mut listed = of_year;
    let year: Vec<MatchId> = listed.iter().map(|listed| listed.id).collect();
    let mut verified = Verified::default();
    let mend = !args.dry_run;
    if verify {
        let rows = store
            .players_by_puuid(std::slice::from_ref(&player.puuid))
            .await?;
        let own = rows.first().map(|row| row.id);
        let mut all: HashSet<MatchId> = listed.iter().map(|listed| listed.id).collect();
        if let Some(own) = own {
            // What is stored of the year, whether the API still lists it or not.
            let stored = store.matches_of(own, args.year.get()).await?;
            let unlisted = stored.into_iter().filter(|id| all.insert(*id));
            listed.extend(unlisted.map(|id| Listed::at(id, context.now())));
        }
        let ids: Vec<MatchId> = listed.iter().map(|listed| listed.id).collect();
        verify_matches(store, &ids, at_least(policies), mend, &mut verified).await?;
        verify_statistics(store, own, mend, &mut verified).await?;
    }
    let total = json!({ "total_matches": listed.len() });
    let _ = context.progress("analyzing_data_gaps", 15, total).await?;
    let wanted = Wanted {
        timelines: args.timelines,
        old_timelines: args.old_timelines,
        again: if due_only { Again::Due } else { Again::All },
        retention,
        now: context.now(),
    };
    let GapAnalysis {
        plan,
        gap,
        discarded,
    } = analyse(store, &listed, &wanted, &verified).await?;
    let calls = gap.calls();
    let whose = Whose {
        priority: context.priority(),
        flow: context.flow(),
    };
    let mut own = json!({
        "riot_id": player.riot_id, "puuid": player.puuid, "year": args.year, "platform": args.platform,
        "discarded_jobs": discarded,
        "calls": calls.iter().map(|((route, method), calls)| {
            json!({ "route": route.as_str(), "method": Method::name(*method as u8), "calls": calls })
        }).collect::<Vec<Value>>(),
        "eta_s": eta(api, whose, &calls).await.map(|eta| eta.as_secs()),
        "notes": found.notes,
    });
    plan.tell(&mut own, listed.len());
    own["other_years"] = other_years.into();
    let end = list_end(api, context, &args, &player.puuid, &listed).await?;
    let of_year = store.stored_matches(&year).await?;
    tell_list_end(&mut own, end, &of_year);
    own["match_calls"] = gap.matches.len().into();
    own["timeline_calls"] = gap.timeline_calls().count().into();
    if verify {
        verified.tell(&mut own);
    }
    if args.dry_run {
        return Ok(TaskResult::complete(own));
    }
    let step = if gap.matches.is_empty() {
        "processing_missing_timelines"
    } else {
        "processing_missing_matches"
    };
    let _ = context.progress(step, 20, own.clone()).await?;
    let hints = hints_of(&listed, &args, context.now());
    // What was verified takes the place of remains, and its statistics are recomputed, not added to.
    let hints = |id: &MatchId| Hints {
        mend: verify,
        ..hints.get(id).copied().unwrap_or_default()
    };
    let children = gap.jobs(hints, context.priority(), policies);
    let listing = Effect::Listed(ListedYear {
        puuid: player.puuid.clone(),
        platform: args.platform,
        year: args.year.get(),
        matches: u32::try_from(year.len()).unwrap_or(u32::MAX),
        end,
        unstored: of_year.unstored(&year),
    });
    let mut written = identity::written(api, context, found, &key_fingerprint).await?;
    own["notes"] = json!(written.notes);
    written.effects.push(listing);
    Ok(TaskResult::complete(own)
        .with_effects(written.effects)
        .with_children(children))
}

/// How long the calls take under the present limits; the routes are asked side by side. None: nothing is
/// known of a route.
async fn eta(
    api: &RiotApi,
    whose: Whose,
    calls: &BTreeMap<(Route, Method), u32>,
) -> Option<Duration> {
    let mut routes: BTreeMap<Route, Vec<(u8, u32)>> = BTreeMap::new();
    for ((route, method), calls) in calls {
        let of_route = routes.entry(*route).or_default();
        of_route.push((*method as u8, *calls));
    }
    let mut longest = Duration::ZERO;
    for (route, calls) in routes {
        longest = longest.max(
            api.estimate(route, calls, whose, Elsewhere::default())
                .await?,
        );
    }
    Some(longest)
}
