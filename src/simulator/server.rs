//! The simulator as a server on a local port: threads, HTTP, and the way of a call through it.
//!
//! It has a thread and a runtime of its own, so it runs beside any other runtime and takes no time
//! from the thread that is under test.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, StatusCode, header};
use axum::response::Response;
use tokio::sync::oneshot;

use crate::model::Route;
use crate::simulator::call::{self, Call};
use crate::simulator::connection::{Cutter, Listener};
use crate::simulator::control::{Control, Shared, SimulatorConfig};
use crate::simulator::counters::Counters;
use crate::simulator::endpoints;
use crate::simulator::faults::{self, FaultKind};
use crate::simulator::hash::hash;
use crate::simulator::limits::LimitType;
use crate::simulator::people::KeyScope;
use crate::simulator::reply::Reply;
use crate::simulator::world::World;

/// A key that every simulator accepts unless it was told which ones to.
pub const SIMULATED_KEY: &str = "RGAPI-00000000-0000-0000-0000-000000000000";

/// A running simulator. Dropping it shuts it down; `stop` also waits until it is gone.
#[derive(Debug)]
pub struct Simulator {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Dropping the sender is the signal.
    shutdown: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Simulator {
    /// Binds the port and starts to serve. Connections are accepted when this returns.
    // Nothing is awaited today; a start that awaits its socket is what callers must be ready for.
    #[allow(clippy::unused_async)]
    pub async fn start(world: Arc<World>, config: SimulatorConfig) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let shared = Arc::new(Shared::new(world, config));
        let (shutdown, mut shutdown_asked) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let state = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = &mut shutdown_asked => {}
                        result = serve(listener, state) => {
                            if let Err(error) = result {
                                tracing::error!(%error, "the simulator stopped serving");
                            }
                        }
                    }
                });
                // Ends all connections, also those in the middle of a stall.
                drop(runtime);
                let _ = end.send(());
            })?;
        tracing::info!(%addr, "the simulator listens on {addr}");
        Ok(Self {
            addr,
            shared,
            shutdown,
            ended,
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base of all URLs, with `{route}` where a client puts `kr` or `asia`.
    pub fn base_url(&self) -> String {
        let ip = if self.addr.ip().is_unspecified() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            self.addr.ip()
        };
        format!("http://{}/{{route}}", SocketAddr::new(ip, self.addr.port()))
    }

    pub fn counters(&self) -> Counters {
        self.shared.counters().clone()
    }

    pub fn control(&self) -> Control {
        Control {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Shuts down and waits until the port is free and all connections are closed.
    pub async fn stop(self) {
        drop(self.shutdown);
        // An error means that the thread is gone already.
        let _ = self.ended.await;
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let listener = Listener(tokio::net::TcpListener::from_std(listener)?);
    let router = axum::Router::new().fallback(handle).with_state(shared);
    axum::serve(
        listener,
        router.into_make_service_with_connect_info::<Cutter>(),
    )
    .await
}

/// One call, from request to response.
async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
) -> Response {
    let number = {
        let mut counters = shared.counters();
        counters.calls += 1;
        counters.calls
    };
    let latency = shared.switches().latency.of_call(shared.seed, number);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let accepts_gzip = accepts_gzip(request.headers());
    let (reply, fault) = respond(&shared, &request, number, accepts_gzip);
    if let Some(kind) = fault {
        *shared.counters().faults.entry(kind).or_default() += 1;
    }
    match fault {
        Some(FaultKind::Reset) => cutter.cut(),
        Some(FaultKind::Stall) => {
            let stall_ms = shared.switches().faults.stall_ms;
            tokio::time::sleep(std::time::Duration::from_millis(stall_ms)).await;
        }
        _ => {}
    }
    let reply = reply.compressed(accepts_gzip);
    let reply = if fault == Some(FaultKind::CutGzip) {
        cut_short(reply)
    } else {
        reply
    };
    let mut counters = shared.counters();
    if fault != Some(FaultKind::Reset) {
        *counters.by_status.entry(reply.status).or_default() += 1;
        counters.body_bytes += reply.body.len() as u64;
    }
    drop(counters);
    into_response(reply, hash(&[shared.seed, number]))
}

/// What to answer, and which fault this call meets. The order is that of the real doors: key, path,
/// rate limits, backend.
fn respond(
    shared: &Shared,
    request: &Request,
    number: u64,
    accepts_gzip: bool,
) -> (Reply, Option<FaultKind>) {
    let query = request.uri().query().unwrap_or("");
    let key = match accepted_key(shared, request.headers(), query) {
        Ok(key) => key,
        Err(reply) => {
            shared.counters().key_refused += 1;
            return (reply, None);
        }
    };
    let fail_all = shared.switches().fail_all;
    if let Some(status) = fail_all {
        return (Reply::error(status, "the simulator was told to fail"), None);
    }
    if request.method() != HttpMethod::GET {
        return (Reply::error(405, "Method Not Allowed"), None);
    }
    let path = request.uri().path().trim_start_matches('/');
    let parsed = path
        .split_once('/')
        .and_then(|(route, rest)| Some((route.parse::<Route>().ok()?, Call::parse(rest)?)));
    let Some((route, call)) = parsed else {
        // A path that does not exist, or no longer does, is as forbidden as one the key may not use.
        return (Reply::forbidden(), None);
    };
    *shared.counters().by_method.entry(call.method).or_default() += 1;
    let fault = shared.switches().faults.of_call(shared.seed, number);
    if let Some(kind) = fault.filter(|kind| !kind.is_counted()) {
        return (fault_reply(shared, kind, accepts_gzip), fault);
    }
    let ruling =
        shared
            .limiter()
            .count(KeyScope::of_key(&key), route, call.method, shared.now_ms());
    if let Some((limit_type, _)) = ruling.over {
        let strict = shared.switches().strict_limits;
        let mut counters = shared.counters();
        counters.over_limit += 1;
        if strict {
            match limit_type {
                LimitType::Application => counters.limited_application += 1,
                LimitType::Method => counters.limited_method += 1,
                LimitType::Service => counters.limited_service += 1,
            }
            let mut reply = Reply::rate_limited(ruling.over);
            reply.headers.extend(ruling.headers);
            return (reply, None);
        }
    }
    let mut reply = match fault {
        Some(kind) if !matches!(kind, FaultKind::CutGzip | FaultKind::Stall) => {
            fault_reply(shared, kind, accepts_gzip)
        }
        _ => endpoints::answer(
            &shared.world,
            &endpoints::Request {
                route,
                call: &call,
                query,
                scope: if shared.puuids_per_key {
                    KeyScope::of_key(&key)
                } else {
                    KeyScope::SHARED
                },
                accepts_gzip,
                answers: shared.answers,
            },
        ),
    };
    reply.headers.extend(ruling.headers);
    (reply, fault)
}

/// The key of a call, from its header or its query.
fn accepted_key(shared: &Shared, headers: &HeaderMap, query: &str) -> Result<String, Reply> {
    let in_header = headers
        .get("x-riot-token")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let key = in_header
        .or_else(|| call::parameter(query, "api_key"))
        .ok_or_else(Reply::unauthorized)?;
    let switches = shared.switches();
    let known = match &switches.keys {
        Some(keys) => keys.contains(&key),
        None => key.len() > "RGAPI-".len() && key.starts_with("RGAPI-"),
    };
    if known && !switches.key_rejected {
        Ok(key)
    } else {
        Err(Reply::forbidden())
    }
}

/// The answer of a fault that replaces the right one.
fn fault_reply(shared: &Shared, kind: FaultKind, accepts_gzip: bool) -> Reply {
    match kind {
        FaultKind::InternalError | FaultKind::Reset => Reply::error(500, "Internal server error"),
        FaultKind::BadGateway => Reply::html(502, faults::HTML_PAGE),
        FaultKind::Unavailable => Reply::error(503, "Service unavailable"),
        FaultKind::GatewayTimeout => Reply::error(504, "Gateway timeout"),
        FaultKind::ServiceLimit => {
            shared.counters().limited_service += 1;
            Reply::rate_limited(Some((LimitType::Service, SERVICE_RETRY_S)))
        }
        FaultKind::UntypedLimit => {
            shared.counters().limited_untyped += 1;
            Reply::rate_limited(None)
        }
        FaultKind::Bomb if accepts_gzip => Reply::document(faults::bomb().to_vec(), true),
        // To a client that does not unpack anything a bomb is nothing.
        FaultKind::NotJson | FaultKind::Bomb | FaultKind::CutGzip | FaultKind::Stall => {
            Reply::json(200, "{\"metadata\":{\"dataVersion\":\"2\",\"matchId\":oops")
        }
    }
}

/// `Retry-After` of a loaded service, as reported in an issue of the client Riven (30).
const SERVICE_RETRY_S: u64 = 3;

/// Half of a body, whether it is compressed or not.
fn cut_short(mut reply: Reply) -> Reply {
    reply.body.truncate(reply.body.len() / 2);
    reply
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let refused = parts.any(|weight| {
            weight
                .strip_prefix("q=")
                .is_some_and(|q| q.parse() == Ok(0.0_f32))
        });
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !refused
    })
}

fn into_response(reply: Reply, trace: u64) -> Response {
    // The real API streams: there is never a Content-Length.
    let body = Bytes::from(reply.body);
    let stream = futures_util::stream::once(async move { Ok::<_, std::convert::Infallible>(body) });
    let mut response = Response::new(Body::from_stream(stream));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(reply.content_type),
    );
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if reply.gzipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let mut insert = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    insert("x-riot-edge-trace-id", &format!("{trace:016x}"));
    for (name, value) in &reply.headers {
        insert(name, value);
    }
    response
}
