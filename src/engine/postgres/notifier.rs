//! Hints across engines: a commit that brings work rings, and other engines look sooner than they would.
//!
//! After the commit, not in it (a NOTIFY in a transaction makes commits wait for each other), at most once in
//! [`QUIET`], and only while other engines live. A hint that is lost costs a moment: each queue looks
//! by itself every second.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::claim_cursors::ClaimCursors;
use super::connect::{Link, Purpose, STATEMENT_TIMEOUT};
use super::job_statements as sql;
use super::shared::Shared;
use super::transaction::Consequences;
use crate::store::Hints;
use riftsync_basics::Foreign;

/// Between two rings.
const QUIET: Duration = Duration::from_millis(50);
/// How often a connection is looked at on which nothing is heard.
const LOOK: Duration = Duration::from_secs(5);
/// The pause before the next try to connect.
const BACKOFF: Duration = Duration::from_secs(2);

const SCHEDULE: &str = "*schedule";
const CANCELS: &str = "*cancels";

/// What is to be told.
#[derive(Debug)]
pub(super) struct Notifier {
    /// Who rings: nobody needs to hear himself.
    me: String,
    news: Mutex<BTreeSet<String>>,
    rung: Notify,
}

impl Notifier {
    pub(super) fn new() -> Self {
        Self {
            me: format!("{:016x}", fastrand::u64(..)),
            news: Mutex::default(),
            rung: Notify::new(),
        }
    }

    pub(super) fn ring(&self, after: &Consequences) {
        if after.ready.is_empty() && !after.scheduled && !after.cancels {
            return;
        }
        let mut news = self.news();
        for queue in &after.ready {
            if !news.contains(queue) {
                news.insert(queue.clone());
            }
        }
        if after.scheduled {
            news.insert(SCHEDULE.to_owned());
        }
        if after.cancels {
            news.insert(CANCELS.to_owned());
        }
        drop(news);
        self.rung.notify_one();
    }

    fn news(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        // A set of names cannot be left half written.
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be told now, in words without spaces; none: nothing.
    fn take(&self) -> Option<String> {
        let news = std::mem::take(&mut *self.news());
        let words = news
            .into_iter()
            .fold(self.me.clone(), |text, word| text + " " + &word);
        (words.len() > self.me.len()).then_some(words)
    }

    fn hear(&self, words: &str, hints: &Hints, cursors: &ClaimCursors) {
        let mut words = words.split(' ');
        if words.next() == Some(&self.me) {
            return;
        }
        for word in words {
            match word {
                SCHEDULE => hints.schedule().notify_one(),
                CANCELS => hints.cancels().notify_one(),
                // Only queues that somebody here has: the words are not trusted.
                queue => {
                    cursors.heard(queue);
                    hints.notify_if_known(queue);
                }
            }
        }
    }
}

/// Rings and listens until it is told to end, on the current runtime.
pub(super) fn start(shared: &Arc<Shared>) -> AbortHandle {
    let shared = shared.clone();
    tokio::spawn(async move {
        loop {
            if let Err(why) = ring_and_listen(&shared).await {
                tracing::debug!("hints of other engines are not heard: {why}");
            }
            tokio::time::sleep(BACKOFF.mul_f64(0.5 + fastrand::f64())).await;
        }
    })
    .abort_handle()
}

/// Returns when the connection is lost.
async fn ring_and_listen(shared: &Arc<Shared>) -> Result<(), String> {
    let hearer = shared.clone();
    let hear = move |told: tokio_postgres::Notification| {
        if told.channel() == hearer.channel {
            let (hints, cursors) = (&hearer.hints, &hearer.cursors);
            hearer.notifier.hear(told.payload(), hints, cursors);
        }
    };
    let link = Link::connect_and_hear(&shared.settings, Purpose::Read, hear).await;
    let mut link = link.map_err(|error| error.cause)?;
    let listens = link
        .conn
        .batch_execute(&format!("LISTEN {}", shared.channel))
        .await;
    listens.map_err(|error| Foreign::from(error.to_string()))?;
    while !link.is_closed() {
        let _ = timeout(LOOK, shared.notifier.rung.notified()).await;
        if let Some(words) = shared.notifier.take() {
            let ring = sql::Ring {
                channel: shared.channel,
                words: &words,
            };
            let told = timeout(STATEMENT_TIMEOUT, ring.execute(&mut link.conn)).await;
            told.map_err(|_| "no answer".to_owned())?
                .map_err(|error| Foreign::from(error.to_string()))?;
            tokio::time::sleep(QUIET).await;
        }
    }
    Err("the connection is closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn what_one_rings_another_hears_once_and_itself_never() {
        let (one, other) = (Notifier::new(), Notifier::new());
        let (hints, cursors) = (Hints::default(), ClaimCursors::default());
        let q = hints.queue("q");
        assert_eq!(one.take(), None);
        let after = Consequences {
            ready: BTreeSet::from(["q".to_owned(), "strange".to_owned()]),
            cancels: true,
            ..Consequences::default()
        };
        one.ring(&after);
        one.ring(&after);
        let words = one.take().unwrap();
        assert_eq!(one.take(), None, "told once");
        one.hear(&words, &hints, &cursors);
        assert!(q.notified().now_or_never().is_none());
        other.hear(&words, &hints, &cursors);
        assert!(q.notified().now_or_never().is_some());
        assert!(hints.cancels().notified().now_or_never().is_some());
        assert!(hints.schedule().notified().now_or_never().is_none());
    }
}
