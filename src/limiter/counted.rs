//! What the server's counts prove of a window. Pure.
//!
//! From one call to a later one a count rises by no more than the calls that were counted between them;
//! it falls when the window begins anew, or slides. So each count bounds all later ones: it, and the
//! calls that went since or were on their way. The least of these bounds holds, whichever way the
//! window ends. It proves a window empty as soon as one call saw it so, without any trust in clocks.
//!
//! Counts may be told late: then the last calls before one are missing in its count. How late at most is
//! seen where a call is in the count of the next, which went when nothing else was about. Before that was
//! seen a count proves nothing, and when one is told twice that is over.
//!
//! Others are on the key where a count is above the bound on our calls.

use std::time::Duration;

/// Counts are not told later than that.
const LATE: Duration = Duration::from_secs(1);
/// That counts are told late, or prove nothing, is believed for so long.
const BELIEVED: Duration = Duration::from_mins(10);

/// When a call went: the calls that its count may not have in it.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Before {
    /// It was our call of that number.
    pub number: u64,
    /// Calls that were on their way, itself included.
    pub in_flight: u32,
    /// Calls that were answered so lately that its count may be without them.
    pub young: u32,
    /// No other call was about, of ours or of engines that share the key.
    pub is_lone: bool,
}

/// The last answer.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
struct Last {
    count: u32,
    sent: Duration,
    received: Duration,
    was_lone: bool,
}

/// See the module.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, Hash))]
pub(super) struct Counted {
    /// Our calls that the server counts are no more than this and the number of our last call, and when that
    /// was known.
    ours: Option<(i64, Duration)>,
    last: Option<Last>,
    /// How late counts are told at most; none: that is not known, and they prove nothing.
    lag: Option<Duration>,
    /// Counts are no proof until then.
    distrusted_until: Duration,
}

impl Counted {
    /// Calls that were answered so lately may be missing in a count.
    pub(super) fn lag(&self) -> Duration {
        self.lag.unwrap_or(LATE)
    }

    pub(super) fn latest() -> Duration {
        LATE
    }

    /// The calls of ours that the server can still count when one is answered that went at `sent`.
    pub(super) fn ours_at_most(&self, departed: u64, sent: Duration) -> Option<u32> {
        let (bound, since) = self.ours?;
        (sent >= since).then(|| at(bound, departed))
    }

    /// The calls of ours that the server can still count, if that is proven.
    pub(super) fn at_most(&self, departed: u64, now: Duration) -> Option<u32> {
        let (bound, _) = self.ours?;
        let proves = self.lag.is_some() && now >= self.distrusted_until;
        proves.then(|| at(bound, departed))
    }

    /// The first count of a window; what went before it is not known.
    pub(super) fn begins(&mut self, count: u32, moments: [Duration; 2], is_lone: bool) {
        self.judge(count, moments, is_lone);
    }

    /// A count was told: `ours` of it can be ours.
    pub(super) fn told(&mut self, count: u32, ours: u32, before: Before, moments: [Duration; 2]) {
        self.judge(count, moments, before.is_lone);
        let later = i64::from(before.in_flight.saturating_sub(1) + before.young)
            - i64::try_from(before.number).unwrap_or(i64::MAX);
        let ours = i64::from(ours.min(count)) + later;
        if self.ours.is_none_or(|(least, _)| ours < least) {
            self.ours = Some((ours, moments[1]));
        }
    }

    /// Other engines' calls were counted of late, or are: that a count rose tells nothing of how late it was told.
    pub(super) fn beside_others(&mut self) {
        if self.lag.take().is_some() {
            self.ours = None;
        }
        if let Some(last) = &mut self.last {
            last.was_lone = false;
        }
    }

    /// How late are counts told?
    fn judge(&mut self, count: u32, [sent, received]: [Duration; 2], is_lone: bool) {
        if let Some(last) = self.last
            && sent >= last.received
            && received < last.received + LATE
        {
            let between = received.saturating_sub(last.sent);
            if count == last.count {
                // What was proven before may have been told late.
                (self.ours, self.lag) = (None, None);
                self.distrust(received);
            } else if last.was_lone && count > last.count && between < LATE {
                self.lag = Some(self.lag.map_or(between, |lag| lag.min(between)));
            }
        }
        if self.last.is_none_or(|last| received >= last.received) {
            self.last = Some(Last {
                count,
                sent,
                received,
                was_lone: is_lone,
            });
        }
    }

    /// They did not hold: one was told late, or a call was refused that nobody else explains.
    pub(super) fn distrust(&mut self, now: Duration) {
        self.distrusted_until = now + BELIEVED;
    }
}

fn at(bound: i64, departed: u64) -> u32 {
    let departed = i64::try_from(departed).unwrap_or(i64::MAX);
    u32::try_from(bound.saturating_add(departed).max(0)).unwrap_or(u32::MAX)
}
