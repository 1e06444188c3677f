//! `sync_tracked`: brings the tracked players up to date, those first who played last, spread over the time until
//! the next round: a crawl of many players so never stands before what somebody asks for.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::failed::bad_arguments;
use super::{DEFAULT, PlayerSyncArgs, Policies};
use crate::basics::{Form, Shown, form};
use crate::engine::Task;
use crate::model::{
    After, NewJob, Outcome, Platform, Priority, RetryPolicy, Timestamp, Whom, Year,
};
use crate::store::Store;
use crate::store::engine::{JobContext, TaskFuture, TaskResult};
use crate::store::people::TrackedPlayer;

/// Players of one round.
const PLAYERS_MAX: usize = 10_000;
/// Longer than the longest round.
const SPREAD_H_MAX: u32 = 24 * 7;
/// So long after New Year the old year is looked at too: matches of its last evening may have been missed.
const OLD_YEAR: Duration = Duration::from_hours(48);
/// Behind everything that somebody asked for.
const PRIORITY: u8 = 7;

#[derive(Debug, Clone, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
struct Args {
    /// The syncs start within so many hours. Less than the schedule's interval, so that one round ends before the next.
    spread_h: u32,
    /// Only players of this platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    /// The players who played last.
    max_players: usize,
    timelines: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            spread_h: 20,
            platform: None,
            max_players: PLAYERS_MAX,
            timelines: true,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct TrackedSync {
    policies: Policies,
}

impl TrackedSync {
    pub const KIND: &str = "sync_tracked";

    pub fn new(policies: Policies) -> Self {
        Self { policies }
    }
}

impl Task<dyn Store> for TrackedSync {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn queue(&self) -> &'static str {
        DEFAULT
    }

    fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy::new(2, 60, 600)
    }

    fn order(&self, args: &str) -> Result<NewJob, String> {
        let args: Args = serde_json::from_str(args).map_err(|error| error.to_string())?;
        if args.spread_h > SPREAD_H_MAX {
            return Err(format!(
                "spread_h is {}; it must be at most {SPREAD_H_MAX}",
                args.spread_h
            ));
        }
        Ok(NewJob {
            kind: Self::KIND,
            queue: DEFAULT,
            lane: "",
            // One round at a time.
            key: Some(args.platform.map_or("all", Platform::as_str).to_owned()),
            args: serde_json::to_string(&args).expect("names and numbers are JSON"),
            priority: Priority::new(PRIORITY),
            max_attempts: self.retry_policy().max_attempts(),
            run_at: None,
            after: After::default(),
        })
    }

    fn form(&self) -> Option<Form> {
        let about = "Syncs the players that are tracked.";
        Some(form!(
            Self::KIND,
            about,
            Args {
                platform: Shown::Asked("Platform", "all"),
                max_players: Shown::Asked("Players at most", "all"),
                spread_h: Shown::Asked("Begun within so many hours", "20"),
                timelines: Shown::Asked("Timelines too", "yes"),
            }
        ))
    }

    fn run(&self, context: JobContext) -> TaskFuture {
        let policies = self.policies;
        Box::pin(async move {
            let args: Args = match serde_json::from_str(&context.job.args) {
                Ok(args) => args,
                Err(error) => return bad_arguments(&error),
            };
            let players = match context.store().tracked_players(PLAYERS_MAX).await {
                Ok(players) => players,
                Err(error) => {
                    let (delay, why) = (Duration::from_secs(5), error.to_string());
                    return Outcome::Snooze { delay, why }.into();
                }
            };
            let children = round(&players, &args, context.now(), policies);
            TaskResult::complete(json!({ "players": players.len(), "syncs": children.len() }))
                .with_children(children)
        })
    }
}

/// The syncs of a round: each a step later than the one before.
fn round(
    players: &[TrackedPlayer],
    args: &Args,
    now: Timestamp,
    policies: Policies,
) -> Vec<NewJob> {
    let wanted = players.iter().filter(|tracked| {
        let platform = tracked.player.platform;
        args.platform.is_none_or(|wanted| wanted == platform)
    });
    let wanted: Vec<_> = wanted.take(args.max_players).collect();
    let step = Duration::from_hours(args.spread_h.into())
        .checked_div(u32::try_from(wanted.len()).unwrap_or(u32::MAX))
        .unwrap_or_default();
    let this_year = now.year().unwrap_or(Year::FIRST);
    let mut years = Vec::from_iter(Year::new(this_year, now));
    if years
        .first()
        .is_some_and(|year| now.since(year.start()) < OLD_YEAR)
    {
        years.extend(Year::new(this_year - 1, now));
    }
    let mut jobs = Vec::with_capacity(wanted.len() * years.len());
    let mut names = HashSet::new();
    for (number, tracked) in (0_u32..).zip(wanted) {
        let player = &tracked.player;
        // Two rows may have one name for a while: jobs of that name would be one job.
        let riot_id = player
            .riot_id
            .as_ref()
            .filter(|riot_id| names.insert((riot_id.folded(), player.platform)));
        let whom = Whom {
            riot_id: riot_id.cloned(),
            puuid: Some(player.puuid.clone()),
        };
        for year in &years {
            let sync = PlayerSyncArgs {
                timelines: args.timelines,
                track: true,
                ..PlayerSyncArgs::of(&whom, player.platform, *year)
            };
            let mut job = sync.job(Priority::new(PRIORITY), policies.player);
            job.run_at = Some(now + step * number);
            jobs.push(job);
        }
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Puuid;
    use crate::store::StoredPlayer;

    /// 2026-11-23T16:00:00Z
    const NOW: Timestamp = Timestamp::from_millis(1_795_449_600_000);

    fn players(names: &[(&str, Platform)]) -> Vec<TrackedPlayer> {
        let player = |(number, (name, platform)): (usize, &(&str, Platform))| TrackedPlayer {
            player: StoredPlayer {
                id: 1,
                puuid: format!("{number:078}").parse::<Puuid>().unwrap(),
                key_fingerprint: String::new(),
                riot_id: Some(name.parse().unwrap()),
                platform: *platform,
                profile_icon_id: None,
                summoner_level: None,
            },
            last_played: None,
            last_sync: None,
            lost: None,
        };
        names.iter().enumerate().map(player).collect()
    }

    fn keys(jobs: &[NewJob]) -> Vec<String> {
        let hours = |job: &NewJob| job.run_at.unwrap().since(NOW).as_secs() / 3_600;
        let key =
            |job: &NewJob| format!("{} +{} h", job.key.clone().unwrap_or_default(), hours(job));
        jobs.iter().map(key).collect()
    }

    #[test]
    fn a_round_is_spread_evenly_in_the_order_of_the_players() {
        let players = players(&[
            ("a a#1", Platform::Kr),
            ("b b#1", Platform::Euw1),
            ("c c#1", Platform::Kr),
        ]);
        let args = Args {
            spread_h: 20,
            ..Args::default()
        };
        let jobs = round(&players, &args, NOW, Policies::default());
        assert_eq!(
            keys(&jobs),
            [
                "kr/aa#1/2026 +0 h",
                "euw1/bb#1/2026 +6 h",
                "kr/cc#1/2026 +13 h"
            ]
        );
        let args = Args {
            platform: Some(Platform::Kr),
            max_players: 1,
            ..args
        };
        assert_eq!(
            keys(&round(&players, &args, NOW, Policies::default())),
            ["kr/aa#1/2026 +0 h"]
        );
        assert!(round(&[], &args, NOW, Policies::default()).is_empty());
    }

    #[test]
    fn two_players_of_one_name_are_two_jobs_and_one_without_a_name_has_its_own() {
        let mut players = players(&[
            ("Probe#1", Platform::Kr),
            ("pro be#1", Platform::Kr),
            ("Probe#1", Platform::Euw1),
            ("x#1", Platform::Kr),
        ]);
        players[3].player.riot_id = None;
        let jobs = round(&players, &Args::default(), NOW, Policies::default());
        let name = |job: &NewJob| job.key.clone().unwrap();
        let names: HashSet<String> = jobs.iter().map(name).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        for (job, tracked) in jobs.iter().zip(&players) {
            assert!(
                job.args.contains(tracked.player.puuid.as_str()),
                "{}",
                job.args
            );
        }
    }

    #[test]
    fn after_new_year_the_last_evening_of_the_old_one_is_looked_at_too() {
        let players = players(&[("a a#1", Platform::Kr)]);
        let args = Args {
            spread_h: 0,
            ..Args::default()
        };
        let new_year = Year::new(2026, NOW).unwrap().start();
        let years = |after| round(&players, &args, new_year + after, Policies::default()).len();
        assert_eq!(years(Duration::from_hours(47)), 2);
        assert_eq!(years(Duration::from_hours(49)), 1);
    }
}
