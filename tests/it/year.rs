//! The figures of a player's year are what SQL says of the same database.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use riftsync::control::YearFigures;
use riftsync::model::Whom;
use riftsync::report::{Companion, GameGroup, RankLine, RankPoint, Recent, View, Year, body, file};
use riftsync::store::people;
use serde_json::json;

use crate::data::{puuid, stores, write};
use crate::place::Place;
use crate::setup::{PLAYER, run, setup, text};
use crate::views::games;

/// Games of the player that count.
const PLAYED: &str = "{joined} {where}";
const JOINED: &str = "FROM match_participants p JOIN matches m ON m.match_id = p.match_id
    LEFT JOIN match_teams t ON t.match_id = p.match_id AND t.team_id = p.team_id
    LEFT JOIN v_player_matches v ON v.match_id = p.match_id AND v.participant_id = p.participant_id";
const WHERE: &str = "WHERE p.player_id = {player} AND m.year = {year} AND NOT m.is_remake AND m.game_duration_s > 0";

/// What every line adds up.
const SUMS: &str = "count(*), sum(CASE WHEN p.win THEN 1 ELSE 0 END), sum(m.game_duration_s), sum(p.kills), sum(p.deaths),
    sum(p.assists), sum(p.total_minions_killed + p.neutral_minions_killed), sum(p.gold_earned), sum(p.damage_to_champions),
    sum((SELECT sum(o.damage_to_champions) FROM match_participants o WHERE o.match_id = p.match_id AND o.team_id = p.team_id)),
    sum(p.vision_score)";

/// How groups of games are called.
pub const ROLES: &str = "CASE p.team_position WHEN 'TOP' THEN 'Top' WHEN 'JUNGLE' THEN 'Jungle' WHEN 'MIDDLE' THEN 'Middle'
    WHEN 'BOTTOM' THEN 'Bottom' WHEN 'UTILITY' THEN 'Support' ELSE p.team_position END";
pub const SIDES: &str =
    "CASE WHEN m.map_id = 11 THEN CASE p.team_id WHEN 100 THEN 'Blue' WHEN 200 THEN 'Red' END END";
pub const QUEUES: &str = "(SELECT coalesce(w.queue, 'queue ' || w.queue_id) FROM v_matches w WHERE w.match_id = m.match_id)";
pub const LENGTHS: &str =
    "CASE WHEN m.game_duration_s < 1200 THEN 'under 20 min' WHEN m.game_duration_s < 1500 THEN '20–25 min'
     WHEN m.game_duration_s < 1800 THEN '25–30 min' WHEN m.game_duration_s < 2100 THEN '30–35 min' ELSE '35 min and more' END";

/// A query on a player's games: they follow `{joined}`, are chosen by `{where}`, and `{played}` is both.
pub fn question(text: &str, player: i64, year: i16) -> String {
    let query = text.replace("{played}", PLAYED).replace("{sums}", SUMS);
    let query = query.replace("{joined}", JOINED).replace("{where}", WHERE);
    let query = query.replace("{player}", &player.to_string());
    query.replace("{year}", &year.to_string())
}

type Sums = BTreeMap<String, Vec<String>>;

pub struct Asked<'a> {
    pub place: &'a Place,
    pub player: i64,
    pub year: i16,
}

impl Asked<'_> {
    /// The rows of a [`question`] on the player's games.
    pub fn rows(&self, text: &str) -> Vec<Vec<String>> {
        let rows = self.place.rows(&question(text, self.player, self.year));
        let cell = |cell: Option<String>| cell.unwrap_or_default();
        rows.into_iter()
            .map(|row| row.into_iter().map(cell).collect())
            .collect()
    }

    /// The lines of something, by its name.
    fn lines(&self, of: &str) -> Sums {
        let rows = self.rows(&format!(
            "SELECT {of}, {{sums}} {{played}} AND {of} IS NOT NULL GROUP BY {of}"
        ));
        let rows = rows.into_iter().map(|mut row| (row.remove(0), row));
        rows.filter(|(name, _)| !name.is_empty()).collect()
    }
}

fn told(lines: &[GameGroup]) -> Sums {
    let played = lines.iter().filter(|line| line.tally.games > 0);
    let line = |line: &GameGroup| {
        let tally = &line.tally;
        let sums = [
            tally.games,
            tally.wins,
            tally.seconds,
            tally.kills,
            tally.deaths,
            tally.assists,
            tally.cs,
            tally.gold,
            tally.damage,
            tally.team_damage,
            tally.vision,
        ];
        (line.name.clone(), sums.map(|sum| sum.to_string()).to_vec())
    };
    played.map(line).collect()
}

fn company(list: &[Companion]) -> Vec<Vec<String>> {
    list.iter()
        .map(|one| {
            [one.games, one.wins]
                .map(|count| count.to_string())
                .to_vec()
        })
        .collect()
}

/// Each figure, by a statement of its own.
fn check(asked: &Asked<'_>, year: &Year) {
    assert!(year.all.games > 10, "{year:?}");
    let all = GameGroup {
        name: "all".to_owned(),
        tally: year.all,
    };
    assert_eq!(told(&[all])["all"], asked.rows("SELECT {sums} {played}")[0]);
    assert_eq!(told(&year.champions), asked.lines("p.champion_name"));
    assert_eq!(told(&year.patches), asked.lines("m.patch"));
    assert_eq!(told(&year.opponents), asked.lines("v.opponent_champion"));
    assert_eq!(told(&year.roles), asked.lines(ROLES));
    assert_eq!(told(&year.sides), asked.lines(SIDES));
    let queues = asked.rows(&format!(
        "SELECT q, count(*) FROM (SELECT {QUEUES} AS q {{played}}) AS by_queue GROUP BY q"
    ));
    let queues: BTreeMap<String, String> = queues
        .into_iter()
        .map(|mut row| (row.remove(0), row.remove(0)))
        .collect();
    let by_queue = year
        .queues
        .iter()
        .map(|line| (line.name.clone(), line.tally.games.to_string()));
    assert_eq!(by_queue.collect::<BTreeMap<_, _>>(), queues);
    assert_eq!(told(&year.lengths), asked.lines(LENGTHS));
    check_times(asked, year);
    check_objectives(asked, year);
    check_records(asked, year);
}

fn check_times(asked: &Asked<'_>, year: &Year) {
    let starts =
        asked.rows("SELECT m.game_start, p.win {played} ORDER BY m.game_start, m.match_id");
    let mut days: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for row in &starts {
        let at = jiff::Timestamp::from_millisecond(row[0].parse().unwrap()).unwrap();
        let day = days
            .entry(at.in_tz("Asia/Seoul").unwrap().date().to_string())
            .or_default();
        *day = (day.0 + 1, day.1 + row[1].parse::<u64>().unwrap());
    }
    let by_day = year
        .days
        .iter()
        .map(|day| (day.date.clone(), (day.games, day.wins)));
    assert_eq!(by_day.collect::<BTreeMap<_, _>>(), days);
    for lines in [&year.months, &year.weekdays, &year.hours] {
        assert_eq!(
            lines.iter().map(|line| line.tally.games).sum::<u64>(),
            year.all.games
        );
    }
    let last: u64 = starts
        .iter()
        .rev()
        .take(20)
        .map(|row| row[1].parse::<u64>().unwrap())
        .sum();
    assert_eq!(
        year.rolling.last().map(|point| point.wins),
        (starts.len() >= 20).then_some(last)
    );
}

fn check_objectives(asked: &Asked<'_>, year: &Year) {
    let firsts = [
        "champion",
        "tower",
        "dragon",
        "herald",
        "grub",
        "baron",
        "inhibitor",
    ];
    for (objective, column) in year.objectives.iter().zip(firsts) {
        let games = |which: &str| {
            asked.rows(&format!("SELECT count(*), coalesce(sum(CASE WHEN p.win THEN 1 ELSE 0 END), 0) {{played}} AND m.map_id = 11 AND {which}")).remove(0)
        };
        let (first, other) = (
            games(&format!("t.{column}_first")),
            games(&format!("NOT t.{column}_first")),
        );
        let told = [
            objective.first,
            objective.first_wins,
            objective.other,
            objective.other_wins,
        ];
        assert_eq!(
            told.map(|count| count.to_string()).to_vec(),
            [first, other].concat(),
            "{column}"
        );
    }
    // Made-up details have counts below zero, which count for nothing.
    let multikills = asked.rows(
        "SELECT sum(CASE WHEN c.double_kills > 0 THEN c.double_kills END), sum(CASE WHEN c.triple_kills > 0 THEN c.triple_kills END),
                sum(CASE WHEN c.quadra_kills > 0 THEN c.quadra_kills END), sum(CASE WHEN c.penta_kills > 0 THEN c.penta_kills END)
         FROM participant_combat c
         WHERE (c.match_id, c.participant_id) IN (SELECT p.match_id, p.participant_id {played})",
    );
    let counts = year.multikills.iter().map(|fact| fact.count.to_string());
    let multikills = multikills[0].iter().map(|sum| {
        if sum.is_empty() {
            "0".to_owned()
        } else {
            sum.clone()
        }
    });
    assert!(counts.eq(multikills), "{:?}", year.multikills);
}

fn check_records(asked: &Asked<'_>, year: &Year) {
    let measures = [
        "m.game_duration_s",
        "p.kills",
        "p.deaths",
        "p.assists",
        "p.total_minions_killed + p.neutral_minions_killed",
        "p.gold_earned",
        "p.damage_to_champions",
    ];
    for (best, measure) in year.records.iter().zip(measures) {
        let most = asked.rows(&format!("SELECT {measure}, m.match_id {{played}} ORDER BY {measure} DESC, m.game_start, m.match_id LIMIT 1"));
        assert_eq!(
            [best.value.to_string(), best.match_id.clone()].to_vec(),
            most[0],
            "{}",
            best.name
        );
    }
    let duos = asked.rows(
        "SELECT count(*), sum(CASE WHEN p.win THEN 1 ELSE 0 END) FROM match_participants p JOIN matches m ON m.match_id = p.match_id
         JOIN match_participants q ON q.match_id = p.match_id AND q.player_id <> p.player_id AND q.team_id = p.team_id
              AND coalesce(q.subteam_id, 0) = coalesce(p.subteam_id, 0)
         WHERE p.player_id = {player} AND m.year = {year} AND NOT m.is_remake AND m.game_duration_s > 0
         GROUP BY q.player_id HAVING count(*) > 1 ORDER BY 1 DESC, 2 DESC LIMIT 8",
    );
    assert_eq!(company(&year.duos), duos);
    let remakes = asked.rows("SELECT count(*) FROM match_participants p JOIN matches m ON m.match_id = p.match_id WHERE p.player_id = {player} AND m.year = {year} AND m.is_remake");
    assert_eq!(year.remakes.to_string(), remakes[0][0]);
}

#[tokio::test]
async fn each_figure_is_what_sql_says_on_both_databases() {
    let games = games();
    let mut years = Vec::new();
    for place in [Place::sqlite(), Place::postgres()] {
        let store = place.open().await;
        write(
            &*store,
            games.iter().map(|game| vec![stores(game)]).collect(),
        )
        .await;
        let (player, _) = people::find(&*store, &Whom::with_puuid(puuid(3)), "")
            .await
            .unwrap()
            .unwrap();
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        let figures = YearFigures {
            player: &player,
            year: 2021,
            platform: None,
            zone: &zone,
        };
        let mut year = figures.read(&*store, None).await.unwrap();
        check(
            &Asked {
                place: &place,
                player: player.id,
                year: 2021,
            },
            &year,
        );
        let elsewhere = YearFigures {
            platform: Some("kr"),
            ..figures
        };
        assert_eq!(elsewhere.read(&*store, None).await.unwrap().all.games, 0);
        store.close().await.unwrap();
        year.made_at.clear();
        // Which names a player had is a matter of the order of the writes.
        year.player.former_names.clear();
        years.push(year);
    }
    // Of people with as many games the order is that of their rows, which differ.
    for year in &mut years {
        year.duos
            .iter_mut()
            .chain(&mut year.rivals)
            .for_each(|one| one.riot_id = None);
    }
    assert_eq!(years[0], years[1]);
}

#[tokio::test]
async fn a_report_is_one_file_that_fetches_nothing_and_has_the_name_as_text() {
    let setup = setup(40).await;
    let synced = run(setup.sync()).await;
    assert!(synced.status.success(), "{}", text(&synced));
    let out = setup.folder.path().join("year.html");
    let path = out.to_str().unwrap();
    let arguments = [
        "report",
        PLAYER,
        "--year",
        "2025",
        "--timezone",
        "Asia/Seoul",
        "--json",
        "--out",
        path,
    ];
    let written = run(setup.command(&arguments)).await;
    assert!(written.status.success(), "{}", text(&written));
    let told: serde_json::Value = serde_json::from_slice(&written.stdout).unwrap();
    let page = std::fs::read_to_string(&out).unwrap();
    assert_eq!(
        (&told["bytes"], &told["file"]),
        (&json!(page.len()), &json!(path))
    );
    assert!(
        page.len() < 500_000 && page.contains("not endorsed by Riot Games"),
        "{} bytes",
        page.len()
    );
    for fetched in [
        "<script", "src=", "href=", "http:", "https:", "@import", "url(http",
    ] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    let games = told["games"].as_u64().unwrap();
    assert!(
        games > 0 && page.contains(&format!("<dd>{games}</dd>")),
        "{games}"
    );
    for (wrong, why) in [
        (["--timezone", "Mars/Olympus"], "Asia/Seoul"),
        (["--platform", "moon"], "moon"),
    ] {
        let refused = run(setup.command(&[&["report", PLAYER], &wrong[..]].concat())).await;
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        assert!(text(&refused).contains(why), "{}", text(&refused));
    }
}

#[test]
fn a_hostile_name_is_text_in_the_page_and_in_its_pictures() {
    let name = "<script>\"'&\u{202e}#X";
    let mut year = Year {
        year: 2025,
        ..Year::default()
    };
    year.player.riot_id = Some(name.to_owned());
    year.player.former_names = vec![name.to_owned()];
    let line = GameGroup {
        name: name.to_owned(),
        ..GameGroup::default()
    };
    year.all.games = 1;
    for lines in [
        &mut year.champions,
        &mut year.roles,
        &mut year.hours,
        &mut year.opponents,
        &mut year.patches,
    ] {
        lines.push(line.clone());
    }
    year.recent.push(Recent {
        match_id: name.to_owned(),
        champion: name.to_owned(),
        ..Recent::default()
    });
    let point = RankPoint {
        date: "2025-01-02".to_owned(),
        rank: name.to_owned(),
        points: Some(7),
        ..RankPoint::default()
    };
    year.ranks.push(RankLine {
        queue: name.to_owned(),
        seen: vec![point.clone()],
        best: point,
    });
    year.duos.push(Companion {
        riot_id: Some(name.to_owned()),
        games: 2,
        wins: 1,
    });
    let to_match = |_: &str| "/match".to_owned();
    let linked = View {
        to_match: Some(&to_match),
        ..View::default()
    };
    for page in [body(&year, linked), file(&year)] {
        assert!(
            !page.contains("<script") && !page.contains('\u{202e}'),
            "{page}"
        );
        assert!(page.contains("&#60;script&#62;"), "{page}");
    }
}
