//! The metrics as a page for Prometheus: `GET /metrics` on a TCP address that somebody has asked for.
//!
//! Whoever reaches the address reads it: it tells numbers, names of queues, actors and routes, and
//! nothing else. One answer a connection, so that nobody holds a place for longer than an answer takes.
//!
//! A web page can have its own name point at this address, and then read what its visitor's browser reads there. So it must
//! be asked for by an address, by localhost or by a name of the settings: none of those is a stranger's to point.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::state::KeyAccess;
use crate::metrics::{OutageLog, Words, prometheus};
use crate::model::host;
use crate::store::engine::EngineHandle;
use crate::store::question;
use crate::supervision::{ChildSpec, EndReason, report_state};
use crate::web::listener::{LimitedListener, Stay};

/// Readers at once; others wait at the door.
const READERS_MAX: usize = 8;
/// How long one may take from its first byte to our last.
const VISIT: Duration = Duration::from_secs(10);

/// The address, held for as long as the process lives: an exporter that is started anew finds it free.
#[derive(Debug)]
pub struct ScrapePlace {
    listener: TcpListener,
    addr: SocketAddr,
    /// Names by which it may be asked for, in small letters.
    hosts: Vec<String>,
}

impl ScrapePlace {
    pub fn open(addr: SocketAddr, hosts: Vec<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        Ok(Self {
            listener,
            addr,
            hosts,
        })
    }

    /// With the port that the system chose, if it was asked to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn listener(&self) -> io::Result<tokio::net::TcpListener> {
        tokio::net::TcpListener::from_std(self.listener.try_clone()?)
    }
}

/// What is read at the place.
#[derive(Debug)]
struct Page {
    place: Arc<ScrapePlace>,
    engine: EngineHandle,
    key: Arc<dyn KeyAccess>,
}

/// The exporter as a child of the engine's supervisor, on a thread of its own.
pub fn exporter_spec(
    place: Arc<ScrapePlace>,
    engine: EngineHandle,
    key: Arc<dyn KeyAccess>,
) -> ChildSpec {
    let page = Arc::new(Page { place, engine, key });
    ChildSpec::looped_apart("metrics_exporter", move || serve(page.clone()))
}

async fn serve(page: Arc<Page>) -> EndReason {
    let listener = match page.place.listener() {
        Ok(listener) => listener,
        Err(cause) => {
            return EndReason::Died(format!("{} cannot be served: {cause}", page.place.addr));
        }
    };
    report_state(&ExporterState {
        address: page.place.addr,
    });
    let outage = OutageLog::new(Words {
        over: "the metrics can be read again",
        failures: "tries failed",
    });
    let hear = move |taken: io::Result<()>| match taken {
        Ok(()) => outage.worked(0),
        Err(error) => {
            let why = format!("the metrics are told to nobody just now: {error}");
            outage.failed(0, why);
        }
    };
    let doors = LimitedListener::new(listener, READERS_MAX, Stay::AtMost(VISIT), hear);
    let router = axum::Router::new()
        .route("/metrics", get(metrics))
        .fallback(elsewhere)
        .layer(from_fn_with_state(page.clone(), by_a_known_name))
        .with_state(page);
    let ended = axum::serve(doors, router).await;
    let why = ended
        .err()
        .map_or_else(String::new, |error| error.to_string());
    EndReason::Died(why)
}

/// How the exporter stands.
#[derive(Debug, Serialize)]
struct ExporterState {
    address: SocketAddr,
}

/// Turns away whoever asks by a name that could be a stranger's.
async fn by_a_known_name(State(page): State<Arc<Page>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.map_or(Some(""), |host| host.to_str().ok());
    if host.is_some_and(|host| host::is_known(host, &page.place.hosts)) {
        return next.run(request).await;
    }
    let close = [(header::CONNECTION, "close")];
    let why = "the metrics are told to those who ask by an address or localhost. Other names go into metrics.hosts\n";
    (StatusCode::MISDIRECTED_REQUEST, close, why).into_response()
}

async fn metrics(State(page): State<Arc<Page>>) -> impl IntoResponse {
    let engine = &page.engine;
    let samples = question::asked(engine.telemetry.read()).await;
    let calls = page.key.calls();
    let about = prometheus::About {
        version: env!("CARGO_PKG_VERSION"),
        started_at: engine.started_at,
        calls: calls.sent,
        rate_limited: calls.rate_limited,
        key_valid: page.key.state() == "valid",
    };
    let text = prometheus::text(&about, &samples, &engine.metrics.actors.all());
    let headers = [
        (header::CONTENT_TYPE, prometheus::CONTENT_TYPE),
        (header::CONNECTION, "close"),
    ];
    (headers, text)
}

async fn elsewhere() -> impl IntoResponse {
    let close = [(header::CONNECTION, "close")];
    (
        StatusCode::NOT_FOUND,
        close,
        "the metrics are at /metrics\n",
    )
}
