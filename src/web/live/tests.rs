use std::collections::BTreeSet;
use std::pin::{Pin, pin};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::*;

/// An engine that counts what it is asked, and whose jobs are as many as it was asked for them.
#[derive(Debug, Default)]
struct Counting {
    calls: AtomicUsize,
    /// Also what never changes by itself.
    is_still: bool,
}

impl Ask for Counting {
    fn call<'a>(&'a self, method: &'a str, _: Value) -> BoxFuture<'a, Result<Value, AskError>> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let running = if self.is_still { 0 } else { calls };
        let answer = match method {
            "engine.status" => {
                json!({ "running": running, "queues": [{ "queue": "one", "slots": 4 }] })
            }
            "engine.metrics" => json!({ "totals": [], "actors": [], "events": [] }),
            _ => json!({ "jobs": [] }),
        };
        async { Ok(answer) }.boxed()
    }
}

const OVERVIEW: [&str; 3] = ["headline", "queues", "running"];

type Events<'s> = Pin<&'s mut dyn Stream<Item = Result<Bytes, Infallible>>>;

/// What a reader is told now, without waiting.
fn told(events: &mut Events<'_>) -> Vec<Bytes> {
    let mut told = Vec::new();
    while let Some(Some(Ok(event))) = events.as_mut().next().now_or_never() {
        told.push(event);
    }
    told
}

fn places(events: &[Bytes]) -> Vec<*const u8> {
    events.iter().map(|event| event.as_ptr()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_part_is_made_once_for_all_who_read_it_and_not_at_all_where_nobody_does() {
    let engine = Arc::new(Counting::default());
    let live = Live::new(engine.clone(), String::new(), false);
    let names = || OVERVIEW.map(str::to_owned).to_vec();
    let mut streams: Vec<_> = (0..50)
        .map(|_| Box::pin(live.stream(names(), live.watch(100).unwrap())))
        .collect();
    let mut asked = BTreeSet::new();
    for look in 0..3 {
        let before = engine.calls.load(Ordering::Relaxed);
        live.now().await;
        // At the first look and at each fifth second, those that failed are asked for too.
        asked.insert(engine.calls.load(Ordering::Relaxed) - before);
        let mut seen = BTreeSet::new();
        for stream in &mut streams {
            let events = told(&mut (stream.as_mut() as Events<'_>));
            seen.insert(places(&events));
            // Later only what has changed.
            assert_eq!(events.len(), if look == 0 { 3 } else { 1 });
        }
        assert_eq!(seen.len(), 1, "all have the same bytes");
        let parts = live.parts.borrow().clone();
        assert_eq!(parts.made(), OVERVIEW, "nobody reads the rest");
        tokio::time::advance(LOOK).await;
    }
    assert_eq!(asked, [4, 6].into());
    // A page that is loaded has the same parts, and one that nobody watches is made for it.
    let parts = live.now().await;
    assert!(parts.html("actors").contains("actor") || parts.get("actors").is_some());
    assert!(Arc::ptr_eq(
        parts.get("queues").unwrap(),
        live.parts.borrow().get("queues").unwrap()
    ));
}

#[tokio::test(start_paused = true)]
async fn who_hears_of_no_change_hears_now_and_then_that_somebody_is_there() {
    let engine = Arc::new(Counting {
        is_still: true,
        ..Counting::default()
    });
    let live = Live::new(engine, String::new(), false);
    let stream = live.stream(vec!["queues".to_owned()], live.watch(1).unwrap());
    let mut stream = pin!(stream);
    live.now().await;
    assert_eq!(told(&mut (stream.as_mut() as Events<'_>)).len(), 1);
    for second in 1..=30 {
        tokio::time::advance(LOOK).await;
        live.now().await;
        let events = told(&mut (stream.as_mut() as Events<'_>));
        let wanted: &[&[u8]] = if second % 15 == 0 { &[STILL_HERE] } else { &[] };
        assert_eq!(events, wanted, "{second}");
    }
}
