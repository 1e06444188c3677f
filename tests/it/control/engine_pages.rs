//! The pages of the engine itself, of its schedules and of those it tracks: what stands there is what is so.

use reqwest::StatusCode;

use super::pages::{Browser, location};
use super::*;
use crate::compare::{self, Of};
use crate::place::sqlite_rows;

impl Setup {
    /// The only number of a query.
    fn number(&self, query: &str) -> u64 {
        let rows = sqlite_rows(&self.database(), query);
        rows[0][0].as_deref().unwrap().parse().unwrap()
    }

    fn total(&self, kind: &str, counters: &[&str]) -> u64 {
        let metrics = self.json_rpc("engine.metrics");
        let totals = metrics["totals"].as_array().unwrap();
        let of_kind = totals.iter().filter(|total| total["kind"] == kind);
        let counts = of_kind.flat_map(|total| counters.iter().map(|name| total[name].as_u64()));
        counts.map(Option::unwrap).sum()
    }
}

/// A schedule, as the form on its page adds it.
const ADD: &str = "change=add&name=by-hand&when=every+6h&kind=health_check&args=";

/// A row of a table that has a text in it.
fn row<'p>(page: &'p str, text: &str) -> &'p str {
    let mut rows = page.split("<tr>");
    let found = rows.find(|row| row.contains(text));
    found.unwrap_or_else(|| panic!("{text}: {page}"))
}

#[tokio::test]
async fn the_last_hour_is_there_after_a_restart_and_is_what_the_engine_counted() {
    let setup = setup(12).await;
    let served = setup
        .served_with(|command| command.env("RIFTSYNC_METRICS__INTERVAL_S", "1"))
        .await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let jobs = setup.total("queue", &["processed", "failed"]);
    let calls = setup.total("limiter", &["granted"]);
    let of_matches =
        "SELECT count(*) FROM jobs WHERE kind = 'sync_match_data' AND state = 'completed'";
    assert!(jobs > setup.number(of_matches) && setup.number(of_matches) == 12);
    // As it stops, it writes what it has not told yet.
    served.signal("-TERM");
    assert_eq!(served.exited().await, Some(0));
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let history = setup.json_rpc("engine.history");
    let intervals = history["intervals"].as_array().unwrap();
    let sum = |name: &str| -> u64 {
        intervals
            .iter()
            .map(|one| one[name].as_u64().unwrap())
            .sum()
    };
    assert_eq!((sum("jobs"), sum("calls"), sum("failed")), (jobs, calls, 0));
    let page = browser.html("/").await;
    let most = |title: &str| -> f64 {
        let (_, told) = page.split_once(&format!("<title>{title}: ")).unwrap();
        let (_, most) = told.split_once("at most ").unwrap();
        let digits = most.split_once(['/', ' ']).unwrap().0;
        digits.parse().unwrap_or_else(|_| panic!("{most}"))
    };
    for title in ["Jobs a second", "Calls a second", "Slowest commits"] {
        assert!(most(title) > 0.0, "{title}: {page}");
    }
    assert!(browser.html("/data").await.contains(" MiB "));
}

#[tokio::test]
async fn actors_say_how_they_stand_and_engines_who_leads_and_both_are_live() {
    let setup = setup(1).await;
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let mut live = browser.get("/live?parts=actors,engines").await;
    let mut told = String::new();
    // The engine leads with its first beat, which is at once.
    while !(told.contains("leads <b>yes</b>") && told.contains(r#"tag good\">leads"#)) {
        let more = live.chunk().await.unwrap().unwrap();
        told.push_str(&String::from_utf8_lossy(&more));
    }
    let page = browser.html("/actors").await;
    for actor in setup.json_rpc("engine.metrics")["actors"]
        .as_array()
        .unwrap()
    {
        let path = actor["actor"].as_str().unwrap();
        let row = row(&page, &format!("title=\"{path}\""));
        assert!(row.contains(">up<"), "{row}");
        for name in actor["state"]
            .as_object()
            .into_iter()
            .flat_map(|state| state.keys())
        {
            let name = name.trim_end_matches("_s").replace('_', " ");
            assert!(row.contains(&name), "{path}: {name}: {row}");
        }
    }
    let queue = row(&page, "/engine/queues/player_sync\"");
    assert!(
        queue.contains("queue <b>open</b>") && queue.contains("of 4 slots"),
        "{queue}"
    );
    let status = setup.json_rpc("engine.status");
    let engine = status["engine"].as_str().unwrap();
    let page = browser.html("/").await;
    let row = row(&page, engine);
    for shown in [
        ">leads<",
        ">alive<",
        "these pages are of it",
        &format!("process {}", status["pid"]),
    ] {
        assert!(row.contains(shown), "{shown}: {row}");
    }
}

#[tokio::test]
async fn a_schedule_shows_its_last_runs() {
    let setup = setup(1).await;
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let page = browser.html("/schedules").await;
    assert!(
        page.contains("Nothing ran yet") || page.contains("run-table"),
        "{page}"
    );
    let add = "change=add&name=by-hand&when=every+6h&kind=health_check&args=";
    assert_eq!(
        browser.post("/schedules", add).await.status(),
        StatusCode::SEE_OTHER
    );
    let mut ran = Vec::new();
    for _ in 0..2 {
        let run = browser
            .post(
                "/schedules",
                "change=run&name=by-hand&kind=health_check&args=",
            )
            .await;
        let id = location(&run).strip_prefix("/jobs/").unwrap().to_owned();
        assert!(setup.run(&["job", "wait", &id]).await.status.success());
        ran.push(id);
    }
    let page = browser.html("/schedules?name=by-hand").await;
    let runs = page.split("run-table").nth(1).unwrap();
    let ids: Vec<&str> = runs
        .split("/jobs/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let rows = sqlite_rows(
        &setup.database(),
        "SELECT id FROM jobs WHERE kind = 'health_check' ORDER BY id DESC LIMIT 20",
    );
    let of_sql: Vec<&str> = rows.iter().map(|row| row[0].as_deref().unwrap()).collect();
    assert_eq!(ids, of_sql);
    let row_of_run = row(runs, &format!("/jobs/{}\"", ran[0]));
    assert!(
        row_of_run.contains(">completed<") && row_of_run.contains(" ms<"),
        "{row_of_run}"
    );
}

#[tokio::test]
async fn the_last_run_of_a_schedule_is_found_behind_any_number_of_newer_jobs_of_its_kind() {
    let setup = setup(1).await;
    let (served, browser) = setup.in_a_browser(&[]).await;
    let add =
        "change=add&name=old&when=every+1d&kind=replay_payloads&args=%7B%22dry_run%22:true%7D";
    assert_eq!(
        browser.post("/schedules", add).await.status(),
        StatusCode::SEE_OTHER
    );
    let fields = "kind=replay_payloads&dry_run=yes";
    let id = location(&browser.post("/submit", fields).await)
        .strip_prefix("/jobs/")
        .unwrap()
        .to_owned();
    assert!(setup.run(&["job", "wait", &id]).await.status.success());
    drop(served);
    // As if the schedule had started it, and then others of the kind had come.
    sqlite_rows(
        &setup.database(),
        &format!(
            "UPDATE schedules SET last_job_id = {id}, last_tick_at = created_at WHERE name = 'old' RETURNING name"
        ),
    );
    sqlite_rows(
        &setup.database(),
        "INSERT INTO jobs (kind, queue, args, state, priority, max_attempts, run_at, percent, enqueued_at, finished_at)
         WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000)
         SELECT kind, queue, '{\"dry_run\":false}', state, priority, max_attempts, run_at, percent, enqueued_at, finished_at
         FROM jobs, numbers WHERE kind = 'replay_payloads' RETURNING id",
    );
    let (_served, browser) = setup.in_a_browser(&[]).await;
    for params in [json!({}), json!({ "name": "old" })] {
        let told = setup.ask("schedule.runs", &params)["result"].take();
        let runs = told["runs"].as_array().unwrap().iter();
        let of_old = runs.filter(|run| run["schedule"] == "old");
        let ids: Vec<String> = of_old.map(|run| run["job_id"].to_string()).collect();
        assert_eq!(ids, [&*id], "{params}");
    }
    let page = browser.html("/schedules?name=old").await;
    assert!(page.contains(&format!("/jobs/{id}\"")), "{page}");
}

#[tokio::test]
async fn an_added_schedule_is_paused_and_resumed_and_a_configured_one_in_the_settings_alone() {
    let setup = setup(1).await;
    let (_served, browser) = setup.in_a_browser(&[]).await;
    assert_eq!(
        browser.post("/schedules", ADD).await.status(),
        StatusCode::SEE_OTHER
    );
    let schedule = |list: &Value| {
        let schedules = list["schedules"].as_array().unwrap();
        schedules
            .iter()
            .find(|one| one["name"] == "by-hand")
            .unwrap()
            .clone()
    };
    for (change, paused, when, shown) in [
        ("pause", true, "off every 6h", ">paused<"),
        ("pause", true, "off every 6h", "Resume by-hand"),
        ("resume", false, "every 6h", "Pause by-hand"),
    ] {
        let changed = browser
            .post("/schedules", &format!("change={change}&name=by-hand"))
            .await;
        assert_eq!(changed.status(), StatusCode::SEE_OTHER, "{change}");
        let told = schedule(&setup.json_rpc("schedule.list"));
        assert_eq!(
            (&told["paused"], &told["when"]),
            (&json!(paused), &json!(when))
        );
        assert_eq!(told["next"].is_null(), paused);
        let page = browser.html("/schedules").await;
        assert!(row(&page, ">by-hand<").contains(shown), "{shown}: {page}");
    }
    let listed = setup.json_rpc("schedule.list");
    let configured = listed["schedules"].as_array().unwrap().iter();
    let configured: Vec<&Value> = configured.filter(|one| one["origin"] == "config").collect();
    let name = configured[0]["name"].as_str().unwrap();
    let refused = browser
        .post("/schedules", &format!("change=pause&name={name}"))
        .await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .contains("stands in the configuration")
    );
    for change in ["pause", "resume"] {
        let unknown = browser
            .post("/schedules", &format!("change={change}&name=nope"))
            .await;
        assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    }
    let unknown = browser.get("/schedules?name=%3Cscript%3E").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert!(!unknown.text().await.unwrap().contains("<script>"));
}

#[tokio::test]
async fn tracked_players_tell_their_last_sync_and_who_is_lost_says_so() {
    let setup = setup(6).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let (served, browser) = setup.in_a_browser(&[]).await;
    let sql = "SELECT listed_matches, listed_at FROM player_years WHERE year = 2025";
    let listed = sqlite_rows(&setup.database(), sql).remove(0);
    let told = setup.json_rpc("player.tracked")["players"][0].take();
    assert_eq!(
        told["last_sync"]["listed_matches"].to_string(),
        listed[0].clone().unwrap()
    );
    let at: jiff::Timestamp = told["last_sync"]["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(at.as_millisecond().to_string(), listed[1].clone().unwrap());
    let page = browser.html("/players").await;
    let row_of_player = row(&page, PLAYER);
    assert!(
        row_of_player.contains("Riot listed 6 matches of 2025"),
        "{row_of_player}"
    );
    let (_, link) = row_of_player.split_once("href=\"/jobs").unwrap();
    let link = format!("/jobs{}", link.split_once('"').unwrap().0);
    let syncs = browser
        .html(&link.replace("&amp;", "&").replace("&#38;", "&"))
        .await;
    assert!(
        row(&syncs, "player euw1/").contains(">completed<"),
        "{syncs}"
    );
    drop(served);
    let lose = "UPDATE players SET lost_since = 1764000000000, lost_why = '<b>nobody</b>' WHERE tracked RETURNING 1";
    sqlite_rows(&setup.database(), lose);
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let page = browser.html("/players").await;
    let row_of_player = row(&page, PLAYER);
    assert!(
        row_of_player.contains("not found") && row_of_player.contains("2025-11-24T16:00:00"),
        "{row_of_player}"
    );
    assert!(!page.contains("<b>nobody"), "{page}");
    let tracked = setup.run(&["tracked"]).await;
    let told = String::from_utf8_lossy(&tracked.stdout);
    assert!(told.contains("not found since"), "{told}");
}

#[tokio::test]
async fn a_player_is_found_by_a_name_of_before_and_of_several_who_had_it_all_are_named() {
    let setup = setup(6).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let (served, browser) = setup.in_a_browser(&[]).await;
    drop((served, browser));
    let rename = |old: &str, new: &str| {
        let folded = |name: &str| name.to_lowercase().replace(' ', "");
        let (name, tag) = new.split_once('#').unwrap();
        let rename = format!(
            "UPDATE players SET game_name = '{name}', tag_line = '{tag}', name_folded = '{}' WHERE name_folded = '{}' RETURNING 1",
            folded(new),
            folded(old)
        );
        assert_eq!(sqlite_rows(&setup.database(), &rename).len(), 1, "{rename}");
    };
    rename(PLAYER, "Loud Otter#NEW");
    let (served, browser) = setup.in_a_browser(&[]).await;
    let page = browser.html("/player?riot_id=Quiet%20Otter%23SIM").await;
    assert!(
        page.contains("is called Loud Otter#NEW now") && page.contains("<h1><bdi>Loud Otter#NEW"),
        "{page}"
    );
    drop(served);
    let sql = "SELECT game_name || '#' || tag_line FROM players WHERE game_name IS NOT NULL AND game_name <> 'Loud Otter' LIMIT 1";
    let another = sqlite_rows(&setup.database(), sql)[0][0].clone().unwrap();
    rename(&another, PLAYER);
    rename(PLAYER, "Third Otter#NEW");
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let page = browser.html("/player?riot_id=Quiet%20Otter%23SIM").await;
    assert!(
        page.contains("nobody is called")
            && page.contains("Loud Otter#NEW")
            && page.contains("Third Otter#NEW"),
        "{page}"
    );
    assert!(!page.contains("no such player yet"), "{page}");
}

/// The page of the player's year.
const OWN: &str = "/player/EUW1/Quiet%20Otter-SIM/2025";

#[tokio::test]
async fn two_players_stand_side_by_side_with_the_figures_of_sql_in_the_browser_and_as_a_file() {
    let setup = setup(12).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let sql = "SELECT pl.game_name || '#' || pl.tag_line FROM match_participants p JOIN players pl ON pl.id = p.player_id
               WHERE pl.game_name IS NOT NULL AND pl.game_name <> 'Quiet Otter' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1";
    let other = sqlite_rows(&setup.database(), sql)[0][0].clone().unwrap();
    let own = OWN;
    let year = browser.html(own).await;
    assert!(
        year.contains(&format!("action=\"{own}/compare\"")),
        "{year}"
    );
    let encoded = other.replace(' ', "%20").replace('#', "%23");
    let page = browser
        .html(&format!("{own}/compare?with={encoded}&year=&timezone=UTC"))
        .await;
    let report = setup
        .run(&[
            "report",
            PLAYER,
            "--year",
            "2025",
            "--compare",
            &other,
            "--timezone",
            "UTC",
            "--out",
            "-",
        ])
        .await;
    assert!(report.status.success(), "{}", text(&report));
    for page in [&page, &String::from_utf8(report.stdout).unwrap()] {
        check_compared(&setup, page, [(PLAYER, 2025), (&other, 2025)]);
    }
}

/// Every figure of two years side by side, by SQL.
fn check_compared(setup: &Setup, page: &str, both: [(&str, i16); 2]) {
    let database = setup.database();
    let ask = |query: &str| sqlite_rows(&database, query);
    let of = both.map(|(riot_id, year)| {
        let sql =
            format!("SELECT id FROM players WHERE game_name || '#' || tag_line = '{riot_id}'");
        Of {
            ask: &ask,
            player: ask(&sql)[0][0].as_ref().unwrap().parse().unwrap(),
            year,
            zone: "UTC",
        }
    });
    compare::check(page, of.each_ref());
}

#[tokio::test]
async fn two_years_of_one_are_compared_and_what_cannot_be_says_why() {
    let setup = setup(12).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let (_served, browser) = setup.in_a_browser(&[]).await;
    let own = OWN;
    // Of 2024 there is no game.
    let page = browser
        .html(&format!("{own}/compare?year=2024&timezone=UTC"))
        .await;
    check_compared(&setup, &page, [(PLAYER, 2025), (PLAYER, 2024)]);
    assert!(
        page.contains("href=\"/player/EUW1/Quiet%20Otter-SIM/2024"),
        "{page}"
    );
    let told = setup
        .json(&[
            "report",
            PLAYER,
            "--year",
            "2025",
            "--compare-year",
            "2024",
            "--out",
            &text_path(&setup),
        ])
        .await;
    assert_eq!(
        (
            &told["year"],
            &told["compared_year"],
            &told["compared_games"]
        ),
        (&json!(2025), &json!(2024), &json!(0))
    );
    for (query, status) in [
        ("?year=x", StatusCode::BAD_REQUEST),
        ("?with=Nobody%23X", StatusCode::NOT_FOUND),
        ("?with=%3Cscript%3E", StatusCode::BAD_REQUEST),
        ("?timezone=nope", StatusCode::BAD_REQUEST),
    ] {
        let answer = browser.get(&format!("{own}/compare{query}")).await;
        assert_eq!(answer.status(), status, "{query}");
        assert!(!answer.text().await.unwrap().contains("<script>"));
    }
    let nowhere = browser.get("/player/EUW1/Nameless/2025/compare").await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    let stranger = Browser::stranger(&browser.base);
    let turned_away = stranger.get(&format!("{own}/compare")).await;
    assert_eq!(turned_away.status(), StatusCode::UNAUTHORIZED);
    for wrong in [["--compare", "nobody"], ["--compare-year", "1"]] {
        let refused = setup.run(&[&["report", PLAYER], &wrong[..]].concat()).await;
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    }
}

fn text_path(setup: &Setup) -> String {
    setup.path("compared.html").to_str().unwrap().to_owned()
}
