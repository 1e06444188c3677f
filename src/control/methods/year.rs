//! `player.year`: the figures of a player's year.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::player::stored;
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::model::names::NamedKind;
use crate::model::{Puuid, RiotId, Timestamp, Whom};
use crate::report::{self, Game, KillMap, Lead, Wholeness, Year};
use crate::store::year::YearOf;
use crate::store::year::people::{self, companions, most_met};
use crate::store::{Store, StoreError, StoreResult, StoredPlayer, YearCoverage};
use crate::tasks::coverage;

/// People who are named in each list.
const COMPANY_MAX: usize = 8;
const FORMER_NAMES_MAX: usize = 10;
/// Games of the map: each has a thousand events to look through.
const MAPPED_MAX: usize = 30;
/// Ranks of a year that are looked at: a tracked player's change with each game at most.
const RANKS_MAX: usize = 5_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    riot_id: Option<RiotId>,
    #[serde(default)]
    puuid: Option<Puuid>,
    year: i16,
    #[serde(default)]
    platform: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
}

pub(super) async fn year(control: &ControlState, params: Params<'_>) -> Answer {
    let asked: Asked = params.read()?;
    let (riot_id, puuid) = (asked.riot_id, asked.puuid);
    let (player, note) = stored(control, &Whom { riot_id, puuid }).await?;
    let zone = time_zone(asked.timezone.as_deref())
        .map_err(|why| RpcError::new(RpcError::INVALID_PARAMS, why))?;
    let platform = asked.platform.map(|name| name.to_lowercase());
    let figures = YearFigures {
        player: &player,
        year: asked.year,
        platform: platform.as_deref(),
        zone: &zone,
    };
    let year = figures.read(&*control.engine.store, None).await?;
    Ok(json!({ "note": note, "year": year }))
}

/// A time zone by its name; that of this machine unless told.
pub fn time_zone(name: Option<&str>) -> Result<TimeZone, String> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(TimeZone::system());
    };
    TimeZone::get(name).map_err(|_| {
        let shown: String = name.chars().take(60).collect();
        format!("'{shown}' is not a time zone. Write it as Asia/Seoul, Europe/Berlin or UTC")
    })
}

/// Which figures are wanted.
#[derive(Debug, Clone, Copy)]
pub struct YearFigures<'a> {
    pub player: &'a StoredPlayer,
    pub year: i16,
    pub platform: Option<&'a str>,
    pub zone: &'a TimeZone,
}

impl YearFigures<'_> {
    pub async fn read(
        self,
        store: &dyn Store,
        timelines_gone: Option<Timestamp>,
    ) -> StoreResult<Year> {
        let Self {
            player,
            year,
            platform,
            zone,
        } = self;
        let of = YearOf {
            player_id: player.id,
            year,
            platform,
        };
        let names = names_of(store, NamedKind::Champion);
        let rest = async {
            let former = store.former_names(player.id, FORMER_NAMES_MAX).await?;
            let ranks = store.ranks_of(player.id, year, RANKS_MAX).await?;
            let coverage = store.coverage(player.id, timelines_gone).await?;
            let rows = store.yearly_stats(player.id, Some(year)).await?;
            Ok::<_, StoreError>((former, ranks, coverage, rows))
        };
        // The games and everybody in them are read on two connections, beside the rest.
        let (mut games, people, champions, rest) =
            tokio::try_join!(store.games_of(of), store.people_of(of), names, rest)?;
        let told = people::tell(&mut games, people);
        let [duos, rivals] = most_met(told.met, COMPANY_MAX);
        let company: Vec<i64> = (duos.iter().chain(&rivals))
            .map(|one| one.player_id)
            .collect();
        let mapped: Vec<&str> = last_on_the_rift(&games)
            .map(|game| &*game.match_id)
            .collect();
        let (leads, (with_events, kills), riot_ids) = tokio::try_join!(
            store.leads_of(&told.pairs),
            store.kills_of(of.player_id, &mapped),
            store.riot_ids_of(&company),
        )?;
        complete(&mut games, leads, &champions);
        let (mut former_names, ranks, coverage, rows) = rest;
        let riot_id = player.riot_id.as_ref().map(ToString::to_string);
        former_names.retain(|name| Some(name) != riot_id.as_ref());
        let mut figures = Year::of(year, &games, zone, jiff::Timestamp::now());
        figures.player = report::Player {
            riot_id,
            puuid: player.puuid.to_string(),
            former_names,
        };
        figures.kill_map = KillMap::of(with_events, &kills);
        figures.ranks = report::rank_lines(&ranks, zone);
        figures.duos = companions(&duos, &riot_ids);
        figures.rivals = companions(&rivals, &riot_ids);
        let there = |one: &str| platform.is_none_or(|platform| platform == one);
        let of_year = coverage
            .iter()
            .filter(|one| one.year == year && there(&one.platform));
        figures.wholeness = of_year.map(wholeness).collect();
        let counted = rows.iter().filter(|row| there(&row.platform));
        let counted: i64 = counted.map(|row| row.tally.total_matches()).sum();
        figures.cleaned = u64::try_from(counted)
            .unwrap_or(0)
            .saturating_sub(figures.all.games);
        Ok(figures)
    }
}

/// Puts into the games what was asked for apart from them: the leads, and what champions are called.
fn complete(games: &mut [Game], leads: Vec<(String, Lead)>, champions: &HashMap<i32, String>) {
    let mut leads: HashMap<String, Lead> = leads.into_iter().collect();
    for game in games {
        game.lead = leads.remove(&game.match_id);
        if let Some(name) = champions.get(&game.champion_id) {
            game.champion.clone_from(name);
        }
        let opponent = game.opponent_champion_id.and_then(|id| champions.get(&id));
        if let Some(name) = opponent {
            game.opponent = Some(name.clone());
        }
    }
}

/// What things are called, by Riot's numbers: the newest name that is stored.
pub(super) async fn names_of(
    store: &dyn Store,
    kind: NamedKind,
) -> StoreResult<HashMap<i32, String>> {
    let names = store.names(kind).await?.into_iter();
    let names = names.filter_map(|one| Some((one.id.parse().ok()?, one.name)));
    Ok(names.collect())
}

/// The last games on Summoner's Rift that have a timeline.
fn last_on_the_rift(games: &[Game]) -> impl Iterator<Item = &Game> {
    let on_the_rift = games
        .iter()
        .rev()
        .filter(|game| game.counts() && game.is_on_the_rift() && game.has_timeline);
    on_the_rift.take(MAPPED_MAX)
}

fn wholeness(year: &YearCoverage) -> Wholeness {
    Wholeness {
        platform: year.platform.clone(),
        listed: year.listed.map(|listing| listing.matches.into()),
        missing: year.missing_matches.iter().map(|(_, count)| count).sum(),
        pending: year.pending_matches,
        unread: year.unread_matches,
        text: coverage::text(year).unwrap_or_default(),
    }
}
