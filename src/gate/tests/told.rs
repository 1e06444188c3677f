//! What the log has of an API that does not work, refuses calls, or rejects the key: its beginning, a line a minute, its
//! end.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use super::api::{ASIA, FakeApi, a_match, caller, key, on_virtual_time};
use crate::gate::{Gate, KeySource};
use crate::riot::{LimitScope, RiotError};
use crate::supervision::{Intensity, Strategy, Supervisor};

/// The log of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// Calls again and again while the API fails so, and for two minutes when it no longer does. What was logged.
fn told(fails: fn() -> RiotError, lasts: Duration) -> Vec<String> {
    let log = Log::default();
    let written = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || written.clone())
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .finish();
    let _listening = tracing::subscriber::set_default(subscriber);
    on_virtual_time(async move {
        let api = FakeApi::new((100, 1));
        let source = KeySource {
            watch: true,
            ..KeySource::default()
        };
        let metrics = Arc::default();
        let (gate, services) = Gate::new(
            key("RGAPI-one"),
            source,
            api.clone(),
            ["q"],
            None,
            metrics,
            1,
        );
        let (strategy, intensity) = (Strategy::OneForOne, Intensity::default());
        Supervisor::new("/t", strategy, intensity, services.children).start();
        let call_for = async |time: Duration| {
            let until = Instant::now() + time;
            let mut number = 0;
            while Instant::now() < until {
                number += 1;
                let call = a_match(ASIA, number);
                // A call that waits for a better key is given up.
                let called = gate.api.call(caller(1), &call);
                let _ = tokio::time::timeout(Duration::from_secs(30), called).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        api.answers(move |_, _| Err(fails()));
        call_for(lasts).await;
        api.answers(|_, _| Ok(()));
        // As long as the longest pauses.
        call_for(Duration::from_mins(15)).await;
    });
    log.lines()
}

#[track_caller]
fn check(lines: &[String], begins: &str, lasts: &str, minutes: usize, ends: &str) {
    let with = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert_eq!(with(begins), 1, "{begins}: {lines:#?}");
    let told = with(lasts);
    assert!(
        (minutes - 1..=minutes + 1).contains(&told),
        "{lasts}: {lines:#?}"
    );
    assert_eq!(with(ends), 1, "{ends}: {lines:#?}");
    // One line may tell of the first failure, before it is an outage.
    assert!(lines.len() <= 3 + told, "{lines:#?}");
}

#[test]
fn a_route_that_is_down_is_told_when_it_begins_each_minute_and_when_it_works_again() {
    let lines = told(
        || RiotError::Unavailable("HTTP 503".into()),
        Duration::from_mins(5),
    );
    check(
        &lines,
        "does not work: one call",
        "has not worked for",
        5,
        "works again after",
    );
}

#[test]
fn refusals_of_a_service_are_told_when_they_begin_each_minute_and_when_there_are_none() {
    let lines = told(
        || RiotError::RateLimited {
            scope: LimitScope::Service,
            retry_after: Some(Duration::from_secs(2)),
        },
        Duration::from_mins(5),
    );
    check(
        &lines,
        "Riot refuses calls",
        "Riot has refused",
        5,
        "Riot has refused no call",
    );
}

#[test]
fn a_rejected_key_is_told_when_it_begins_each_minute_and_when_it_is_taken_again() {
    let lines = told(|| RiotError::Forbidden(403), Duration::from_mins(5));
    // It is tried again more and more rarely: it may have been rejected for a while longer.
    let begins = lines
        .iter()
        .filter(|line| line.contains("Riot rejects the API key"));
    assert_eq!(begins.count(), 1, "{lines:#?}");
    let lasts = lines
        .iter()
        .filter(|line| line.contains("has rejected the API key for"));
    assert!((4..=15).contains(&lasts.count()), "{lines:#?}");
    let ends = lines
        .iter()
        .filter(|line| line.contains("takes the API key again"));
    assert_eq!(ends.count(), 1, "{lines:#?}");
}
