//! What a budget learnt that people should know, and how it is told.

use std::time::Duration;

use super::observation::RefusedBy;
use super::pause::PAUSE_MAX;
use riftsync_basics::{Before, Bursts, Outage, OutageNews, Telling, UNTIL_QUIET};
use riftsync_model::Route;

/// Refusals of one kind are over after so long without one.
const QUIET: Duration = Duration::from_mins(1);

/// Other programs that were not seen for so long have gone.
const GONE: Duration = Duration::from_mins(5);

/// What is worth telling people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// A new pause, until then.
    pub paused_until: Option<Duration>,
    /// The windows' edges are trusted less from now on.
    pub drift: bool,
    /// Another program uses the key: so many percent of the route's limits.
    pub strangers: Option<u32>,
    /// A pause or a window was told that is too long to be believed.
    pub excess: Option<Duration>,
}

impl News {
    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            paused_until: self.paused_until.max(other.paused_until),
            drift: self.drift || other.drift,
            strangers: self.strangers.or(other.strangers),
            excess: self.excess.max(other.excess),
        }
    }
}

/// What a limiter tells people of refusals and the like, each once while it lasts.
#[derive(Debug)]
pub struct Teller {
    route: Route,
    /// By whose 429s.
    refusals: [(RefusedBy, Outage); 3],
    drifts: Bursts<()>,
    /// What was last told of other programs, and when they were last seen.
    strangers: Option<(u32, Duration)>,
    excesses: Bursts<()>,
}

impl Teller {
    pub(super) fn new(route: Route) -> Self {
        let of = |by| (by, Outage::with_quiet(QUIET));
        Self {
            route,
            refusals: [
                of(RefusedBy::Application),
                of(RefusedBy::Method),
                of(RefusedBy::Service),
            ],
            drifts: Bursts::new(QUIET),
            strangers: None,
            // One call an hour meets it again.
            excesses: Bursts::new(PAUSE_MAX * 2),
        }
    }

    /// A call was answered that was not refused.
    pub(super) fn answered(&mut self, now: Duration) {
        for (by, refusals) in &mut self.refusals {
            if let OutageNews::Ends { after, failures } = refusals.worked(0, now)
                // One is no time to speak of.
                && failures > 1
            {
                let (route, by) = (self.route, by.as_str());
                let of_late = QUIET.as_secs();
                tracing::info!(
                    route = %route, by,
                    "Riot has refused no call on {route} (429, {by}) for {of_late} s; it refused {failures} in {after:.0?}"
                );
            }
        }
    }

    /// Writes it to the log.
    pub(super) fn tell(&mut self, news: News, refused: Option<RefusedBy>, now: Duration) {
        let route = self.route;
        if let Some(by) = refused
            && let Some((_, refusals)) = self.refusals.iter_mut().find(|(of, _)| *of == by)
        {
            let told = refusals.failed(UNTIL_QUIET, now);
            let pause = news.paused_until.unwrap_or(now).saturating_sub(now);
            tell_refusal(route, by, told, pause);
        }
        if news.drift
            && let Telling::First { .. } = self.drifts.note((), now)
        {
            tracing::warn!(
                route = %route,
                "the limits of {route} were kept and Riot still refused a call: its windows are longer than they say. \
                 They are given more room for a while"
            );
        }
        if let Some(asked) = news.excess
            && let Telling::First { .. } = self.excesses.note((), now)
        {
            tracing::warn!(
                route = %route,
                "Riot asks for a wait of {} s on {route}, which it never does: an hour is waited at most, then one call \
                 finds out whether it is over. Look whether something else answers in its place",
                asked.as_secs()
            );
        }
        self.tell_strangers(news.strangers, now);
    }

    /// Once when they come, once when they are much more than was told, once when they have gone.
    fn tell_strangers(&mut self, strangers: Option<u32>, now: Duration) {
        let route = self.route;
        match (strangers, &mut self.strangers) {
            (Some(percent), Some((told, seen))) if percent < *told * 2 => *seen = now,
            (Some(percent), told) => {
                *told = Some((percent, now));
                tracing::warn!(
                    route = %route, percent,
                    "another program uses this key on {route}: about {percent} % of its limits. It is left as much \
                     and a little more. A fixed part for each is set with riot.share"
                );
            }
            (None, Some((_, seen))) if now > *seen + GONE => {
                self.strangers = None;
                tracing::info!(route = %route, "no other program uses this key on {route} any more");
            }
            (None, _) => {}
        }
    }
}

fn tell_refusal(route: Route, by: RefusedBy, news: OutageNews, pause: Duration) {
    let wait = match by {
        _ if pause.is_zero() => "that call waits, the others go on".to_owned(),
        RefusedBy::Application => format!("every call waits {pause:.1?}"),
        RefusedBy::Method | RefusedBy::Service => {
            format!("calls of that method wait {pause:.1?}")
        }
    };
    let by = by.as_str();
    match news {
        OutageNews::Nothing | OutageNews::Ends { .. } => {}
        OutageNews::Begins { untold } => tracing::info!(
            route = %route, by,
            "Riot refuses calls on {route} (429, {by}): {wait}{}", Before(untold)
        ),
        OutageNews::Lasts { so_far, failures } => tracing::warn!(
            route = %route, by,
            "Riot has refused {failures} calls on {route} in {so_far:.0?} (429, {by}); now {wait}"
        ),
    }
}
