//! Questions from outside. Who asks over the control socket is answered within a second, also while the database is
//! away, and takes nothing from the engine's own work.
//!
//! A question is known by the task that asks it: whatever is read or written on its behalf, however deep below, has
//! its deadline, and reads on connections of its own. Nothing of a question is spawned.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{StoreError, StoreResult};

/// How long the database may take for all that one question needs of it. The rest of a second is for the socket.
pub const ANSWER_MAX: Duration = Duration::from_millis(600);
/// How long a database is given to show that it lives.
pub const PING_MAX: Duration = Duration::from_millis(150);
/// A write that is under way for longer is looked at so often.
const LOOK: Duration = Duration::from_millis(500);
/// Questions that wait for one connection at most.
const QUEUE_MAX: usize = 50;

tokio::task_local! {
    static QUESTION: Question;
}

/// One question, and until when it is to be answered.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    until: Instant,
}

/// Answers a question: what it asks of a store has a deadline from now on.
pub async fn asked<F: Future>(answer: F) -> F::Output {
    let until = Instant::now() + ANSWER_MAX;
    QUESTION.scope(Question { until }, answer).await
}

/// Waits for what a question needs, for as long as it may take; none: it took longer. What is no question waits.
pub async fn in_time<F: Future>(work: F) -> Option<F::Output> {
    match Question::current() {
        Some(question) => question.in_time(work).await,
        None => Some(work.await),
    }
}

impl Question {
    /// What is asked now; none: the engine works for itself.
    pub fn current() -> Option<Self> {
        QUESTION.try_with(|question| *question).ok()
    }

    /// None: the time was up before.
    pub async fn in_time<F: Future>(self, work: F) -> Option<F::Output> {
        if Instant::now() >= self.until {
            return None;
        }
        timeout_at(self.until, work).await.ok()
    }
}

/// Those who wait for a connection.
#[derive(Debug, Default)]
pub struct WaitingLine(AtomicUsize);

/// A place in the line; left when dropped.
#[derive(Debug)]
pub struct Place<'l>(&'l WaitingLine);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl WaitingLine {
    pub fn enter(&self) -> StoreResult<Place<'_>> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let place = Place(self);
        if before >= QUEUE_MAX {
            return Err(self.too_long());
        }
        Ok(place)
    }

    /// What is told to those for whom it took too long.
    pub fn too_long(&self) -> StoreError {
        let others = self.0.load(Ordering::Relaxed).saturating_sub(1);
        StoreError::Busy(match others {
            0 => "this question takes it too long".to_owned(),
            1 => "it is at work on another question".to_owned(),
            others => format!("{others} other questions wait for it"),
        })
    }
}

const OPEN: u8 = 0;
const SEALED: u8 = 1;
const WITHDRAWN: u8 = 2;

/// What may still become of a command: one that its caller has given up is never committed.
#[derive(Debug, Clone)]
pub struct Fate(Option<Arc<AtomicU8>>);

impl Fate {
    /// Of a command that is given to a writer now. What the engine does for itself is never withdrawn.
    pub fn open() -> Self {
        Self(Question::current().map(|_| Arc::default()))
    }

    /// It is about to be committed. False: it was withdrawn, and must not be.
    pub fn seal(&self) -> bool {
        self.go(OPEN, SEALED);
        !self.is_withdrawn()
    }

    /// It was not committed after all, and may be tried again.
    pub fn unseal(&self) {
        self.go(SEALED, OPEN);
    }

    pub fn is_withdrawn(&self) -> bool {
        let fate = self.0.as_ref();
        fate.is_some_and(|fate| fate.load(Ordering::Acquire) == WITHDRAWN)
    }

    /// False: nobody can know whether it is committed.
    fn withdraw(&self) -> bool {
        self.go(OPEN, WITHDRAWN)
    }

    fn go(&self, from: u8, to: u8) -> bool {
        self.0.as_ref().is_some_and(|fate| {
            fate.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        })
    }
}

/// Waits for the answer to a write: as long as it takes where the database works, and no longer than the question
/// may take where it is `stuck`, and not at all where it is known to be `away` and still is. Then the command is
/// withdrawn, so that nothing is done that was refused.
pub async fn written<T, S: Future<Output = Option<StoreError>>>(
    fate: &Fate,
    answer: impl Future<Output = StoreResult<T>>,
    away: bool,
    stuck: impl Fn() -> S,
) -> StoreResult<T> {
    let Some(question) = Question::current() else {
        return answer.await;
    };
    let mut answer = std::pin::pin!(answer);
    let mut look = if away { Instant::now() } else { question.until };
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => {
                // The writer says what is wrong; those who ask hear since when, too.
                let away = match &answer {
                    Err(StoreError::Unavailable(_) | StoreError::Full(_)) => stuck().await,
                    _ => None,
                };
                return match away {
                    Some(why) => Err(refused(fate.withdraw(), why)),
                    None => answer,
                };
            }
            () = sleep_until(look) => {}
        }
        if let Some(why) = stuck().await {
            return Err(refused(fate.withdraw(), why));
        }
        look = Instant::now() + LOOK;
    }
}

/// What is told of a write that is not waited for.
fn refused(withdrawn: bool, why: StoreError) -> StoreError {
    let why = match why {
        StoreError::Away(why) => why,
        other => other.to_string(),
    };
    StoreError::Away(if withdrawn {
        format!("{why}. Nothing was written")
    } else {
        format!("{why}. Whether this was still written is not known: look before you ask again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    fn stuck() -> std::future::Ready<Option<StoreError>> {
        ready(Some(StoreError::Away("it is away".to_owned())))
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_was_refused_is_never_made() {
        let fate = asked(async { Fate::open() }).await;
        let answer = asked(written::<(), _>(&fate, pending(), false, stuck)).await;
        let why = answer.unwrap_err().to_string();
        assert!(why.contains("Nothing was written"), "{why}");
        assert!(!fate.seal());
        assert!(fate.is_withdrawn());
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_write_in_the_middle_of_its_commit_it_is_told_that_nobody_knows() {
        let fate = asked(async { Fate::open() }).await;
        assert!(fate.seal());
        let answer = asked(written::<(), _>(&fate, pending(), false, stuck)).await;
        let why = answer.unwrap_err().to_string();
        assert!(why.contains("is not known"), "{why}");
        fate.unseal();
        assert!(fate.seal(), "it may be tried again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_takes_long_on_a_database_that_works_is_waited_for() {
        let fate = Fate::open();
        let slow = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(7)
        };
        let answer = asked(written(&fate, slow, true, || ready(None))).await;
        assert_eq!(answer.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_has_the_time_that_its_question_has_left_and_the_engine_all_it_needs() {
        assert!(Question::current().is_none());
        asked(async {
            let question = Question::current().unwrap();
            assert_eq!(question.in_time(ready(1)).await, Some(1));
            assert_eq!(question.in_time(pending::<()>()).await, None);
            assert_eq!(question.in_time(ready(1)).await, None, "too late");
        })
        .await;
    }

    #[test]
    fn a_line_has_an_end_and_its_places_are_free_again() {
        let line = WaitingLine::default();
        let all: Vec<_> = (0..QUEUE_MAX).map(|_| line.enter().unwrap()).collect();
        assert!(matches!(line.enter(), Err(StoreError::Busy(_))));
        drop(all);
        assert!(line.enter().is_ok());
    }
}
