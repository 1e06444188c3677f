//! What timelines, ranks and names add to a player's year, and the page of a match, are what SQL says of the same
//! database: of made-up matches and of real ones, on both databases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use riftsync::control::YearFigures;
use riftsync::model::names::{NamedKind, StaticName};
use riftsync::model::records::{MatchRecord, TimelineRecord};
use riftsync::model::standing::Rank;
use riftsync::model::timeline_details::TimelineDetail;
use riftsync::model::{MatchId, Timestamp, Whom};
use riftsync::report::{OneMatch, Participant, Quartiles, View, Year, body, file, match_body};
use riftsync::riot::{parse_match, understand_timeline};
use riftsync::store::names::{StaticFile, StaticNames};
use riftsync::store::standing::{Told, ToldStanding};
use riftsync::store::{Effect, Store, people};

use crate::data::{puuid, stores, write};
use crate::made_details;
use crate::place::Place;
use crate::samples::{payload, samples};
use crate::views::games;
use crate::year::Asked;

fn table(rows: Vec<Vec<String>>) -> BTreeSet<String> {
    rows.into_iter().map(|row| row.join(" ")).collect()
}

/// Leads by minute, each with its quartiles, by a statement of its own.
fn check_leads(asked: &Asked<'_>, year: &Year) {
    for (of, column) in [("gold", "gold"), ("xp", "xp")] {
        let rows = asked.rows(&format!(
            "SELECT minute, win, n, min(CASE WHEN 4 * place >= n THEN ahead END), min(CASE WHEN 4 * place >= 2 * n THEN ahead END),
                    min(CASE WHEN 4 * place >= 3 * n THEN ahead END)
             FROM (SELECT a.minute AS minute, p.win AS win, a.{column} - b.{column} AS ahead,
                          row_number() OVER (PARTITION BY a.minute, p.win ORDER BY a.{column} - b.{column}) AS place,
                          count(*) OVER (PARTITION BY a.minute, p.win) AS n
                   {{joined}}
                   JOIN participant_minutes a ON a.match_id = p.match_id AND a.participant_id = p.participant_id
                   JOIN participant_minutes b ON b.match_id = p.match_id AND b.participant_id = v.opponent_id AND b.minute = a.minute
                   {{where}} AND NOT a.is_last AND a.{column} - b.{column} IS NOT NULL) ahead
             WHERE n >= 5 GROUP BY minute, win, n"
        ));
        let mut told = BTreeSet::new();
        for one in &year.leads.minutes {
            let ends = if of == "gold" { one.gold } else { one.xp };
            for (end, win) in ends.iter().zip([1, 0]) {
                if let Some(Quartiles {
                    games,
                    low,
                    middle,
                    high,
                }) = end
                {
                    told.insert(format!(
                        "{} {win} {games} {low} {middle} {high}",
                        one.minute
                    ));
                }
            }
        }
        assert_eq!(told, table(rows), "{of}");
    }
    let by_champion = asked.rows(
        "SELECT p.champion_id, count(v.gold_lead_15), coalesce(sum(v.gold_lead_15), 0) {joined} {where} GROUP BY p.champion_id",
    );
    let sums = |of: &[riftsync::report::GameGroup]| {
        let games: u64 = of.iter().map(|line| line.tally.lead_games).sum();
        let gold: i64 = of.iter().map(|line| line.tally.lead_gold).sum();
        (games, gold)
    };
    let number = |cell: &String| cell.parse::<i64>().unwrap();
    let games: i64 = by_champion.iter().map(|row| number(&row[1])).sum();
    let gold: i64 = by_champion.iter().map(|row| number(&row[2])).sum();
    assert_eq!(sums(&year.champions), (u64::try_from(games).unwrap(), gold));
    let worst = asked.rows(
        "SELECT max(b.gold - a.gold) {joined}
         JOIN participant_minutes a ON a.match_id = p.match_id AND a.participant_id = p.participant_id
         JOIN participant_minutes b ON b.match_id = p.match_id AND b.participant_id = v.opponent_id AND b.minute = a.minute
         {where} AND NOT a.is_last AND p.win",
    );
    let [.., comeback, lane] = &year.records[..] else {
        panic!("{:?}", year.records)
    };
    let told = worst[0][0].parse::<i64>().unwrap_or(0).max(0);
    assert_eq!(lane.value.to_string(), told.to_string());
    let behind = asked.rows(
        "SELECT max(c.max_kill_deficit) {joined}
         JOIN participant_combat c ON c.match_id = p.match_id AND c.participant_id = p.participant_id {where} AND p.win",
    );
    let told = behind[0][0].parse::<i64>().unwrap_or(0).max(0);
    assert_eq!(comeback.value.to_string(), told.to_string());
}

fn check_kills(asked: &Asked<'_>, year: &Year) {
    let phase = "CASE WHEN e.at_ms < 840000 THEN 0 WHEN e.at_ms < 1500000 THEN 1 ELSE 2 END";
    let own = "CASE WHEN (e.x + e.y < 14850) = (e.team_id = 100) THEN 1 ELSE 0 END";
    let rows = asked.rows(&format!(
        "SELECT {phase}, died, count(*), sum({own}), sum(e.x / 100) FROM (
            SELECT e.at_ms AS at_ms, e.x AS x, e.y AS y, p.team_id AS team_id,
                   CASE WHEN e.victim_id = p.participant_id THEN 1 ELSE 0 END AS died
            {{joined}} JOIN match_events e ON e.match_id = p.match_id AND e.type = 'CHAMPION_KILL'
                 AND (e.participant_id = p.participant_id OR e.victim_id = p.participant_id)
            {{where}} AND m.map_id = 11) e GROUP BY 1, 2"
    ));
    let mut told = BTreeSet::new();
    for (at, phase) in year.kill_map.phases.iter().enumerate() {
        for (died, spots) in [(0, &phase.kills), (1, &phase.deaths)] {
            if !spots.at.is_empty() {
                let across: u64 = spots.at.iter().map(|[x, _]| u64::from(*x)).sum();
                told.insert(format!(
                    "{at} {died} {} {} {across}",
                    spots.at.len(),
                    spots.own_half
                ));
            }
        }
    }
    assert_eq!(told, table(rows));
    let games = asked.rows(
        "SELECT count(*) {joined} {where} AND m.map_id = 11 AND EXISTS (SELECT 1 FROM match_events e WHERE e.match_id = p.match_id)",
    );
    assert_eq!(year.kill_map.games.to_string(), games[0][0]);
    let timelines = asked.rows(
        "SELECT count(*) {joined} {where} AND EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = p.match_id)",
    );
    assert_eq!(year.timelines.to_string(), timelines[0][0]);
}

/// A participant as the statement has it.
fn shown_participant(one: &Participant) -> String {
    let perhaps =
        |number: Option<i32>| number.map_or_else(String::new, |number| number.to_string());
    let numbers = [
        one.id,
        one.team_id,
        one.kills,
        one.deaths,
        one.assists,
        one.gold,
        one.level,
        one.damage,
        one.cs,
        one.items[0],
        one.items[6],
    ];
    let mut row: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    row.extend([
        perhaps(one.taken),
        perhaps(one.damage_kinds[1]),
        one.purchases.len().to_string(),
    ]);
    row.join(" ")
}

/// The page of a match: what is on it, added up.
fn check_match(place: &Place, told: &OneMatch) {
    let rows = |query: &str| {
        let rows = place.rows(&query.replace("{id}", &told.match_id));
        let rows = rows
            .into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect());
        rows.collect::<Vec<Vec<String>>>()
    };
    let players = rows(
        "SELECT p.participant_id, p.team_id, p.kills, p.deaths, p.assists, p.gold_earned, p.champ_level, p.damage_to_champions,
                p.total_minions_killed + p.neutral_minions_killed, p.item0, p.item6, d.taken, d.to_champions_magic,
                (SELECT count(*) FROM participant_purchases b WHERE b.match_id = p.match_id AND b.participant_id = p.participant_id)
         FROM match_participants p
         LEFT JOIN participant_damage d ON d.match_id = p.match_id AND d.participant_id = p.participant_id WHERE p.match_id = '{id}'",
    );
    let shown = told.participants.iter().map(shown_participant);
    assert_eq!(
        shown.collect::<BTreeSet<_>>(),
        table(players),
        "{}",
        told.match_id
    );
    if told.has_two_teams() {
        let leads = rows(
            "SELECT a.minute, sum(CASE WHEN p.team_id = 100 THEN coalesce(a.gold, 0) ELSE -coalesce(a.gold, 0) END)
             FROM participant_minutes a JOIN match_participants p ON p.match_id = a.match_id AND p.participant_id = a.participant_id
             WHERE a.match_id = '{id}' GROUP BY a.minute",
        );
        let shown = told.gold_leads();
        let shown = shown
            .iter()
            .enumerate()
            .map(|(minute, lead)| format!("{minute} {lead}"));
        assert_eq!(
            shown.collect::<BTreeSet<_>>(),
            table(leads),
            "{}",
            told.match_id
        );
    }
    let events = rows(
        "SELECT type, count(*), sum(at_ms) FROM match_events WHERE match_id = '{id}' AND type IN ('CHAMPION_KILL', 'ELITE_MONSTER_KILL', 'BUILDING_KILL', 'DRAGON_SOUL_GIVEN') GROUP BY type",
    );
    let mut kinds: BTreeMap<&str, (u64, i64)> = BTreeMap::new();
    for event in &told.events {
        let sum = kinds.entry(&event.kind).or_default();
        *sum = (sum.0 + 1, sum.1 + event.at_ms);
    }
    let shown = kinds
        .iter()
        .map(|(kind, (count, at_ms))| format!("{kind} {count} {at_ms}"));
    assert_eq!(
        shown.collect::<BTreeSet<_>>(),
        table(events),
        "{}",
        told.match_id
    );
    let page = match_body(told, View::default());
    assert!(
        page.len() < 60_000,
        "{}: {} bytes",
        told.match_id,
        page.len()
    );
}

pub async fn year_of(store: &dyn Store, whom: &Whom, year: i16) -> (i64, Year) {
    let (player, _) = people::find(store, whom, "").await.unwrap().unwrap();
    let zone = TimeZone::get("Asia/Seoul").unwrap();
    let figures = YearFigures {
        player: &player,
        year,
        platform: None,
        zone: &zone,
    };
    (player.id, figures.read(store, None).await.unwrap())
}

pub fn made_timeline(n: u64, record: &MatchRecord) -> Effect {
    let minutes = 10 + usize::try_from(n % 20).unwrap();
    let record = TimelineRecord {
        id: record.id,
        data_version: "2".to_owned(),
        frame_interval_ms: 60_000,
        frame_count: 30,
        event_count: 30,
        details: made_details::timeline(n, 10, minutes),
    };
    let payload = payload(b"{}");
    Effect::Timeline { record, payload }
}

/// Ranks of two queues, and a name of a champion.
pub fn ranks_and_names() -> Vec<Effect> {
    let rank = |queue: &str, points: i32| Rank {
        queue: queue.to_owned(),
        tier: Some("GOLD".to_owned()),
        division: Some("II".to_owned()),
        league_points: Some(points),
        wins: Some(10),
        losses: Some(points),
        hot_streak: None,
    };
    let seen = (0..6).map(|at| {
        Effect::Standing(ToldStanding {
            puuid: puuid(3),
            // From December 29th of 2021 on: the last ones are of another year.
            at: Timestamp::from_millis(1_640_736_000_000 + i64::from(at) * 43_200_000),
            what: Told::Ranks {
                ranks: vec![
                    rank("RANKED_SOLO_5x5", 3 * at),
                    rank("RANKED_FLEX_SR", at % 2),
                ],
                whole: true,
            },
        })
    });
    let names = Effect::Names(StaticFile {
        file: "champion".to_owned(),
        url: "http://localhost/".to_owned(),
        etag: None,
        version: "15.1.1".to_owned(),
        checked_at: Timestamp::from_millis(0),
        names: Some(StaticNames {
            kind: NamedKind::Champion,
            patch: "15.1".to_owned(),
            language: "en_US".to_owned(),
            names: vec![StaticName {
                id: "3".to_owned(),
                name: "Called <b>Otherwise".to_owned(),
                image: None,
            }],
        }),
    });
    seen.chain([names]).collect()
}

fn check_ranks(asked: &Asked<'_>, year: &Year) {
    let rows = asked.rows(
        "SELECT queue, count(*), max(points) FROM v_ranks WHERE player_id = {player} AND year = {year} GROUP BY queue",
    );
    assert_eq!(rows.len(), 2);
    let queues = ["RANKED_SOLO_5x5", "RANKED_FLEX_SR"];
    let best = year
        .ranks
        .iter()
        .zip(queues)
        .map(|(line, queue)| (queue, line.best.points.unwrap().to_string()));
    let most = rows.iter().map(|row| (&*row[0], row[2].clone()));
    assert_eq!(best.collect::<BTreeSet<_>>(), most.collect::<BTreeSet<_>>());
    let last = asked.rows(
        "SELECT league_points FROM v_ranks WHERE player_id = {player} AND year = {year} AND queue = 'RANKED_SOLO_5x5'
         ORDER BY seen_at DESC LIMIT 1",
    );
    let shown = year.ranks[0].seen.last().unwrap();
    assert_eq!(shown.rank, format!("Gold II, {} LP", last[0][0]));
}

#[tokio::test]
async fn leads_kills_ranks_and_matches_are_what_sql_says_on_both_databases() {
    let games = games();
    let mut years = Vec::new();
    for place in [Place::sqlite(), Place::postgres()] {
        let store = place.open().await;
        write(
            &*store,
            games.iter().map(|game| vec![stores(game)]).collect(),
        )
        .await;
        let timelines = (0..).zip(&games).filter(|(n, _)| n % 9 != 0);
        write(
            &*store,
            timelines
                .map(|(n, game)| vec![made_timeline(n, game)])
                .collect(),
        )
        .await;
        for one in ranks_and_names() {
            write(&*store, vec![vec![one]]).await;
        }
        let (player, mut year) = year_of(&*store, &Whom::with_puuid(puuid(3)), 2021).await;
        let asked = Asked {
            place: &place,
            player,
            year: 2021,
        };
        assert!(
            year.leads.minutes.len() > 9 && year.kill_map.games > 9,
            "{:?}",
            year.leads
        );
        check_leads(&asked, &year);
        check_kills(&asked, &year);
        check_ranks(&asked, &year);
        let of_three = asked.rows("SELECT count(*) {joined} {where} AND p.champion_id = 3");
        let named = year
            .champions
            .iter()
            .find(|line| line.name == "Called <b>Otherwise")
            .unwrap();
        assert_eq!(named.tally.games.to_string(), of_three[0][0]);
        for page in [body(&year, View::default()), file(&year)] {
            assert!(
                page.contains("Called &#60;b&#62;Otherwise") && !page.contains("<b>"),
                "{page}"
            );
        }
        for game in games.iter().take(10) {
            check_match(&place, &store.one_match(game.id).await.unwrap().unwrap());
        }
        let none: MatchId = "KR_1".parse().unwrap();
        assert!(store.one_match(none).await.unwrap().is_none());
        store.close().await.unwrap();
        year.made_at.clear();
        year.player.former_names.clear();
        year.duos.clear();
        year.rivals.clear();
        years.push(year);
    }
    assert_eq!(years[0], years[1]);
}

#[tokio::test]
async fn leads_kills_and_matches_of_real_documents_are_what_sql_says_on_both_databases() {
    let (matches, timelines) = (samples("matches"), samples("timelines"));
    if matches.is_empty() {
        return;
    }
    for place in [Place::sqlite(), Place::postgres()] {
        let store = place.open().await;
        let records: Vec<Arc<MatchRecord>> = matches
            .iter()
            .map(|(id, text)| Arc::new(parse_match(*id, text).unwrap()))
            .collect();
        write(
            &*store,
            records.iter().map(|record| vec![stores(record)]).collect(),
        )
        .await;
        let read = timelines.iter().map(|(id, text)| {
            let record = understand_timeline(*id, text, TimelineDetail::All)
                .unwrap()
                .record;
            vec![Effect::Timeline {
                record,
                payload: payload(text),
            }]
        });
        write(&*store, read.collect()).await;
        for record in &records {
            check_match(&place, &store.one_match(record.id).await.unwrap().unwrap());
        }
        let most = place.rows(
            "SELECT max(pl.puuid), m.year FROM match_participants p JOIN matches m ON m.match_id = p.match_id JOIN players pl ON pl.id = p.player_id
             GROUP BY p.player_id, m.year ORDER BY count(*) DESC, 1 LIMIT 3",
        );
        for row in most {
            let [Some(puuid), Some(of)] = &row[..] else {
                panic!("{row:?}")
            };
            let whom = Whom::with_puuid(puuid.parse().unwrap());
            let of = of.parse().unwrap();
            let (player, year) = year_of(&*store, &whom, of).await;
            let asked = Asked {
                place: &place,
                player,
                year: of,
            };
            check_leads(&asked, &year);
            check_kills(&asked, &year);
        }
        store.close().await.unwrap();
    }
}
