//! `bench limiter`: the whole key budget and not one call more, over real sockets.
//!
//! A simulator on a loopback port has limits and a latency; more callers than it admits go through
//! the real client and the real limiter for some seconds. What it permits, what was used of it, and
//! its 429s by type are the result.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::limiter::{
    Acquire, MemoryBoard, MemoryMember, Observation, Permit, RateLimiter, Refused, RefusedBy,
    RefusedCounts,
};
use crate::model::{Platform, Priority, Route};
use crate::riot::{ApiKey, BaseUrl, Call, LimitScope, RiotClient, RiotError};
use crate::simulator::{
    Latency, SIMULATED_KEY, Simulator, SimulatorConfig, WindowModel, World, WorldConfig,
};

const ROUTE: Route = Route::Platform(Platform::Kr);

/// What to measure.
#[derive(Debug, Clone)]
pub struct LimiterBench {
    /// (calls, seconds)
    pub limits: Vec<(u32, u32)>,
    pub duration: Duration,
    pub latency: Latency,
    pub window: WindowModel,
    pub edge_jitter: Duration,
    /// Callers at once: more than the limits admit.
    pub callers: usize,
    /// Replace the limiter when so much of the time is over.
    pub restart: Option<Duration>,
    /// Change to these limits in the middle of the time.
    pub shrink: Option<Vec<(u32, u32)>>,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct LimiterReport {
    pub limits: Vec<(u32, u32)>,
    pub shrunk_to: Option<Vec<(u32, u32)>>,
    pub restarted: bool,
    pub window: String,
    pub latency_median_ms: f64,
    pub latency_sigma: f64,
    pub seconds: f64,
    /// Calls that the limits permit in this time.
    pub permitted: u64,
    /// Calls that were served in this time.
    pub used: u64,
    pub percent: f64,
    pub refused_application: u64,
    pub refused_method: u64,
    pub refused_service: u64,
    /// Calls that had no answer, or a bad one.
    pub failed: u64,
    /// Calls that the server counted over a limit.
    pub over_limit: u64,
    /// Permits that the limiter grants and takes back without a server, each second.
    pub permits_per_s: f64,
}

/// What callers share.
#[derive(Debug)]
struct Callers {
    client: RiotClient,
    key: ApiKey,
    /// Replaced by a restart; who waits for the old one asks the new one.
    limiter: watch::Receiver<Addr<RateLimiter>>,
    used: Cell<u64>,
    failed: Cell<u64>,
    refused: RefCell<RefusedCounts>,
    end: tokio::time::Instant,
}

impl LimiterBench {
    pub async fn run(&self) -> Result<LimiterReport, String> {
        let permits_per_s = permits_per_s().await;
        let simulator = self.simulator().await?;
        let base = BaseUrl::new(&simulator.base_url())?;
        let key = ApiKey::new(SIMULATED_KEY)?;
        let client = RiotClient::new(base).map_err(|error| error.to_string())?;
        let board = Arc::new(MemoryBoard::default());
        let members = [board.member("first"), board.member("second")];
        let fresh =
            |member: &Arc<MemoryMember>| RateLimiter::new(ROUTE).with_board(member.clone()).start();
        let (replace, limiter) = watch::channel(fresh(&members[0]));
        let begin = Instant::now();
        let callers = Rc::new(Callers {
            client,
            key,
            limiter,
            used: Cell::new(0),
            failed: Cell::new(0),
            refused: RefCell::default(),
            end: tokio::time::Instant::now() + self.duration,
        });
        for _ in 0..self.callers {
            let callers = callers.clone();
            actix::spawn(async move {
                // The end of the time is the end of the caller, in the middle of what it does.
                let _ = timeout_at(callers.end, callers.call_for_ever()).await;
            });
        }
        let restart = async {
            if let Some(after) = self.restart {
                tokio::time::sleep(after).await;
                replace.send_replace(fresh(&members[1]));
            }
        };
        let shrink = async {
            if let Some(limits) = &self.shrink {
                tokio::time::sleep(self.duration / 2).await;
                simulator.control().set_app_limits(limits.clone());
            }
        };
        tokio::join!(restart, shrink, tokio::time::sleep_until(callers.end));
        let seconds = begin.elapsed().as_secs_f64();
        let over_limit = simulator.counters().over_limit;
        simulator.stop().await;
        Ok(LimiterReport {
            permits_per_s,
            ..self.report(&callers, seconds, over_limit)
        })
    }

    async fn simulator(&self) -> Result<Simulator, String> {
        let config = SimulatorConfig {
            app_limits: self.limits.clone(),
            window_model: self.window,
            edge_jitter_ms: u64::try_from(self.edge_jitter.as_millis()).unwrap_or(u64::MAX),
            latency: self.latency,
            ..SimulatorConfig::default()
        };
        let world = Arc::new(World::new(WorldConfig::default()));
        Simulator::start(world, config)
            .await
            .map_err(|error| format!("the simulator cannot listen: {error}"))
    }

    fn report(&self, callers: &Callers, seconds: f64, over_limit: u64) -> LimiterReport {
        let whole = self.duration.as_secs_f64();
        let permitted = match &self.shrink {
            None => permitted(&self.limits, whole),
            Some(shrunk) => permitted(&self.limits, whole / 2.0) + permitted(shrunk, whole / 2.0),
        };
        let refused = *callers.refused.borrow();
        let used = callers.used.get();
        LimiterReport {
            limits: self.limits.clone(),
            shrunk_to: self.shrink.clone(),
            restarted: self.restart.is_some(),
            window: self.window.as_str().to_owned(),
            latency_median_ms: self.latency.median_ms,
            latency_sigma: self.latency.sigma,
            seconds,
            permitted,
            used,
            percent: used as f64 * 100.0 / permitted.max(1) as f64,
            refused_application: refused.application,
            refused_method: refused.method,
            refused_service: refused.service,
            failed: callers.failed.get(),
            over_limit,
            permits_per_s: 0.0,
        }
    }
}

/// How many permits the limiter alone grants in a second, under limits that are never reached.
async fn permits_per_s() -> f64 {
    const CALLERS: u32 = 64;
    const PERMITS: u32 = 1_000;
    let limiter = RateLimiter::new(ROUTE).start();
    let begin = Instant::now();
    let callers = (0..CALLERS).map(|flow| {
        let limiter = limiter.clone();
        async move {
            for _ in 0..PERMITS {
                let acquire = Acquire {
                    method: 0,
                    priority: Priority::DEFAULT,
                    flow: flow.into(),
                };
                if let Ok(Ok(mut permit)) = limiter.send(acquire).await {
                    permit.begin().expect("nobody else has the key");
                    permit.observe(Observation {
                        app_limits: [(10, 1_000_000), (600, 60_000_000)].into(),
                        method_limits: [(10, 1_000_000)].into(),
                        answered: true,
                        served: true,
                        ..Observation::default()
                    });
                }
            }
        }
    });
    futures_util::future::join_all(callers).await;
    f64::from(CALLERS * PERMITS) / begin.elapsed().as_secs_f64()
}

/// Calls that fit in the time: whole windows of each limit, and of a longer window all it allows.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of calls in minutes"
)]
fn permitted(limits: &[(u32, u32)], seconds: f64) -> u64 {
    limits
        .iter()
        .map(|&(calls, span)| {
            let windows = (seconds / f64::from(span)).max(1.0);
            (f64::from(calls) * windows).round() as u64
        })
        .min()
        .unwrap_or(u64::MAX)
}

impl Callers {
    async fn call_for_ever(&self) {
        let call = Call::status(Platform::Kr);
        loop {
            let mut permit = self.permit().await;
            if permit.begin().is_err() {
                continue;
            }
            let (headers, result) = self.client.send(&call, &self.key).await;
            let answered = headers.is_some();
            let headers = headers.unwrap_or_default();
            let refused = self.count(result.as_ref().err());
            permit.observe(Observation {
                app_limits: headers.app_limits,
                app_counts: headers.app_counts,
                method_limits: headers.method_limits,
                method_counts: headers.method_counts,
                refused,
                answered,
                served: result.is_ok(),
                received: headers.received,
            });
        }
    }

    async fn permit(&self) -> Permit {
        let mut limiters = self.limiter.clone();
        loop {
            let limiter = limiters.borrow_and_update().clone();
            let acquire = Acquire {
                method: 0,
                priority: Priority::DEFAULT,
                flow: 0,
            };
            tokio::select! {
                permit = limiter.send(acquire) => if let Ok(Ok(permit)) = permit {
                    return permit;
                },
                _ = limiters.changed() => {}
            }
        }
    }

    fn count(&self, error: Option<&RiotError>) -> Option<Refused> {
        let (scope, retry_after) = match error {
            None => {
                self.used.set(self.used.get() + 1);
                return None;
            }
            Some(RiotError::RateLimited { scope, retry_after }) => (*scope, *retry_after),
            Some(_) => {
                self.failed.set(self.failed.get() + 1);
                return None;
            }
        };
        let mut refused = self.refused.borrow_mut();
        let by = match scope {
            LimitScope::Application => RefusedBy::Application,
            LimitScope::Method => RefusedBy::Method,
            LimitScope::Service => RefusedBy::Service,
        };
        refused.add(by);
        Some(Refused { by, retry_after })
    }
}

impl fmt::Display for LimiterReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |limits: &[(u32, u32)]| {
            let pairs = limits
                .iter()
                .map(|(calls, seconds)| format!("{calls}:{seconds}"));
            pairs.collect::<Vec<_>>().join(",")
        };
        write!(f, "limits     {}", words(&self.limits))?;
        if let Some(shrunk) = &self.shrunk_to {
            write!(f, ", then {}", words(shrunk))?;
        }
        if self.restarted {
            write!(f, ", limiter replaced on the way")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "windows    {}, latency {} ms, sigma {}",
            self.window, self.latency_median_ms, self.latency_sigma
        )?;
        writeln!(f, "permitted  {} in {:.1} s", self.permitted, self.seconds)?;
        writeln!(f, "used       {} ({:.2} %)", self.used, self.percent)?;
        writeln!(f, "alone      {:.0} permits/s", self.permits_per_s)?;
        write!(
            f,
            "429s       {} application, {} method, {} service",
            self.refused_application, self.refused_method, self.refused_service
        )?;
        if self.failed > 0 {
            write!(f, "\nfailed     {}", self.failed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_limits_the_strictest_permits() {
        assert_eq!(permitted(&[(50, 1), (300, 10)], 60.0), 1_800);
        assert_eq!(permitted(&[(50, 1), (2_000, 60)], 60.0), 2_000);
        assert_eq!(permitted(&[(500, 10), (30_000, 600)], 60.0), 3_000);
        assert_eq!(permitted(&[(50, 1), (2_000, 60)], 30.0), 1_500);
    }

    #[test]
    fn a_short_run_uses_what_is_permitted_without_a_429() {
        crate::riot::install_tls();
        let bench = LimiterBench {
            limits: vec![(20, 1)],
            duration: Duration::from_secs(2),
            latency: Latency {
                median_ms: 5.0,
                sigma: 0.3,
            },
            window: WindowModel::default(),
            edge_jitter: Duration::ZERO,
            callers: 30,
            restart: None,
            shrink: None,
        };
        let report = System::new().block_on(bench.run()).unwrap();
        assert_eq!(report.over_limit, 0);
        assert_eq!(report.refused_application, 0);
        assert!((1..=60).contains(&report.used), "{report}");
    }
}
