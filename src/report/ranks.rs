//! Where the player stood over the year.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::games::SeenRank;
use super::thin::thinned;

/// Points of a line at most.
const POINTS_MAX: usize = 32;

/// A queue's ranks over a year.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RankLine {
    pub queue: String,
    /// The last one of a day, of so many days as a line has room for: the first, the last, the highest and the lowest
    /// are always there.
    pub seen: Vec<RankPoint>,
    /// The highest of all, the first of several.
    pub best: RankPoint,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RankPoint {
    /// As 2025-03-09, in the reader's zone.
    pub date: String,
    /// As `Gold II, 45 LP`.
    pub rank: String,
    /// All tiers as one ladder: 100 a division. None: in no league.
    pub points: Option<i32>,
    pub wins: Option<i32>,
    pub losses: Option<i32>,
}

/// The lines of ranks that are in the order in which they were seen.
pub fn rank_lines(seen: &[SeenRank], zone: &TimeZone) -> Vec<RankLine> {
    let mut lines: Vec<(String, Vec<(Date, &SeenRank)>)> = Vec::new();
    for rank in seen {
        let at = Timestamp::from_millisecond(rank.seen_ms).unwrap_or_default();
        let date = at.to_zoned(zone.clone()).date();
        match lines.iter_mut().find(|(queue, _)| *queue == rank.queue) {
            Some((_, line)) => line.push((date, rank)),
            None => lines.push((rank.queue.clone(), vec![(date, rank)])),
        }
    }
    // RANKED_SOLO before RANKED_FLEX.
    lines.sort_by(|(one, _), (other, _)| other.cmp(one));
    lines
        .into_iter()
        .map(|(queue, seen)| line(&queue, &seen))
        .collect()
}

fn line(queue: &str, seen: &[(Date, &SeenRank)]) -> RankLine {
    let next = seen
        .iter()
        .skip(1)
        .map(|(date, _)| Some(*date))
        .chain([None]);
    let ends = seen.iter().zip(next);
    let of_days: Vec<_> = ends
        .filter(|((date, _), next)| Some(*date) != *next)
        .collect();
    let points: Vec<Option<i64>> = (of_days.iter())
        .map(|((_, rank), _)| rank.points.map(i64::from))
        .collect();
    let chosen = thinned(&points, POINTS_MAX).into_iter();
    let chosen = chosen.map(|at| of_days[at]);
    // Of several as high, the first one.
    let best = seen.iter().rev().max_by_key(|(_, rank)| rank.points);
    RankLine {
        queue: queue_name(queue).to_owned(),
        seen: chosen.map(|(one, _)| point(one)).collect(),
        best: best.map(point).unwrap_or_default(),
    }
}

fn point((date, rank): &(Date, &SeenRank)) -> RankPoint {
    RankPoint {
        date: date.to_string(),
        rank: name(rank),
        points: rank.points,
        wins: rank.wins,
        losses: rank.losses,
    }
}

fn name(rank: &SeenRank) -> String {
    let Some(tier) = &rank.tier else {
        return "unranked".to_owned();
    };
    let mut text = tier.to_lowercase();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let division = rank.division.as_deref();
    let is_top = matches!(&**tier, "MASTER" | "GRANDMASTER" | "CHALLENGER");
    if let Some(division) = division.filter(|_| !is_top) {
        text = format!("{text} {division}");
    }
    match rank.league_points {
        Some(points) => format!("{text}, {points} LP"),
        None => text,
    }
}

fn queue_name(queue: &str) -> &str {
    match queue {
        "RANKED_SOLO_5x5" => "Ranked solo/duo",
        "RANKED_FLEX_SR" => "Ranked flex",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(day: i64, tier: &str, points: i32) -> SeenRank {
        SeenRank {
            queue: "RANKED_SOLO_5x5".to_owned(),
            seen_ms: day * 86_400_000,
            tier: (!tier.is_empty()).then(|| tier.to_owned()),
            division: Some("II".to_owned()),
            league_points: Some(points % 100),
            points: (!tier.is_empty()).then_some(points),
            ..SeenRank::default()
        }
    }

    #[test]
    fn a_line_has_the_last_rank_of_a_day_the_last_of_all_and_tells_the_highest() {
        let mut ranks: Vec<SeenRank> = (0..300)
            .map(|day| seen(day, "GOLD", 1_200 + i32::try_from(day % 50).unwrap()))
            .collect();
        ranks.push(seen(300, "CHALLENGER", 3_345));
        ranks.push(seen(300, "", 0));
        ranks.push(SeenRank {
            queue: "RANKED_FLEX_SR".to_owned(),
            ..seen(2, "IRON", 210)
        });
        let lines = rank_lines(&ranks, &TimeZone::UTC);
        let names: Vec<&str> = lines.iter().map(|line| &*line.queue).collect();
        assert_eq!(names, ["Ranked solo/duo", "Ranked flex"]);
        let solo = &lines[0];
        assert!(solo.seen.len() <= POINTS_MAX && solo.seen.len() > POINTS_MAX / 2);
        let last = solo.seen.last().unwrap();
        assert_eq!((&*last.rank, last.points), ("unranked", None));
        assert_eq!(
            (&*solo.best.rank, &*solo.best.date),
            ("Challenger, 45 LP", "1970-10-28")
        );
        let low = solo.seen.iter().filter_map(|one| one.points).min();
        assert_eq!(
            (low, solo.seen[0].date.as_str()),
            (Some(1_200), "1970-01-01")
        );
        assert!(solo.seen.iter().any(|one| one.points == Some(1_249)));
        assert_eq!(lines[1].best.rank, "Iron II, 10 LP");
    }
}
