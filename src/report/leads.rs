//! How far the player was ahead of the opponent, minute by minute, in games that were won and in games that were lost.

use serde::{Deserialize, Serialize};

use super::games::Game;

/// Games of one end from which on a minute has a place in the curves.
pub const LEAD_GAMES_MIN: usize = 5;
/// Minutes that are told at most: hardly a game is longer.
const MINUTES_MAX: usize = 60;
/// The minute at which the lead of a champion is taken.
pub(crate) const LEAD_MINUTE: usize = 15;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Leads {
    /// Games with minutes of the player and of an opponent.
    pub games: u64,
    pub wins: u64,
    pub minutes: Vec<LeadMinute>,
}

/// Of the games that were won, and of those that were lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeadMinute {
    pub minute: u64,
    pub gold: [Option<Quartiles>; 2],
    pub xp: [Option<Quartiles>; 2],
}

/// A quarter of the games was at `low` or below, a half at `middle`, three quarters at `high`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quartiles {
    pub games: u64,
    pub low: i32,
    pub middle: i32,
    pub high: i32,
}

type Minutes = Vec<Vec<i32>>;

/// The leads so far: those of games that were won, and those of games that were lost.
#[derive(Debug, Default)]
pub(crate) struct LeadSums {
    games: u64,
    wins: u64,
    gold: [Minutes; 2],
    xp: [Minutes; 2],
}

impl LeadSums {
    pub(crate) fn add(&mut self, game: &Game) {
        let Some(lead) = &game.lead else { return };
        self.games += 1;
        self.wins += u64::from(game.win);
        let end = usize::from(!game.win);
        add(&mut self.gold[end], &lead.gold);
        add(&mut self.xp[end], &lead.xp);
    }

    pub(crate) fn end(self) -> Leads {
        let [gold, xp] = [self.gold, self.xp].map(|ends| ends.map(all_quartiles));
        let last = gold.iter().chain(&xp).map(Vec::len).max().unwrap_or(0);
        let at = |ends: &[Vec<Option<Quartiles>>; 2], minute: usize| {
            [0, 1].map(|end: usize| ends[end].get(minute).copied().flatten())
        };
        let minutes = (0..last).map(|minute| LeadMinute {
            minute: minute as u64,
            gold: at(&gold, minute),
            xp: at(&xp, minute),
        });
        let told = |one: &LeadMinute| one.gold.iter().chain(&one.xp).any(Option::is_some);
        Leads {
            games: self.games,
            wins: self.wins,
            minutes: minutes.filter(told).collect(),
        }
    }
}

fn add(minutes: &mut Minutes, lead: &[Option<i32>]) {
    let lead = &lead[..lead.len().min(MINUTES_MAX + 1)];
    if minutes.len() < lead.len() {
        minutes.resize(lead.len(), Vec::new());
    }
    for (minute, lead) in minutes.iter_mut().zip(lead) {
        minute.extend(lead);
    }
}

fn all_quartiles(minutes: Minutes) -> Vec<Option<Quartiles>> {
    minutes.into_iter().map(quartiles).collect()
}

/// None: too few games lasted so long.
fn quartiles(mut leads: Vec<i32>) -> Option<Quartiles> {
    let games = leads.len();
    if games < LEAD_GAMES_MIN {
        return None;
    }
    let place = |quarter: usize| (games * quarter).div_ceil(4) - 1;
    // Of so many games each has a place of its own, and what is below one of them holds the next: nothing is sorted
    // for three of a thousand.
    let (below, high, _) = leads.select_nth_unstable(place(3));
    let (below, middle, _) = below.select_nth_unstable(place(2));
    let (_, low, _) = below.select_nth_unstable(place(1));
    Some(Quartiles {
        games: games as u64,
        low: *low,
        middle: *middle,
        high: *high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::games::Lead;

    fn game(win: bool, gold: &[i32]) -> Game {
        let gold = gold.iter().copied().map(Some).collect();
        Game {
            win,
            lead: Some(Lead {
                gold,
                xp: vec![None; 3],
            }),
            ..Game::default()
        }
    }

    #[test]
    fn quartiles_are_leads_that_there_were_and_a_minute_of_few_games_is_left_out() {
        let mut sums = LeadSums::default();
        for n in 1..=8 {
            let long = if n > 3 { &[0, n, 10 * n][..] } else { &[0, n] };
            sums.add(&game(true, long));
        }
        (1..=4).for_each(|n| sums.add(&game(false, &[n])));
        sums.add(&Game::default());
        let leads = sums.end();
        assert_eq!((leads.games, leads.wins, leads.minutes.len()), (12, 8, 3));
        let told = |minute: usize| leads.minutes[minute].gold[0].unwrap();
        assert_eq!((told(1).low, told(1).middle, told(1).high), (2, 4, 6));
        // Five games: 40, 50, 60, 70, 80.
        assert_eq!(
            (told(2).games, told(2).low, told(2).middle, told(2).high),
            (5, 50, 60, 70)
        );
        for minute in &leads.minutes {
            assert_eq!((minute.gold[1], minute.xp), (None, [None, None]));
        }
    }
}
