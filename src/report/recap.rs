//! The year in sentences.

use super::text::{counted, day, grouped, percent, shown};
use super::year::{GameGroup, Streak, Year};

/// Games from which on a rate is worth a sentence.
const TOLD_FROM: u64 = 10;

pub(crate) fn name_of(year: &Year) -> String {
    let name = year.player.riot_id.as_deref().map(shown);
    name.unwrap_or_else(|| "A player".to_owned())
}

pub(crate) fn recap(year: &Year) -> Vec<String> {
    let all = &year.all;
    let name = name_of(year);
    let mut told = vec![format!(
        "In {} {name} played {} on {}: {} won, {} lost.",
        year.year,
        counted(all.games, "game", "games"),
        counted(year.days.len() as u64, "day", "days"),
        grouped(all.wins),
        grouped(all.losses()),
    )];
    if let Some(line) = year.champions.first() {
        told.push(format!(
            "The champion played most was {}, with {} and a win rate of {}; {} played in all.",
            shown(&line.name),
            counted(line.tally.games, "game", "games"),
            percent(line.tally.win_rate()),
            match year.champions.len() {
                1 => "1 champion was".to_owned(),
                many => format!("{many} champions were"),
            },
        ));
    }
    // Of several that are as good, the first one.
    let busiest = year.days.iter().rev().max_by_key(|day| day.games);
    if let Some(busiest) = busiest.filter(|day| day.games > 1) {
        told.push(format!(
            "The busiest day was {}: {}, {} won.",
            day(&busiest.date, year.year),
            counted(busiest.games, "game", "games"),
            busiest.wins
        ));
    }
    if year.won.games > 1 {
        told.push(format!(
            "{}.",
            streak(year, &year.won, "The longest winning streak was")
        ));
    }
    if year.lost.games > 1 {
        told.push(format!(
            "{}.",
            streak(year, &year.lost, "The longest losing streak was")
        ));
    }
    told.extend(habits(year));
    told
}

/// When games were won and played, and with whom.
fn habits(year: &Year) -> Vec<String> {
    let mut told = Vec::new();
    let worth = |line: &&GameGroup| line.tally.games >= TOLD_FROM;
    let by_rate = |one: &&GameGroup, other: &&GameGroup| {
        one.tally.win_rate().total_cmp(&other.tally.win_rate())
    };
    if let Some(best) = year.months.iter().rev().filter(worth).max_by(by_rate) {
        told.push(format!(
            "The best month was {}: {} of {} won.",
            best.name,
            percent(best.tally.win_rate()),
            counted(best.tally.games, "game", "games")
        ));
    }
    let often = year.hours.iter().rev().max_by_key(|hour| hour.tally.games);
    if let Some(often) = often.filter(|hour| hour.tally.games > 1) {
        told.push(format!(
            "Most games began between {}:00 and {}:59, {} of them.",
            often.name, often.name, often.tally.games
        ));
    }
    if let Some((duo, riot_id)) = year
        .duos
        .first()
        .and_then(|duo| Some((duo, duo.riot_id.as_ref()?)))
    {
        told.push(format!(
            "The partner of most games was {}: {}, {} won.",
            shown(riot_id),
            counted(duo.games, "game", "games"),
            grouped(duo.wins)
        ));
    }
    told
}

fn streak(year: &Year, streak: &Streak, begin: &str) -> String {
    let (from, to) = (day(&streak.from, year.year), day(&streak.to, year.year));
    let when = if from == to {
        format!("on {from}")
    } else {
        format!("from {from} to {to}")
    };
    format!("{begin} {}, {when}", streak.games)
}
