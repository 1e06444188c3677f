//! Trouble that lasts is told three times: when it begins, once a minute while it lasts, and when it is over.
//!
//! [`Outage`] decides, purely: time comes in. Whoever meets trouble notes each failure and each success, however many
//! there are, and says nothing else.
//!
//! **When is it over?** A disk that is full still takes a small commit and refuses the next document. So a success
//! ends an outage only if it was at least as large as the largest thing that failed and came a moment after the last
//! failure, or if nothing has failed for a while (`quiet`). Failures that have no size (a connection, a lock) are over
//! with the first success; those that single successes say nothing about (refusals of a service) are over after the
//! quiet time alone.
//!
//! **Trouble that comes and goes** is told again at once only if nothing was told of it for a minute; sooner, it has to
//! last for a moment. What was too short for that is counted in the next line.

use std::fmt::{self, Display};
use std::time::Duration;

/// Between two lines while it lasts.
const EVERY: Duration = Duration::from_mins(1);
/// Trouble that is back within [`EVERY`] of the last line is told once it has lasted so long.
const LASTING: Duration = Duration::from_secs(10);
/// What has a size is made good by one that is as large only so long after the last failure: others of other sizes are
/// under way.
const SETTLED: Duration = Duration::from_secs(2);
/// Without a failure for so long, any success ends it.
const QUIET: Duration = Duration::from_secs(10);

/// A failure that only a time without failures makes good.
pub const UNTIL_QUIET: u64 = u64::MAX;

/// What is to be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutageNews {
    Nothing,
    /// So many before it were too short to be told.
    Begins {
        untold: u64,
    },
    Lasts {
        so_far: Duration,
        failures: u64,
    },
    Ends {
        after: Duration,
        failures: u64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Lasting {
    began: Duration,
    failed_at: Duration,
    failures: u64,
    /// The largest thing that failed.
    weight: u64,
    told_at: Option<Duration>,
}

/// See the module.
#[derive(Debug)]
pub struct Outage {
    quiet: Duration,
    now: Option<Lasting>,
    /// When something was told last that was no end.
    told_at: Option<Duration>,
    untold: u64,
}

impl Default for Outage {
    fn default() -> Self {
        Self::with_quiet(QUIET)
    }
}

impl Outage {
    /// `quiet`: a time without failures after which any success ends it.
    pub const fn with_quiet(quiet: Duration) -> Self {
        Self {
            quiet,
            now: None,
            told_at: None,
            untold: 0,
        }
    }

    /// Something failed. `weight`: how large it was; 0 if a success of any size makes it good.
    pub fn failed(&mut self, weight: u64, now: Duration) -> OutageNews {
        let lasting = self.now.get_or_insert(Lasting {
            began: now,
            failed_at: now,
            failures: 0,
            weight: 0,
            told_at: None,
        });
        lasting.failed_at = now;
        lasting.failures += 1;
        lasting.weight = lasting.weight.max(weight);
        self.look(now)
    }

    /// Something of that size worked.
    pub fn worked(&mut self, weight: u64, now: Duration) -> OutageNews {
        let Some(lasting) = self.now else {
            return OutageNews::Nothing;
        };
        let since = now.saturating_sub(lasting.failed_at);
        let is_over = since >= self.quiet
            || weight >= lasting.weight && (lasting.weight == 0 || since >= SETTLED);
        if !is_over {
            // The next failure tells that it lasts, and why.
            return OutageNews::Nothing;
        }
        self.now = None;
        if lasting.told_at.is_none() {
            self.untold += 1;
            return OutageNews::Nothing;
        }
        OutageNews::Ends {
            after: now.saturating_sub(lasting.began),
            failures: lasting.failures,
        }
    }

    /// Time passed. Only those need it who may neither fail nor succeed for more than a minute.
    pub fn look(&mut self, now: Duration) -> OutageNews {
        let Some(lasting) = &mut self.now else {
            return OutageNews::Nothing;
        };
        let so_far = now.saturating_sub(lasting.began);
        let is_due = |told: Duration| now.saturating_sub(told) >= EVERY;
        match lasting.told_at {
            Some(told) if is_due(told) => {
                lasting.told_at = Some(now);
                self.told_at = Some(now);
                OutageNews::Lasts {
                    so_far,
                    failures: lasting.failures,
                }
            }
            None if self.told_at.is_none_or(is_due) || so_far >= LASTING => {
                lasting.told_at = Some(now);
                self.told_at = Some(now);
                OutageNews::Begins {
                    untold: std::mem::take(&mut self.untold),
                }
            }
            Some(_) | None => OutageNews::Nothing,
        }
    }

    pub fn is_on(&self) -> bool {
        self.now.is_some()
    }

    /// Since when it lasts.
    pub fn began(&self) -> Option<Duration> {
        self.now.map(|lasting| lasting.began)
    }
}

/// An end of a job that could not be stored for so long, and not because the database was away, is told.
const END_LATE: Duration = Duration::from_secs(10);
/// An outage that was shorter says nothing of an end that waits: it is the end that failed.
const MOMENT: Duration = Duration::from_secs(1);

/// A database that cannot be written, whoever meets it: one outage of it is one thing, and told as one. An end of a job
/// that waits is told by itself only for what no outage explains.
#[derive(Debug, Default)]
pub struct DatabaseOutage {
    writes: Outage,
    ends: Outage,
    /// When the last one that lasted began and ended.
    last: Option<(Duration, Duration)>,
}

impl DatabaseOutage {
    /// See [`Outage::failed`].
    pub fn failed(&mut self, weight: u64, now: Duration) -> OutageNews {
        self.writes.failed(weight, now)
    }

    /// See [`Outage::worked`].
    pub fn worked(&mut self, weight: u64, now: Duration) -> OutageNews {
        let began = self.writes.began();
        let news = self.writes.worked(weight, now);
        if let Some(began) = began
            && !self.is_on()
            && now.saturating_sub(began) >= MOMENT
        {
            self.last = Some((began, now));
        }
        news
    }

    pub fn is_on(&self) -> bool {
        self.writes.is_on()
    }

    /// An end could not be stored once more, and waits since then. None: for long enough, but for outages, it does not.
    pub fn end_waits(&mut self, since: Duration, now: Duration) -> Option<OutageNews> {
        let current = self.writes.began().map(|began| (began, now));
        let explained = [current, self.last].into_iter().flatten();
        let explained = explained.map(|(began, ended)| ended.saturating_sub(began.max(since)));
        let alone = now.saturating_sub(since + explained.sum());
        (alone >= END_LATE).then(|| self.ends.failed(0, now))
    }

    /// An end that was told to wait is stored.
    pub fn end_stored(&mut self, now: Duration) -> OutageNews {
        self.ends.worked(0, now)
    }
}

/// What was not told before.
#[derive(Debug, Clone, Copy)]
pub struct Before(pub u64);

impl Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(". It was so once more since the last line, for a moment"),
            times => write!(
                f,
                ". It was so {times} times more since the last line, each time for a moment"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OutageNews::{Begins, Ends, Lasts, Nothing};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What is told while for `seconds` something fails every so often and something works every so often, in between
    /// and after it.
    struct Kind {
        name: &'static str,
        outage: fn() -> Outage,
        /// Between two failures, and how large they are.
        fails: (u64, u64),
        /// The same of what works meanwhile; none: nothing.
        works: Option<(u64, u64)>,
        /// How large the first thing is that works when it is over.
        then: u64,
        /// Ends of jobs wait for it.
        of_database: bool,
    }

    const KINDS: [Kind; 9] = [
        Kind {
            name: "a full disk, on which small commits still fit",
            outage: Outage::default,
            fails: (500, 60_000),
            works: Some((50, 300)),
            then: 90_000,
            of_database: true,
        },
        Kind {
            name: "a disk that has room again for less than was refused",
            outage: Outage::default,
            fails: (500, 60_000),
            works: Some((5_000, 0)),
            then: 0,
            of_database: true,
        },
        Kind {
            name: "a database that another program holds locked",
            outage: Outage::default,
            fails: (5_000, 0),
            works: None,
            then: 0,
            of_database: true,
        },
        Kind {
            name: "a server that is away",
            outage: Outage::default,
            fails: (40, 0),
            works: None,
            then: 0,
            of_database: true,
        },
        Kind {
            name: "a route that does not work, tried more and more rarely",
            outage: Outage::default,
            fails: (20_000, 0),
            works: None,
            then: 0,
            of_database: false,
        },
        Kind {
            name: "a key that is rejected",
            outage: Outage::default,
            fails: (48_000, 0),
            works: None,
            then: 0,
            of_database: false,
        },
        Kind {
            name: "refusals of a service between good answers",
            outage: || Outage::with_quiet(Duration::from_mins(1)),
            fails: (7_000, UNTIL_QUIET),
            works: Some((90, 0)),
            then: 0,
            of_database: false,
        },
        Kind {
            name: "a metrics log on a full disk",
            outage: Outage::default,
            fails: (10_000, 4_000),
            works: None,
            then: 5_000,
            of_database: false,
        },
        Kind {
            name: "a control socket that can take nobody in",
            outage: Outage::default,
            fails: (100, 0),
            works: None,
            then: 0,
            of_database: false,
        },
    ];

    /// Of kinds that a database has: the ends of jobs that cannot be stored are tried again, each after some time.
    const ENDS_EVERY: u64 = 10_500;

    /// What is told of a database in trouble, of writes or of ends.
    fn told_of_database(kind: &Kind, seconds: u64) -> Vec<OutageNews> {
        let mut outage = DatabaseOutage::default();
        let mut told = Vec::new();
        let (over, mut waits) = (seconds * 1_000, None);
        for at in (0..over + 15_000).step_by(10) {
            let now = ms(at);
            if at < over && at % kind.fails.0 == 0 {
                told.push(outage.failed(kind.fails.1, now));
            } else if let Some((every, weight)) = kind.works
                && at % every == 0
            {
                told.push(outage.worked(weight, now));
            }
            if at >= over && at % 1_000 == 0 {
                told.push(outage.worked(kind.then, now));
            }
            // One that was on its way when the trouble was over hears of it a moment later.
            if at > 0 && at <= over + ENDS_EVERY / 2 && at % ENDS_EVERY == 0 {
                let since = *waits.get_or_insert(now);
                told.extend(outage.end_waits(since, now));
            }
        }
        told.retain(|news| *news != Nothing);
        told
    }

    #[test]
    fn an_outage_of_a_database_is_one_thing_however_many_ends_of_jobs_wait_for_it() {
        for kind in KINDS.iter().filter(|kind| kind.of_database) {
            for seconds in [12, 28, 50] {
                let told = told_of_database(kind, seconds);
                assert!(
                    matches!(told[..], [Begins { untold: 0 }, Ends { .. }]),
                    "{} for {seconds} s: {told:?}",
                    kind.name
                );
            }
            let lines = told_of_database(kind, 200).len();
            assert_eq!(lines, 5, "{}", kind.name);
        }
    }

    #[test]
    fn an_end_that_alone_cannot_be_stored_is_told_though_each_try_looks_like_an_outage() {
        let mut outage = DatabaseOutage::default();
        let (since, mut ends) = (ms(500), Vec::new());
        for at in (500..75_000).step_by(500) {
            outage.failed(0, ms(at));
            ends.extend(outage.end_waits(since, ms(at + 10)));
            outage.worked(0, ms(at + 300));
        }
        ends.push(outage.end_stored(ms(75_000)));
        ends.retain(|news| *news != Nothing);
        assert!(
            matches!(ends[..], [Begins { .. }, Lasts { .. }, Ends { .. }]),
            "{ends:?}"
        );
        // One that waited for an outage and goes on waiting has its own time.
        let mut outage = DatabaseOutage::default();
        outage.failed(0, ms(0));
        outage.worked(0, ms(30_000));
        assert_eq!(outage.end_waits(ms(5_000), ms(39_900)), None);
        assert!(outage.end_waits(ms(5_000), ms(40_000)).is_some());
    }

    fn told(kind: &Kind, seconds: u64) -> Vec<OutageNews> {
        let mut outage = (kind.outage)();
        let mut told = Vec::new();
        let mut at = 0;
        while at < seconds * 1_000 {
            if at % kind.fails.0 == 0 {
                told.push(outage.failed(kind.fails.1, ms(at)));
            } else if let Some((every, weight)) = kind.works
                && at % every == 0
            {
                told.push(outage.worked(weight, ms(at)));
            }
            told.push(outage.look(ms(at)));
            at += 10;
        }
        // All is well from now on.
        for after in 0..70 {
            told.push(outage.worked(kind.then, ms(at + after * 1_000)));
        }
        told.retain(|news| *news != Nothing);
        told
    }

    #[test]
    fn whatever_fails_is_told_when_it_begins_each_minute_and_when_it_is_over() {
        for kind in KINDS {
            let short = told(&kind, 30);
            assert!(
                matches!(short[..], [Begins { untold: 0 }, Ends { .. }]),
                "{}: {short:?}",
                kind.name
            );
            let long = told(&kind, 200);
            assert!(
                matches!(
                    long[..],
                    [
                        Begins { .. },
                        Lasts { .. },
                        Lasts { .. },
                        Lasts { .. },
                        Ends { .. }
                    ]
                ),
                "{}: {long:?}",
                kind.name
            );
            let Some(Ends { after, failures }) = long.last() else {
                unreachable!()
            };
            assert!(*after >= ms(199_000), "{}: {after:?}", kind.name);
            assert_eq!(
                *failures,
                200_000_u64.div_ceil(kind.fails.0),
                "{}",
                kind.name
            );
        }
    }

    #[test]
    fn trouble_that_comes_and_goes_is_told_now_and_then_and_what_was_not_is_counted() {
        let mut outage = Outage::default();
        let mut told = Vec::new();
        // A second of trouble, four of peace.
        for second in 0..200 {
            told.push(match second % 5 {
                0 => outage.failed(0, ms(second * 1_000)),
                _ => outage.worked(0, ms(second * 1_000)),
            });
        }
        told.retain(|news| *news != Nothing);
        let begun: Vec<_> = told
            .iter()
            .filter_map(|news| match news {
                Begins { untold } => Some(*untold),
                _ => None,
            })
            .collect();
        assert_eq!(begun, [0, 11, 11, 11]);
        assert_eq!(told.len(), 8, "each has its end: {told:?}");
        // What lasts is told all the same, though a line was written a moment before.
        let mut outage = Outage::default();
        outage.failed(0, ms(0));
        outage.worked(0, ms(1_000));
        assert_eq!(outage.failed(0, ms(2_000)), Nothing);
        assert_eq!(outage.failed(0, ms(11_999)), Nothing);
        assert_eq!(outage.failed(0, ms(12_000)), Begins { untold: 0 });
    }

    #[test]
    fn however_it_fails_and_works_beginnings_and_ends_take_turns_and_lines_are_few() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut outage = Outage::default();
            let (mut now, mut told) = (0, Vec::new());
            while now < 600_000 {
                now += rng.u64(1..3_000);
                let weight = rng.u64(0..3);
                let news = match rng.u8(0..3) {
                    0 => outage.failed(weight, ms(now)),
                    1 => outage.worked(weight, ms(now)),
                    _ => outage.look(ms(now)),
                };
                if news != Nothing {
                    told.push((now, news));
                }
            }
            let mut is_on = false;
            for (at, news) in &told {
                let begins = matches!(news, Begins { .. });
                assert_ne!(begins, is_on, "seed {seed} at {at}: {news:?}");
                is_on = !matches!(news, Ends { .. });
                let later = told
                    .iter()
                    .filter(|(other, _)| (*at..at + 60_000).contains(other));
                assert!(later.count() <= 14, "seed {seed} at {at}");
            }
        }
    }
}
