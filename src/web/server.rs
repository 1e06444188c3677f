//! The server: connections, and who of them sees what.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use riftsync_basics::Form;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::access::{Denied, Rules, Wanted};
use super::ask::Ask;
use super::assets;
use super::live::Live;
use super::pages;
use super::place::WebPlace;
use super::respond;
use super::shell::Shell;
use super::site::Site;

/// Connections at once; others wait at the door.
const CONNECTIONS_MAX: usize = 256;
/// A form that is longer is not read.
const BODY_MAX: usize = 128 << 10;
/// How long a connection may neither say nor take anything. A page that watches is told something more often.
const IDLE: Duration = Duration::from_mins(2);
/// Pause after a connection that could not be taken, which means that files have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the pages until it is dropped, with forms for the kinds of jobs that people submit. Its end is a fault.
pub async fn serve(place: Arc<WebPlace>, engine: Arc<dyn Ask>, forms: Vec<Form>) -> io::Result<()> {
    let settings = &place.settings;
    let live = Live::new(engine.clone(), settings.prefix.clone(), settings.read_only);
    let listener = LimitedListener {
        listener: place.listener()?,
        places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
    };
    let site = Arc::new(Site {
        cookie: place.cookie(),
        place,
        engine,
        live: live.clone(),
        forms,
        guess: tokio::sync::Mutex::default(),
    });
    let serving = axum::serve(listener, router(site));
    tokio::select! {
        ended = serving => ended,
        never = live.run() => match never {},
    }
}

fn router(site: Arc<Site>) -> Router {
    let pages = Router::new()
        .route("/", get(pages::overview))
        .route("/live", get(pages::live))
        .route("/find", get(pages::find))
        .route("/jobs", get(pages::jobs))
        .route(
            "/jobs/all",
            get(pages::ask_about_all).post(pages::change_all),
        )
        .route("/jobs/{id}", get(pages::job))
        .route("/jobs/{id}/{change}", post(pages::change_job))
        .route("/submit", get(pages::submit_form).post(pages::submit))
        .route("/queues/{change}", post(pages::change_queue))
        .route("/players", get(pages::players).post(pages::change_player))
        .route("/player", get(pages::player))
        .route("/player/{platform}/{name}/{year}", get(pages::year))
        .route(
            "/player/{platform}/{name}/{year}/compare",
            get(pages::compare),
        )
        .route("/match/{id}", get(pages::one_match))
        .route("/actors", get(pages::actors))
        .route(
            "/schedules",
            get(pages::schedules).post(pages::change_schedule),
        )
        .route("/data", get(pages::data))
        .route("/settings", get(pages::settings))
        .route("/log", get(pages::log))
        .route("/sign-in", get(pages::sign_in_by_url).post(pages::sign_in))
        .route("/assets/{hash}/{name}", get(assets::asset))
        .fallback(pages::nowhere);
    let prefix = &site.place.settings.prefix;
    let pages = if prefix.is_empty() {
        pages
    } else {
        let home = format!("{prefix}/");
        let pages = Router::new().nest(prefix, pages);
        pages
            .route(&home, get(pages::overview))
            .fallback(pages::nowhere)
    };
    pages
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn_with_state(site.clone(), let_in))
        .layer(map_response(respond::guarded))
        .with_state(site)
}

/// Turns away who may not see or do what it asks for.
async fn let_in(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let settings = &site.place.settings;
    let path = request.uri().path();
    let path = path.strip_prefix(&*settings.prefix).unwrap_or(path);
    let wanted = match path {
        "/sign-in" => Wanted::SignIn,
        _ if path.starts_with("/assets/") => Wanted::Asset,
        _ => Wanted::Page,
    };
    let rules = Rules {
        secret: &settings.secret,
        hosts: &settings.hosts,
        read_only: settings.read_only,
        cookie: &site.cookie,
    };
    match rules.judge(request.method(), request.headers(), wanted) {
        Ok(()) => next.run(request).await,
        Err(denied) => turn_away(&site, denied, request.method()),
    }
}

fn turn_away(site: &Site, denied: Denied, method: &Method) -> Response {
    let shell = Shell::stranger(site);
    match denied {
        Denied::Host => {
            let why = "These pages answer to an address, to localhost, and to the names in web.hosts of the settings.\n";
            (StatusCode::MISDIRECTED_REQUEST, why).into_response()
        }
        Denied::SignIn if method == Method::GET => pages::ask_to_sign_in(shell, ""),
        Denied::SignIn => respond::problem(
            shell,
            StatusCode::UNAUTHORIZED,
            "You are signed out",
            "Nothing was changed.",
            "Open the address that the engine told when it began, then do it again.",
        ),
        Denied::Origin => respond::problem(
            shell,
            StatusCode::FORBIDDEN,
            "That did not come from these pages",
            "Another page or program asked for a change. Nothing was changed.",
            "Programs use the control socket: riftsync help protocol.",
        ),
        Denied::ReadOnly => respond::problem(
            shell,
            StatusCode::FORBIDDEN,
            "These pages change nothing",
            "The engine was started with --web-read-only. Nothing was changed.",
            "Use the terminal: riftsync job, riftsync queue.",
        ),
    }
}

/// Lets in as many as there are places.
#[derive(Debug)]
struct LimitedListener {
    listener: tokio::net::TcpListener,
    places: Arc<Semaphore>,
}

impl axum::serve::Listener for LimitedListener {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // It is never closed.
        let place = self.places.clone().acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, addr)) => {
                    let visit = Visit {
                        stream,
                        idle: Box::pin(tokio::time::sleep(IDLE)),
                        _place: place,
                    };
                    return (visit, addr);
                }
                Err(error) => {
                    tracing::debug!("the web pages could not take a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// One connection; it ends when nothing has gone in or out of it for long.
#[derive(Debug)]
struct Visit {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Visit {
    /// What a try came to; the time begins anew where it went well.
    fn after<T>(
        &mut self,
        tried: Poll<io::Result<T>>,
        waker: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match tried {
            Poll::Ready(done) => {
                self.idle.as_mut().reset(Instant::now() + IDLE);
                Poll::Ready(done)
            }
            Poll::Pending => match self.idle.as_mut().poll(waker) {
                Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_read(waker, buffer);
        self.after(tried, waker)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        waker: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(waker, bytes);
        self.after(tried, waker)
    }

    fn poll_flush(mut self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(waker)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, waker: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(waker)
    }
}
