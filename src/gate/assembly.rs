//! A gate put together: its actors as children of the engine's supervisor, and what tasks and people
//! hold of it.

use std::path::PathBuf;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::watch;

use super::availability::Availability;
use super::calls::RiotApi;
use super::key_ring::KeyRing;
use super::key_watch::KeyWatch;
use super::machine::Machine;
use super::riot_gate::{GateAddr, RiotGate};
use super::shares::{Kept, Shares};
use super::source::LimiterSource;
use super::store_board::Sharing;
use crate::metrics::Metrics;
use crate::model::{Company, Route, Share};
use crate::riot::{ApiKey, Transport};
use crate::store::engine::Services;
use crate::supervision::{ChildSpec, stopped_by};

/// Where new keys come from.
#[derive(Debug, Clone, Default)]
pub struct KeySource {
    pub file: Option<PathBuf>,
    /// The key in use is from the file, not from the environment.
    pub from_file: bool,
    /// Take new keys from the file while running, and at SIGHUP.
    pub watch: bool,
    /// It is made up: of a simulator inside this process, or for an engine that makes no call.
    pub made_up: bool,
}

impl KeySource {
    pub fn made_up() -> Self {
        Self {
            made_up: true,
            ..Self::default()
        }
    }

    /// What a person does about a key that is not taken; none: whoever runs the engine tells it.
    fn remedy(&self) -> Option<String> {
        let get = "Get a new key at developer.riotgames.com";
        self.watch.then(|| match &self.file {
            Some(file) => format!(
                "{get} and write it to {}: it is in use seconds later",
                file.display()
            ),
            _ => format!("{get}, set RIOT_API_KEY and start again"),
        })
    }
}

/// What is held of a gate.
#[derive(Debug, Clone)]
pub struct Gate {
    pub api: Arc<RiotApi>,
    pub availability: Arc<Availability>,
    pub ring: Arc<KeyRing>,
    pub shares: Arc<Shares>,
    /// None: no other riftsync of this machine is looked for.
    machine: Option<Arc<Machine>>,
}

impl Gate {
    /// The gate and its actors, which the engine starts. `queues` are those whose jobs call the API.
    /// With a store, engines that use it share the key's limits by it, and one that starts anew knows
    /// what went before; riftsyncs of the machine share them too. Documents in memory take `bodies_mib` at most.
    pub fn new(
        key: ApiKey,
        source: KeySource,
        transport: Arc<dyn Transport>,
        queues: impl IntoIterator<Item = &'static str>,
        sharing: Option<Sharing>,
        metrics: Arc<Metrics>,
        bodies_mib: u32,
    ) -> (Self, Services) {
        let ring = Arc::new(KeyRing::new(key));
        let availability = Arc::new(Availability::new(queues).observed(metrics));
        // Nobody answers at this address; the supervisor puts the real one in its place.
        let (nowhere, _) = actix::dev::channel::channel(1);
        let (tell, addr) = watch::channel(Addr::new(nowhere));
        let api = Arc::new(RiotApi::new(
            transport.clone(),
            addr.clone(),
            ring.clone(),
            availability.clone(),
            bodies_mib,
        ));
        let gate = Self {
            api,
            availability,
            ring,
            shares: Arc::default(),
            machine: sharing.as_ref().and_then(|sharing| sharing.machine.clone()),
        };
        let mut children =
            vec![gate.gate_spec(tell, transport, source.remedy().map(Into::into), sharing)];
        if source.watch {
            children.push(gate.watch_spec(source, addr));
        }
        let holds = gate.availability.holds();
        let services = Services {
            children,
            holds,
            sources: vec![Arc::new(LimiterSource(gate.api.clone()))],
            ..Services::default()
        };
        (gate, services)
    }

    /// From now on this part of the limits is used: of one route, or of all that have none of their own.
    pub fn set_share(&self, route: Option<Route>, share: Share) {
        self.shares.set(route, share);
        self.api.tell_shares(&self.shares);
    }

    /// Who else uses the key now.
    pub async fn company(&self) -> Company {
        let limiters = self.api.limiter_states().await;
        let strangers = limiters
            .iter()
            .filter_map(|limiter| Some((limiter.route, limiter.strangers?)));
        let machine = self.machine.as_ref();
        Company {
            databases: machine.map_or_else(Vec::new, |machine| machine.others()),
            strangers: strangers.collect(),
        }
    }

    /// The parts to begin with. No call was made yet.
    pub fn begin_with_shares(&self, kept: &Kept) {
        self.shares.set(None, kept.share);
        for (route, share) in &kept.routes {
            self.shares.set(Some(*route), *share);
        }
    }

    /// Puts another key in use; calls that wait go on with it. False: it is in use already.
    pub fn replace_key(&self, key: ApiKey) -> bool {
        let is_new = self.ring.replace(key);
        if is_new {
            self.api.tell_gate_of_new_key();
        }
        is_new
    }

    fn gate_spec(
        &self,
        tell: watch::Sender<Addr<RiotGate>>,
        transport: Arc<dyn Transport>,
        remedy: Option<Arc<str>>,
        sharing: Option<Sharing>,
    ) -> ChildSpec {
        let (ring, availability) = (self.ring.clone(), self.availability.clone());
        let shares = self.shares.clone();
        ChildSpec::permanent("riot_gate", move |guard| {
            let gate = RiotGate::new(
                ring.clone(),
                availability.clone(),
                transport.clone(),
                remedy.clone(),
                sharing.clone(),
                shares.clone(),
                guard,
            );
            let addr = gate.start();
            tell.send_replace(addr.clone());
            stopped_by(addr)
        })
    }

    fn watch_spec(&self, source: KeySource, gate: GateAddr) -> ChildSpec {
        let ring = self.ring.clone();
        ChildSpec::actor("key_watch", move |guard| {
            // A watch that is started anew takes what is in the file for news if it is.
            let in_use = source.from_file.then(|| ring.current().1.fingerprint());
            KeyWatch::new(
                source.file.clone(),
                ring.clone(),
                gate.clone(),
                in_use,
                guard,
            )
        })
    }
}
