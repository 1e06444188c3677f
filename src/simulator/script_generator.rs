//! How a script comes about: who plays what, then kills, towers, monsters, and what it all adds up to.

use crate::hash::{Draw, hash};
use crate::script::{
    Beast, Building, BuildingKind, Kill, Monster, ScoreLine, Script, Shape, length_ms, seed_of,
};
use crate::tables::{self, DRAGONS};

impl Script {
    pub fn new(world_seed: u64, shape: Shape, number: u32) -> Self {
        let seed = seed_of(world_seed, shape, number);
        let mut draw = Draw::new(mix_in(seed, 1));
        let sided = !matches!(shape, Shape::Arena | Shape::NoWinner);
        let winner = sided.then(|| {
            if shape == Shape::Bots {
                0
            } else {
                draw.below(2) as usize
            }
        });
        let mut script = Self {
            shape,
            seed,
            length_ms: length_ms(world_seed, shape, number),
            winner,
            surrendered: shape == Shape::Remake || (shape == Shape::Classic && draw.chance(250)),
            lines: Vec::new(),
            kills: Vec::new(),
            buildings: Vec::new(),
            monsters: Vec::new(),
        };
        script.cast(&mut draw);
        script.fight(&mut draw);
        script.siege(&mut draw);
        script.hunt(&mut draw);
        script.settle();
        script
    }

    /// Who plays what.
    fn cast(&mut self, draw: &mut Draw) {
        let mut ranks: Vec<u32> = (1..=8).collect();
        for i in (1..ranks.len()).rev() {
            ranks.swap(i, draw.below(i as u32 + 1) as usize);
        }
        for index in 0..self.shape.participants() {
            let arena = self.shape == Shape::Arena;
            let (subteam, placement) = if arena {
                (index as u32 / 2 + 1, ranks[index / 2])
            } else {
                (0, 0)
            };
            let side = if arena {
                usize::from(placement > 4)
            } else {
                index / 5
            };
            let role = if arena {
                draw.below(5) as usize
            } else {
                index % 5
            };
            let champion = loop {
                let champion = *draw.pick(tables::CHAMPIONS[role]);
                if self.lines.iter().all(|line| line.champion != champion) {
                    break champion;
                }
            };
            self.lines.push(ScoreLine {
                side,
                subteam,
                placement,
                win: if arena {
                    placement <= 4
                } else {
                    self.winner == Some(side)
                },
                bot: index >= self.shape.people(),
                role,
                champion,
                kills: 0,
                deaths: 0,
                assists: 0,
                multi: [0; 4],
                sprees: 0,
                spree_max: 0,
                dead_s: 0,
                gold: 0,
                xp: 0,
                minions: 0,
                neutral: 0,
                turrets: 0,
                inhibitors: 0,
                dragons: 0,
                barons: 0,
                wards: 0,
                control_wards: 0,
                wards_killed: 0,
                damage: [0; 3],
                damage_all: [0; 3],
                taken: [0; 3],
                items: [0; 7],
                seed: mix_in(self.seed, 100 + index as u64),
            });
        }
    }

    fn fight(&mut self, draw: &mut Draw) {
        let (first_ms, last_ms) = (100_000, self.length_ms - 4_000);
        let expected = self.length_ms / 1000 * self.shape.kills_per_100_min() / 6000;
        let count = expected * (80 + draw.below(41)) / 100;
        let mut times: Vec<u32> = (0..count)
            .map(|_| first_ms + draw.below(last_ms - first_ms))
            .collect();
        times.sort_unstable();
        let people = self.lines.len();
        let mut streaks = vec![0_u32; people];
        let mut alive_from_ms = vec![0_u32; people];
        let mut last_kill: Vec<(u32, u32)> = vec![(0, 0); people];
        for at_ms in times {
            let Some((killer, victim)) = self.duel(draw, &alive_from_ms, at_ms) else {
                continue;
            };
            let assists: Vec<usize> = (0..people)
                .filter(|other| {
                    *other != killer && self.same_team(*other, killer) && draw.chance(420)
                })
                .collect();
            let dead_s = 8 + at_ms / 60_000 * 9 / 10;
            alive_from_ms[victim] = at_ms + dead_s * 1000;
            let (before_ms, multi) = last_kill[killer];
            let multi = if multi > 0 && at_ms - before_ms < 10_000 {
                (multi + 1).min(5)
            } else {
                1
            };
            last_kill[killer] = (at_ms, multi);
            let line = &mut self.lines[killer];
            line.kills += 1;
            // A double kill that becomes a triple is one triple.
            if multi >= 2 {
                line.multi[multi as usize - 2] += 1;
            }
            if multi >= 3 {
                line.multi[multi as usize - 3] = line.multi[multi as usize - 3].saturating_sub(1);
            }
            let streak = streaks[killer];
            streaks[killer] += 1;
            line.spree_max = line.spree_max.max(streaks[killer]);
            line.sprees += u32::from(streaks[killer] == 2);
            streaks[victim] = 0;
            self.lines[victim].deaths += 1;
            self.lines[victim].dead_s += dead_s;
            for assist in &assists {
                self.lines[*assist].assists += 1;
            }
            self.kills.push(Kill {
                at_ms,
                killer,
                victim,
                assists,
                streak,
                multi,
            });
        }
    }

    /// Two enemies who are both alive; winners kill more often, carries more than supports.
    fn duel(&self, draw: &mut Draw, alive_from_ms: &[u32], at_ms: u32) -> Option<(usize, usize)> {
        const WEIGHT: [u32; 5] = [80, 90, 100, 110, 30];
        for _ in 0..20 {
            let killer = draw.below(self.lines.len() as u32) as usize;
            let victim = draw.below(self.lines.len() as u32) as usize;
            let line = &self.lines[killer];
            let weight = WEIGHT[line.role] * if line.win { 9 } else { 6 };
            let alive = |who: usize| alive_from_ms[who] <= at_ms;
            if draw.chance(weight)
                && !self.same_team(killer, victim)
                && alive(killer)
                && alive(victim)
            {
                return Some((killer, victim));
            }
        }
        None
    }

    /// Towers fall lane by lane from the outside; who has not surrendered lost its nexus towers.
    fn siege(&mut self, draw: &mut Draw) {
        use BuildingKind::{BaseTurret, Inhibitor, InnerTurret, NexusTurret, OuterTurret};
        if matches!(self.shape, Shape::Arena | Shape::Remake) {
            return;
        }
        let lanes: usize = if self.shape == Shape::Aram { 1 } else { 3 };
        let order = if self.shape == Shape::Aram {
            &[OuterTurret, BaseTurret, Inhibitor][..]
        } else {
            &[OuterTurret, InnerTurret, BaseTurret, Inhibitor][..]
        };
        for loser in 0..2 {
            let beaten = self.winner.is_some_and(|winner| winner != loser);
            let broken = beaten && !self.surrendered;
            let falls = if beaten {
                4 + draw.below(4)
            } else {
                1 + draw.below(3)
            } as usize;
            let mut next = [0_usize; 3];
            let mut fallen: Vec<(usize, BuildingKind)> = Vec::new();
            for fall in 0..falls {
                let lane = if broken && fall < order.len() {
                    0
                } else {
                    draw.below(lanes as u32) as usize
                };
                if let Some(kind) = order
                    .get(next[lane])
                    .filter(|kind| beaten || **kind != Inhibitor)
                {
                    next[lane] += 1;
                    fallen.push((lane, *kind));
                }
            }
            if broken {
                while next[0] < order.len() {
                    fallen.push((0, order[next[0]]));
                    next[0] += 1;
                }
                fallen.extend([(0, NexusTurret), (0, NexusTurret)]);
            }
            let count = fallen.len() as u32;
            for (position, (lane, kind)) in (1_u32..).zip(fallen) {
                // From a quarter of the game on; the last one falls just before the end.
                let from_ms = self.length_ms / 4;
                let at_ms = from_ms + (self.length_ms - 10_000 - from_ms) / count * position
                    - draw.below(5_000);
                let enemies: Vec<usize> = (0..self.lines.len())
                    .filter(|i| self.lines[*i].side != loser)
                    .collect();
                let killer = draw.chance(750).then(|| *draw.pick(&enemies));
                if let Some(killer) = killer {
                    let line = &mut self.lines[killer];
                    if kind == Inhibitor {
                        line.inhibitors += 1;
                    } else {
                        line.turrets += 1;
                    }
                }
                self.buildings.push(Building {
                    at_ms,
                    loser,
                    lane,
                    kind,
                    killer,
                });
            }
        }
        self.buildings.sort_by_key(|building| building.at_ms);
    }

    fn hunt(&mut self, draw: &mut Draw) {
        if !matches!(self.shape, Shape::Classic | Shape::NoWinner | Shape::Bots) {
            return;
        }
        let mut spawns: Vec<(u32, Beast)> = vec![(15 * 60_000, Beast::Herald)];
        spawns.extend((0..8).map(|i| {
            let kind: &'static str = draw.pick::<&str>(&DRAGONS);
            (330_000 + i * 330_000, Beast::Dragon(kind))
        }));
        spawns.extend((0..3).map(|i| (21 * 60_000 + i * 400_000, Beast::Baron)));
        for (spawn_ms, beast) in spawns {
            let at_ms = spawn_ms + draw.below(90_000);
            let side = match self.winner {
                Some(winner) if draw.chance(680) => winner,
                _ => draw.below(2) as usize,
            };
            if at_ms + 5_000 > self.length_ms {
                continue;
            }
            let killer = side * 5
                + if draw.chance(700) {
                    1
                } else {
                    draw.below(5) as usize
                };
            match beast {
                Beast::Dragon(_) => self.lines[killer].dragons += 1,
                Beast::Baron => self.lines[killer].barons += 1,
                Beast::Herald => {}
            }
            self.monsters.push(Monster {
                at_ms,
                side,
                killer,
                beast,
            });
        }
        self.monsters.sort_by_key(|monster| monster.at_ms);
    }

    /// What the minutes, the kills and the role add up to.
    fn settle(&mut self) {
        // Per minute and role: gold, minions and monsters in tenths, damage to champions.
        const GOLD: [u32; 5] = [330, 320, 345, 360, 225];
        const MINIONS: [u32; 5] = [68, 12, 70, 73, 11];
        const DAMAGE: [u32; 5] = [470, 420, 580, 590, 230];
        let deciminutes = self.length_ms / 6_000;
        let per_minute = |amount: u32| amount * deciminutes / 10;
        for line in &mut self.lines {
            let mut draw = Draw::new(mix_in(line.seed, 2));
            let mut vary = |amount: u32, percent: u32| {
                amount * (100 - percent + draw.below(2 * percent + 1)) / 100
            };
            let rift = !matches!(self.shape, Shape::Aram | Shape::Arena);
            let pace = if rift { 10 } else { 15 };
            line.gold = 500
                + vary(per_minute(GOLD[line.role]) * pace / 10, 8)
                + line.kills * 290
                + line.assists * 90;
            line.xp = vary(
                per_minute(if line.role == 4 { 370 } else { 480 }) * pace / 10,
                8,
            ) + line.kills * 60;
            line.minions = if rift {
                vary(per_minute(MINIONS[line.role]) / 10, 15)
            } else {
                vary(per_minute(12) / 10, 60)
            };
            line.neutral = match (rift, line.role) {
                (true, 1) => vary(per_minute(58) / 10, 12),
                (true, _) => vary(per_minute(2) / 10, 90),
                _ => 0,
            };
            let wards = if !rift {
                2
            } else if line.role == 4 {
                11
            } else {
                4
            };
            line.wards = if line.bot {
                0
            } else {
                vary(per_minute(wards) / 10, 40)
            };
            line.control_wards = if line.bot || !rift {
                0
            } else {
                vary(if line.role == 4 { 8 } else { 2 }, 60)
            };
            line.wards_killed = vary(line.wards / 3, 50);
            let to_champions =
                vary(per_minute(DAMAGE[line.role]) * pace / 10, 35) + line.kills * 250;
            line.damage = split(
                &mut Draw::new(mix_in(line.seed, 3)),
                to_champions,
                line.champion.magic,
            );
            let more = [0, 1, 2].map(|i: u64| Draw::new(mix_in(line.seed, 4 + i)).below(700));
            for (all, (to, more)) in line.damage_all.iter_mut().zip(line.damage.iter().zip(more)) {
                *all = to * (300 + more + if line.role == 1 { 400 } else { 0 }) / 100;
            }
            let taken = vary(per_minute(610) * pace / 10, 30) + line.deaths * 500;
            line.taken = split(
                &mut Draw::new(mix_in(line.seed, 8)),
                taken,
                draw.chance(400),
            );
            line.items = shop(&mut draw, line);
        }
    }
}

fn mix_in(seed: u64, what: u64) -> u64 {
    hash(&[seed, what])
}

/// Magic, physical and true damage that add up to the total.
fn split(draw: &mut Draw, total: u32, magic: bool) -> [u32; 3] {
    let true_part = total * draw.below(12) / 100;
    let minor = (total - true_part) * (3 + draw.below(25)) / 100;
    let major = total - true_part - minor;
    if magic {
        [major, minor, true_part]
    } else {
        [minor, major, true_part]
    }
}

/// What the gold buys: boots, whole items, then a part or two, and a trinket in the last place.
fn shop(draw: &mut Draw, line: &ScoreLine) -> [u32; 7] {
    let mut items = [0; 7];
    let mut gold = line.gold;
    for (slot, item) in items.iter_mut().enumerate().take(6) {
        let (price, list): (u32, &[u32]) = match slot {
            0 => (1100, &tables::BOOTS),
            _ if gold >= 2900 => (
                2900,
                if line.champion.magic {
                    &tables::ITEMS_AP
                } else {
                    &tables::ITEMS_AD
                },
            ),
            _ => (700, &tables::PARTS),
        };
        if gold < price {
            break;
        }
        gold -= price;
        *item = *draw.pick(list);
    }
    items[6] = *draw.pick(&tables::TRINKETS);
    items
}
