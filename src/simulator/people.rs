//! Who plays: the players the world was made for, and a population around them.
//!
//! Nobody is stored. A player is a platform and a number; name, level and puuid are computed from
//! them. A puuid holds the player's number, enciphered with the key it was given out for: the real
//! API too encrypts ids per key, and one key's ids are errors to another.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::hash::{Draw, hash, hash_text, mix};
use crate::names::{Names, Rename};
use crate::setting::SettingError;
use riftsync_model::{Platform, Puuid, RiotId, Timestamp};

/// For whom puuids are enciphered: one API key, or everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyScope(u64);

impl KeyScope {
    /// Ids that every key understands.
    pub const SHARED: Self = Self(0);

    pub fn of_key(key: &str) -> Self {
        Self(hash_text(0x4B45_5953, key))
    }
}

/// A player: the first numbers of a platform are the listed ("focus") players, the rest its population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Player {
    pub platform: Platform,
    pub number: u32,
}

#[derive(Debug)]
pub struct People {
    seed: u64,
    focus: HashMap<Platform, Vec<RiotId>>,
    by_name: HashMap<String, Player>,
    population: u32,
    /// The only thing of a world that can change while it is served.
    names: RwLock<Names>,
}

const PUUID_ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 8 characters of 6 bits hold platform and number; the rest of a puuid proves them.
const PUUID_NUMBER_CHARS: usize = 8;
/// The tag that never belongs to anybody.
const TAG_OF_NOBODY: &str = "404";

const FIRST: [&str; 16] = [
    "Amber", "Brisk", "Calm", "Dusky", "Early", "Fabled", "Gentle", "Hollow", "Ivory", "Jolly",
    "Kindly", "Lunar", "Mossy", "Nimble", "Opal", "Quiet",
];
const SECOND: [&str; 16] = [
    "Badger", "Comet", "Dune", "Ember", "Falcon", "Grove", "Heron", "Iris", "Juniper", "Kite",
    "Lark", "Maple", "Newt", "Otter", "Pine", "Raven",
];

impl People {
    pub fn new(seed: u64, players: &[(RiotId, Platform)], population: usize) -> Self {
        let mut focus: HashMap<Platform, Vec<RiotId>> = HashMap::new();
        let mut by_name = HashMap::new();
        for (riot_id, platform) in players {
            let names = focus.entry(*platform).or_default();
            let player = Player {
                platform: *platform,
                number: names.len() as u32,
            };
            // The same name twice is one player.
            if riot_id.tag_line() != TAG_OF_NOBODY
                && by_name.insert(riot_id.folded(), player).is_none()
            {
                names.push(riot_id.clone());
            }
        }
        // An Arena lobby needs 16 people who are not each other.
        let population = u32::try_from(population.max(32)).unwrap_or(u32::MAX / 2);
        Self {
            seed,
            focus,
            by_name,
            population,
            names: RwLock::default(),
        }
    }

    /// Platforms that have players, in a fixed order.
    pub fn platforms(&self) -> Vec<Platform> {
        Platform::ALL
            .iter()
            .copied()
            .filter(|platform| self.focus.contains_key(platform))
            .collect()
    }

    pub fn focus_count(&self, platform: Platform) -> u32 {
        self.focus
            .get(&platform)
            .map_or(0, |names| names.len() as u32)
    }

    /// Everybody on a platform; none where no listed player lives.
    pub fn count(&self, platform: Platform) -> u32 {
        match self.focus_count(platform) {
            0 => 0,
            focus => focus + self.population,
        }
    }

    /// The name that the player's account tells; none: it tells none any more.
    pub fn name_of(&self, player: Player) -> Option<RiotId> {
        match self.names(|names| names.now(player).map(Option::<&RiotId>::cloned)) {
            Some(name) => name,
            None => Some(self.born_as(player)),
        }
    }

    /// The name in matches of that moment.
    pub fn riot_id_at(&self, player: Player, moment: Timestamp) -> RiotId {
        self.names(|names| names.at(player, moment).cloned())
            .unwrap_or_else(|| self.born_as(player))
    }

    /// The name that the player has now, or had last.
    pub fn riot_id(&self, player: Player) -> RiotId {
        self.riot_id_at(player, Timestamp::from_millis(i64::MAX))
    }

    /// Gives players other names, all at once. Nothing changes if one cannot have its name.
    pub fn rename(&self, renames: &[Rename], now: Timestamp) -> Result<(), SettingError> {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.change(renames, now, |names, riot_id| {
            let folded = riot_id.folded();
            let held = names.holder(&folded);
            held.unwrap_or_else(|| self.born_with(riot_id))
        })
    }

    fn names<T>(&self, look: impl FnOnce(&Names) -> T) -> T {
        look(&self.names.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn born_as(&self, player: Player) -> RiotId {
        if let Some(name) = self
            .focus
            .get(&player.platform)
            .and_then(|names| names.get(player.number as usize))
        {
            return name.clone();
        }
        let mut draw = Draw::new(self.hash_of(player, 1));
        made_up(&mut draw, player.number.into(), &player.platform.upper())
    }

    /// All listed players, in a fixed order.
    pub fn listed(&self) -> Vec<Player> {
        let of_platform = |platform| {
            (0..self.focus_count(platform)).map(move |number| Player { platform, number })
        };
        self.platforms().into_iter().flat_map(of_platform).collect()
    }

    /// The player with this name, written in any case and with any blanks.
    pub fn by_riot_id(&self, riot_id: &RiotId) -> Option<Player> {
        let folded = riot_id.folded();
        let held = self.names(|names| names.holder(&folded));
        held.unwrap_or_else(|| self.born_with(riot_id))
    }

    fn born_with(&self, riot_id: &RiotId) -> Option<Player> {
        let folded = riot_id.folded();
        if let Some(player) = self.by_name.get(&folded) {
            return Some(*player);
        }
        // A name of the population ends with its number; whether it is right, its own name tells.
        let platform = self
            .platforms()
            .into_iter()
            .find(|p| p.as_str() == riot_id.tag_line().to_lowercase())?;
        let letters = riot_id
            .game_name()
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .len();
        let number = riot_id.game_name()[letters..].parse().ok()?;
        let player = Player { platform, number };
        (number < self.count(platform) && self.born_as(player).folded() == folded).then_some(player)
    }

    pub fn puuid(&self, player: Player, scope: KeyScope) -> Puuid {
        let text = String::from_utf8_lossy(&self.puuid_bytes(player, scope)).into_owned();
        text.parse()
            .expect("the alphabet of a puuid is that of its type")
    }

    pub fn puuid_bytes(&self, player: Player, scope: KeyScope) -> [u8; Puuid::LEN] {
        let platform = Platform::ALL
            .iter()
            .position(|p| *p == player.platform)
            .unwrap_or(0) as u64;
        let cipher = mix(self.seed ^ scope.0);
        let mut hidden = encipher(platform << 32 | u64::from(player.number), cipher);
        let mut bytes = [0; Puuid::LEN];
        for byte in &mut bytes[..PUUID_NUMBER_CHARS] {
            *byte = PUUID_ALPHABET[(hidden & 63) as usize];
            hidden >>= 6;
        }
        let proof = hash(&[cipher, platform, u64::from(player.number)]);
        letters(proof, &mut bytes[PUUID_NUMBER_CHARS..]);
        bytes
    }

    /// Whose puuid this is, if it was given out for this key.
    pub fn by_puuid(&self, puuid: &str, scope: KeyScope) -> Option<Player> {
        let mut hidden = 0_u64;
        for byte in puuid.as_bytes().get(..PUUID_NUMBER_CHARS)?.iter().rev() {
            hidden = hidden << 6 | PUUID_ALPHABET.iter().position(|letter| letter == byte)? as u64;
        }
        let open = decipher(hidden, mix(self.seed ^ scope.0));
        let platform = *Platform::ALL.get(usize::try_from(open >> 32).ok()?)?;
        let player = Player {
            platform,
            number: u32::try_from(open & 0xffff_ffff).ok()?,
        };
        let known = player.number < self.count(platform);
        (known && self.puuid_bytes(player, scope) == puuid.as_bytes()).then_some(player)
    }

    /// The start of the player's old summoner id; as many letters as `into` has room for.
    pub fn summoner_id(&self, player: Player, scope: KeyScope, into: &mut [u8]) {
        letters(hash(&[self.hash_of(player, 2), scope.0]), into);
    }

    pub fn icon(&self, player: Player) -> u32 {
        (self.hash_of(player, 3) % 6_000) as u32 + 1
    }

    pub fn level(&self, player: Player) -> u32 {
        (self.hash_of(player, 4) % 900) as u32 + 30
    }

    /// A number about a player that is the same for ever.
    pub fn hash_of(&self, player: Player, what: u64) -> u64 {
        hash(&[
            self.seed,
            what,
            player.platform as u64,
            u64::from(player.number),
        ])
    }
}

/// A name that tells by its number whose it is.
pub(super) fn made_up(draw: &mut Draw, number: u64, tag: &str) -> RiotId {
    let name = format!("{}{}{number}", draw.pick(&FIRST), draw.pick(&SECOND));
    RiotId::new(&name, tag).expect("the word lists hold only letters")
}

fn letters(seed: u64, into: &mut [u8]) {
    let mut draw = Draw::new(seed);
    for ten in into.chunks_mut(10) {
        let mut bits = draw.bits();
        for byte in ten {
            *byte = PUUID_ALPHABET[(bits & 63) as usize];
            bits >>= 6;
        }
    }
}

const HALF: u64 = 0xff_ffff;

/// A Feistel network over 48 bits: neighbours look unrelated, and it can be undone.
fn encipher(value: u64, key: u64) -> u64 {
    let (mut left, mut right) = (value >> 24 & HALF, value & HALF);
    for round in 0..4 {
        (left, right) = (right, left ^ (hash(&[key, round, right]) & HALF));
    }
    left << 24 | right
}

fn decipher(value: u64, key: u64) -> u64 {
    let (mut left, mut right) = (value >> 24 & HALF, value & HALF);
    for round in (0..4).rev() {
        (left, right) = (right ^ (hash(&[key, round, left]) & HALF), left);
    }
    left << 24 | right
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> People {
        let listed = [
            ("Quiet Test#EUW", Platform::Euw1),
            ("Zweite#K", Platform::Kr),
            ("Third#EUW", Platform::Euw1),
        ];
        let players: Vec<_> = listed
            .iter()
            .map(|(id, platform)| (id.parse().unwrap(), *platform))
            .collect();
        People::new(4, &players, 500)
    }

    #[test]
    fn everybody_is_found_by_name_and_by_puuid() {
        let people = people();
        for platform in [Platform::Euw1, Platform::Kr] {
            for number in 0..people.count(platform) {
                let player = Player { platform, number };
                assert_eq!(people.by_riot_id(&people.riot_id(player)), Some(player));
                let scope = KeyScope::of_key("RGAPI-a");
                assert_eq!(
                    people.by_puuid(people.puuid(player, scope).as_str(), scope),
                    Some(player)
                );
            }
        }
        assert_eq!(
            people.by_riot_id(&"quiettest#euw".parse().unwrap()),
            Some(Player {
                platform: Platform::Euw1,
                number: 0
            })
        );
    }

    #[test]
    fn nobody_else_is_found() {
        let people = people();
        for name in [
            "Nobody#EUW",
            "Quiet Test#404",
            "AmberBadger7#NA1",
            "AmberBadger99999999999#EUW1",
        ] {
            assert_eq!(people.by_riot_id(&name.parse().unwrap()), None, "{name}");
        }
        assert_eq!(people.by_puuid(&"a".repeat(78), KeyScope::SHARED), None);
    }

    #[test]
    fn a_puuid_of_one_key_is_nothing_to_another() {
        let people = people();
        let player = Player {
            platform: Platform::Kr,
            number: 0,
        };
        let (one, two) = (KeyScope::of_key("RGAPI-1"), KeyScope::of_key("RGAPI-2"));
        assert_eq!(
            people.by_puuid(people.puuid(player, one).as_str(), two),
            None
        );
        let mut forged = people.puuid(player, one).as_str().to_owned();
        let last = if forged.pop() == Some('x') { 'y' } else { 'x' };
        forged.push(last);
        assert_eq!(people.by_puuid(&forged, one), None);
    }

    #[test]
    fn a_name_that_is_left_is_nobodys_until_it_is_taken_and_two_can_swap_theirs() {
        let people = people();
        let id = |text: &str| text.parse::<RiotId>().unwrap();
        let [quiet, third] = ["Quiet Test#EUW", "Third#EUW"].map(|name| {
            let player = people.by_riot_id(&id(name));
            player.unwrap()
        });
        let rename = |lines: &[&str]| {
            let renames: Vec<Rename> = lines.iter().map(|line| line.parse().unwrap()).collect();
            people.rename(&renames, Timestamp::from_millis(1_000))
        };
        rename(&["Quiet Test#EUW -> New Name#EUW"]).unwrap();
        assert_eq!(people.by_riot_id(&id("quiettest#euw")), None);
        assert_eq!(people.by_riot_id(&id("newname#euw")), Some(quiet));
        for moment in [999, 1_000] {
            let name = people.riot_id_at(quiet, Timestamp::from_millis(moment));
            let expected = ["Quiet Test#EUW", "New Name#EUW"][usize::from(moment == 1_000)];
            assert_eq!(name.to_string(), expected);
        }

        let taken = rename(&["Third#EUW -> New Name#EUW"]).unwrap_err();
        assert!(taken.to_string().contains("already"), "{taken}");
        assert!(
            rename(&["Quiet Test#EUW -> X#EUW"]).is_err(),
            "nobody has it"
        );
        rename(&["Third#EUW -> Quiet Test#EUW"]).unwrap();
        rename(&[
            "Quiet Test#EUW -> New Name#EUW",
            "New Name#EUW -> Quiet Test#EUW",
        ])
        .unwrap();
        assert_eq!(people.by_riot_id(&id("Quiet Test#EUW")), Some(quiet));
        assert_eq!(people.by_riot_id(&id("New Name#EUW")), Some(third));
        rename(&["New Name#EUW -> none"]).unwrap();
        assert_eq!(people.name_of(third), None);
        assert_eq!(people.riot_id(third), id("New Name#EUW"));
    }
}
