//! What readings of an engine come to: healthy, degraded or unhealthy, and why. Pure.
//!
//! Degraded: work is done, but somebody should look. Unhealthy: some work is not done, and will not be by itself.

use std::time::Duration;

use riftsync_basics::counted;
use serde::Serialize;

/// A write that takes longer tells of a disk or a server in trouble.
const WRITE_SLOW: Duration = Duration::from_secs(1);
const READ_SLOW: Duration = Duration::from_secs(1);
/// Space left beside the database.
const FREE_LOW: u64 = 1 << 30;
const FREE_NONE: u64 = 100 << 20;
/// A queue with work that may run and of which nothing ends for so long is silent.
const SILENT: Duration = Duration::from_mins(10);
/// Jobs run, and none of them ends for so long.
const STUCK: Duration = Duration::from_hours(1);
/// Times are compared to a second, and answers take some.
const CLOCK_OFF: Duration = Duration::from_secs(10);
/// Restarts of the actors in an hour.
const RESTARTS_MANY: usize = 10;
/// Lost players that are told of one by one.
const LOST_TOLD_MAX: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Healthy,
    Degraded,
    Unhealthy,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub part: String,
    pub verdict: Verdict,
    pub message: String,
    pub remedy: String,
}

/// What was read of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseReading {
    pub write: Duration,
    pub read: Duration,
    pub size_bytes: Option<u64>,
    /// On the file system of the database; none: it is on another machine.
    pub free_bytes: Option<u64>,
    /// Matches and timelines that are stored and could not be read.
    pub unread: [u64; 2],
}

/// What was read of a queue. Times are how long ago.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueReading {
    pub queue: String,
    pub running: usize,
    pub waiting: u64,
    pub oldest_waiting: Option<Duration>,
    /// None: not within the last hour, or since the engine began.
    pub last_completed: Option<Duration>,
    /// Jobs that may be what ends engines.
    pub held_back: u64,
    pub paused: bool,
    /// The API is away, which is told of by itself.
    pub held: bool,
    /// Of its rate; none: it has none.
    pub rate_period: Option<Duration>,
}

/// What a call to a route came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    Yes,
    /// It got no turn: the key's budget is used up for now.
    NoTurn,
    /// It was not made: the key is not taken.
    NotTried,
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteReading {
    pub route: String,
    pub reached: Reached,
    /// The part of the route's limits that other programs use, in percent; none: nobody is known to.
    pub strangers: Option<u32>,
    /// The part of them that is used here at most, in percent.
    pub share: u8,
}

/// A wait that was asked for and is too long to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcessReading {
    pub route: String,
    /// None: every call of the route.
    pub method: Option<&'static str>,
    pub asked: Duration,
    /// How long it is still waited.
    pub left: Duration,
}

/// A tracked player who was asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostReading {
    /// The name that is known.
    pub who: String,
    pub puuid: String,
    /// Why the last sync did not find the player.
    pub why: String,
    /// Since the first sync that did not.
    pub ago: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    /// Or why it cannot be used.
    pub database: Result<DatabaseReading, String>,
    pub queues: Vec<QueueReading>,
    /// One word: `valid`, `suspected`, `rejected`, `closed`.
    pub key: &'static str,
    pub routes: Vec<RouteReading>,
    pub excesses: Vec<ExcessReading>,
    /// The longest ago first.
    pub lost: Vec<LostReading>,
    /// Actors that died within the last hour, each as often as it did.
    pub deaths: Vec<String>,
    /// How far our clock is from another's, and whose; in ms, positive: ours is ahead.
    pub clocks: Vec<(&'static str, i64)>,
    /// Schedules that a wrong clock had moved into the future, and that were set right within the last day.
    pub set_right: Vec<String>,
    /// Those that are still there.
    pub astray: Vec<String>,
    pub uptime: Duration,
}

/// All that is wrong, worst first.
pub fn judge(readings: &Readings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |part: &str, verdict, message: String, remedy: &str| {
        findings.push(Finding {
            part: part.to_owned(),
            verdict,
            message,
            remedy: remedy.to_owned(),
        });
    };
    match &readings.database {
        Err(why) => find(
            "database",
            Verdict::Unhealthy,
            why.clone(),
            "make room on the disk, or bring the database server back; riftsync goes on by itself then",
        ),
        Ok(database) => judge_database(database, &mut find),
    }
    for queue in &readings.queues {
        judge_queue(queue, readings.uptime, &mut find);
    }
    judge_api(readings, &mut find);
    judge_excesses(&readings.excesses, &mut find);
    judge_players(&readings.lost, &mut find);
    judge_actors(&readings.deaths, &mut find);
    judge_schedules(readings, &mut find);
    for (whose, off_ms) in &readings.clocks {
        if off_ms.unsigned_abs() > u64::try_from(CLOCK_OFF.as_millis()).unwrap_or(u64::MAX) {
            let way = if *off_ms > 0 { "ahead of" } else { "behind" };
            find(
                "clock",
                Verdict::Degraded,
                format!(
                    "this machine's clock is {} {way} {whose}",
                    told(Duration::from_millis(off_ms.unsigned_abs()))
                ),
                "let it be set by NTP: schedules run by it, and young matches are told from old ones by it",
            );
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    findings
}

/// The worst of the findings.
pub fn verdict(findings: &[Finding]) -> Verdict {
    let worst = findings.iter().map(|finding| finding.verdict).max();
    worst.unwrap_or(Verdict::Healthy)
}

fn judge_database(database: &DatabaseReading, find: &mut impl FnMut(&str, Verdict, String, &str)) {
    for (what, took, slow) in [
        ("write", database.write, WRITE_SLOW),
        ("read", database.read, READ_SLOW),
    ] {
        if took > slow {
            find(
                "database",
                Verdict::Degraded,
                format!("a {what} took {}", told(took)),
                "look at the disk or the database server: something else keeps it busy, or it is failing",
            );
        }
    }
    if let Some(free) = database.free_bytes.filter(|free| *free < FREE_LOW) {
        let verdict = if free < FREE_NONE {
            Verdict::Unhealthy
        } else {
            Verdict::Degraded
        };
        find(
            "database",
            verdict,
            format!("{} MiB are left on its disk", free >> 20),
            "make room: `riftsync cleanup` removes old matches; or move the database",
        );
    }
    let [matches, timelines] = database.unread;
    if matches + timelines > 0 {
        // Nothing is lost, and this version can do no more.
        find(
            "documents",
            Verdict::Healthy,
            format!(
                "{} and {} are stored and could not be read",
                counted(matches, "match", "matches"),
                counted(timelines, "timeline", "timelines")
            ),
            "a newer riftsync may read them: `riftsync replay`",
        );
    }
}

fn judge_queue(
    queue: &QueueReading,
    uptime: Duration,
    find: &mut impl FnMut(&str, Verdict, String, &str),
) {
    let part = format!("queue {}", queue.queue);
    if queue.held_back > 0 {
        let message = format!(
            "{} of its jobs were under way when engine after engine was ended, the last time alone, and are held back",
            queue.held_back
        );
        find(
            &part,
            Verdict::Degraded,
            message,
            "find them with riftsync job list --state scheduled, and what ends the engine in the system's log (memory, \
             faults); they are tried again by themselves, and riftsync job cancel gives one up",
        );
    }
    if queue.waiting == 0 || queue.held {
        return;
    }
    if queue.paused {
        let waits = counted(queue.waiting, "job waits", "jobs wait");
        let message = format!("it is paused, and {waits}");
        let remedy = format!("riftsync queue resume {}", queue.queue);
        find(&part, Verdict::Degraded, message, &remedy);
        return;
    }
    // A queue with a slow rate is silent by order.
    let slow = queue
        .rate_period
        .map_or(Duration::ZERO, |period| period * 2);
    let quiet = |limit: Duration| {
        let limit = limit.max(slow);
        uptime > limit
            && queue.oldest_waiting.is_some_and(|waited| waited > limit)
            && queue.last_completed.is_none_or(|ago| ago > limit)
    };
    let waited = told(queue.oldest_waiting.unwrap_or_default());
    if queue.running == 0 && quiet(SILENT) {
        find(
            &part,
            Verdict::Unhealthy,
            format!(
                "it is alive but silent: {}, the oldest for {waited}, none runs and none ends",
                counted(queue.waiting, "job waits", "jobs wait")
            ),
            "start the engine anew (riftsync engine stop, riftsync serve); nothing is lost. Please report it with the log",
        );
    } else if queue.running > 0 && quiet(STUCK) {
        find(
            &part,
            Verdict::Degraded,
            format!(
                "{} and none has ended for an hour; {}, the oldest for {waited}",
                counted(queue.running as u64, "job runs", "jobs run"),
                counted(queue.waiting, "waits", "wait")
            ),
            "look at them with: riftsync job list --state running",
        );
    }
}

/// Each by itself, for each has a remedy of its own; of many the first.
fn judge_players(lost: &[LostReading], find: &mut impl FnMut(&str, Verdict, String, &str)) {
    for player in lost.iter().take(LOST_TOLD_MAX) {
        let LostReading {
            who,
            puuid,
            why,
            ago,
        } = player;
        find(
            "tracked player",
            Verdict::Degraded,
            format!(
                "{who} is tracked and has not been found for {}: {why}",
                told(*ago)
            ),
            &format!(
                "sync the player by the present name and server, or end the tracking: riftsync untrack --puuid {puuid}"
            ),
        );
    }
    let more = lost.len().saturating_sub(LOST_TOLD_MAX);
    if more > 0 {
        find(
            "tracked player",
            Verdict::Degraded,
            format!("{more} more tracked players have not been found"),
            "they are told of when those before them are mended",
        );
    }
}

fn judge_api(readings: &Readings, find: &mut impl FnMut(&str, Verdict, String, &str)) {
    match readings.key {
        "rejected" => find(
            "Riot API",
            Verdict::Unhealthy,
            "Riot rejects the API key; everything that needs it waits".to_owned(),
            "get a new key at developer.riotgames.com and give it to the engine with: riftsync key set",
        ),
        "suspected" => find(
            "Riot API",
            Verdict::Degraded,
            "a call was refused; another one finds out whether the key is rejected".to_owned(),
            "ask again in a minute",
        ),
        _ => {}
    }
    let failed = |route: &&RouteReading| matches!(route.reached, Reached::Failed(_));
    let all = readings.routes.iter().filter(failed).count() == readings.routes.len();
    for route in &readings.routes {
        if let Reached::Failed(why) = &route.reached {
            let verdict = if all {
                Verdict::Unhealthy
            } else {
                Verdict::Degraded
            };
            find(
                &format!("Riot API on {}", route.route),
                verdict,
                why.clone(),
                "its jobs wait and go on by themselves; look at the network, and at status.riotgames.com",
            );
        }
        if let Some(percent) = route.strangers {
            judge_strangers(route, percent, find);
        }
    }
}

/// Where a share leaves them enough, all is as somebody wants it.
fn judge_strangers(
    route: &RouteReading,
    percent: u32,
    find: &mut impl FnMut(&str, Verdict, String, &str),
) {
    if percent <= 100 - u32::from(route.share) {
        return;
    }
    find(
        &format!("Riot API on {}", route.route),
        Verdict::Degraded,
        format!(
            "another program uses this key: about {percent} % of its limits on {}",
            route.route
        ),
        "stop it if it is not yours, or let engines of one key use one PostgreSQL; if it may stay, give it a fixed part, as with: riftsync key share 80%",
    );
}

fn judge_excesses(excesses: &[ExcessReading], find: &mut impl FnMut(&str, Verdict, String, &str)) {
    for excess in excesses {
        let calls = excess.method.map_or_else(
            || "every call".to_owned(),
            |method| format!("every {method} call"),
        );
        let waits = if excess.left.is_zero() {
            "goes alone, one at a time".to_owned()
        } else {
            format!("waits for {} more, then one goes", told(excess.left))
        };
        find(
            &format!("Riot API on {}", excess.route),
            Verdict::Degraded,
            format!(
                "a wait of {} was asked for, which Riot never does; {calls} {waits}",
                told(excess.asked)
            ),
            "look whether a proxy or another server answers in Riot's place (riot.base_url), and whether the key is shut out",
        );
    }
}

fn judge_actors(deaths: &[String], find: &mut impl FnMut(&str, Verdict, String, &str)) {
    if deaths.is_empty() {
        return;
    }
    let mut names: Vec<&str> = deaths.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let verdict = if deaths.len() >= RESTARTS_MANY {
        Verdict::Unhealthy
    } else {
        Verdict::Degraded
    };
    find(
        "actors",
        verdict,
        format!(
            "{} deaths in the last hour, each followed by a restart: {}",
            deaths.len(),
            names.join(", ")
        ),
        "the log says why; please report it",
    );
}

fn judge_schedules(readings: &Readings, find: &mut impl FnMut(&str, Verdict, String, &str)) {
    let remedy =
        "let the clock be set by NTP (timedatectl shows whether it is); nothing else is to be done";
    if !readings.astray.is_empty() {
        let message = format!(
            "a wrong clock has moved {} into the future; the engine that leads sets them right within a minute",
            readings.astray.join(", ")
        );
        find("schedules", Verdict::Degraded, message, remedy);
    }
    if !readings.set_right.is_empty() {
        let message = format!(
            "a wrong clock had moved {} into the future; they were set right and go on",
            readings.set_right.join(", ")
        );
        find("schedules", Verdict::Degraded, message, remedy);
    }
}

/// A time as people say it.
fn told(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn well() -> Readings {
        Readings {
            database: Ok(DatabaseReading {
                write: Duration::from_millis(3),
                read: Duration::from_millis(1),
                size_bytes: Some(1 << 30),
                free_bytes: Some(50 << 30),
                unread: [0, 0],
            }),
            queues: vec![QueueReading {
                queue: "match_processing".to_owned(),
                running: 16,
                waiting: 3_000,
                oldest_waiting: Some(MINUTE * 300),
                last_completed: Some(Duration::from_secs(1)),
                ..QueueReading::default()
            }],
            key: "valid",
            routes: ["euw1", "europe"]
                .map(|route| RouteReading {
                    route: route.to_owned(),
                    reached: Reached::Yes,
                    strangers: None,
                    share: 100,
                })
                .into(),
            excesses: Vec::new(),
            lost: Vec::new(),
            deaths: Vec::new(),
            clocks: vec![("Riot's", 900)],
            set_right: Vec::new(),
            astray: Vec::new(),
            uptime: MINUTE * 600,
        }
    }

    /// The verdict on readings that were changed, and the part and words that tell why.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Readings), expected: Verdict, part: &str, named: &str) {
        let mut readings = well();
        change(&mut readings);
        let findings = judge(&readings);
        assert_eq!(verdict(&findings), expected, "{findings:?}");
        if expected == Verdict::Healthy {
            assert!(findings.is_empty(), "{findings:?}");
            return;
        }
        let worst = &findings[0];
        assert!(worst.part.contains(part), "{worst:?}");
        assert!(worst.message.contains(named), "{worst:?}");
        assert!(!worst.remedy.is_empty());
    }

    #[test]
    fn a_wait_that_is_too_long_to_be_believed_is_told_with_what_stands_still() {
        let excess = |method, left| ExcessReading {
            route: "europe".to_owned(),
            method,
            asked: Duration::from_secs(999_999_999),
            left,
        };
        for (excess, words) in [
            (
                excess(None, MINUTE * 50),
                "every call waits for 50 min more",
            ),
            (
                excess(Some("match"), Duration::ZERO),
                "every match call goes alone",
            ),
        ] {
            let change = |it: &mut Readings| it.excesses.push(excess);
            check(change, Verdict::Degraded, "Riot API on europe", words);
        }
    }

    fn queue(readings: &mut Readings) -> &mut QueueReading {
        &mut readings.queues[0]
    }

    #[test]
    fn a_long_backlog_that_moves_is_health() {
        check(|_| {}, Verdict::Healthy, "", "");
        check(
            |it| it.routes[0].reached = Reached::NoTurn,
            Verdict::Healthy,
            "",
            "",
        );
        check(|it| it.queues.clear(), Verdict::Healthy, "", "");
    }

    #[test]
    fn schedules_that_a_wrong_clock_moved_are_named() {
        let moved = || vec!["sync_tracked".to_owned(), "cleanup".to_owned()];
        for astray in [true, false] {
            let change = |it: &mut Readings| {
                let list = if astray {
                    &mut it.astray
                } else {
                    &mut it.set_right
                };
                *list = moved();
            };
            check(
                change,
                Verdict::Degraded,
                "schedules",
                "sync_tracked, cleanup",
            );
        }
    }

    #[test]
    fn a_tracked_player_who_is_not_found_is_told_with_how_to_end_it_and_of_many_the_first() {
        let lost = |n: usize| LostReading {
            who: format!("Probe{n}#TST"),
            puuid: "p".repeat(78),
            why: "no player is called so".to_owned(),
            ago: MINUTE * 90,
        };
        let one = |it: &mut Readings| it.lost = vec![lost(1)];
        check(one, Verdict::Degraded, "tracked player", "Probe1#TST");
        let mut readings = well();
        readings.lost = (0..25).map(lost).collect();
        let findings = judge(&readings);
        assert_eq!(findings.len(), LOST_TOLD_MAX + 1);
        assert!(findings[0].remedy.contains(&"p".repeat(78)));
        assert!(findings[LOST_TOLD_MAX].message.starts_with("15 more"));
    }

    #[test]
    fn jobs_that_are_held_back_are_told_of_also_where_nothing_else_waits() {
        check(
            |it| {
                queue(it).waiting = 0;
                queue(it).held_back = 2;
            },
            Verdict::Degraded,
            "match_processing",
            "2 of its jobs",
        );
    }

    #[test]
    fn a_queue_that_is_alive_but_silent_is_not() {
        let silent = |it: &mut Readings| {
            queue(it).running = 0;
            queue(it).last_completed = None;
        };
        check(silent, Verdict::Unhealthy, "match_processing", "silent");
        check(
            |it| {
                silent(it);
                queue(it).oldest_waiting = Some(MINUTE * 9);
            },
            Verdict::Healthy,
            "",
            "",
        );
        check(
            |it| {
                silent(it);
                it.uptime = MINUTE;
            },
            Verdict::Healthy,
            "",
            "",
        );
        // One job an hour may wait for its hour.
        check(
            |it| {
                silent(it);
                queue(it).oldest_waiting = Some(MINUTE * 59);
                queue(it).rate_period = Some(MINUTE * 60);
            },
            Verdict::Healthy,
            "",
            "",
        );
        check(
            |it| {
                silent(it);
                queue(it).held = true;
            },
            Verdict::Healthy,
            "",
            "",
        );
        check(
            |it| {
                silent(it);
                queue(it).paused = true;
            },
            Verdict::Degraded,
            "match_processing",
            "paused",
        );
        check(
            |it| queue(it).last_completed = None,
            Verdict::Degraded,
            "match_processing",
            "none has ended",
        );
    }

    #[test]
    fn a_database_that_is_slow_full_or_away_is_told() {
        fn database(it: &mut Readings) -> &mut DatabaseReading {
            it.database.as_mut().unwrap()
        }
        check(
            |it| database(it).write = Duration::from_secs(3),
            Verdict::Degraded,
            "database",
            "write took 3 s",
        );
        check(
            |it| database(it).read = Duration::from_millis(1_500),
            Verdict::Degraded,
            "database",
            "read",
        );
        check(
            |it| database(it).free_bytes = Some(500 << 20),
            Verdict::Degraded,
            "database",
            "500 MiB",
        );
        check(
            |it| database(it).free_bytes = Some(50 << 20),
            Verdict::Unhealthy,
            "database",
            "50 MiB",
        );
        check(
            |it| database(it).free_bytes = None,
            Verdict::Healthy,
            "",
            "",
        );
        check(
            |it| it.database = Err("the disk is full".to_owned()),
            Verdict::Unhealthy,
            "database",
            "full",
        );
    }

    #[test]
    fn another_program_on_the_key_is_told_unless_a_share_is_left_to_it() {
        let with = |share| {
            move |it: &mut Readings| {
                it.routes[1].strangers = Some(20);
                it.routes[1].share = share;
            }
        };
        let named = "about 20 %";
        check(with(100), Verdict::Degraded, "europe", named);
        check(with(85), Verdict::Degraded, "europe", named);
        check(with(80), Verdict::Healthy, "", "");
    }

    #[test]
    fn the_api_the_actors_and_the_clock_are_told() {
        check(
            |it| it.key = "rejected",
            Verdict::Unhealthy,
            "Riot API",
            "rejects",
        );
        check(
            |it| it.key = "suspected",
            Verdict::Degraded,
            "Riot API",
            "refused",
        );
        let down = || Reached::Failed("HTTP 503".to_owned());
        check(
            |it| it.routes[1].reached = down(),
            Verdict::Degraded,
            "europe",
            "503",
        );
        check(
            |it| {
                it.routes
                    .iter_mut()
                    .for_each(|route| route.reached = down());
            },
            Verdict::Unhealthy,
            "euw1",
            "503",
        );
        check(
            |it| it.deaths = vec!["/engine/stager".to_owned(); 2],
            Verdict::Degraded,
            "actors",
            "2 deaths",
        );
        check(
            |it| it.deaths = vec!["/engine/stager".to_owned(); 10],
            Verdict::Unhealthy,
            "actors",
            "stager",
        );
        check(
            |it| it.clocks = vec![("Riot's", -90_000)],
            Verdict::Degraded,
            "clock",
            "90 s behind",
        );
    }
}
