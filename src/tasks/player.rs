//! `sync_player_data`: one player's year. Finds who the player is, which matches the year has, what
//! of them is not stored, and spawns a job for each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::failed::{bad_arguments, failed};
use super::identity::{self, Found};
use super::match_data::Hints;
use super::paging::{Next, Paging};
use super::plan::{Again, Listed, Wanted, of_year, plan};
use super::request::Order;
use super::standing::{self, Refusals};
use super::{PLAYER_SYNC, Policies, coverage, match_data, timeline};
use crate::basics::{Form, Shown};
use crate::engine::Task;
use crate::gate::RiotApi;
use crate::model::missing::YOUNG;
use crate::model::records::PayloadKind;
use crate::model::{
    After, MatchId, NewJob, Outcome, Platform, Priority, Puuid, Retention, RetryPolicy, RiotId,
    Route, Timestamp, Whom, Year,
};
use crate::riot::{Call, RiotError, parse_match_ids};
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::{Effect, ListEnd, ListedYear, Store, StoreError, StoredMatches};

/// Which of a match's times the list is filtered by is not documented, so the year is asked for with
/// an overlap on both sides. A match counts in the year of its own start.
const OVERLAP: Duration = Duration::from_hours(3);
/// Times that a player is looked for in one attempt.
const RESOLVED_MAX: u32 = 3;
/// Far more pages than the API has ever been seen to give.
const PAGES_MAX: usize = 200;
const PAGE: usize = 100;
const STEPS: [&str; 2] = ["fetching_summoner", "fetching_matches"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerSyncArgs {
    /// What the player was called when the job was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub riot_id: Option<RiotId>,
    /// Who it is, whatever the name. At least one of both is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puuid: Option<Puuid>,
    pub platform: Platform,
    pub year: Year,
    pub timelines: bool,
    /// Only look what there is to fetch.
    #[serde(default)]
    pub dry_run: bool,
    /// The player is synced again by schedule from now on.
    #[serde(default = "yes")]
    pub track: bool,
    /// Timelines too that are older than Riot keeps them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub old_timelines: bool,
    /// Does not end before young matches are served.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

fn yes() -> bool {
    true
}

impl PlayerSyncArgs {
    /// A sync as it is usual: with timelines, of a player who is not tracked by it.
    pub fn new(riot_id: RiotId, platform: Platform, year: Year) -> Self {
        Self::of(&Whom::named(riot_id), platform, year)
    }

    /// The same of a player who is known by puuid, too.
    pub fn of(whom: &Whom, platform: Platform, year: Year) -> Self {
        Self {
            riot_id: whom.riot_id.clone(),
            puuid: whom.puuid.clone(),
            platform,
            year,
            timelines: true,
            dry_run: false,
            track: false,
            old_timelines: false,
            wait: false,
        }
    }

    /// The player, for people.
    pub fn who(&self) -> String {
        match (&self.riot_id, &self.puuid) {
            (Some(riot_id), _) => riot_id.to_string(),
            (None, Some(puuid)) => puuid.to_string(),
            (None, None) => "nobody".to_owned(),
        }
    }

    /// By name where there is one, so that who is asked for by name joins who is asked for by puuid.
    fn name_in_key(&self) -> String {
        match &self.riot_id {
            Some(riot_id) => riot_id.folded(),
            None => self.who(),
        }
    }

    /// The job that syncs this year.
    pub fn job(&self, priority: Priority, policy: RetryPolicy) -> NewJob {
        let timelines = if self.timelines { "" } else { "/no-timelines" };
        let dry_run = if self.dry_run { "/dry-run" } else { "" };
        let old = if self.old_timelines {
            "/old-timelines"
        } else {
            ""
        };
        let wait = if self.wait { "/wait" } else { "" };
        NewJob {
            kind: PlayerSync::KIND,
            queue: PLAYER_SYNC,
            lane: Route::Region(self.platform.region()).as_str(),
            key: Some(format!(
                "{}/{}/{}{timelines}{old}{wait}{dry_run}",
                self.platform,
                self.name_in_key(),
                self.year
            )),
            args: serde_json::to_string(self).expect("names and numbers are JSON"),
            priority,
            max_attempts: policy.max_attempts(),
            run_at: None,
            after: After::default(),
        }
    }
}

impl Order {
    pub(super) fn into_args(self, now: Timestamp) -> Result<PlayerSyncArgs, String> {
        let riot_id = match (self.riot_id, self.game_name, self.tag_line) {
            (Some(riot_id), None, None) => Some(riot_id),
            (None, Some(name), Some(tag)) => {
                Some(RiotId::new(&name, &tag).map_err(|error| error.to_string())?)
            }
            (None, None, None) if self.puuid.is_some() => None,
            _ => {
                return Err(
                    "name the player by riot_id (\"Name#TAG\"), by game_name and tag_line, or by puuid"
                        .to_owned(),
                );
            }
        };
        let year = self.year.or_else(|| now.year()).unwrap_or(Year::FIRST);
        Ok(PlayerSyncArgs {
            riot_id,
            puuid: self.puuid,
            platform: self.platform,
            year: Year::new(year, now).map_err(|error| error.to_string())?,
            timelines: self.timelines,
            dry_run: self.dry_run,
            track: self.track,
            old_timelines: self.old_timelines,
            wait: self.wait,
        })
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct PlayerSync {
    api: Arc<RiotApi>,
    policies: Policies,
    refusals: Arc<Refusals>,
}

impl PlayerSync {
    pub const KIND: &str = "sync_player_data";

    pub fn new(api: Arc<RiotApi>, policies: Policies) -> Self {
        Self {
            api,
            policies,
            refusals: Arc::default(),
        }
    }
}

impl Task<dyn Store> for PlayerSync {
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
        let order: Order = serde_json::from_str(args).map_err(|error| error.to_string())?;
        if order.verify {
            return Err("verify is for recover_player_data".to_owned());
        }
        let args = order.into_args(Timestamp::now())?;
        Ok(args.job(Priority::DEFAULT, self.policies.player))
    }

    fn form(&self) -> Option<Form> {
        let about =
            "Brings a player's year in: every match that Riot lists and that is not stored yet.";
        Some(Order::form(Self::KIND, about, Shown::Hidden))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let task = self.clone();
        Box::pin(async move {
            let args = match serde_json::from_str(&context.job.args) {
                Ok(args) => args,
                Err(error) => return bad_arguments(&error),
            };
            match sync(&task, &context, args).await {
                Ok(result) => result,
                Err(stop) => stop.into(),
            }
        })
    }
}

/// Why a sync cannot go on.
pub(super) enum Stop {
    Riot(RiotError),
    Store(StoreError),
    Settled(Outcome),
}

impl From<Stop> for TaskResult {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Riot(error) => failed(&error),
            Stop::Store(error) => Outcome::Snooze {
                delay: Duration::from_secs(5),
                why: error.to_string(),
            }
            .into(),
            Stop::Settled(outcome) => outcome.into(),
        }
    }
}

impl From<RiotError> for Stop {
    fn from(error: RiotError) -> Self {
        Self::Riot(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn sync(
    task: &PlayerSync,
    context: &JobContext,
    args: PlayerSyncArgs,
) -> Result<TaskResult, Stop> {
    let (api, policies) = (&*task.api, task.policies);
    let (found, key_fingerprint, listed) =
        resolve_and_list(api, context, &args, STEPS, policies.retention).await?;
    let player = &found.player;
    let total = json!({ "total_matches": listed.len() });
    let _ = context
        .progress("analyzing_existing_data", 20, total)
        .await?;
    let ids: Vec<MatchId> = listed.iter().map(|listed| listed.id).collect();
    let mut stored = context.store().stored_matches(&ids).await?;
    stored.given_up = context.store().given_up(&ids).await?;
    let (listed, other_years) = of_year(listed, &stored, args.year.get());
    let ids: Vec<MatchId> = listed.iter().map(|listed| listed.id).collect();
    let wanted = Wanted {
        timelines: args.timelines,
        old_timelines: args.old_timelines,
        again: Again::Due,
        retention: policies.retention,
        now: context.now(),
    };
    let plan = plan(&listed, &stored, &wanted);
    let mut own = json!({
        "riot_id": player.riot_id, "puuid": player.puuid, "year": args.year, "platform": args.platform,
        "notes": found.notes,
    });
    plan.tell(&mut own, ids.len());
    own["other_years"] = other_years.into();
    let end = list_end(api, context, &args, &player.puuid, &listed).await?;
    tell_list_end(&mut own, end, &stored);
    if args.dry_run {
        return Ok(TaskResult::complete(own));
    }
    let _ = context
        .progress("processing_matches", 20, own.clone())
        .await?;
    let priority = context.priority();
    let hints = hints_of(&listed, &args, context.now());
    let matches = plan.matches.iter().map(|id| {
        let hints = hints.get(id).copied().unwrap_or_default();
        match_data::job(*id, args.timelines, hints, priority, policies.matches)
    });
    let timelines = plan.timelines.iter().map(|id| {
        let hints = hints.get(id).copied().unwrap_or_default();
        timeline::job(*id, hints, priority, policies.timelines)
    });
    let children = matches.chain(timelines).collect();
    let listing = Effect::Listed(ListedYear {
        puuid: player.puuid.clone(),
        platform: args.platform,
        year: args.year.get(),
        matches: u32::try_from(ids.len()).unwrap_or(u32::MAX),
        end,
        unstored: stored.unstored(&ids),
    });
    let wanted = args.track.then_some(policies.standing);
    let standing = standing::ask(api, context, player, wanted, &task.refusals).await?;
    let mut written = identity::written(api, context, found, &key_fingerprint).await?;
    written.notes.extend(standing.notes);
    own["notes"] = json!(written.notes);
    written.effects.push(listing);
    written.effects.extend(standing.effects);
    Ok(TaskResult::complete(own)
        .with_effects(written.effects)
        .with_children(children))
}

/// Who the player is and what was played, all under one key: a puuid is of no use to another. When
/// the key changes on the way, or Riot says that it did, the player is looked for again.
pub(super) async fn resolve_and_list(
    api: &RiotApi,
    context: &JobContext,
    args: &PlayerSyncArgs,
    [resolving, listing]: [&'static str; 2],
    retention: Retention,
) -> Result<(Found, Arc<str>, Vec<Listed>), Stop> {
    let wanted = identity::Wanted::of(args, retention);
    let mut tries = 0;
    loop {
        tries += 1;
        let key = api.key_fingerprint();
        let _ = context.progress(resolving, 5, json!({})).await?;
        let foreign = match identity::find(api, context, &wanted).await {
            Ok(found) => {
                let _ = context.progress(listing, 10, json!({})).await?;
                match list_matches(api, context, args, &found.player.puuid, retention).await {
                    Ok(listed) if api.key_fingerprint() == key => return Ok((found, key, listed)),
                    Ok(_) => Stop::Riot(RiotError::ForeignPuuid),
                    Err(stop) => stop,
                }
            }
            Err(stop) => stop,
        };
        match foreign {
            Stop::Riot(RiotError::ForeignPuuid) if tries < RESOLVED_MAX => {
                tracing::info!(
                    "the key changed while {} was synced; the player is looked for again",
                    args.who()
                );
            }
            stop => return Err(stop),
        }
    }
}

/// What the list tells of each match, for its jobs.
pub(super) fn hints_of(
    listed: &[Listed],
    args: &PlayerSyncArgs,
    now: Timestamp,
) -> HashMap<MatchId, Hints> {
    let of_year = args.year.end() < now;
    let hints = listed.iter().map(|one| {
        let hints = Hints {
            young_until: one.young_until,
            // That a match of this year was played before now need not be said.
            played_before: of_year.then_some(one.played_before),
            wait: args.wait,
            old_timelines: args.old_timelines,
            mend: false,
        };
        (one.id, hints)
    });
    hints.collect()
}

/// All ids of the year, each once, oldest matches first. What ended before the last hour is asked for apart from the
/// rest, so that a match that is not found can be told from one that is not there yet; and what is so old that Riot
/// has no timelines of it, so that none is counted on.
async fn list_matches(
    api: &RiotApi,
    context: &JobContext,
    args: &PlayerSyncArgs,
    puuid: &Puuid,
    retention: Retention,
) -> Result<Vec<Listed>, Stop> {
    let now = context.now();
    let (from, to) = (args.year.start() - OVERLAP, args.year.end() + OVERLAP);
    let settled = (now - YOUNG).min(to);
    let mut edges = vec![from];
    let deleted = retention.begins(PayloadKind::Timeline, now);
    edges.extend(deleted.filter(|edge| args.timelines && from < *edge && *edge < settled));
    edges.push(settled);
    let mut seen = HashSet::new();
    let mut listed = Vec::new();
    for (number, pair) in edges.windows(2).enumerate() {
        let begin = if number == 0 {
            pair[0]
        } else {
            pair[0] - OVERLAP
        };
        let ids = pages(api, context, args, puuid, begin, pair[1]).await?;
        let ids = ids.into_iter().filter(|id| seen.insert(*id));
        listed.extend(ids.map(|id| Listed {
            id,
            young_until: None,
            played_before: pair[1],
        }));
    }
    if settled < to {
        let ids = pages(api, context, args, puuid, settled - OVERLAP, to).await?;
        let ids = ids.into_iter().filter(|id| seen.insert(*id));
        listed.extend(ids.map(|id| Listed {
            id,
            young_until: Some(now + YOUNG),
            played_before: now,
        }));
    }
    Ok(listed)
}

/// Adds to a job's result how far back the list goes, if it ends before the year begins: the oldest match of it (empty:
/// none), and when that was played if it is stored.
pub(super) fn tell_list_end(result: &mut Value, end: ListEnd, stored: &StoredMatches) {
    let ListEnd::At(oldest) = end else { return };
    result["list_ends_at"] = json!(oldest.map(|id| id.to_string()).unwrap_or_default());
    let there = stored.matches.iter().find(|there| Some(there.id) == oldest);
    result["listed_from"] = json!(there.map(|there| there.game_start.to_string()));
}

/// Whether the list reaches back to the year's beginning. That is asked once: what was listed by then is stored, or
/// known to be missing, when the list has moved on.
pub(super) async fn list_end(
    api: &RiotApi,
    context: &JobContext,
    args: &PlayerSyncArgs,
    puuid: &Puuid,
    listed: &[Listed],
) -> Result<ListEnd, Stop> {
    let store = context.store();
    if let Some(row) = store
        .players_by_puuid(std::slice::from_ref(puuid))
        .await?
        .first()
    {
        let years = store.coverage(row.id, None).await?;
        let of_year = years
            .iter()
            .find(|one| one.year == args.year.get() && one.platform == args.platform.as_str());
        let known = of_year.and_then(|one| one.listed);
        if let Some(known) = known.filter(|known| coverage::still_fits(known, listed.len())) {
            return Ok(known.end);
        }
    }
    let Ok(first) = Year::new(Year::FIRST, context.now()) else {
        return Ok(ListEnd::Before);
    };
    if args.year.get() == Year::FIRST {
        return Ok(ListEnd::Before);
    }
    let before = args.year.start();
    let call = Call::match_ids(puuid, args.platform, first.start(), before, 0);
    let response = api.call(context, &call).await?;
    let ((older, _), _) = api.read(response, parse_match_ids).await?;
    if !older.is_empty() {
        return Ok(ListEnd::Before);
    }
    let of_platform = listed.iter().map(|one| one.id);
    let of_platform = of_platform.filter(|id| id.platform() == args.platform);
    Ok(ListEnd::At(of_platform.min()))
}

/// All pages of the list between two moments.
async fn pages(
    api: &RiotApi,
    context: &JobContext,
    args: &PlayerSyncArgs,
    puuid: &Puuid,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<MatchId>, Stop> {
    let mut paging = Paging::new();
    let (mut left_out, mut end) = (0, None);
    for page in 0..PAGES_MAX {
        let call = Call::match_ids(puuid, args.platform, from, to, page * PAGE);
        let response = api.call(context, &call).await?;
        let ((ids, odd), _) = api.read(response, parse_match_ids).await?;
        left_out += odd;
        let next = paging.take(ids, odd);
        if next != Next::More {
            end = Some(next);
            break;
        }
    }
    let who = args.who();
    if left_out > 0 {
        tracing::warn!("{left_out} entries of {who}'s match list are no match ids; left out");
    }
    match end {
        Some(Next::Repeats) => tracing::warn!(
            "Riot gives the same page of {who}'s match list again, whichever is asked for; going on with the {} \
             matches of it",
            paging.len()
        ),
        Some(Next::Ended | Next::More) => {}
        None => tracing::warn!(
            "{who}'s match list did not end after {PAGES_MAX} pages; going on with those"
        ),
    }
    Ok(paging.into_listed())
}
