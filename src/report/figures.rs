//! From games to figures, in one pass. Days and hours are those of the reader's zone.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::games::{Game, OBJECTIVES};
use super::leads::{LEAD_MINUTE, LeadSums};
use super::thin::thinned;
use super::year::{
    Best, Day, Fact, GameGroup, Objective, Point, Recent, Streak, Tally, Year, YearSpan,
};

/// Games that a rolling win rate is of.
const ROLLING_GAMES: usize = 20;
/// Points of its curve at most.
const POINTS_MAX: usize = 32;
/// From this length on in minutes, and how it is called.
const LENGTHS: [(i64, &str); 5] = [
    (0, "under 20 min"),
    (20, "20–25 min"),
    (25, "25–30 min"),
    (30, "30–35 min"),
    (35, "35 min and more"),
];
const MULTIKILLS: [&str; 4] = [
    "Double kills",
    "Triple kills",
    "Quadra kills",
    "Penta kills",
];

/// Records whose value is told with what it is.
pub(crate) const COMEBACK: &str = "Biggest comeback of the team";
pub(crate) const LANE_COMEBACK: &str = "Biggest comeback against the opponent";

/// What a record is of.
type Measure = (&'static str, fn(&Game) -> i64);
const RECORDS: [Measure; 9] = [
    ("Longest game", |game| game.seconds),
    ("Most kills", |game| game.kills.into()),
    ("Most deaths", |game| game.deaths.into()),
    ("Most assists", |game| game.assists.into()),
    ("Most minions", |game| game.cs.into()),
    ("Most gold", |game| game.gold.into()),
    ("Most damage to champions", |game| game.damage.into()),
    (COMEBACK, |game| {
        if game.win {
            game.kills_behind.unwrap_or(0).into()
        } else {
            0
        }
    }),
    (LANE_COMEBACK, |game| {
        let leads = game
            .lead
            .iter()
            .filter(|_| game.win)
            .flat_map(|lead| &lead.gold);
        leads.flatten().min().map_or(0, |worst| -i64::from(*worst))
    }),
];
/// Games of the list of the last ones.
const RECENT_MAX: usize = 5;

impl Year {
    /// The figures of games in the order in which they were played. Who it is of, with whom, and how whole it is, is
    /// left empty.
    pub fn of(year: i16, games: &[Game], zone: &TimeZone, now: Timestamp) -> Self {
        let mut reckoning = Reckoning::new(year);
        for game in games {
            reckoning.add(game, zone);
        }
        let mut figures = reckoning.end();
        zone.iana_name()
            .unwrap_or("UTC")
            .clone_into(&mut figures.timezone);
        figures.made_at = local(now, zone).strftime("%Y-%m-%d %H:%M").to_string();
        figures.span = span(year, zone);
        let last = games.iter().rev().filter(|game| game.counts());
        let last = last.take(RECENT_MAX).map(|game| recent(game, zone));
        figures.recent = last.collect();
        figures
    }
}

/// Days that a calendar year of UTC touches in a zone.
fn span(year: i16, zone: &TimeZone) -> YearSpan {
    let day = |date: Date, hour: i8, minute: i8| {
        let at = date.at(hour, minute, 0, 0).to_zoned(TimeZone::UTC);
        at.map_or(date, |at| at.with_time_zone(zone.clone()).date())
    };
    let first = Date::new(year, 1, 1).unwrap_or_default();
    let last = Date::new(year, 12, 31).unwrap_or_default();
    YearSpan {
        first: day(first, 0, 0).to_string(),
        last: day(last, 23, 59).to_string(),
    }
}

fn local(at: Timestamp, zone: &TimeZone) -> Zoned {
    at.to_zoned(zone.clone())
}

fn began(game: &Game, zone: &TimeZone) -> Zoned {
    let at = Timestamp::from_millisecond(game.started_ms).unwrap_or_default();
    local(at, zone)
}

type Named = BTreeMap<String, Tally>;

/// What the games so far come to.
struct Reckoning {
    year: Year,
    days: BTreeMap<Date, (u64, u64)>,
    months: [Tally; 12],
    weekdays: [Tally; 7],
    hours: [Tally; 24],
    lengths: [Tally; 5],
    champions: Named,
    /// Riot's number of each champion.
    numbers: BTreeMap<String, i32>,
    roles: Named,
    queues: Named,
    sides: Named,
    patches: Named,
    opponents: Named,
    /// The day and the end of each game.
    ends: Vec<(Date, bool)>,
    multikills: [u64; 4],
    leads: LeadSums,
}

impl Reckoning {
    fn new(year: i16) -> Self {
        let objectives = OBJECTIVES.map(|name| Objective {
            name: name.to_owned(),
            ..Objective::default()
        });
        let records = RECORDS.map(|(name, _)| Best {
            name: name.to_owned(),
            ..Best::default()
        });
        Self {
            year: Year {
                year,
                objectives: objectives.into(),
                records: records.into(),
                ..Year::default()
            },
            days: BTreeMap::new(),
            months: Default::default(),
            weekdays: Default::default(),
            hours: Default::default(),
            lengths: Default::default(),
            champions: Named::new(),
            numbers: BTreeMap::new(),
            roles: Named::new(),
            queues: Named::new(),
            sides: Named::new(),
            patches: Named::new(),
            opponents: Named::new(),
            ends: Vec::new(),
            multikills: [0; 4],
            leads: LeadSums::default(),
        }
    }

    fn add(&mut self, game: &Game, zone: &TimeZone) {
        if !self.year.platforms.contains(&game.platform) {
            self.year.platforms.push(game.platform.clone());
        }
        if game.is_remake {
            self.year.remakes += 1;
            return;
        }
        if !game.counts() {
            self.year.aborted += 1;
            return;
        }
        self.year.all.add(game);
        self.year.timelines += u64::from(game.has_timeline);
        self.leads.add(game);
        self.add_time(game, zone);
        self.add_kind(game);
        let firsts = game.is_on_the_rift().then_some(game.firsts);
        let firsts = firsts.into_iter().flatten();
        for (objective, first) in self.year.objectives.iter_mut().zip(firsts) {
            let (games, wins) = match first {
                Some(true) => (&mut objective.first, &mut objective.first_wins),
                Some(false) => (&mut objective.other, &mut objective.other_wins),
                None => continue,
            };
            *games += 1;
            *wins += u64::from(game.win);
        }
        for (sum, count) in self.multikills.iter_mut().zip(game.multikills) {
            *sum += natural(count.unwrap_or(0));
        }
    }

    fn add_time(&mut self, game: &Game, zone: &TimeZone) {
        let at = began(game, zone);
        let date = at.date();
        let day = self.days.entry(date).or_default();
        day.0 += 1;
        day.1 += u64::from(game.win);
        self.ends.push((date, game.win));
        self.months[index(date.month() - 1)].add(game);
        self.weekdays[index(date.weekday().to_monday_zero_offset())].add(game);
        self.hours[index(at.hour())].add(game);
        for (record, (_, measure)) in self.year.records.iter_mut().zip(RECORDS) {
            let value = u64::try_from(measure(game)).unwrap_or(0);
            if value > record.value {
                record.value = value;
                record.champion.clone_from(&game.champion);
                record.match_id.clone_from(&game.match_id);
                record.date = date.to_string();
            }
        }
    }

    fn add_kind(&mut self, game: &Game) {
        let longer = LENGTHS
            .iter()
            .rposition(|(from, _)| game.seconds >= from * 60);
        self.lengths[longer.unwrap_or(0)].add(game);
        add(&mut self.champions, &game.champion, game);
        if !self.numbers.contains_key(&game.champion) {
            let name = game.champion.clone();
            self.numbers.insert(name, game.champion_id);
        }
        let role = role_name(&game.position);
        if !role.is_empty() {
            add(&mut self.roles, role, game);
        }
        add(&mut self.queues, &queue_name(game.queue_id), game);
        match game.team_id {
            _ if !game.is_on_the_rift() => {}
            100 => add(&mut self.sides, "Blue", game),
            200 => add(&mut self.sides, "Red", game),
            _ => {}
        }
        if let Some(patch) = &game.patch {
            add(&mut self.patches, patch, game);
        }
        if let Some(opponent) = &game.opponent {
            add(&mut self.opponents, opponent, game);
        }
    }

    fn end(self) -> Year {
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let mut champions = by_games(self.champions);
        // Of as many games the one with the smaller number, as in the statistics.
        let place = |one: &GameGroup| (Reverse(one.tally.games), self.numbers.get(&one.name));
        champions.sort_by(|one, other| place(one).cmp(&place(other)));
        let mut patches = by_games(self.patches);
        patches.sort_by_key(|line| numbers(&line.name));
        let facts = MULTIKILLS.iter().zip(self.multikills);
        let days = self.days.iter().map(|(date, (games, wins))| Day {
            date: date.to_string(),
            games: *games,
            wins: *wins,
        });
        Year {
            days: days.collect(),
            months: lines(months, self.months),
            weekdays: lines(weekdays, self.weekdays),
            hours: lines(
                std::array::from_fn::<_, 24, _>(|hour| format!("{hour:02}")),
                self.hours,
            ),
            lengths: lines(LENGTHS.map(|(_, name)| name), self.lengths),
            rolling: rolling(&self.ends),
            rolling_games: ROLLING_GAMES as u64,
            champions,
            roles: by_games(self.roles),
            queues: by_games(self.queues),
            sides: by_games(self.sides),
            patches,
            opponents: by_games(self.opponents),
            multikills: facts
                .map(|(name, count)| Fact {
                    name: (*name).to_owned(),
                    count,
                })
                .collect(),
            leads: self.leads.end(),
            won: longest(&self.ends, true),
            lost: longest(&self.ends, false),
            ..self.year
        }
    }
}

impl Tally {
    fn add(&mut self, game: &Game) {
        self.games += 1;
        self.wins += u64::from(game.win);
        self.seconds += u64::try_from(game.seconds).unwrap_or(0);
        self.kills += natural(game.kills);
        self.deaths += natural(game.deaths);
        self.assists += natural(game.assists);
        self.cs += natural(game.cs);
        self.gold += natural(game.gold);
        self.damage += natural(game.damage);
        self.team_damage += u64::try_from(game.team_damage).unwrap_or(0);
        self.vision += natural(game.vision);
        let lead = game
            .lead
            .as_ref()
            .and_then(|lead| *lead.gold.get(LEAD_MINUTE)?);
        self.lead_games += u64::from(lead.is_some());
        self.lead_gold += i64::from(lead.unwrap_or(0));
    }
}

fn recent(game: &Game, zone: &TimeZone) -> Recent {
    Recent {
        match_id: game.match_id.clone(),
        date: began(game, zone).date().to_string(),
        champion: game.champion.clone(),
        queue: queue_name(game.queue_id),
        win: game.win,
        seconds: u64::try_from(game.seconds).unwrap_or(0),
        kills: game.kills,
        deaths: game.deaths,
        assists: game.assists,
    }
}

fn add(named: &mut Named, name: &str, game: &Game) {
    // A name is copied once, not for each game.
    if let Some(tally) = named.get_mut(name) {
        tally.add(game);
    } else {
        named.entry(name.to_owned()).or_default().add(game);
    }
}

/// Counts are never negative, whatever a document says.
fn natural(count: i32) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

fn index(number: i8) -> usize {
    usize::try_from(number).unwrap_or(0)
}

fn lines<const N: usize>(names: [impl Into<String>; N], tallies: [Tally; N]) -> Vec<GameGroup> {
    let lines = names.into_iter().zip(tallies);
    let line = |(name, tally): (_, Tally)| GameGroup {
        name: Into::into(name),
        tally,
    };
    lines.map(line).collect()
}

/// Most games first; of as many, by name.
fn by_games(named: Named) -> Vec<GameGroup> {
    let lines = named
        .into_iter()
        .map(|(name, tally)| GameGroup { name, tally });
    let mut lines: Vec<GameGroup> = lines.collect();
    lines.sort_by_key(|line| Reverse(line.tally.games));
    lines
}

/// 15.10 comes after 15.9.
fn numbers(patch: &str) -> Vec<u32> {
    let parts = patch.split('.');
    parts.map(|part| part.parse().unwrap_or(u32::MAX)).collect()
}

/// The win rate of the last games, at so many games as a curve has room for.
fn rolling(ends: &[(Date, bool)]) -> Vec<Point> {
    let points = (ends.len() + 1).saturating_sub(ROLLING_GAMES);
    let mut wins_before = vec![0_u64];
    for (_, win) in ends {
        wins_before.push(wins_before[wins_before.len() - 1] + u64::from(*win));
    }
    let wins_at = |at: usize| wins_before[at + ROLLING_GAMES] - wins_before[at];
    let wins: Vec<Option<i64>> = (0..points).map(|at| wins_at(at).try_into().ok()).collect();
    let point = |at: usize| {
        let last = at + ROLLING_GAMES;
        Point {
            date: ends[last - 1].0.to_string(),
            game: last as u64,
            wins: wins_at(at),
        }
    };
    thinned(&wins, POINTS_MAX).into_iter().map(point).collect()
}

/// The longest streak of games with one end; the first of several.
fn longest(ends: &[(Date, bool)], win: bool) -> Streak {
    let mut best = Streak::default();
    let mut row = 0;
    for (at, (date, won)) in ends.iter().enumerate() {
        row = if *won == win { row + 1 } else { 0 };
        if row as u64 > best.games {
            best = Streak {
                games: row as u64,
                from: ends[at + 1 - row].0.to_string(),
                to: date.to_string(),
            };
        }
    }
    best
}

pub(crate) fn role_name(position: &str) -> &str {
    match position {
        "TOP" => "Top",
        "JUNGLE" => "Jungle",
        "MIDDLE" => "Middle",
        "BOTTOM" => "Bottom",
        "UTILITY" => "Support",
        other => other,
    }
}

/// As the view `v_matches` calls them.
pub(crate) fn queue_name(id: i32) -> String {
    let name = match id {
        0 => "custom",
        400 => "normal draft",
        420 => "ranked solo/duo",
        430 => "normal blind",
        440 => "ranked flex",
        450 => "ARAM",
        480 => "swiftplay",
        490 => "quickplay",
        700 => "clash",
        720 => "ARAM clash",
        900 => "ARURF",
        1020 => "one for all",
        1300 => "nexus blitz",
        1400 => "ultimate spellbook",
        1700 | 1710 => "arena",
        1900 => "URF",
        other => return format!("queue {other}"),
    };
    name.to_owned()
}

/// All days of a span, with the column (a week, from Monday) and row of each.
pub(crate) fn calendar(span: &YearSpan) -> Vec<(Date, usize, usize)> {
    let (Ok(first), Ok(last)) = (span.first.parse::<Date>(), span.last.parse::<Date>()) else {
        return Vec::new();
    };
    let before = index(first.weekday().since(Weekday::Monday));
    let days = first.series(1.day()).take_while(|day| *day <= last);
    // A span from somewhere else is not believed for ever.
    let days = days.take(370).enumerate();
    days.map(|(at, day)| (day, (at + before) / 7, (at + before) % 7))
        .collect()
}

#[cfg(test)]
mod tests;
