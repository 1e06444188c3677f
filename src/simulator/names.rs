//! Names that change: who is called what from which moment on, and whose a name is now.
//!
//! A player is born with a name. A rename frees it; whoever takes it afterwards is found by it. Matches keep the name
//! of their time. Nothing here is asked of the puuid, which stays.

use std::collections::{HashMap, HashSet, VecDeque};
use std::str::FromStr;

use crate::hash::{Draw, hash};
use crate::people::{People, Player, made_up};
use crate::setting::SettingError;
use riftsync_model::{RiotId, Timestamp};

/// One line: `Old#TAG -> New#TAG`, with ` @ 2025-06-01T00:00:00Z` where matches have it from another moment than the
/// world's now; `Old#TAG -> none` takes the name away from the account, which tells none then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    pub from: RiotId,
    /// None: the account tells no name any more.
    pub to: Option<RiotId>,
    pub since: Option<Timestamp>,
}

impl FromStr for Rename {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let wrong = |why: &str| {
            SettingError(format!(
                "'{text}' is no rename: {why}. Write it as Old#TAG -> New#TAG, or Old#TAG -> New#TAG @ 2025-06-01T00:00:00Z"
            ))
        };
        let (from, to) = text.split_once("->").ok_or_else(|| wrong("no '->'"))?;
        let (to, since) = match to.rsplit_once('@') {
            Some((to, since)) => (to, Some(since.trim())),
            None => (to, None),
        };
        let id = |text: &str| -> Result<RiotId, SettingError> {
            let id = text.trim().parse();
            id.map_err(|error: riftsync_model::IdError| wrong(&error.to_string()))
        };
        let since = since.map(|text| {
            let moment: Result<jiff::Timestamp, _> = text.parse();
            let moment = moment.map_err(|error| wrong(&error.to_string()))?;
            Ok(Timestamp::from_millis(moment.as_millisecond()))
        });
        Ok(Self {
            from: id(from)?,
            to: if to.trim() == "none" {
                None
            } else {
                Some(id(to)?)
            },
            since: since.transpose()?,
        })
    }
}

/// What is not as everybody was born.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// A player's later names, each with the moment from which matches have it; oldest first.
    later: HashMap<Player, Vec<(Timestamp, Option<RiotId>)>>,
    /// Whose a name is, by its folded form.
    held: HashMap<String, Player>,
    /// Names that nobody has any more.
    freed: HashSet<String>,
}

impl Names {
    /// The name that the account tells; none: as born. An inner none: it tells none.
    #[allow(clippy::option_option, reason = "two different things that may not be")]
    pub fn now(&self, player: Player) -> Option<Option<&RiotId>> {
        let (_, name) = self.later.get(&player)?.last()?;
        Some(name.as_ref())
    }

    /// The name in a match of that moment; none: as born.
    pub fn at(&self, player: Player, moment: Timestamp) -> Option<&RiotId> {
        let later = self.later.get(&player)?.iter().rev();
        let mut before = later.filter(|(since, _)| *since <= moment);
        before.find_map(|(_, name)| name.as_ref())
    }

    /// Whose name that is; none: it did not change hands. An inner none: nobody's.
    #[allow(clippy::option_option, reason = "two different things that may not be")]
    pub fn holder(&self, folded: &str) -> Option<Option<Player>> {
        match self.held.get(folded) {
            Some(player) => Some(Some(*player)),
            None => self.freed.contains(folded).then_some(None),
        }
    }

    /// All of these at once, so that two may swap their names. A name that somebody keeps cannot be taken.
    pub fn change(
        &mut self,
        renames: &[Rename],
        now: Timestamp,
        holder: impl Fn(&Self, &RiotId) -> Option<Player>,
    ) -> Result<(), SettingError> {
        let mut moves = Vec::with_capacity(renames.len());
        for rename in renames {
            let player = holder(self, &rename.from);
            let player = player
                .ok_or_else(|| SettingError(format!("nobody is called '{}' now", rename.from)))?;
            moves.push((player, rename));
        }
        let leaving: HashSet<Player> = moves.iter().map(|(player, _)| *player).collect();
        for to in renames.iter().filter_map(|rename| rename.to.as_ref()) {
            if holder(self, to).is_some_and(|other| !leaving.contains(&other)) {
                return Err(SettingError(format!("somebody is called '{to}' already")));
            }
        }
        for (_, rename) in &moves {
            let folded = rename.from.folded();
            self.held.remove(&folded);
            self.freed.insert(folded);
        }
        for (player, rename) in moves {
            if let Some(to) = &rename.to {
                self.held.insert(to.folded(), player);
            }
            let since = rename.since.unwrap_or(now);
            let later = self.later.entry(player).or_default();
            later.push((since, rename.to.clone()));
        }
        Ok(())
    }
}

/// Players who change their names of their own accord. Which one is next, and to what, follows from the seed and from
/// how many have done so.
#[derive(Debug)]
pub(super) struct Renamer {
    seed: u64,
    done: u64,
    /// Names that were left, the oldest first.
    left: VecDeque<RiotId>,
}

/// One in so many takes a name that another has left.
const TAKES_OVER: u64 = 4;
/// The tag of names that were never anybody's.
const NEW_TAG: &str = "NEW";

impl Renamer {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            done: 0,
            left: VecDeque::new(),
        }
    }

    /// The next rename. None: nobody has a name to change.
    pub fn next(&mut self, people: &People) -> Option<Rename> {
        let mut draw = Draw::new(hash(&[self.seed, 0x4E57, self.done]));
        let mut players = people.listed();
        players.retain(|player| people.name_of(*player).is_some());
        if players.is_empty() {
            return None;
        }
        self.done += 1;
        let from = people.name_of(*draw.pick(&players))?;
        let is_free =
            |name: &RiotId| people.by_riot_id(name).is_none() && name.folded() != from.folded();
        let taken = self.done.is_multiple_of(TAKES_OVER);
        let taken = taken.then(|| self.left.iter().position(is_free)).flatten();
        let to = taken.and_then(|at| self.left.remove(at));
        let to = to.unwrap_or_else(|| made_up(&mut draw, self.done, NEW_TAG));
        self.left.push_back(from.clone());
        Some(Rename {
            from,
            to: Some(to),
            since: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riftsync_model::Platform;

    #[test]
    fn players_rename_themselves_by_the_seed_and_every_fourth_takes_a_name_that_was_left() {
        let run = |seed| {
            let listed = ["A#1", "B#1", "C#1"].map(|name| (name.parse().unwrap(), Platform::Kr));
            let people = People::new(1, &listed, 100);
            let mut restless = Renamer::new(seed);
            let mut all = Vec::new();
            for _ in 0..12 {
                let rename = restless.next(&people).unwrap();
                let one = std::slice::from_ref(&rename);
                people.rename(one, Timestamp::EPOCH).unwrap();
                all.push(rename);
            }
            all
        };
        let renames = run(1);
        assert_eq!(renames, run(1));
        assert_ne!(renames, run(2));
        for (number, rename) in (1..).zip(&renames) {
            let to = rename.to.as_ref().unwrap();
            let is_old = renames[..number - 1]
                .iter()
                .any(|before| before.from == *to);
            assert_eq!(is_old, number % 4 == 0, "{rename:?}");
        }
    }

    #[test]
    fn a_rename_that_cannot_be_read_says_how_to_write_one() {
        for text in ["A#1", "A -> B#1", "A#1 -> B", "A#1 -> B#1 @ soon"] {
            let why = text.parse::<Rename>().unwrap_err().to_string();
            assert!(why.contains("Old#TAG -> New#TAG"), "{why}");
        }
        let rename: Rename = "A b#1 -> C#2 @ 2025-06-01T00:00:00Z".parse().unwrap();
        assert_eq!(
            rename.since,
            Some(Timestamp::from_millis(1_748_736_000_000))
        );
        assert_eq!("A#1 -> none".parse::<Rename>().unwrap().to, None);
    }
}
