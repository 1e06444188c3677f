//! The way of a call through the server, up to its answer: key, path, rate limits, backend.
//!
//! The order is that of the real servers, as far as it is known: a bad key is not counted, what the
//! network in front answers is not counted, and everything that reaches a backend is.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method as HttpMethod};

use crate::call::{self, Call};
use crate::control::Shared;
use crate::endpoints::{self, Answers};
use crate::fault_plan::{Asked, AskedGame};
use crate::fault_reply;
use crate::faults::FaultKind;
use crate::hash::hash;
use crate::keyring::Standing;
use crate::limits::LimitType;
use crate::people::KeyScope;
use crate::reply::Reply;
use riftsync_model::{MatchId, Route};

/// So many matches of a player the real API lists, unless a rule says.
const LIST_CAP: usize = 1_000;

/// What to answer, and which fault the call met.
#[derive(Debug)]
pub struct Outcome {
    pub reply: Reply,
    pub strike: Option<Strike>,
}

/// A fault that strikes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    pub kind: FaultKind,
    /// Of a stall or a drip.
    pub stall_ms: u64,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            strike: None,
        }
    }
}

/// Answers the call with this number.
pub fn respond(shared: &Shared, head: &Parts, number: u64, accepts_gzip: bool) -> Outcome {
    let query = head.uri.query().unwrap_or("");
    let key = match accepted_key(shared, &head.headers, query) {
        Ok(key) => key,
        Err(reply) => return reply.into(),
    };
    let fail_all = shared.switches().fail_all;
    if let Some(status) = fail_all {
        return outage(shared, status);
    }
    if head.method != HttpMethod::GET {
        return Reply::error(405, "Method Not Allowed").into();
    }
    let path = head.uri.path().trim_start_matches('/');
    let parsed = path
        .split_once('/')
        .and_then(|(route, rest)| Some((route.parse::<Route>().ok()?, Call::parse(rest)?)));
    let Some((route, call)) = parsed else {
        // A path that does not exist, or no longer does, is as forbidden as one the key may not use.
        return Reply::forbidden().into();
    };
    let failing = shared.switches().failing_routes.get(&route).copied();
    if let Some(status) = failing {
        return outage(shared, status);
    }
    *shared.counters().by_method.entry(call.method).or_default() += 1;
    let asked = asked(shared, route, &call);
    let (strike, mut answers) = strike(shared, &asked, number);
    if strike.is_some_and(|strike| strike.kind == FaultKind::OddValues) {
        answers.odd_values = Some(shared.seed);
    }
    if let Some(strike) = strike.filter(|strike| !strike.kind.is_counted())
        && let Some(reply) = fault_answer(shared, strike.kind, key, accepts_gzip)
    {
        return Outcome {
            reply,
            strike: Some(strike),
        };
    }
    let ruling = shared
        .limiter()
        .count(key, route, call.method, shared.now_ms());
    shared.counters().add_ruling(route, call.method, &ruling);
    let (is_strict, retry_after) = {
        let switches = shared.switches();
        (switches.strict_limits, switches.retry_after)
    };
    if let Some((limit_type, seconds)) = ruling.over.filter(|_| is_strict) {
        let mut reply = Reply::rate_limited(limit_type, retry_after.text(seconds));
        reply.headers.extend(ruling.headers);
        refused(shared, key, limit_type);
        return reply.into();
    }
    let spoilt = strike.and_then(|strike| fault_answer(shared, strike.kind, key, accepts_gzip));
    let mut reply = spoilt.unwrap_or_else(|| {
        endpoints::answer(
            &shared.world,
            &endpoints::Request {
                route,
                call: &call,
                query,
                scope: if shared.puuids_per_key {
                    key
                } else {
                    KeyScope::SHARED
                },
                accepts_gzip,
                answers,
            },
        )
    });
    reply.headers.extend(ruling.headers);
    Outcome { reply, strike }
}

fn outage(shared: &Shared, status: u16) -> Outcome {
    shared.counters().outage += 1;
    Reply::error(status, "the simulator was told to fail").into()
}

/// Whose call it is, from its header or its query, if that key is good now.
fn accepted_key(shared: &Shared, headers: &HeaderMap, query: &str) -> Result<KeyScope, Reply> {
    let refuse = |reply| {
        shared.counters().key_refused += 1;
        Err(reply)
    };
    let in_header = headers
        .get("x-riot-token")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let Some(key) = in_header.or_else(|| call::parameter(query, "api_key")) else {
        return refuse(Reply::unauthorized());
    };
    let is_known = {
        let switches = shared.switches();
        let known = match &switches.keys {
            Some(keys) => keys.contains(&key),
            None => key.len() > "RGAPI-".len() && key.starts_with("RGAPI-"),
        };
        known && !switches.key_rejected
    };
    if !is_known {
        return refuse(Reply::forbidden());
    }
    let key = KeyScope::of_key(&key);
    let standing = shared.keyring().call(key, shared.now_ms());
    match standing {
        Standing::Good => Ok(key),
        Standing::Expired => refuse(Reply::forbidden()),
        Standing::Blacklisted => {
            shared.counters().blacklisted += 1;
            Err(Reply::forbidden())
        }
    }
}

/// What the call asks for, as faults see it.
fn asked(shared: &Shared, route: Route, call: &Call) -> Asked {
    let world = &shared.world;
    let id: Option<MatchId> = call.parts.first().and_then(|id| id.parse().ok());
    let id = id.filter(|id| call.method.is_of_a_match() && id.route() == route);
    let game = id.and_then(|id| world.find(id)).map(|found| AskedGame {
        hash: hash(&[found.platform as u64, found.game.id]),
        since_start: world.now().since(found.game.start),
        since_end: world.now().since(found.game.end(&found.facts)),
    });
    Asked {
        route,
        method: call.method,
        game,
    }
}

/// The fault of this call, that of the script or else one by chance, and how answers are shaped.
fn strike(shared: &Shared, asked: &Asked, number: u64) -> (Option<Strike>, Answers) {
    let met = shared
        .plan()
        .of_call(shared.seed, asked, shared.script_ms());
    let mut answers = shared.answers;
    for shaped in met.shapes {
        *shared.counters().faults.entry(shaped.kind).or_default() += 1;
        match shaped.kind {
            FaultKind::ListCap => {
                let cap = shaped.number.unwrap_or(LIST_CAP);
                let depth = answers.list_depth.unwrap_or(usize::MAX);
                answers.list_depth = Some(depth.min(cap));
            }
            FaultKind::Retention => answers.list_forgets = true,
            FaultKind::SamePage => answers.same_page = true,
            FaultKind::Rename => {
                shared.rename_one();
            }
            _ => {}
        }
    }
    let switches = shared.switches();
    let by_chance = || {
        let kind = switches.faults.of_call(shared.seed, number)?;
        asked.can_meet(kind, None).then_some((kind, None))
    };
    let strike = met.fault.or_else(by_chance).map(|(kind, time_ms)| Strike {
        kind,
        stall_ms: time_ms.unwrap_or(switches.faults.stall_ms),
    });
    (strike, answers)
}

/// What a fault answers instead of the right answer, counted.
fn fault_answer(
    shared: &Shared,
    kind: FaultKind,
    key: KeyScope,
    accepts_gzip: bool,
) -> Option<Reply> {
    let retry_after = shared.switches().retry_after;
    if let Some((limit_type, _)) = fault_reply::limit_of(kind) {
        refused(shared, key, limit_type);
    }
    fault_reply::reply(kind, retry_after, accepts_gzip)
}

/// A 429 is sent. Those that are the key's own doing lead to its blacklisting in the end.
fn refused(shared: &Shared, key: KeyScope, limit_type: LimitType) {
    shared.counters().add_limited(limit_type);
    let is_own_doing = matches!(limit_type, LimitType::Application | LimitType::Method);
    if is_own_doing && shared.keyring().refused(key, shared.now_ms()) {
        shared.counters().blacklistings += 1;
        tracing::warn!("a key ran into too many 429s; the simulator blacklists it");
    }
}
