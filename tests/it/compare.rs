//! Each figure of two years side by side is what SQL says of the same database.

mod of;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use riftsync::model::Whom;
use riftsync::model::records::MatchRecord;
use riftsync::model::timeline_details::TimelineDetail;
use riftsync::report::{ComparedPaths, compared_body, compared_file};
use riftsync::riot::{parse_match, understand_timeline};
use riftsync::store::{Effect, Store};

use crate::data::{puuid, stores, write};
use crate::leads::{made_timeline, ranks_and_names, year_of};
use crate::place::Place;
use crate::samples::{payload, samples};
use crate::views::games;
use crate::year::{LENGTHS, QUEUES, ROLES, SIDES};

pub use self::of::Of;
use self::of::{Groups, Sums};

const NOTHING: &str = "–";
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Rows of a table of groups at most.
const ROWS_MAX: usize = 20;
/// Games that a rate of the curve is of.
const ROLLING: usize = 20;

type Row = Vec<String>;

/// The tables of a page: the caption, and the cells of each row as text.
pub fn tables(page: &str) -> Vec<(String, Vec<Row>)> {
    let tables = page.split("<caption>").skip(1).map(|table| {
        let (caption, rest) = table.split_once("</caption>").unwrap();
        let (_, rows) = rest.split_once("<tbody>").unwrap();
        let (rows, _) = rows.split_once("</tbody>").unwrap();
        let rows = rows.split("<tr>").skip(1);
        let rows = rows.map(|row| row.split("<t").skip(1).map(cell).collect());
        (caption.to_owned(), rows.collect())
    });
    tables.collect()
}

/// What follows `<t` of a cell; where a part of it is a name, only that.
fn cell(html: &str) -> String {
    let (_, text) = html.split_once('>').unwrap();
    let name = text.split_once("<bdi>");
    let text = name.map_or(text, |(_, name)| name.split_once("</bdi>").unwrap().0);
    let marks = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    let text = marks.iter().fold(text.to_owned(), |text, (mark, sign)| {
        text.replace(mark, sign)
    });
    text.trim().to_owned()
}

/// Rows of two in which one may have what the other lacks.
fn joined<K: Ord + ToString>(both: [BTreeMap<K, String>; 2]) -> Vec<Row> {
    let mut rows: BTreeMap<String, [String; 2]> = BTreeMap::new();
    for (at, one) in both.into_iter().enumerate() {
        for (name, value) in one {
            let row = rows.entry(name.to_string());
            row.or_insert_with(|| [NOTHING, NOTHING].map(str::to_owned))[at] = value;
        }
    }
    let row = |(name, [one, other]): (String, [String; 2])| vec![name, one, other];
    rows.into_iter().map(row).collect()
}

fn sorted(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort();
    rows
}

/// A table of groups: no row is wrong, and those with the most games are there.
fn check_groups(caption: &str, rows: &[Row], both: &[Groups; 2]) {
    let [one, other] = both;
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let sums = |name: &String| [one, other].map(|of| of.get(name).copied().unwrap_or_default());
    assert_eq!(rows.len(), names.len().min(ROWS_MAX), "{caption}");
    for row in rows {
        let cells = sums(&row[0]).map(|sums| sums.cells()).concat();
        assert_eq!(row[1..], cells, "{caption}: {}", row[0]);
    }
    let games = |name: &String| sums(name).iter().map(|sums| sums.0[0]).sum::<i64>();
    let least = rows.iter().map(|row| games(&row[0])).min();
    let left_out = names
        .iter()
        .filter(|name| rows.iter().all(|row| row[0] != ***name));
    let most = left_out.map(|name| games(name)).max();
    assert!(
        most <= least,
        "{caption}: {most:?} games are left out, {least:?} are not"
    );
}

/// The rows of all tables with a caption.
fn all<'t>(tables: &'t [(String, Vec<Row>)], caption: &str) -> Vec<&'t [Row]> {
    let found = tables.iter().filter(|(known, _)| known == caption);
    found.map(|(_, rows)| &**rows).collect()
}

/// The rows of the one table with a caption; none: there is no such table.
fn table<'t>(tables: &'t [(String, Vec<Row>)], caption: &str) -> &'t [Row] {
    match all(tables, caption)[..] {
        [rows] => rows,
        [] => &[],
        _ => panic!("{caption} is there twice"),
    }
}

/// Every figure of a page of two years.
pub fn check(page: &str, both: [&Of<'_>; 2]) {
    let tables = tables(page);
    let [facts, others] = both.map(Of::facts);
    let facts = facts.into_iter().zip(others);
    let mut expected: Vec<Row> = facts
        .map(|((name, one), (_, other))| vec![name.to_owned(), one, other])
        .collect();
    let shown = table(&tables, "All games of both");
    assert_eq!(shown[..expected.len()], expected);
    expected = joined(both.map(Of::ranks));
    assert_eq!(sorted(&shown[shown.len() - expected.len()..]), expected);
    assert_eq!(shown.len(), 16 + expected.len());
    let records = table(&tables, "Records of single games of both");
    assert_eq!(sorted(records), joined(both.map(Of::records)));
    for (title, of) in [
        ("Champions", "p.champion_name"),
        ("Roles", ROLES),
        ("Queues", QUEUES),
        ("Sides", SIDES),
        ("Game length", LENGTHS),
    ] {
        let caption = format!("{title}: games, win rate and KDA of both");
        let groups = both.map(|one| one.groups(of));
        check_groups(title, table(&tables, &caption), &groups);
    }
    check_days(&tables, both);
    let count = |one: &Of<'_>| one.one("SELECT count(*) {played}").parse::<usize>();
    let long = both
        .into_iter()
        .filter(|one| count(one).unwrap() >= ROLLING);
    let curves = all(&tables, "Win rate of the last games");
    assert_eq!(curves.len(), long.clone().count());
    long.zip(curves)
        .for_each(|(one, rows)| one.check_curve(rows));
}

/// What depends on the day on which a game began.
fn check_days(tables: &[(String, Vec<Row>)], both: [&Of<'_>; 2]) {
    let weekday =
        |date: Date| WEEKDAYS[usize::try_from(date.weekday().to_monday_zero_offset()).unwrap()];
    let weekdays = both.map(|one| {
        let sums = one.by_day(weekday).into_iter();
        sums.map(|(name, sums)| (name.to_owned(), sums)).collect()
    });
    let caption = "Weekdays: games, win rate and KDA of both";
    check_groups("Weekdays", table(tables, caption), &weekdays);
    let month = |date: Date| MONTHS[usize::try_from(date.month()).unwrap() - 1];
    let months = both.map(|one| one.by_day(month));
    let row = |name: &&str| {
        let won = |of: &BTreeMap<&str, Sums>| {
            let sums = of.get(name).map(|sums| sums.0);
            sums.map_or_else(
                || NOTHING.to_owned(),
                |[games, wins, ..]| format!("{wins} / {games}"),
            )
        };
        let [one, other] = months.each_ref().map(won);
        vec![(*name).to_owned(), one, other]
    };
    let expected: Vec<Row> = MONTHS.iter().map(row).collect();
    let shown = table(tables, "Games of each month: won and played");
    assert_eq!(shown, expected);
}

/// The years of two, as they are shown side by side.
async fn check_two(place: &Place, store: &dyn Store, of: [(Whom, i16); 2]) {
    let [(one, year), (other, other_year)] = &of;
    let one = year_of(store, one, *year).await;
    let other = year_of(store, other, *other_year).await;
    let ask = |query: &str| place.rows(query);
    let of = |player, year| Of {
        ask: &ask,
        player,
        year,
        zone: "Asia/Seoul",
    };
    let both = [&of(one.0, *year), &of(other.0, *other_year)];
    let years = [&one.1, &other.1];
    check(&compared_body(years, ComparedPaths::default()), both);
    check(&compared_file(years), both);
}

#[tokio::test]
async fn each_figure_of_two_years_side_by_side_is_what_sql_says_on_both_databases() {
    let games = games();
    for place in [Place::sqlite(), Place::postgres()] {
        let store = place.open().await;
        let of_games = games.iter().map(|game| vec![stores(game)]);
        write(&*store, of_games.collect()).await;
        let timelines = (0..).zip(&games).filter(|(n, _)| n % 9 != 0);
        let timelines = timelines.map(|(n, game)| vec![made_timeline(n, game)]);
        write(&*store, timelines.collect()).await;
        for one in ranks_and_names() {
            // Names by which champions are called are another test's.
            if !matches!(one, Effect::Names(_)) {
                write(&*store, vec![vec![one]]).await;
            }
        }
        let of = |player: usize, year: i16| (Whom::with_puuid(puuid(player)), year);
        check_two(&place, &*store, [of(3, 2021), of(4, 2021)]).await;
        check_two(&place, &*store, [of(5, 2021), of(3, 2021)]).await;
        // Of that year there is no game.
        check_two(&place, &*store, [of(3, 2021), of(3, 2020)]).await;
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn each_figure_of_two_years_of_real_documents_is_what_sql_says_on_both_databases() {
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
        let stored = records.iter().map(|record| vec![stores(record)]);
        write(&*store, stored.collect()).await;
        let read = timelines.iter().map(|(id, text)| {
            let understood = understand_timeline(*id, text, TimelineDetail::All).unwrap();
            vec![Effect::Timeline {
                record: understood.record,
                payload: payload(text),
            }]
        });
        write(&*store, read.collect()).await;
        let most = place.rows(
            "SELECT max(pl.puuid), m.year FROM match_participants p JOIN matches m ON m.match_id = p.match_id
             JOIN players pl ON pl.id = p.player_id WHERE NOT m.is_remake AND m.game_duration_s > 0
             GROUP BY p.player_id, m.year ORDER BY count(*) DESC, 1 LIMIT 4",
        );
        let of = |row: &Vec<Option<String>>| {
            let [Some(puuid), Some(year)] = &row[..] else {
                panic!("{row:?}")
            };
            let whom = Whom::with_puuid(puuid.parse().unwrap());
            (whom, year.parse::<i16>().unwrap())
        };
        for two in most.windows(2) {
            check_two(&place, &*store, [of(&two[0]), of(&two[1])]).await;
        }
        store.close().await.unwrap();
    }
}
