//! Waiting for a state of something that tells nobody: another process, a file, a server. A test looks until it is
//! there. If it never comes, the test fails with what it waited for.

use std::process::Child;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// The same where the state does not last.
const SHORT_PAUSE: Duration = Duration::from_millis(1);
/// Nothing takes so long, on the slowest machine: it will not come any more.
const PATIENCE: Duration = Duration::from_mins(15);

/// Waits until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    found(what, async || is_so().await.then_some(())).await;
}

/// The same where it may be over soon.
#[allow(dead_code, reason = "not all tests that share this file use it")]
pub async fn until_soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    found_every(SHORT_PAUSE, what, async || is_so().await.then_some(())).await;
}

/// Waits until there is one.
pub async fn found<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    found_every(PAUSE, what, look).await
}

/// The same where it may be gone soon.
#[allow(dead_code, reason = "not all tests that share this file use it")]
pub async fn found_soon<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    found_every(SHORT_PAUSE, what, look).await
}

async fn found_every<T>(
    pause: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came: {what}");
        sleep(pause).await;
    }
}

/// It is not so yet: the program that is to bring it must still run.
#[allow(dead_code, reason = "not all tests that share this file use it")]
pub fn not_yet(program: &mut Child, log: impl FnOnce() -> String) -> bool {
    let ended = program.try_wait().unwrap();
    assert!(ended.is_none(), "{ended:?}: {}", log());
    false
}
