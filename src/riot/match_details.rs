//! What a match document tells beyond the rows that everything counts with: the tables of
//! [`details`](crate::model::details). What the document does not have is nothing there, and not 0.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use serde::de::MapAccess;

use super::lenient::{List, Odd, Others, Soft, lenient_object, takes_room};
use super::reading::place;
use crate::model::details::{
    BanRecord, CELLS, Cell, Column, Details, Kind, NONE, SHEETS, TEAMS, TeamRecord,
};

/// Teams of one match that are kept; the largest modes have two.
const TEAMS_MAX: usize = 16;
/// Bans of one match that are kept; the largest modes have 18.
const BANS_MAX: usize = 64;
/// Names of the object of challenges begin with this in the list of columns.
const CHALLENGES: &str = "challenges/";

/// A cell by the name of its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    cell: usize,
    kind: Kind,
    key: &'static str,
}

/// Names of a document are many; those that are looked up in are ours alone, so nobody can make them collide.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let mixed = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
            self.0 = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
}

/// The cells of an object by the names of their values.
#[derive(Default)]
struct Names {
    /// By the first byte of a name: a bit for each length that such a name has. Most names of a document are no cell's.
    lengths: Vec<u64>,
    places: HashMap<&'static str, Place, BuildHasherDefault<NameHasher>>,
}

impl Names {
    fn of(named: impl Iterator<Item = (&'static str, Place)>) -> Self {
        let mut all = Self {
            lengths: vec![0; 256],
            ..Self::default()
        };
        for (name, place) in named {
            let (first, length) = Self::looks(name);
            all.lengths[first] |= length;
            all.places.insert(name, place);
        }
        all
    }

    fn looks(name: &str) -> (usize, u64) {
        let first = name.as_bytes().first().copied().unwrap_or(0);
        (first.into(), 1 << name.len().min(63))
    }

    fn get(&self, name: &str) -> Option<Place> {
        let (first, length) = Self::looks(name);
        if self.lengths[first] & length == 0 {
            return None;
        }
        self.places.get(name).copied()
    }
}

fn all_columns() -> impl Iterator<Item = (usize, &'static Column)> {
    let columns = SHEETS.iter().flat_map(|sheet| sheet.columns);
    columns.enumerate()
}

fn named(column: (usize, &'static Column), key: &'static str) -> (&'static str, Place) {
    let (cell, Column { kind, .. }) = column;
    let kind = *kind;
    (key, Place { cell, kind, key })
}

static OWN: LazyLock<Names> = LazyLock::new(|| {
    let own = all_columns().filter(|(_, column)| !column.key.contains('/'));
    Names::of(own.map(|column| named(column, column.1.key)))
});

static IN_CHALLENGES: LazyLock<Names> = LazyLock::new(|| {
    let inside = all_columns().filter_map(|column| {
        let key = column.1.key.strip_prefix(CHALLENGES)?;
        Some(named(column, key))
    });
    Names::of(inside)
});

/// Where the cells of runes begin: three shards, six runes, then three values of each.
static RUNES: LazyLock<[usize; 3]> = LazyLock::new(|| {
    ["perks/offense", "rune/0/perk", "rune/0/var1"].map(|key| {
        let mut columns = all_columns();
        let found = columns.find(|(_, column)| column.key == key);
        found.expect("it is in the list of columns").0
    })
});

/// Cells as they are read. Empty until there is one.
#[derive(Debug, Default)]
struct Cells(Vec<Cell>);

impl Cells {
    fn put(&mut self, cell: usize, value: Cell) {
        let value = value.filter(|value| *value != NONE);
        if self.0.is_empty() && value.is_some() && takes_room(CELLS * size_of::<Cell>()) {
            self.0 = vec![None; CELLS];
        }
        if let Some(place) = self.0.get_mut(cell) {
            *place = value;
        }
    }

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        at: Place,
        object: &mut A,
        odd: &mut Odd,
    ) -> Result<(), A::Error> {
        let (value, is_odd) = match at.kind {
            Kind::Int => {
                let read: Soft<i32> = object.next_value()?;
                (read.value, read.odd)
            }
            Kind::Small => {
                let read: Soft<i16> = object.next_value()?;
                (read.value.map(i32::from), read.odd)
            }
            Kind::Flag => {
                let read: Soft<bool> = object.next_value()?;
                (read.value.map(i32::from), read.odd)
            }
        };
        if is_odd || value == Some(NONE) {
            odd.note_read(at.key);
        }
        self.put(at.cell, value);
        Ok(())
    }
}

macro_rules! cells_of {
    ($name:ident, $names:ident) => {
        #[derive(Debug, Default)]
        pub(super) struct $name(Cells);

        impl Others for $name {
            type Place = Place;

            fn place(name: &str) -> Option<Place> {
                $names.get(name)
            }

            fn read<'de, A: MapAccess<'de>>(
                &mut self,
                place: Place,
                object: &mut A,
                odd: &mut Odd,
            ) -> Result<(), A::Error> {
                self.0.read(place, object, odd)
            }
        }
    };
}

cells_of!(OwnCells, OWN);
cells_of!(ChallengeCells, IN_CHALLENGES);

lenient_object! { pub(super) Challenges { .. cells: ChallengeCells } }

lenient_object! {
    pub(super) Perks { stat_perks: StatPerks = "statPerks", styles: List<PerkStyle> = "styles" }
}

lenient_object! {
    pub(super) StatPerks { offense: i32 = "offense", flex: i32 = "flex", defense: i32 = "defense" }
}

lenient_object! {
    pub(super) PerkStyle { description: String = "description", style: i32 = "style", selections: List<Selection> = "selections" }
}

lenient_object! {
    pub(super) Selection { perk: i32 = "perk", var1: i32 = "var1", var2: i32 = "var2", var3: i32 = "var3" }
}

lenient_object! {
    pub(super) Team {
        team_id: i32 = "teamId",
        win: bool = "win",
        bans: List<Ban> = "bans",
        objectives: Objectives = "objectives",
        feats: Feats = "feats",
    }
}

lenient_object! { pub(super) Ban { champion_id: i32 = "championId", turn: i32 = "pickTurn" } }

lenient_object! { pub(super) Objective { first: bool = "first", kills: i16 = "kills" } }

lenient_object! {
    pub(super) Objectives {
        champion: Objective = "champion",
        tower: Objective = "tower",
        inhibitor: Objective = "inhibitor",
        dragon: Objective = "dragon",
        herald: Objective = "riftHerald",
        horde: Objective = "horde",
        baron: Objective = "baron",
        atakhan: Objective = "atakhan",
    }
}

lenient_object! {
    pub(super) Feats { first_blood: Feat = "FIRST_BLOOD", first_turret: Feat = "FIRST_TURRET", epic_monsters: Feat = "EPIC_MONSTER_KILL" }
}

lenient_object! { pub(super) Feat { state: i16 = "featState" } }

impl Perks {
    fn style_of(&self, description: &str) -> Option<&PerkStyle> {
        let styles = self
            .styles
            .iter()
            .flat_map(|list| list.entries.iter().flatten());
        let mut of_kind = styles.filter(|one| one.description.as_deref() == Some(description));
        of_kind.next()
    }

    /// Riot's number of the primary or the secondary path.
    pub(super) fn style(&self, description: &str) -> i32 {
        self.style_of(description)
            .and_then(|one| one.style)
            .unwrap_or(0)
    }

    pub(super) fn note_odd(&self, odd: &mut Odd) {
        odd.note_all(&self.odd);
        if let Some(shards) = &self.stat_perks {
            odd.note_all(&shards.odd);
        }
        let styles = self.styles.iter().flat_map(|list| &list.entries).flatten();
        for style in styles {
            odd.note_all(&style.odd);
            let chosen = style.selections.iter().flat_map(|list| &list.entries);
            chosen.flatten().for_each(|one| odd.note_all(&one.odd));
        }
    }

    fn put_into(&self, cells: &mut Cells) {
        let [shards, runes, values] = *RUNES;
        if let Some(stat) = &self.stat_perks {
            for (n, value) in [stat.offense, stat.flex, stat.defense]
                .into_iter()
                .enumerate()
            {
                cells.put(shards + n, value);
            }
        }
        // Four of the primary path, then two of the secondary one.
        for (description, first, most) in [("primaryStyle", 0, 4), ("subStyle", 4, 2)] {
            let chosen = self.style_of(description);
            let chosen = chosen.and_then(|style| style.selections.as_ref());
            let chosen = chosen.into_iter().flat_map(|list| &list.entries);
            for (n, one) in chosen.take(most).enumerate() {
                let Some(one) = one else { continue };
                cells.put(runes + first + n, one.perk);
                for (v, value) in [one.var1, one.var2, one.var3].into_iter().enumerate() {
                    cells.put(values + (first + n) * 3 + v, value);
                }
            }
        }
    }
}

/// All cells of a participant.
pub(super) fn details(
    own: OwnCells,
    challenges: Option<Challenges>,
    perks: Option<&Perks>,
    odd: &mut Odd,
) -> Details {
    let mut cells = own.0;
    if let Some(challenges) = challenges {
        odd.note_all(&challenges.odd);
        for (cell, value) in challenges.cells.0.0.into_iter().enumerate() {
            if value.is_some() {
                cells.put(cell, value);
            }
        }
    }
    if let Some(perks) = perks {
        perks.put_into(&mut cells);
    }
    if cells.0.is_empty() {
        cells.0 = vec![None; CELLS];
    }
    Details::new(cells.0)
}

/// The teams of a match and what they banned. Of two teams of one number the first is kept.
pub(super) fn teams(list: Option<List<Team>>, odd: &mut Odd) -> (Vec<TeamRecord>, Vec<BanRecord>) {
    let (mut teams, mut bans) = (Vec::new(), Vec::new());
    let mut known = BTreeSet::new();
    let entries = list.map(|list| list.entries).unwrap_or_default();
    for mut team in entries.into_iter().flatten() {
        odd.note_all(&team.odd);
        let banned = team.bans.take().map(|list| list.entries);
        for ban in banned.unwrap_or_default().into_iter().flatten() {
            odd.note_all(&ban.odd);
            if bans.len() == BANS_MAX {
                odd.note("bans");
                break;
            }
            bans.push(BanRecord {
                ban: place(bans.len()),
                team_id: team.team_id,
                turn: ban.turn,
                champion_id: ban.champion_id,
            });
        }
        let is_new = |id: &i32| teams.len() < TEAMS_MAX && known.insert(*id);
        match team.team_id.filter(is_new) {
            Some(team_id) => teams.push(TeamRecord {
                team_id,
                cells: team_cells(&team, odd),
            }),
            None => odd.note("teamId"),
        }
    }
    (teams, bans)
}

fn team_cells(team: &Team, odd: &mut Odd) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(TEAMS.columns.len());
    cells.push(team.win.map(i32::from));
    let objectives = team.objectives.as_ref();
    if let Some(objectives) = objectives {
        odd.note_all(&objectives.odd);
    }
    let each = objectives.map_or([None; 8], |all| {
        [
            &all.champion,
            &all.tower,
            &all.inhibitor,
            &all.dragon,
            &all.herald,
            &all.horde,
            &all.baron,
            &all.atakhan,
        ]
        .map(Option::as_ref)
    });
    for one in each {
        if let Some(one) = one {
            odd.note_all(&one.odd);
        }
        cells.push(one.and_then(|one| one.first).map(i32::from));
        cells.push(one.and_then(|one| one.kills).map(i32::from));
    }
    let feats = team.feats.as_ref();
    if let Some(feats) = feats {
        odd.note_all(&feats.odd);
    }
    let each = feats.map_or([None; 3], |all| {
        [&all.first_blood, &all.first_turret, &all.epic_monsters].map(Option::as_ref)
    });
    for one in each {
        if let Some(one) = one {
            odd.note_all(&one.odd);
        }
        cells.push(one.and_then(|one| one.state).map(i32::from));
    }
    debug_assert_eq!(cells.len(), TEAMS.columns.len());
    cells
}
