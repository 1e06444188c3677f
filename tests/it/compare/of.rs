//! One of two years by SQL, written as the page writes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::{MONTHS, NOTHING, ROLLING, Row};
use crate::year::question;

/// One of the two, and the database that knows.
pub struct Of<'a> {
    pub ask: &'a dyn Fn(&str) -> Vec<Vec<Option<String>>>,
    pub player: i64,
    pub year: i16,
    pub zone: &'a str,
}

fn grouped(number: &str) -> String {
    let digits = number.len();
    let mut text = String::new();
    for (at, digit) in number.chars().enumerate() {
        if at > 0 && (digits - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `GOLD` is `Gold`.
fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_owned() + &rest.to_lowercase()
}

/// What some games add up to: games, wins, kills, deaths and assists.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums(pub(super) [i64; 5]);

impl Sums {
    fn of(row: &[String]) -> Self {
        Self(std::array::from_fn(|at| row[at].parse().unwrap_or(0)))
    }

    fn rate(&self) -> String {
        format!("{:.1} %", 100.0 * self.0[1] as f64 / self.0[0] as f64)
    }

    fn kda(&self) -> String {
        let [.., kills, deaths, assists] = self.0;
        format!("{:.2}", (kills + assists) as f64 / deaths.max(1) as f64)
    }

    pub(super) fn cells(&self) -> [String; 3] {
        if self.0[0] == 0 {
            return [NOTHING; 3].map(str::to_owned);
        }
        [grouped(&self.0[0].to_string()), self.rate(), self.kda()]
    }
}

pub(super) type Groups = BTreeMap<String, Sums>;

/// The same five sums by SQL.
const FIVE: &str =
    "count(*), sum(CASE WHEN p.win THEN 1 ELSE 0 END), sum(p.kills), sum(p.deaths), sum(p.assists)";

impl Of<'_> {
    pub(super) fn rows(&self, text: &str) -> Vec<Row> {
        let rows = (self.ask)(&question(text, self.player, self.year));
        let row = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default);
        rows.into_iter().map(|cells| row(cells).collect()).collect()
    }

    pub(super) fn one(&self, text: &str) -> String {
        self.rows(text)[0][0].clone()
    }

    fn date(&self, start_ms: &str) -> Date {
        let at = jiff::Timestamp::from_millisecond(start_ms.parse().unwrap()).unwrap();
        at.in_tz(self.zone).unwrap().date()
    }

    /// A day as the page writes it.
    fn day(&self, start_ms: &str) -> String {
        let date = self.date(start_ms);
        if date.year() == self.year {
            let month = MONTHS[usize::try_from(date.month()).unwrap() - 1];
            format!("{} {month}", date.day())
        } else {
            date.to_string()
        }
    }

    /// The figures of all games, in their order.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let sums = self.rows("SELECT {sums} {played}").remove(0);
        let sum = |at: usize| sums[at].parse::<f64>().unwrap_or(0.0);
        let [
            games,
            wins,
            seconds,
            kills,
            deaths,
            assists,
            cs,
            gold,
            damage,
            team_damage,
            vision,
        ] = std::array::from_fn(sum);
        let known = |text: String| {
            if games > 0.0 {
                text
            } else {
                NOTHING.to_owned()
            }
        };
        let average = |sum: f64| format!("{:.1}", sum / games);
        let whole_seconds: u64 = sums[2].parse().unwrap_or(0);
        let hours = whole_seconds / 3_600;
        vec![
            ("Games", grouped(&sums[0])),
            ("Won – lost", format!("{wins} – {}", games - wins)),
            ("Win rate", known(format!("{:.1} %", 100.0 * wins / games))),
            (
                "Played",
                format!(
                    "{} h {:02} min",
                    grouped(&hours.to_string()),
                    whole_seconds % 3_600 / 60
                ),
            ),
            ("Days with a game", self.days()),
            (
                "KDA",
                known(format!("{:.2}", (kills + assists) / deaths.max(1.0))),
            ),
            (
                "Kills / deaths / assists",
                known([kills, deaths, assists].map(average).join(" / ")),
            ),
            ("CS / min", known(format!("{:.1}", 60.0 * cs / seconds))),
            ("Gold a game", known(format!("{:.0}", gold / games))),
            (
                "Damage share",
                known(format!("{:.1} %", 100.0 * damage / team_damage)),
            ),
            ("Vision a game", known(average(vision))),
            ("Gold lead at 15", known(self.lead())),
            (
                "Champions played",
                self.one("SELECT count(DISTINCT p.champion_name) {played}"),
            ),
            ("Longest winning streak", self.streak("win")),
            ("Longest losing streak", self.streak("NOT win")),
            ("Remakes", self.remakes()),
        ]
    }

    fn days(&self) -> String {
        let starts = self.rows("SELECT DISTINCT m.game_start {played}");
        let days = starts.iter().map(|row| self.date(&row[0]));
        days.collect::<BTreeSet<_>>().len().to_string()
    }

    fn remakes(&self) -> String {
        self.one(
            "SELECT count(*) FROM match_participants p JOIN matches m ON m.match_id = p.match_id
             WHERE p.player_id = {player} AND m.year = {year} AND m.is_remake",
        )
    }

    fn lead(&self) -> String {
        let row =
            self.rows("SELECT count(v.gold_lead_15), coalesce(sum(v.gold_lead_15), 0) {played}");
        let [games, gold] = [0, 1].map(|at: usize| row[0][at].parse::<f64>().unwrap());
        if games == 0.0 {
            return NOTHING.to_owned();
        }
        // A half goes up.
        let lead: i64 = format!("{:.0}", (gold / games + 0.5).floor())
            .parse()
            .unwrap();
        let sign = match lead {
            0 => "",
            1.. => "+",
            _ => "−",
        };
        format!("{sign}{}", grouped(&lead.unsigned_abs().to_string()))
    }

    fn streak(&self, ended: &str) -> String {
        self.one(&format!(
            "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM (
                SELECT p.win AS win, row_number() OVER (ORDER BY m.game_start, m.match_id)
                       - row_number() OVER (PARTITION BY p.win ORDER BY m.game_start, m.match_id) AS streak {{played}}) games
             WHERE {ended} GROUP BY streak) streaks"
        ))
    }

    /// The highest rank of each queue.
    pub(super) fn ranks(&self) -> BTreeMap<String, String> {
        let rows = self.rows(
            "SELECT queue, tier, division, league_points FROM v_ranks WHERE player_id = {player} AND year = {year}
             ORDER BY coalesce(points, -1), seen_at DESC",
        );
        let rank = |row: Row| {
            let queue = match &*row[0] {
                "RANKED_SOLO_5x5" => "Ranked solo/duo, highest",
                "RANKED_FLEX_SR" => "Ranked flex, highest",
                other => panic!("{other}"),
            };
            let rank = match &*row[1] {
                "" => "unranked".to_owned(),
                "MASTER" | "GRANDMASTER" | "CHALLENGER" => {
                    format!("{}, {} LP", capital(&row[1]), row[3])
                }
                tier => format!("{} {}, {} LP", capital(tier), row[2], row[3]),
            };
            (queue.to_owned(), rank)
        };
        // Of each queue the last one stays.
        rows.into_iter().map(rank).collect()
    }

    /// The best game in each measure in which there is any.
    pub(super) fn records(&self) -> BTreeMap<&'static str, String> {
        let measures = [
            ("Longest game", "m.game_duration_s"),
            ("Most kills", "p.kills"),
            ("Most deaths", "p.deaths"),
            ("Most assists", "p.assists"),
            (
                "Most minions",
                "p.total_minions_killed + p.neutral_minions_killed",
            ),
            ("Most gold", "p.gold_earned"),
            ("Most damage to champions", "p.damage_to_champions"),
            ("Biggest comeback of the team", "c.max_kill_deficit"),
        ];
        let combat = "LEFT JOIN participant_combat c ON c.match_id = p.match_id AND c.participant_id = p.participant_id";
        let mut best = BTreeMap::new();
        for (name, measure) in measures {
            let won = if measure.starts_with("c.") {
                "AND p.win"
            } else {
                ""
            };
            let rows = self.rows(&format!(
                "SELECT {measure}, p.champion_name, m.game_start {{joined}} {combat} {{where}} {won} AND {measure} > 0
                 ORDER BY {measure} DESC, m.game_start, m.match_id LIMIT 1"
            ));
            best.extend(rows.first().map(|row| (name, self.record(name, row))));
        }
        let lane = "Biggest comeback against the opponent";
        let rows = self.rows(
            "SELECT max(b.gold - a.gold), p.champion_name, m.game_start {joined}
             JOIN participant_minutes a ON a.match_id = p.match_id AND a.participant_id = p.participant_id
             JOIN participant_minutes b ON b.match_id = p.match_id AND b.participant_id = v.opponent_id AND b.minute = a.minute
             {where} AND NOT a.is_last AND p.win GROUP BY m.match_id, m.game_start, p.champion_name
             HAVING max(b.gold - a.gold) > 0 ORDER BY 1 DESC, m.game_start, m.match_id LIMIT 1",
        );
        best.extend(rows.first().map(|row| (lane, self.record(lane, row))));
        best
    }

    fn record(&self, name: &str, row: &[String]) -> String {
        let value = match name {
            "Longest game" => {
                let seconds: u64 = row[0].parse().unwrap();
                format!("{}:{:02}", seconds / 60, seconds % 60)
            }
            "Biggest comeback of the team" if row[0] == "1" => "1 kill behind".to_owned(),
            "Biggest comeback of the team" => format!("{} kills behind", grouped(&row[0])),
            "Biggest comeback against the opponent" => format!("{} gold behind", grouped(&row[0])),
            _ => grouped(&row[0]),
        };
        format!("{value} ({}, {})", row[1], self.day(&row[2]))
    }

    pub(super) fn groups(&self, of: &str) -> Groups {
        let rows = self.rows(&format!(
            "SELECT name, sum(n), sum(won), sum(k), sum(d), sum(a) FROM (
                SELECT {of} AS name, 1 AS n, CASE WHEN p.win THEN 1 ELSE 0 END AS won, p.kills AS k, p.deaths AS d, p.assists AS a
                {{played}}) games GROUP BY name"
        ));
        let named = rows.iter().filter(|row| !row[0].is_empty());
        named
            .map(|row| (row[0].clone(), Sums::of(&row[1..])))
            .collect()
    }

    /// The sums by a part of the day on which a game began.
    pub(super) fn by_day<'n>(&self, name: impl Fn(Date) -> &'n str) -> BTreeMap<&'n str, Sums> {
        let rows = self.rows(&format!(
            "SELECT m.game_start, {FIVE} {{played}} GROUP BY m.match_id, m.game_start"
        ));
        let mut sums: BTreeMap<&str, Sums> = BTreeMap::new();
        for row in rows {
            let sum = sums.entry(name(self.date(&row[0]))).or_default();
            let more = Sums::of(&row[1..]);
            *sum = Sums(std::array::from_fn(|at| sum.0[at] + more.0[at]));
        }
        sums
    }

    /// Each point of the curve is right, the first possible and the last one are there.
    pub(super) fn check_curve(&self, rows: &[Row]) {
        let ends =
            self.rows("SELECT m.game_start, p.win {played} ORDER BY m.game_start, m.match_id");
        for row in rows {
            let last: usize = row[1].parse().unwrap();
            let wins = ends[last - ROLLING..last]
                .iter()
                .filter(|end| end[1] == "1");
            let rate = format!("{:.1} %", 100.0 * wins.count() as f64 / ROLLING as f64);
            let date = self.date(&ends[last - 1][0]).to_string();
            assert_eq!((&row[0], &row[2]), (&date, &rate), "game {last}");
        }
        let (first, last) = (ROLLING.to_string(), ends.len().to_string());
        assert_eq!((&rows[0][1], &rows[rows.len() - 1][1]), (&first, &last));
    }
}
