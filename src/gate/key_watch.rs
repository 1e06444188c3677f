//! Brings new keys in: watches the key file, and reads it at once at SIGHUP.
//!
//! A key of the development kind expires every night; whoever writes the new one into the file need
//! not stop anything. The file is read every few seconds, which costs nothing and works with every
//! editor and file system.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::key_ring::KeyRing;
use super::riot_gate::{GateAddr, KeyReplaced};
use crate::config::read_key_file;
use crate::metrics::{OutageLog, Words};
use crate::riot::ApiKey;
use crate::supervision::{ChildGuard, EndReason, Stop};

const LOOK: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug)]
pub struct KeyWatch {
    file: Option<PathBuf>,
    ring: Arc<KeyRing>,
    gate: GateAddr,
    /// What was last seen in the file: a fingerprint of the key, or the trouble with it. At first that
    /// of the key in use, if it is from the file.
    seen: Option<String>,
    outage: OutageLog,
    guard: ChildGuard,
}

/// What the file holds now.
#[derive(Debug)]
struct Seen {
    mark: String,
    key: Result<ApiKey, String>,
}

/// How the watch stands.
#[derive(Debug, Serialize)]
struct KeyWatchState {
    file: Option<String>,
    /// The file holds a key by its form.
    usable: bool,
}

impl KeyWatch {
    pub fn new(
        file: Option<PathBuf>,
        ring: Arc<KeyRing>,
        gate: GateAddr,
        seen: Option<String>,
        guard: ChildGuard,
    ) -> Self {
        Self {
            file,
            ring,
            gate,
            seen,
            outage: OutageLog::new(Words {
                over: "the key file has a key again",
                failures: "looks found none",
            }),
            guard,
        }
    }

    /// Reads the file; `asked`: somebody wants to hear what came of it.
    fn look(&self, asked: bool, ctx: &mut Context<Self>) {
        let Some(file) = self.file.clone() else {
            if asked {
                tracing::warn!(
                    "SIGHUP: there is no key file to read again. The environment of a running process cannot be \
                     changed: start it with RIOT_API_KEY_FILE, and new keys are taken from there"
                );
            }
            return;
        };
        let reading = tokio::task::spawn_blocking(move || {
            let text = read_key_file(&file).map_err(|cause| cause.to_string());
            let key = text.and_then(|text| ApiKey::new(&text).map_err(str::to_owned));
            let mark = match &key {
                Ok(key) => key.fingerprint(),
                Err(why) => why.clone(),
            };
            Seen { mark, key }
        });
        ctx.spawn(reading.into_actor(self).map(move |seen, this, _| {
            if let Ok(seen) = seen {
                this.on_seen(seen, asked);
            }
        }));
    }

    fn on_seen(&mut self, seen: Seen, asked: bool) {
        // A file that was put aside for a key of the environment counts once it changes.
        let is_news = self.seen.as_ref().is_some_and(|mark| *mark != seen.mark);
        self.seen = Some(seen.mark);
        self.guard.report(&KeyWatchState {
            file: self.file.as_deref().map(|file| file.display().to_string()),
            usable: seen.key.is_ok(),
        });
        if seen.key.is_ok() {
            self.outage.worked(0);
        }
        if !is_news && !asked && !self.outage.is_on() {
            return;
        }
        let file = self
            .file
            .as_deref()
            .unwrap_or_else(|| "".as_ref())
            .display();
        match seen.key {
            Ok(key) if self.ring.replace(key.clone()) => {
                tracing::info!("a new API key was read from {file}; it is in use from now on");
                // A gate that is being started anew finds the key in the ring.
                self.gate.borrow().do_send(KeyReplaced);
            }
            Ok(_) if asked => tracing::info!("SIGHUP: the key in {file} is in use already"),
            Ok(_) => {}
            Err(why) => {
                let text = format!(
                    "the key file {file} has no key that can be used: {why}. The last key stays in use"
                );
                if asked {
                    tracing::warn!("{text}");
                } else {
                    self.outage.failed(0, text);
                }
            }
        }
    }
}

impl Actor for KeyWatch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look(false, ctx);
        if self.file.is_some() {
            ctx.run_interval(LOOK, |this, ctx| this.look(false, ctx));
        }
        if let Ok(mut hangup) = signal(SignalKind::hangup()) {
            let addr = ctx.address();
            ctx.spawn(
                async move {
                    while hangup.recv().await.is_some() {
                        addr.do_send(Reload);
                    }
                }
                .into_actor(self),
            );
        }
    }
}

/// Read the key file now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Reload;

impl Handler<Reload> for KeyWatch {
    type Result = ();
    fn handle(&mut self, _: Reload, ctx: &mut Self::Context) {
        self.look(true, ctx);
    }
}

impl Handler<Stop> for KeyWatch {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        self.guard.ends(EndReason::Shutdown);
        ctx.stop();
    }
}
