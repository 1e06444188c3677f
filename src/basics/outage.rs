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
mod tests;
