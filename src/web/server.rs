//! The server: connections, and who of them sees what.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use riftsync_basics::Form;

use super::access::{Denied, Rules, Wanted};
use super::ask::Ask;
use super::assets;
use super::listener::{LimitedListener, Stay};
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

/// Serves the pages until it is dropped, with forms for the kinds of jobs that people submit. Its end is a fault.
pub async fn serve(place: Arc<WebPlace>, engine: Arc<dyn Ask>, forms: Vec<Form>) -> io::Result<()> {
    let settings = &place.settings;
    let live = Live::new(engine.clone(), settings.prefix.clone(), settings.read_only);
    let stay = Stay::WhileActive(IDLE);
    let listener = LimitedListener::new(place.listener()?, CONNECTIONS_MAX, stay, |taken| {
        if let Err(error) = taken {
            tracing::debug!("the web pages could not take a connection: {error}");
        }
    });
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
