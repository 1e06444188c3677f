//! The engine in a browser, as HTTP has it: who is let in, what is shown, and what can be done.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header, redirect};

use super::*;
use crate::setup::setup_for;

const PAGES: [&str; 11] = [
    "/",
    "/jobs",
    "/submit",
    "/players",
    "/actors",
    "/schedules",
    "/data",
    "/settings",
    "/log",
    "/jobs?state=running&text=x",
    "/nope",
];
const PATIENCE: Duration = Duration::from_mins(1);

/// Somebody with a browser.
pub(super) struct Browser {
    client: Client,
    pub(super) base: String,
    cookie: String,
}

impl Browser {
    pub(super) fn stranger(base: &str) -> Self {
        riftsync::riot::install_tls();
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE);
        Self {
            client: client.build().unwrap(),
            base: base.to_owned(),
            cookie: String::new(),
        }
    }

    /// Opens what the engine told when it was ready.
    pub(super) async fn open(served: &Served) -> Self {
        let url = served.ready["web"].as_str().unwrap();
        let (base, _) = url.split_once("/sign-in").unwrap();
        let mut browser = Self::stranger(base);
        let answer = browser.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(
            cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"),
            "{cookie}"
        );
        let (pair, _) = cookie.split_once(';').unwrap();
        pair.clone_into(&mut browser.cookie);
        browser
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        request.header(header::COOKIE, &self.cookie)
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub(super) async fn html(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }

    /// A form of one of the pages.
    pub(super) async fn post(&self, path: &str, fields: &str) -> Response {
        let request = self.request(Method::POST, path).body(fields.to_owned());
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request
            .header("sec-fetch-site", "same-origin")
            .send()
            .await
            .unwrap()
    }
}

/// Where an answer leads to.
pub(super) fn location(answer: &Response) -> &str {
    let location = answer.headers().get(header::LOCATION);
    location.map_or("", |location| location.to_str().unwrap())
}

impl Setup {
    pub(super) async fn in_a_browser(&self, arguments: &[&str]) -> (Served, Browser) {
        let served = self
            .served_with(|command| command.args(["--web", "0"]).args(arguments))
            .await;
        let browser = Browser::open(&served).await;
        (served, browser)
    }
}

#[tokio::test]
async fn the_pages_are_for_who_knows_the_secret_and_asks_from_our_own_pages() {
    let setup = setup(1).await;
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let stranger = Browser::stranger(&browser.base);
    for page in PAGES {
        let turned_away = stranger.get(page).await;
        assert_eq!(turned_away.status(), StatusCode::UNAUTHORIZED, "{page}");
        let text = turned_away.text().await.unwrap();
        assert!(
            !text.contains("player_sync") && !text.contains("t.db"),
            "{page}: {text}"
        );
        let by_another_name = browser
            .request(Method::GET, page)
            .header(header::HOST, "evil.example");
        let turned_away = by_another_name.send().await.unwrap();
        assert_eq!(
            turned_away.status(),
            StatusCode::MISDIRECTED_REQUEST,
            "{page}"
        );
    }
    let guess = stranger
        .post("/sign-in", "secret=0123456789abcdef0123456789abcdef")
        .await;
    assert_eq!(guess.status(), StatusCode::UNAUTHORIZED);
    // What another site has a browser ask for, and what a program asks for that is none.
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "http://evil.example"),
        ("x-nothing", "of the kind"),
    ] {
        let asked = browser
            .request(Method::POST, "/queues/pause")
            .body("queue=all");
        let kind = "application/x-www-form-urlencoded";
        let asked = asked.header(header::CONTENT_TYPE, kind).header(name, value);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert_eq!(setup.json_rpc("engine.status")["state"], "running");
    let paused = browser.post("/queues/pause", "queue=all").await;
    assert_eq!(paused.status(), StatusCode::SEE_OTHER);
    assert_eq!(setup.json_rpc("engine.status")["state"], "drained");
    for page in PAGES {
        let answer = browser.get(page).await;
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(
            answer.headers()[header::CACHE_CONTROL],
            "no-store",
            "{page}"
        );
        let wanted = if page == "/nope" {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::OK
        };
        assert_eq!(answer.status(), wanted, "{page}");
        let html = answer.text().await.unwrap();
        for inline in [" style=", "<style", " onclick", "<script>", "javascript:"] {
            assert!(!html.contains(inline), "{page} has {inline}");
        }
    }
}

#[tokio::test]
async fn a_sync_is_started_in_the_browser_and_watched_to_its_end() {
    let setup = setup_for(&[PLAYER], 8).await;
    let (served, browser) = setup.in_a_browser(&[]).await;
    let mut live = browser.get("/live?parts=queues,running").await;
    assert_eq!(live.headers()[header::CONTENT_TYPE], "text/event-stream");
    let unknown = browser.html("/player?riot_id=Quiet%20Otter%23SIM").await;
    assert!(
        unknown.contains("The database has no such player yet"),
        "{unknown}"
    );
    let fields =
        "kind=sync_player_data&riot_id=Quiet+Otter%23SIM&platform=euw1&year=2025&track=yes";
    let submitted = browser.post("/submit", fields).await;
    assert_eq!(submitted.status(), StatusCode::SEE_OTHER);
    let job = location(&submitted).to_owned();
    let id = job.strip_prefix("/jobs/").unwrap();
    assert!(setup.run(&["job", "wait", id]).await.status.success());
    setup.check_complete_small(8).await;
    // The page that was open is told of it: a player's sync has ended.
    let mut told = String::new();
    while !told.contains(r#"<td class=\"num\">0</td><td class=\"num\">1</td>"#) {
        let more = tokio::time::timeout(PATIENCE, live.chunk()).await;
        told.push_str(&String::from_utf8_lossy(&more.unwrap().unwrap().unwrap()));
    }
    let page = browser.html(&job).await;
    assert!(page.contains("<strong>completed</strong>"), "{page}");
    let stats = setup.json(&["stats", PLAYER]).await;
    let year = &stats["years"][0];
    let page = browser.html("/player?riot_id=Quiet%20Otter%23SIM").await;
    for number in [
        format!("{} – {}", year["wins"], year["losses"]),
        format!("{:.1} %", year["win_rate"].as_f64().unwrap()),
        format!("{:.2}", year["kda_ratio"].as_f64().unwrap()),
        year["most_played_champion"].as_str().unwrap().to_owned(),
        format!("Riot lists {}", year["listed_matches"]),
    ] {
        assert!(page.contains(&number), "{number}: {page}");
    }
    assert!(
        browser.html("/players").await.contains(PLAYER),
        "it is tracked"
    );
    let secret = SIMULATED_KEY.trim_start_matches("RGAPI-");
    for page in PAGES {
        assert!(!browser.html(page).await.contains(secret), "{page}");
    }
    // The same address and secret again after a kill, as the page that is open wants it.
    let base = browser.base.clone();
    drop(served);
    let port = base.rsplit_once(':').unwrap().1;
    let _served = setup
        .served_with(|command| command.args(["--web", port]))
        .await;
    assert_eq!(browser.get("/jobs").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn jobs_are_found_cancelled_and_run_again_one_and_all() {
    let setup = setup(1).await;
    let (_served, browser) = setup.in_a_browser(&[]).await;
    browser.post("/queues/pause", "queue=all").await;
    for number in 1..=120 {
        let fields = format!("kind=sync_match_data&match_id=EUW1_{number}&timeline=yes");
        assert_eq!(
            browser.post("/submit", &fields).await.status(),
            StatusCode::SEE_OTHER
        );
    }
    let first = browser.html("/jobs?state=available").await;
    assert!(
        first.contains("EUW1_120") && first.contains("EUW1_71") && !first.contains("EUW1_70<"),
        "{first}"
    );
    let (_, link) = first.split_once("rel=\"next\" href=\"").unwrap();
    let link = link
        .split_once('"')
        .unwrap()
        .0
        .replace("&amp;", "&")
        .replace("&#38;", "&");
    let second = browser.html(&link).await;
    assert!(
        second.contains("EUW1_70") && second.contains("EUW1_21") && !second.contains("EUW1_20<"),
        "{second}"
    );
    let found = browser.html("/jobs?text=euw1_11").await;
    assert!(
        found.contains("EUW1_11<") && found.contains("EUW1_119") && !found.contains("EUW1_12<"),
        "{found}"
    );
    let asked = browser
        .html("/jobs/all?change=cancel&state=available")
        .await;
    assert!(asked.contains("Cancel 120 jobs?"), "{asked}");
    let nothing_yet = setup.ask("job.list", &json!({ "state": "cancelled" }));
    assert_eq!(nothing_yet["result"]["jobs"], json!([]));
    let one = location(&browser.post("/jobs/1/cancel", "").await).to_owned();
    assert_eq!(one, "/jobs/1");
    let twice = browser.post("/jobs/1/cancel", "").await;
    assert_eq!(twice.status(), StatusCode::CONFLICT);
    assert!(
        twice
            .text()
            .await
            .unwrap()
            .contains("job 1 is cancelled already")
    );
    let done = browser
        .post("/jobs/all", "change=cancel&state=available")
        .await;
    assert!(
        done.text()
            .await
            .unwrap()
            .contains("119 jobs are cancelled")
    );
    let again = browser
        .post("/jobs/all", "change=retry&state=cancelled&text=EUW1_11")
        .await;
    assert!(again.text().await.unwrap().contains("11 jobs run again"));
    assert_eq!(
        browser.get("/jobs/99999").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_people_are_called_is_text() {
    let setup = setup(1).await;
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let name = "<script>alert(1)</script>";
    let encoded = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%23X%22%27";
    for path in [
        format!("/player?riot_id={encoded}"),
        format!("/jobs?text={encoded}&queue={encoded}&state={encoded}"),
        format!("/jobs/all?change=cancel&text={encoded}"),
        format!("/submit?kind={encoded}"),
    ] {
        let html = browser.html(&path).await;
        assert!(!html.contains(name), "{path}: {html}");
    }
}

#[tokio::test]
async fn the_pages_lie_behind_a_proxy_open_with_a_password_and_change_nothing_if_told_so() {
    let setup = setup(1).await;
    let password = setup.path("password");
    std::fs::write(&password, "correct horse & battery\n").unwrap();
    let served = setup.served_with(|command| {
        command
            .args(["--web", "0.0.0.0:0", "--web-read-only"])
            .env("RIFTSYNC_WEB__PREFIX", "/rift/sync")
            .env("RIFTSYNC_WEB__HOSTS", "proxy.example")
            .env("RIFTSYNC_WEB__PASSWORD_FILE", &password)
    });
    let served = served.await;
    let url = served.ready["web"]
        .as_str()
        .unwrap()
        .replace("0.0.0.0", "127.0.0.1");
    let (base, _) = url.split_once("/sign-in").unwrap();
    let stranger = Browser::stranger(base);
    let signed_in = stranger
        .post("/sign-in", "secret=correct+horse+%26+battery")
        .await;
    assert_eq!(
        (signed_in.status(), location(&signed_in)),
        (StatusCode::SEE_OTHER, "/rift/sync/")
    );
    let cookie = signed_in.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("; Path=/rift/sync/"), "{cookie}");
    let mut browser = Browser::stranger(base);
    cookie
        .split_once(';')
        .unwrap()
        .0
        .clone_into(&mut browser.cookie);
    let home = browser
        .request(Method::GET, "/")
        .header(header::HOST, "proxy.example");
    let home = home.send().await.unwrap();
    assert_eq!(home.status(), StatusCode::OK);
    let home = home.text().await.unwrap();
    for link in home.split("href=\"").skip(1) {
        assert!(
            link.starts_with("/rift/sync/") || link.starts_with("#main"),
            "{link}"
        );
    }
    assert!(!home.contains("Pause"), "nothing can be changed");
    let style = home.split("stylesheet\" href=\"/rift/sync").nth(1).unwrap();
    let style = browser.get(style.split_once('"').unwrap().0).await;
    assert!(
        style.headers()[header::CACHE_CONTROL]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    let changed = browser.post("/queues/pause", "queue=all").await;
    assert_eq!(changed.status(), StatusCode::FORBIDDEN);
    assert_eq!(setup.json_rpc("engine.status")["state"], "running");
}

#[tokio::test]
async fn where_others_reach_the_pages_they_need_a_password_that_is_long() {
    let setup = setup(1).await;
    let mut open = setup.command(&["serve", "--web", "0.0.0.0:0"]);
    let refused = run(setup.command(&["serve", "--web", "0.0.0.0:0"])).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused).contains("web.password_file"),
        "{}",
        text(&refused)
    );
    let password = setup.path("password");
    std::fs::write(&password, "short\n").unwrap();
    open.env("RIFTSYNC_WEB__PASSWORD_FILE", &password);
    let refused = run(open).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused).contains("fewer than 12"),
        "{}",
        text(&refused)
    );
}
