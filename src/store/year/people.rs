//! Who was in the games of a year: what that tells of each game, and whom the player met most often.

use std::cmp::Reverse;
use std::collections::HashMap;

use compact_str::CompactString;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::report::{Companion, Game};

/// Where somebody stands in a game of the player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It is the player.
    Own,
    With,
    /// Of the same team, and of another part of it, as in Arena.
    Beside,
    Against,
    /// Against the player, and at the same position.
    Opposite,
}

impl Side {
    /// As the statement numbers them.
    fn numbered(number: i32) -> Self {
        match number {
            0 => Self::Own,
            1 => Self::With,
            2 => Self::Beside,
            4 => Self::Opposite,
            _ => Self::Against,
        }
    }
}

/// Somebody in a game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub match_id: CompactString,
    pub participant_id: i32,
    pub side: Side,
    /// None: whoever it was cannot be told, as of a bot.
    pub player_id: Option<i64>,
    pub damage: i32,
    pub champion_id: i32,
    /// Of those opposite to the player.
    pub champion: Option<String>,
}

pub(in crate::store) type PersonRow = (
    Text,
    Integer,
    Integer,
    Nullable<BigInt>,
    Integer,
    Integer,
    Nullable<Text>,
);
pub(in crate::store) type PersonTuple = (
    CompactString,
    i32,
    i32,
    Option<i64>,
    i32,
    i32,
    Option<String>,
);

pub(in crate::store) fn person_from(row: PersonTuple) -> Person {
    let (match_id, participant_id, side, player_id, damage, champion_id, champion) = row;
    Person {
        match_id,
        participant_id,
        side: Side::numbered(side),
        player_id,
        damage,
        champion_id,
        champion,
    }
}

/// A game that counts, and the numbers of the player and of the opponent in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub match_id: String,
    pub own: i32,
    pub opponent: i32,
}

/// How often somebody was met in games that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    pub player_id: i64,
    pub same_team: bool,
    pub games: u64,
    pub wins: u64,
}

/// What people tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub pairs: Vec<Pair>,
    /// In any order.
    pub met: Vec<Met>,
}

/// Puts into the games what those who were in them tell. Of several opponents it is the one with the lowest number.
/// Games and people are two questions: a game that was stored or deleted between them is left out, as if it were not
/// there.
pub fn tell(games: &mut Vec<Game>, people: Vec<Person>) -> Told {
    /// The numbers of the player and of the opponent.
    type Numbers = (Option<i32>, Option<i32>);
    let places: HashMap<CompactString, usize> = (games.iter().enumerate())
        .map(|(place, game)| (game.match_id.as_str().into(), place))
        .collect();
    let mut numbers: Vec<Numbers> = vec![(None, None); games.len()];
    let mut sums: HashMap<(i64, bool), (u64, u64)> = HashMap::new();
    // Those of one game come together, mostly.
    let mut last: Option<usize> = None;
    for person in people {
        let place = match last {
            Some(place) if games[place].match_id == person.match_id => place,
            _ => match places.get(&person.match_id) {
                Some(place) => *place,
                None => continue,
            },
        };
        last = Some(place);
        let game = &mut games[place];
        if !matches!(person.side, Side::Against | Side::Opposite) {
            game.team_damage += i64::from(person.damage);
        }
        let (own, opponent) = &mut numbers[place];
        match person.side {
            Side::Own => {
                *own = Some(person.participant_id);
                continue;
            }
            Side::Opposite if opponent.is_none_or(|known| person.participant_id < known) => {
                *opponent = Some(person.participant_id);
                game.opponent_champion_id = Some(person.champion_id);
                game.opponent = person.champion;
            }
            _ => {}
        }
        if let (true, Some(player)) = (game.counts(), person.player_id) {
            let (games, wins) = sums.entry((player, person.side == Side::With)).or_default();
            *games += 1;
            *wins += u64::from(game.win);
        }
    }
    let mut seen = numbers.iter().map(|(own, _)| own.is_some());
    games.retain(|_| seen.next() == Some(true));
    numbers.retain(|(own, _)| own.is_some());
    let of_game = |(game, (own, opponent)): (&Game, Numbers)| {
        game.counts().then_some(Pair {
            match_id: game.match_id.clone(),
            own: own?,
            opponent: opponent?,
        })
    };
    let met = |((player_id, same_team), (games, wins))| Met {
        player_id,
        same_team,
        games,
        wins,
    };
    Told {
        pairs: games.iter().zip(numbers).filter_map(of_game).collect(),
        met: sums.into_iter().map(met).collect(),
    }
}

/// Those of at least two games who were met most often, so many of the same team and as many of others.
pub fn most_met(mut met: Vec<Met>, limit: usize) -> [Vec<Met>; 2] {
    met.retain(|one| one.games > 1);
    met.sort_unstable_by_key(|one| (Reverse(one.games), Reverse(one.wins), one.player_id));
    let of = |same_team| {
        let of_side = met.iter().filter(move |one| one.same_team == same_team);
        of_side.take(limit).copied().collect()
    };
    [of(true), of(false)]
}

/// As a report lists them; `riot_ids` has their names, of those who have one.
pub fn companions(met: &[Met], riot_ids: &[(i64, String)]) -> Vec<Companion> {
    let name_of = |player| riot_ids.iter().find(|(id, _)| *id == player);
    let companion = |one: &Met| Companion {
        riot_id: name_of(one.player_id).map(|(_, name)| name.clone()),
        games: one.games,
        wins: one.wins,
    };
    met.iter().map(companion).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(player_id: i64, same_team: bool, games: u64, wins: u64) -> Met {
        Met {
            player_id,
            same_team,
            games,
            wins,
        }
    }

    fn game(match_id: &str, seconds: i64, win: bool) -> Game {
        Game {
            match_id: match_id.into(),
            seconds,
            win,
            ..Game::default()
        }
    }

    fn person(match_id: &str, participant_id: i32, side: Side, player: Option<i64>) -> Person {
        Person {
            match_id: match_id.into(),
            participant_id,
            side,
            player_id: player,
            damage: participant_id * 10,
            champion_id: 100 + participant_id,
            champion: Some(format!("Champion {participant_id}")),
        }
    }

    #[test]
    fn who_was_met_most_often_comes_first_and_who_was_met_once_not_at_all() {
        let all = vec![
            met(1, true, 1, 1),
            met(2, true, 2, 1),
            met(3, true, 2, 2),
            met(4, true, 2, 2),
            met(5, false, 2, 0),
            met(6, false, 1, 0),
        ];
        let wanted = [
            vec![met(3, true, 2, 2), met(4, true, 2, 2)],
            vec![met(5, false, 2, 0)],
        ];
        assert_eq!(most_met(all, 2), wanted);
    }

    #[test]
    fn people_tell_the_team_s_damage_the_opponent_and_the_company() {
        // Those of D were deleted after the games were read.
        let mut games = vec![
            game("D", 1_800, true),
            game("A", 1_800, true),
            game("B", 0, false),
        ];
        let people = vec![
            person("A", 1, Side::Own, Some(7)),
            person("A", 2, Side::With, Some(8)),
            person("A", 3, Side::Beside, Some(9)),
            // The higher number comes first.
            person("A", 6, Side::Opposite, None),
            person("A", 5, Side::Opposite, Some(8)),
            person("A", 4, Side::Against, Some(10)),
            person("B", 1, Side::Opposite, Some(8)),
            person("B", 2, Side::Own, Some(7)),
            // Of a match that was stored after the games were read.
            person("C", 2, Side::With, Some(8)),
        ];
        let mut told = tell(&mut games, people);
        assert_eq!(games.len(), 2);
        assert_eq!([games[0].team_damage, games[1].team_damage], [60, 20]);
        assert_eq!(games[0].opponent_champion_id, Some(105));
        assert_eq!(games[0].opponent.as_deref(), Some("Champion 5"));
        assert_eq!(games[1].opponent_champion_id, Some(101));
        // The second game does not count: it has no pair, and nobody was met in it.
        let pair = Pair {
            match_id: "A".to_owned(),
            own: 1,
            opponent: 5,
        };
        assert_eq!(told.pairs, [pair]);
        told.met
            .sort_unstable_by_key(|one| (one.player_id, one.same_team));
        let wanted = [
            met(8, false, 1, 1),
            met(8, true, 1, 1),
            met(9, false, 1, 1),
            met(10, false, 1, 1),
        ];
        assert_eq!(told.met, wanted);
    }
}
