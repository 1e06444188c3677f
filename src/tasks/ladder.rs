//! `sync_ladder`: the players of a ladder's tier, the best first, and a sync for each.
//!
//! The lists are all this job asks for. They name puuids, and by these the players are synced, whatever they are
//! called.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::failed::{bad_arguments, failed};
use super::paging::{Next, Paging};
use super::{DEFAULT, PlayerSyncArgs, Policies};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::gate::RiotApi;
use crate::model::{
    After, Failure, NewJob, Outcome, Platform, Priority, Puuid, RetryPolicy, RiotId, Route,
    Timestamp, Whom, Year,
};
use crate::riot::{Call, LeagueEntry, RiotError, parse_league, parse_league_page};
use crate::store::Store;
use crate::store::StoreError;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::people::LOOKED_UP_MAX;

/// Players of one job.
const PLAYERS_MAX: usize = 10_000;
const PLAYERS_USUAL: usize = 300;
/// Far more pages than a division has.
const PAGES_MAX: u32 = 5_000;
/// Behind what a person waits for, before a crawl that nobody asked for just now.
const PRIORITY: u8 = 6;

const QUEUES: [&str; 2] = ["RANKED_SOLO_5x5", "RANKED_FLEX_SR"];
const APEX: [&str; 3] = ["CHALLENGER", "GRANDMASTER", "MASTER"];
const TIERS: [&str; 7] = [
    "DIAMOND", "EMERALD", "PLATINUM", "GOLD", "SILVER", "BRONZE", "IRON",
];
const DIVISIONS: [&str; 4] = ["I", "II", "III", "IV"];

/// Whose ladder, and what of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LadderArgs {
    pub platform: Platform,
    #[serde(default = "solo")]
    pub queue: String,
    pub tier: String,
    /// One division of a tier that has them; none: all.
    #[serde(default)]
    pub division: Option<String>,
    #[serde(default = "usual")]
    pub limit: usize,
    #[serde(default)]
    pub year: Option<i16>,
    #[serde(default = "yes")]
    pub timelines: bool,
}

fn solo() -> String {
    QUEUES[0].to_owned()
}

fn usual() -> usize {
    PLAYERS_USUAL
}

fn yes() -> bool {
    true
}

impl LadderArgs {
    /// The same in the API's words, or what is wrong with it.
    pub fn checked(mut self, now: Timestamp) -> Result<Self, String> {
        let known = |text: &str, all: &[&str]| {
            let found = all.iter().find(|known| known.eq_ignore_ascii_case(text));
            found.map(|known| (*known).to_owned())
        };
        let wrong = |what: &str, text: &str, all: &[&str]| {
            let text: String = text.chars().take(100).collect();
            format!("there is no {what} '{text}'. Known: {}", all.join(", "))
        };
        self.queue =
            known(&self.queue, &QUEUES).ok_or_else(|| wrong("queue", &self.queue, &QUEUES))?;
        let tiers = [&APEX[..], &TIERS[..]].concat();
        self.tier = known(&self.tier, &tiers).ok_or_else(|| wrong("tier", &self.tier, &tiers))?;
        if let Some(division) = &self.division {
            if self.is_apex() {
                return Err(format!("{} has no divisions", self.tier));
            }
            let division = known(division, &DIVISIONS)
                .ok_or_else(|| wrong("division", division, &DIVISIONS))?;
            self.division = Some(division);
        }
        if !(1..=PLAYERS_MAX).contains(&self.limit) {
            return Err(format!(
                "limit is {}; it must be 1 to {PLAYERS_MAX}",
                self.limit
            ));
        }
        if let Some(year) = self.year {
            Year::new(year, now).map_err(|error| error.to_string())?;
        }
        Ok(self)
    }

    fn is_apex(&self) -> bool {
        APEX.contains(&self.tier.as_str())
    }

    fn year(&self, now: Timestamp) -> Option<Year> {
        Year::new(self.year.or_else(|| now.year())?, now).ok()
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct LadderSync {
    api: Arc<RiotApi>,
    policies: Policies,
}

impl LadderSync {
    pub const KIND: &str = "sync_ladder";

    pub fn new(api: Arc<RiotApi>, policies: Policies) -> Self {
        Self { api, policies }
    }
}

impl Task<dyn Store> for LadderSync {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        DEFAULT
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policies.player
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let args: LadderArgs = serde_json::from_str(args).map_err(|error| error.to_string())?;
        let args = args.checked(Timestamp::now())?;
        let key = [
            args.platform.as_str(),
            &args.queue,
            &args.tier,
            args.division.as_deref().unwrap_or("all"),
            &args.limit.to_string(),
            &args.year.unwrap_or(0).to_string(),
            if args.timelines {
                "timelines"
            } else {
                "no-timelines"
            },
        ]
        .join("/");
        Ok(NewJob {
            kind: Self::KIND,
            queue: DEFAULT,
            lane: Route::Platform(args.platform).as_str(),
            key: Some(key),
            args: serde_json::to_string(&args).expect("names and numbers are JSON"),
            priority: Priority::new(PRIORITY),
            max_attempts: self.policies.player.max_attempts(),
            run_at: None,
            after: After::default(),
        })
    }

    fn form(&self) -> Option<Form> {
        let about = "Syncs the players of a ladder's tier, the best first.";
        Some(form!(
            Self::KIND,
            about,
            LadderArgs {
                platform: Shown::Needed("Platform", "kr, euw1, na1 ..."),
                tier: Shown::Needed("Tier", "challenger"),
                division: Shown::Asked("Division", "I"),
                queue: Shown::Asked("Ranked queue", "RANKED_SOLO_5x5"),
                limit: Shown::Asked("Players at most", "300"),
                year: Shown::Asked("Year", "this one"),
                timelines: Shown::Asked("Timelines too", "yes"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let (api, policies) = (self.api.clone(), self.policies);
        Box::pin(async move {
            let args: LadderArgs = match serde_json::from_str(&context.job.args) {
                Ok(args) => args,
                Err(error) => return bad_arguments(&error),
            };
            match sync(&api, &context, &args, policies).await {
                Ok(result) => result,
                Err(Stop::Riot(error)) => failed(&error),
                Err(Stop::Store(error)) => Outcome::Snooze {
                    delay: Duration::from_secs(5),
                    why: error.to_string(),
                }
                .into(),
            }
        })
    }
}

enum Stop {
    Riot(RiotError),
    Store(StoreError),
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
    api: &RiotApi,
    context: &JobContext,
    args: &LadderArgs,
    policies: Policies,
) -> Result<TaskResult, Stop> {
    let _ = context.progress("fetching_ladder", 5, json!({})).await?;
    let listed = list(api, context, args).await?;
    let counters = json!({ "players": listed.len() });
    let _ = context.progress("looking_up_names", 10, counters).await?;
    let mut names: HashMap<Puuid, RiotId> = HashMap::new();
    for page in listed.chunks(LOOKED_UP_MAX) {
        for player in context.store().players_by_puuid(page).await? {
            if let Some(riot_id) = player.riot_id {
                names.insert(player.puuid, riot_id);
            }
        }
    }
    let now = context.now();
    let Some(year) = args.year(now) else {
        let failure = Failure::new("bad_arguments", "its year is none that can be synced");
        return Ok(Outcome::Discard(failure).into());
    };
    let syncs = listed.iter().map(|puuid| {
        let player = One {
            puuid: puuid.clone(),
            platform: args.platform,
            year,
            timelines: args.timelines,
        };
        player.sync(names.get(puuid).cloned(), context.priority(), policies)
    });
    let children: Vec<NewJob> = syncs.collect();
    let own = json!({
        "platform": args.platform, "queue": args.queue, "tier": args.tier, "players": listed.len(), "known": names.len(),
    });
    Ok(TaskResult::complete(own).with_children(children))
}

/// The puuids of the tier, each once: the best first of a league, of divisions as they come.
async fn list(api: &RiotApi, context: &JobContext, args: &LadderArgs) -> Result<Vec<Puuid>, Stop> {
    let mut paging = Paging::new();
    let mut left_out = 0;
    if args.is_apex() {
        let call = Call::league(args.platform, &args.queue, &args.tier);
        let ((mut entries, odd), _) = api
            .read(api.call(context, &call).await?, parse_league)
            .await?;
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.league_points));
        left_out += odd;
        paging.take(puuids(entries), odd);
    } else {
        left_out += list_divisions(api, context, args, &mut paging).await?;
    }
    if left_out > 0 {
        let (platform, tier) = (args.platform, &args.tier);
        tracing::warn!(
            "{left_out} entries of {tier} on {platform} name no player that can be asked for; left out"
        );
    }
    let mut listed = paging.into_listed();
    listed.truncate(args.limit);
    Ok(listed)
}

/// Returns how many entries could not be read.
async fn list_divisions(
    api: &RiotApi,
    context: &JobContext,
    args: &LadderArgs,
    paging: &mut Paging<Puuid>,
) -> Result<usize, Stop> {
    let divisions = match &args.division {
        Some(division) => std::slice::from_ref(division).to_vec(),
        None => DIVISIONS.map(str::to_owned).to_vec(),
    };
    let mut left_out = 0;
    for division in divisions {
        for page in 1..=PAGES_MAX {
            let call = Call::league_page(args.platform, &args.queue, &args.tier, &division, page);
            let ((entries, odd), _) = api
                .read(api.call(context, &call).await?, parse_league_page)
                .await?;
            left_out += odd;
            // Pages overlap by some players.
            let next = paging.take(puuids(entries), odd);
            if paging.len() >= args.limit {
                return Ok(left_out);
            }
            if next != Next::More {
                break;
            }
        }
    }
    Ok(left_out)
}

fn puuids(entries: Vec<LeagueEntry>) -> Vec<Puuid> {
    entries.into_iter().map(|entry| entry.puuid).collect()
}

/// One player of a ladder.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct One {
    puuid: Puuid,
    platform: Platform,
    year: Year,
    timelines: bool,
}

impl One {
    /// The sync; players of a ladder are not tracked by it: nobody asked for each of them.
    fn sync(&self, riot_id: Option<RiotId>, priority: Priority, policies: Policies) -> NewJob {
        let whom = Whom {
            riot_id,
            puuid: Some(self.puuid.clone()),
        };
        let args = PlayerSyncArgs {
            timelines: self.timelines,
            ..PlayerSyncArgs::of(&whom, self.platform, self.year)
        };
        args.job(priority, policies.player)
    }
}

/// `sync_puuid`: what a version before this one left in the queue of players of a ladder whose names were not known.
#[derive(Debug, Clone, Copy)]
pub struct PuuidSync {
    policies: Policies,
}

impl PuuidSync {
    pub const KIND: &str = "sync_puuid";

    pub fn new(policies: Policies) -> Self {
        Self { policies }
    }
}

impl Task<dyn Store> for PuuidSync {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        DEFAULT
    }

    fn retry_policy(&self) -> RetryPolicy {
        self.policies.player
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let policies = self.policies;
        Box::pin(async move {
            let one: One = match serde_json::from_str(&context.job.args) {
                Ok(one) => one,
                Err(error) => return bad_arguments(&error),
            };
            let sync = one.sync(None, context.priority(), policies);
            TaskResult::complete(json!({ "puuid": one.puuid })).with_children(vec![sync])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_writes_becomes_the_apis_words_or_is_told_what_is_known() {
        let now = Timestamp::from_millis(1_795_449_600_000);
        let args = |text: &str| {
            serde_json::from_str::<LadderArgs>(text)
                .unwrap()
                .checked(now)
        };
        let good =
            args(r#"{"platform":"kr","queue":"ranked_solo_5X5","tier":"Challenger","limit":10}"#)
                .unwrap();
        assert_eq!(
            (good.queue.as_str(), good.tier.as_str()),
            ("RANKED_SOLO_5x5", "CHALLENGER")
        );
        let good = args(r#"{"platform":"kr","tier":"gold","division":"iv"}"#).unwrap();
        assert_eq!(
            (good.division.as_deref(), good.limit),
            (Some("IV"), PLAYERS_USUAL)
        );
        for (text, named) in [
            (
                r#"{"platform":"kr","tier":"wood"}"#,
                "CHALLENGER, GRANDMASTER",
            ),
            (
                r#"{"platform":"kr","tier":"gold","queue":"ARAM"}"#,
                "RANKED_FLEX_SR",
            ),
            (
                r#"{"platform":"kr","tier":"master","division":"I"}"#,
                "no divisions",
            ),
            (
                r#"{"platform":"kr","tier":"gold","division":"V"}"#,
                "I, II, III, IV",
            ),
            (r#"{"platform":"kr","tier":"gold","limit":0}"#, "1 to 10000"),
            (r#"{"platform":"kr","tier":"gold","year":1999}"#, "2021"),
        ] {
            let why = args(text).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }
}
