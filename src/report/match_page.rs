//! The page of a match, as the part of another page.

use std::fmt::Write;

use askama::Template;

use super::chart::{self, Dots};
use super::figures::{queue_name, role_name};
use super::one_match::{Event, OneMatch, Participant, Team, objective_name};
use super::page::{View, tile};
use super::text::{clock, counted, grouped, percent, shown, signed};
use super::year::ratio;

/// The match as a part of a page that has [`super::STYLE`].
pub fn match_body(told: &OneMatch, view: View<'_>) -> String {
    let page = Body {
        told,
        view,
        leads: told.gold_leads(),
    };
    // It fails only where it cannot be written to, and a string always can.
    page.render().unwrap_or_else(|error| error.to_string())
}

#[derive(Template)]
#[template(path = "match.html")]
struct Body<'m> {
    told: &'m OneMatch,
    view: View<'m>,
    leads: Vec<i64>,
}

/// Those who won or lost together.
struct Side<'m> {
    name: String,
    participants: Vec<&'m Participant>,
    /// Towers, dragons and the like, in words.
    took: String,
}

/// Items, and how many of each.
type Counted = Vec<(i32, u64)>;

/// Items that somebody bought within a minute.
struct Purchase {
    minute: String,
    items: String,
}

#[allow(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    clippy::ref_option,
    reason = "a template calls methods, and with references to fields"
)]
impl Body<'_> {
    fn queue(&self) -> String {
        queue_name(self.told.queue_id)
    }

    fn sides(&self) -> Vec<Side<'_>> {
        let key = |one: &Participant| match one.subteam_id {
            Some(id) if id > 0 => (one.placement.unwrap_or(i32::MAX), id, true),
            _ => (one.team_id, one.team_id, false),
        };
        let mut keys: Vec<_> = self.told.participants.iter().map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        let side = |of: (i32, i32, bool)| {
            let own = self.told.participants.iter().filter(|one| key(one) == of);
            let participants: Vec<&Participant> = own.collect();
            let won = participants.first().is_some_and(|one| one.win);
            let end = if won { "won" } else { "lost" };
            let name = match of {
                (i32::MAX, team, true) => format!("Team {team}"),
                (place, team, true) => format!("Team {team} – place {place}"),
                (100, ..) => format!("Blue team – {end}"),
                (200, ..) => format!("Red team – {end}"),
                (team, ..) => format!("Team {team} – {end}"),
            };
            let team = self
                .told
                .teams
                .iter()
                .find(|team| team.team_id == of.1 && !of.2);
            Side {
                name,
                took: team.map_or_else(String::new, took),
                participants,
            }
        };
        keys.into_iter().map(side).collect()
    }

    fn who(&self, one: &Participant) -> String {
        match &one.riot_id {
            Some(riot_id) => shown(riot_id),
            None if one.is_bot => "bot".to_owned(),
            None => "unknown".to_owned(),
        }
    }

    fn to_player(&self, one: &Participant) -> Option<String> {
        self.view.to_player?(one.riot_id.as_ref()?)
    }

    fn tile(&self, champion: &str) -> String {
        tile(champion)
    }

    fn role(&self, one: &Participant) -> String {
        shown(role_name(&one.position))
    }

    fn item(&self, id: i32) -> String {
        let name = self.told.item_names.get(&id);
        name.map_or_else(|| format!("item {id}"), |name| shown(name))
    }

    /// What somebody had at the end.
    fn items(&self, one: &Participant) -> String {
        let items = one.items.iter().filter(|id| **id > 0);
        let items: Vec<String> = items.map(|id| self.item(*id)).collect();
        items.join(", ")
    }

    fn gold(&self) -> String {
        chart::gold("lead", "Lead in gold by minute", &self.leads)
    }

    fn signed(&self, lead: &i64) -> String {
        signed(*lead)
    }

    /// Whose lead it is.
    fn ahead(&self, lead: &i64) -> &'static str {
        match lead.signum() {
            1 => "blue",
            -1 => "red",
            _ => "nobody",
        }
    }

    fn most_damage(&self) -> i32 {
        let all = self.told.participants.iter().map(|one| one.damage);
        all.max().unwrap_or(0).max(1)
    }

    /// Damage as a bar of a hundred: physical, magic and true, or one part where the match does not tell.
    fn damage(&self, one: &Participant) -> String {
        let whole = f64::from(self.most_damage());
        let width = |damage: i32| 100.0 * f64::from(damage.max(0)) / whole;
        let kinds = match one.damage_kinds {
            [Some(physical), Some(magic), Some(pure)] => [physical, magic, pure],
            _ => [one.damage, 0, 0],
        };
        let mut at = 0.0;
        let mut bar = String::new();
        for (class, damage) in ["physical", "magic", "pure"].iter().zip(kinds) {
            let wide = width(damage);
            if damage > 0 {
                let _ = write!(
                    bar,
                    "<path class=\"{class}\" d=\"M{at:.1} 0h{wide:.1}v8h-{wide:.1}z\"/>"
                );
            }
            at += wide;
        }
        format!(
            "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{bar}</svg>"
        )
    }

    fn number(&self, number: &i32) -> String {
        grouped(u64::try_from(*number).unwrap_or(0))
    }

    fn perhaps(&self, number: &Option<i32>) -> String {
        number.map_or_else(|| "–".to_owned(), |number| self.number(&number))
    }

    fn share(&self, one: &Participant) -> String {
        let team = self
            .told
            .participants
            .iter()
            .filter(|other| (other.team_id, other.subteam_id) == (one.team_id, one.subteam_id));
        let natural = |damage: i32| u64::try_from(damage).unwrap_or(0);
        let whole: u64 = team.map(|other| natural(other.damage)).sum();
        percent(ratio(100 * natural(one.damage), whole))
    }

    fn events(&self) -> String {
        let letter = |event: &Event| match (&*event.kind, &*event.about) {
            ("DRAGON_SOUL_GIVEN", _) => 'S',
            (_, "TOWER_BUILDING") => 'T',
            (_, "INHIBITOR_BUILDING") => 'I',
            (_, "DRAGON") => 'D',
            (_, "BARON_NASHOR") => 'B',
            (_, "RIFTHERALD") => 'H',
            (_, "HORDE") => 'G',
            (_, "ATAKHAN") => 'A',
            _ => 'O',
        };
        let taken = self.told.objectives();
        let taken =
            taken.filter_map(|event| Some((event.at_ms, self.told.team_of(event)?, letter(event))));
        let taken: Vec<_> = taken.collect();
        chart::events("events", "Objectives by minute", self.told.seconds, &taken)
    }

    fn objectives(&self) -> Vec<&Event> {
        self.told.objectives().collect()
    }

    fn objective(&self, event: &Event) -> String {
        shown(&objective_name(event))
    }

    fn team(&self, event: &Event) -> &'static str {
        match self.told.team_of(event) {
            Some(100) => "Blue",
            Some(200) => "Red",
            _ => "–",
        }
    }

    fn by(&self, id: &Option<i32>) -> String {
        let by = self.told.participant(*id);
        by.map_or_else(|| "–".to_owned(), |one| shown(&one.champion))
    }

    fn with(&self, event: &Event) -> String {
        let helpers = event
            .assists
            .split(';')
            .filter_map(|id| id.trim().parse().ok());
        let helpers = helpers.filter_map(|id: i32| self.told.participant(Some(id)));
        let helpers: Vec<String> = helpers.map(|one| shown(&one.champion)).collect();
        helpers.join(", ")
    }

    fn at(&self, at_ms: &i64) -> String {
        clock(u64::try_from(at_ms / 1_000).unwrap_or(0))
    }

    fn kills(&self) -> Vec<&Event> {
        self.told.kills().map(|(event, ..)| event).collect()
    }

    fn killed_in(&self, team: i32) -> (usize, usize) {
        self.told.kills_of(team)
    }

    fn kill_map(&self) -> String {
        let of = |team: i32| {
            let kills = self.told.kills().filter(|(_, by, _)| *by == team);
            kills.map(|(_, _, spot)| spot).collect::<Vec<_>>()
        };
        let (blue, red) = (of(100), of(200));
        let says = "Where champions fell, the blue team's base in the lower left: a round dot for a kill of the blue team, a \
                    square one for a kill of the red one.";
        let dots = [
            Dots {
                class: "blue",
                at: &blue,
            },
            Dots {
                class: "red",
                at: &red,
            },
        ];
        let is_rift = self.told.map_id == 11;
        chart::kill_map("kills", "Kills on the map", says, is_rift, &dots)
    }

    fn has_purchases(&self) -> bool {
        self.told
            .participants
            .iter()
            .any(|one| !one.purchases.is_empty())
    }

    /// A line for each minute in which something was bought.
    fn purchases(&self, one: &Participant) -> Vec<Purchase> {
        let mut minutes: Vec<(Option<i64>, Counted)> = Vec::new();
        for (item, at_ms) in &one.purchases {
            let minute = at_ms.map(|at_ms| at_ms / 60_000);
            if minutes.last().is_none_or(|(last, _)| *last != minute) {
                minutes.push((minute, Vec::new()));
            }
            let Some((_, items)) = minutes.last_mut() else {
                continue;
            };
            match items.iter_mut().find(|(bought, _)| bought == item) {
                Some((_, count)) => *count += 1,
                None => items.push((*item, 1)),
            }
        }
        let purchase = |(minute, items): (Option<i64>, Counted)| {
            let name = |(item, count): &(i32, u64)| match count {
                1 => self.item(*item),
                _ => format!("{} ×{count}", self.item(*item)),
            };
            let items: Vec<String> = items.iter().map(name).collect();
            Purchase {
                minute: minute.map_or_else(|| "–".to_owned(), |minute| minute.to_string()),
                items: items.join(", "),
            }
        };
        minutes.into_iter().map(purchase).collect()
    }
}

/// What a team took, as far as the match tells.
fn took(team: &Team) -> String {
    let told = [
        (team.towers, "tower", "towers"),
        (team.inhibitors, "inhibitor", "inhibitors"),
        (team.dragons, "dragon", "dragons"),
        (team.heralds, "Rift Herald", "Rift Heralds"),
        (team.grubs, "void grub", "void grubs"),
        (team.barons, "Baron", "Barons"),
    ];
    let told = told.into_iter().filter_map(|(count, one, many)| {
        let count = u64::try_from(count?).ok().filter(|count| *count > 0)?;
        Some(counted(count, one, many))
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
