//! The simulator as a server on a local port: threads, HTTP, and how long an answer takes.
//!
//! It has a thread and a runtime of its own, so it runs beside any other runtime and takes no time
//! from the thread that is under test.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt as _;
use tokio::sync::oneshot;

use crate::admin;
use crate::connection::{Caller, Listener};
use crate::control::{Control, Shared, SimulatorConfig};
use crate::counters::Counters;
use crate::echo;
use crate::faults::FaultKind;
use crate::hash::hash;
use crate::latency;
use crate::middleware::{self, Outcome};
use crate::published;
use crate::reply::Reply;
use crate::world::World;

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

    /// Where the published files are: the base of Data Dragon's, and with `/docs` behind it that of the constants.
    pub fn static_url(&self) -> String {
        self.base_url().replace("/{route}", "/static")
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
        router.into_make_service_with_connect_info::<Caller>(),
    )
    .await
}

/// One call, from request to response.
async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    if let Some(path) = head.uri.path().strip_prefix(admin::PREFIX) {
        let host = head.headers.get(header::HOST);
        let host = host.map_or(Some(""), |host| host.to_str().ok());
        if !host.is_some_and(|host| admin::may_switch(caller.is_local, host)) {
            return into_response(admin::not_local(), 0, None);
        }
        let reply = match axum::body::to_bytes(body, admin::BODY_BYTES_MAX).await {
            Ok(body) => admin::answer(&Control { shared }, &head.method, path, &body),
            Err(_) => admin::too_large(),
        };
        return into_response(reply, 0, None);
    }
    if let Some(path) = head.uri.path().strip_prefix(published::PREFIX) {
        return into_response(published_file(&shared, &head.headers, path), 0, None);
    }
    let number = {
        let mut counters = shared.counters();
        counters.calls += 1;
        counters.calls
    };
    let (before, after) = {
        let switches = shared.switches();
        let latency = switches.latency.of_call(shared.seed, number);
        latency::split(latency, switches.latency_before_count)
    };
    pause(before).await;
    let accepts_gzip = accepts_gzip(&head.headers);
    let Outcome { reply, strike } = middleware::respond(&shared, &head, number, accepts_gzip);
    if let Some(strike) = strike {
        *shared.counters().faults.entry(strike.kind).or_default() += 1;
    }
    pause(after).await;
    let reply = if shared.echo {
        echo::echoed(reply, &head.headers)
    } else {
        reply
    };
    let reply = reply.compressed(accepts_gzip);
    let mut drip = None;
    match strike.map(|strike| (strike.kind, Duration::from_millis(strike.stall_ms))) {
        Some((FaultKind::Reset, _)) => caller.cutter.cut(),
        Some((FaultKind::Stall, stall)) => pause(stall).await,
        Some((FaultKind::Drip, stall)) => drip = Some(stall),
        _ => {}
    }
    let reply = match strike {
        Some(strike) if strike.kind == FaultKind::CutGzip => cut_short(reply),
        _ => reply,
    };
    let mut counters = shared.counters();
    if strike.is_none_or(|strike| strike.kind != FaultKind::Reset) {
        *counters.by_status.entry(reply.status).or_default() += 1;
        counters.body_bytes += reply.body.len() as u64;
    }
    drop(counters);
    into_response(reply, hash(&[shared.seed, number]), drip)
}

/// A file that is there for everybody.
fn published_file(shared: &Shared, headers: &HeaderMap, path: &str) -> Reply {
    let known = headers.get(header::IF_NONE_MATCH);
    let known = known.and_then(|value| value.to_str().ok());
    let told = shared.switches().static_answer.clone();
    let reply = match told {
        Some((part, status, body)) if path.contains(&part) => Reply::json(status, body),
        _ => published::answer(shared.world.now(), path, known),
    };
    let mut counters = shared.counters();
    counters.static_requests += 1;
    counters.static_unchanged += u64::from(reply.status == 304);
    counters.static_with_key += u64::from(headers.contains_key("x-riot-token"));
    reply
}

/// Nothing at all for no time: a timer's tick is a millisecond.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

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

/// Into how many pieces a dripping body falls.
const DRIPS: usize = 16;

/// The body at once, or in pieces over a time.
fn body(bytes: Vec<u8>, drip: Option<Duration>) -> Body {
    let mut rest = Bytes::from(bytes);
    let Some(drip) = drip else {
        // The real API streams: there is never a Content-Length.
        let all = futures_util::stream::once(async move { Ok::<_, Infallible>(rest) });
        return Body::from_stream(all);
    };
    let piece_bytes = rest.len().div_ceil(DRIPS).max(1);
    let pieces = std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| rest.split_to(piece_bytes.min(rest.len())))
    });
    let gap = drip / (DRIPS as u32 - 1);
    let slow =
        futures_util::stream::iter(pieces.enumerate()).then(move |(number, piece)| async move {
            if number > 0 {
                pause(gap).await;
            }
            Ok::<_, Infallible>(piece)
        });
    Body::from_stream(slow)
}

fn into_response(reply: Reply, trace: u64, drip: Option<Duration>) -> Response {
    let mut response = Response::new(body(reply.body, drip));
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
