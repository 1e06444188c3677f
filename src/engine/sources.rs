//! The engine's own readings for the metrics log: queues, store, process, and all other actors.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::controls::QueueControls;
use super::metrics::{Metrics, Reading, Sample, Source, process};
use super::store::JobStore;

#[derive(Debug)]
pub(super) struct QueueSource {
    pub(super) queues: Arc<QueueControls>,
    pub(super) metrics: Arc<Metrics>,
}

impl Source for QueueSource {
    fn read(&self) -> Reading<'_> {
        Box::pin(std::future::ready(self.samples()))
    }
}

impl QueueSource {
    fn samples(&self) -> Vec<Sample> {
        let queues = self.queues.all().iter();
        queues
            .map(|queue| {
                let path = format!("/engine/queues/{}", queue.name);
                let (settings, counters) = (queue.settings(), &queue.counters);
                let restarts = self.metrics.actors.restarts(&path);
                let busy_us = counters.busy_us.load(Ordering::Relaxed);
                let flag = |set| f64::from(u8::from(set));
                Sample {
                    counters: vec![
                        ("processed", counters.processed.load(Ordering::Relaxed)),
                        ("failed", counters.failed.load(Ordering::Relaxed)),
                        ("retried", counters.retried.load(Ordering::Relaxed)),
                        ("snoozed", counters.snoozed.load(Ordering::Relaxed)),
                        ("restarts", restarts),
                    ],
                    gauges: vec![
                        ("mailbox", counters.ready.load(Ordering::Relaxed) as f64),
                        ("running", counters.running.load(Ordering::Relaxed) as f64),
                        ("slots", settings.slots as f64),
                        ("paused", flag(settings.paused)),
                        ("held", flag(self.queues.is_held(queue))),
                    ],
                    times: Some(counters.times.read()),
                    busy: Some((busy_us, settings.slots as u64)),
                    ..Sample::new(path, "queue")
                }
            })
            .collect()
    }
}

#[derive(Debug)]
pub(super) struct StoreSource<S: ?Sized>(pub(super) Arc<S>);

impl<S: JobStore + ?Sized> Source for StoreSource<S> {
    fn read(&self) -> Reading<'_> {
        Box::pin(async {
            let stats = self.0.writer_stats();
            // A database that is away has told so itself.
            let size = self.0.size_bytes().await.ok().flatten();
            let mut gauges = vec![("mailbox", stats.waiting as f64)];
            gauges.extend(size.map(|bytes| ("database_bytes", bytes as f64)));
            vec![Sample {
                counters: vec![
                    ("commits", stats.commits),
                    ("commands", stats.commands),
                    ("stale", stats.stale),
                ],
                gauges,
                times: Some(stats.times),
                ..Sample::new("/engine/store_writer", "store")
            }]
        })
    }
}

#[derive(Debug)]
pub(super) struct ProcessSource;

impl Source for ProcessSource {
    fn read(&self) -> Reading<'_> {
        let cpu_ms = u64::try_from(process::cpu_time().as_millis()).unwrap_or(u64::MAX);
        let sample = Sample {
            counters: vec![("cpu_ms", cpu_ms)],
            gauges: vec![
                ("rss_bytes", process::resident_bytes() as f64),
                ("rss_peak_bytes", process::resident_peak_bytes() as f64),
            ],
            ..Sample::new("/engine", "process")
        };
        Box::pin(std::future::ready(vec![sample]))
    }
}

/// Actors that do nothing that is counted, but live and die.
#[derive(Debug)]
pub(super) struct ActorSource(pub(super) Arc<Metrics>);

impl Source for ActorSource {
    fn read(&self) -> Reading<'_> {
        let actors = self.0.actors.all();
        let others = actors.into_iter().filter(|(path, _)| {
            !path.starts_with("/engine/queues/") && path != "/engine/store_writer"
        });
        let samples = others.map(|(path, actor)| Sample {
            counters: vec![("restarts", actor.restarts)],
            gauges: vec![("up", f64::from(u8::from(actor.up)))],
            ..Sample::new(path, "actor")
        });
        Box::pin(std::future::ready(samples.collect()))
    }
}
