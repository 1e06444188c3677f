//! Numbers of the game that never change: champions, items, runes, experience.
//!
//! A small part of Riot's public static data (Data Dragon), enough for documents that look right.

/// A champion: its number, its name as match documents spell it, and what its damage mostly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Champion {
    pub id: u32,
    pub name: &'static str,
    pub magic: bool,
}

const fn ad(id: u32, name: &'static str) -> Champion {
    Champion {
        id,
        name,
        magic: false,
    }
}

const fn ap(id: u32, name: &'static str) -> Champion {
    Champion {
        id,
        name,
        magic: true,
    }
}

#[rustfmt::skip] // a table reads by rows
/// Champions by role: top, jungle, middle, bottom, support.
pub const CHAMPIONS: [&[Champion]; 5] = [
    &[ad(266, "Aatrox"), ad(122, "Darius"), ad(86, "Garen"), ad(24, "Jax"), ap(85, "Kennen"), ad(54, "Malphite"), ad(58, "Renekton"), ad(92, "Riven"), ad(98, "Shen"), ap(17, "Teemo"), ad(6, "Urgot"), ad(106, "Volibear")],
    &[ap(32, "Amumu"), ad(59, "JarvanIV"), ad(141, "Kayn"), ap(9, "FiddleSticks"), ad(64, "LeeSin"), ad(11, "MasterYi"), ad(56, "Nocturne"), ap(20, "Nunu"), ad(254, "Vi"), ad(19, "Warwick"), ad(5, "XinZhao"), ap(154, "Zac")],
    &[ap(103, "Ahri"), ap(34, "Anivia"), ap(1, "Annie"), ap(268, "Azir"), ap(69, "Cassiopeia"), ap(3, "Galio"), ap(7, "Leblanc"), ap(127, "Lissandra"), ap(61, "Orianna"), ad(91, "Talon"), ap(45, "Veigar"), ad(238, "Zed")],
    &[ad(523, "Aphelios"), ad(22, "Ashe"), ad(51, "Caitlyn"), ad(119, "Draven"), ad(81, "Ezreal"), ad(202, "Jhin"), ad(222, "Jinx"), ad(145, "Kaisa"), ad(236, "Lucian"), ad(21, "MissFortune"), ad(18, "Tristana"), ad(67, "Vayne")],
    &[ap(12, "Alistar"), ap(63, "Brand"), ap(40, "Janna"), ap(43, "Karma"), ad(89, "Leona"), ap(117, "Lulu"), ap(25, "Morgana"), ap(267, "Nami"), ap(37, "Sona"), ap(44, "Taric"), ad(412, "Thresh"), ap(143, "Zyra")],
];

pub const POSITIONS: [&str; 5] = ["TOP", "JUNGLE", "MIDDLE", "BOTTOM", "UTILITY"];
pub const LANES: [&str; 5] = ["TOP", "JUNGLE", "MIDDLE", "BOTTOM", "BOTTOM"];
pub const LANE_ROLES: [&str; 5] = ["SOLO", "NONE", "SOLO", "CARRY", "SUPPORT"];

pub const BOOTS: [u32; 5] = [3006, 3009, 3020, 3047, 3111];
pub const PARTS: [u32; 14] = [
    1011, 1018, 1026, 1028, 1031, 1036, 1037, 1038, 1042, 1052, 1055, 1058, 2031, 2055,
];
pub const ITEMS_AD: [u32; 12] = [
    3031, 3033, 3036, 3046, 3071, 3072, 3074, 3094, 3142, 3153, 6673, 6676,
];
pub const ITEMS_AP: [u32; 12] = [
    3003, 3040, 3089, 3100, 3115, 3116, 3135, 3152, 3157, 3165, 4628, 6653,
];
pub const TRINKETS: [u32; 3] = [3340, 3363, 3364];
/// The second summoner spell by role; the first is Flash (4).
pub const SPELLS: [u32; 5] = [12, 11, 14, 7, 3];
pub const DRAGONS: [&str; 6] = [
    "AIR_DRAGON",
    "CHEMTECH_DRAGON",
    "EARTH_DRAGON",
    "FIRE_DRAGON",
    "HEXTECH_DRAGON",
    "WATER_DRAGON",
];

/// Rune trees: the tree, its keystones, and its smaller runes row by row.
pub const RUNES: [(u32, [u32; 3], [u32; 6]); 4] = [
    (
        8000,
        [8005, 8008, 8010],
        [9101, 9111, 9104, 9105, 8014, 8017],
    ),
    (
        8100,
        [8112, 8124, 8128],
        [8126, 8139, 8138, 8136, 8135, 8106],
    ),
    (
        8200,
        [8214, 8229, 8230],
        [8224, 8226, 8210, 8234, 8237, 8236],
    ),
    (
        8400,
        [8437, 8439, 8465],
        [8446, 8463, 8429, 8444, 8451, 8242],
    ),
];

/// Experience at which the levels 2, 3, ... 18 are reached.
pub const LEVEL_XP: [u32; 17] = [
    280, 660, 1140, 1720, 2400, 3180, 4060, 5040, 6120, 7300, 8580, 9960, 11440, 13020, 14700,
    16480, 18360,
];

pub fn level_at(xp: u32) -> u32 {
    1 + u32::try_from(LEVEL_XP.partition_point(|needed| *needed <= xp)).unwrap_or(17)
}
