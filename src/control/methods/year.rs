//! `player.year`: the figures of a player's year.

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::player::stored;
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::model::{Puuid, RiotId, Timestamp, Whom};
use crate::report::{self, Wholeness, Year};
use crate::store::year::YearOf;
use crate::store::{Store, StoreResult, StoredPlayer, YearCoverage};
use crate::tasks::coverage;

/// People who are named in each list.
const COMPANY_MAX: usize = 12;
const FORMER_NAMES_MAX: usize = 10;

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
        let games = store.games_of(of).await?;
        let mut figures = Year::of(year, &games, zone, jiff::Timestamp::now());
        figures.player = report::Player {
            riot_id: player.riot_id.as_ref().map(ToString::to_string),
            puuid: player.puuid.to_string(),
            former_names: store.former_names(player.id, FORMER_NAMES_MAX).await?,
        };
        let present = figures.player.riot_id.clone();
        let former = &mut figures.player.former_names;
        former.retain(|name| Some(name) != present.as_ref());
        figures.duos = store.company_of(of, true, COMPANY_MAX).await?;
        figures.rivals = store.company_of(of, false, COMPANY_MAX).await?;
        let there = |one: &str| platform.is_none_or(|platform| platform == one);
        let coverage = store.coverage(player.id, timelines_gone).await?;
        let of_year = coverage
            .iter()
            .filter(|one| one.year == year && there(&one.platform));
        figures.wholeness = of_year.map(wholeness).collect();
        let rows = store.yearly_stats(player.id, Some(year)).await?;
        let counted = rows.iter().filter(|row| there(&row.platform));
        let counted: i64 = counted.map(|row| row.tally.total_matches()).sum();
        figures.cleaned = u64::try_from(counted)
            .unwrap_or(0)
            .saturating_sub(figures.all.games);
        Ok(figures)
    }
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
