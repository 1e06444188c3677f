//! The paths that exist, and what each one answers. Pure: a world and a request in, a reply out.

use crate::call::{Call, Method, parameter};
use crate::game::queue_type;
use crate::gzip;
use crate::hash::hash;
use crate::json::Json;
use crate::league;
use crate::mastery;
use crate::odd;
use crate::people::{KeyScope, Player};
use crate::reply::Reply;
use crate::world::{Found, MATCHES_KEPT, TIME_FILTER_SINCE, World};
use crate::{match_document, timeline_document};
use riftsync_model::{MatchId, Platform, Puuid, Region, RiotId, Route};

/// Which moment of a match `startTime` and `endTime` are compared with. The real API does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListTime {
    Creation,
    #[default]
    Start,
    End,
}

/// The choices of the configuration that change answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers {
    /// Older matches than so many are not listed. The real API knows about 1000.
    pub list_depth: Option<usize>,
    pub list_time: ListTime,
    /// Matches that are older than Riot keeps them are not listed.
    pub list_forgets: bool,
    /// `start` is ignored.
    pub same_page: bool,
    /// One thing in a document is odd.
    pub odd_values: Option<u64>,
}

/// A request that has passed the door.
#[derive(Debug)]
pub struct Request<'a> {
    pub route: Route,
    pub call: &'a Call,
    pub query: &'a str,
    pub scope: KeyScope,
    pub accepts_gzip: bool,
    pub answers: Answers,
}

fn number(query: &str, name: &str, default: i64, low: i64, high: i64) -> Result<i64, Reply> {
    let Some(text) = parameter(query, name) else {
        return Ok(default);
    };
    let value = text
        .parse()
        .ok()
        .filter(|value| (low..=high).contains(value));
    value.ok_or_else(|| Reply::bad_parameter(&text, low, high))
}

/// Answers a call.
pub fn answer(world: &World, request: &Request<'_>) -> Reply {
    let reply = match request.call.method {
        Method::AccountByRiotId => account_by_riot_id(world, request),
        Method::AccountByPuuid => regional_player(world, request).map(|player| account(world, request, player)),
        Method::AccountRegion => regional_player(world, request).map(|player| {
            let platform = player.platform.as_str();
            Reply::json(200, serde_json::json!({"puuid": request.call.parts[0], "game": request.call.parts[1], "region": platform}).to_string())
        }),
        Method::Summoner => summoner(world, request),
        Method::MatchIds => match_ids(world, request),
        Method::Match | Method::Timeline => Ok(document(world, request)),
        Method::ChallengerLeague => league_list(world, request, league::Tier::Challenger),
        Method::GrandmasterLeague => league_list(world, request, league::Tier::Grandmaster),
        Method::MasterLeague => league_list(world, request, league::Tier::Master),
        Method::LeagueEntries => league_entries(world, request, false),
        Method::LeagueExpEntries => league_entries(world, request, true),
        Method::LeagueOfPlayer => league_of_player(world, request),
        Method::Mastery => mastery_of_player(world, request),
        Method::Status => status(request),
    };
    reply.unwrap_or_else(|error| error)
}

fn platform(request: &Request<'_>) -> Result<Platform, Reply> {
    match request.route {
        Route::Platform(platform) => Ok(platform),
        Route::Region(_) => Err(Reply::forbidden()),
    }
}

/// account-v1 answers for everybody on three routes, and not at all on `sea`.
fn accounts_route(request: &Request<'_>) -> Result<(), Reply> {
    match request.route {
        Route::Region(Region::Americas | Region::Asia | Region::Europe) => Ok(()),
        Route::Region(Region::Sea) | Route::Platform(_) => Err(Reply::forbidden()),
    }
}

fn player(world: &World, request: &Request<'_>) -> Result<Player, Reply> {
    let puuid = &request.call.parts[0];
    let valid: Result<Puuid, _> = puuid.parse();
    let found = valid
        .ok()
        .and_then(|puuid| world.people().by_puuid(puuid.as_str(), request.scope));
    found.ok_or_else(|| Reply::undecryptable(puuid))
}

fn regional_player(world: &World, request: &Request<'_>) -> Result<Player, Reply> {
    accounts_route(request)?;
    player(world, request)
}

fn account_by_riot_id(world: &World, request: &Request<'_>) -> Result<Reply, Reply> {
    accounts_route(request)?;
    let [name, tag] = request.call.parts.as_slice() else {
        return Err(Reply::forbidden());
    };
    let found = RiotId::new(name, tag)
        .ok()
        .and_then(|riot_id| world.people().by_riot_id(&riot_id));
    let player = found.ok_or_else(|| {
        Reply::error(
            404,
            &format!("Data not found - No results found for player with riot id {name}#{tag}"),
        )
    })?;
    Ok(account(world, request, player))
}

fn account(world: &World, request: &Request<'_>, player: Player) -> Reply {
    let mut json = Json::new();
    json.open().text(
        "puuid",
        world.people().puuid(player, request.scope).as_str(),
    );
    if let Some(riot_id) = world.people().name_of(player) {
        json.text("gameName", riot_id.game_name())
            .text("tagLine", riot_id.tag_line());
    }
    json.close();
    Reply::json(200, json.into_text())
}

fn summoner(world: &World, request: &Request<'_>) -> Result<Reply, Reply> {
    let platform = platform(request)?;
    let player = player(world, request)?;
    if player.platform != platform {
        return Err(Reply::error(404, "Data not found - summoner not found"));
    }
    let last = world.matches_of(player).next_back();
    let revised = last.map_or(0, |found| found.game.end(&found.facts).as_millis());
    let mut json = Json::new();
    json.open()
        .text("puuid", &request.call.parts[0])
        .int("profileIconId", world.people().icon(player));
    json.int("revisionDate", revised)
        .int("summonerLevel", world.people().level(player))
        .close();
    Ok(Reply::json(200, json.into_text()))
}

/// The newest first. A wrong region and a time in milliseconds give an empty list, not an error.
fn match_ids(world: &World, request: &Request<'_>) -> Result<Reply, Reply> {
    let Route::Region(region) = request.route else {
        return Err(Reply::forbidden());
    };
    let query = request.query;
    let count = number(query, "count", 20, 0, 100)?;
    let start = match number(query, "start", 0, 0, i64::from(i32::MAX))? {
        _ if request.answers.same_page => 0,
        start => start,
    };
    let start_time = number(query, "startTime", i64::MIN, 0, i64::MAX)?;
    let end_time = number(query, "endTime", i64::MAX, 0, i64::MAX)?;
    let queue = number(query, "queue", -1, 0, i64::from(i32::MAX))?;
    let kind = parameter(query, "type");
    if kind
        .as_deref()
        .is_some_and(|kind| !["ranked", "normal", "tourney", "tutorial"].contains(&kind))
    {
        return Err(Reply::error(400, "Bad Request - invalid parameter type"));
    }
    let player = player(world, request)?;
    let filters_time = start_time != i64::MIN || end_time != i64::MAX;
    let listed = |found: &Found<'_>| {
        let moment = match request.answers.list_time {
            ListTime::Creation => found.game.creation(),
            ListTime::Start => found.game.start,
            ListTime::End => found.game.end(&found.facts),
        };
        let in_time = !filters_time
            || (found.game.start >= TIME_FILTER_SINCE
                && (start_time..=end_time).contains(&moment.as_secs()));
        let is_kept =
            !request.answers.list_forgets || found.game.start >= world.now() - MATCHES_KEPT;
        let in_queue = queue < 0 || i64::from(found.facts.queue_id) == queue;
        in_time
            && is_kept
            && in_queue
            && kind
                .as_deref()
                .is_none_or(|kind| kind == queue_type(found.facts.queue_id))
    };
    let mut json = Json::new();
    json.open_list();
    if player.platform.region() == region {
        let depth = request.answers.list_depth.unwrap_or(usize::MAX);
        let (skip, take) = (
            usize::try_from(start).unwrap_or(0),
            usize::try_from(count).unwrap_or(0),
        );
        for found in world
            .matches_of(player)
            .rev()
            .take(depth)
            .filter(listed)
            .skip(skip)
            .take(take)
        {
            json.text_value(&found.id().to_string());
        }
    }
    json.close_list();
    Ok(Reply::json(200, json.into_text()))
}

/// Puts something odd into a document, by a seed.
type Spoil = fn(&[u8], u64) -> Vec<u8>;
/// Writes a document, compressed or not.
type Write = fn(&World, &Found<'_>, KeyScope, bool) -> Option<Vec<u8>>;

fn document(world: &World, request: &Request<'_>) -> Reply {
    let id: Option<MatchId> = request.call.parts[0].parse().ok();
    let found = id
        .filter(|id| id.route() == request.route)
        .and_then(|id| world.find(id));
    let (write, spoilt): (Write, Spoil) = if request.call.method == Method::Match {
        (match_document::write, odd::spoilt_match)
    } else {
        (timeline_document::write, odd::spoilt_timeline)
    };
    let body = found.and_then(|found| {
        let Some(seed) = request.answers.odd_values else {
            return write(world, &found, request.scope, request.accepts_gzip);
        };
        let whole = write(world, &found, request.scope, false)?;
        let odd = spoilt(&whole, hash(&[seed, found.game.seed]));
        Some(if request.accepts_gzip {
            gzip::gzip(&odd)
        } else {
            odd
        })
    });
    body.map_or_else(Reply::match_not_found, |body| {
        Reply::document(body, request.accepts_gzip)
    })
}

fn view<'w>(world: &'w World, request: &Request<'_>) -> league::View<'w> {
    league::View {
        people: world.people(),
        scope: request.scope,
        now: world.now(),
    }
}

fn queue(request: &Request<'_>) -> Result<league::Queue, Reply> {
    let queue = request.call.parts[0].parse();
    queue.map_err(|()| Reply::error(400, "Bad Request - queue"))
}

fn league_list(world: &World, request: &Request<'_>, tier: league::Tier) -> Result<Reply, Reply> {
    let platform = platform(request)?;
    Ok(Reply::json(
        200,
        league::list(view(world, request), platform, queue(request)?, tier),
    ))
}

fn league_entries(
    world: &World,
    request: &Request<'_>,
    experimental: bool,
) -> Result<Reply, Reply> {
    let platform = platform(request)?;
    let queue = queue(request)?;
    let bad = |what: &str| Reply::error(400, &format!("Bad Request - {what}"));
    let tier: league::Tier = request.call.parts[1].parse().map_err(|()| bad("tier"))?;
    let division = league::DIVISIONS
        .iter()
        .position(|name| *name == request.call.parts[2])
        .ok_or_else(|| bad("division"))?;
    if tier.is_apex() && !experimental {
        return Err(bad("tier"));
    }
    let page = number(request.query, "page", 1, 1, i64::from(i32::MAX))?;
    let page = usize::try_from(page).unwrap_or(1);
    Ok(Reply::json(
        200,
        league::page(view(world, request), platform, queue, tier, division, page),
    ))
}

fn league_of_player(world: &World, request: &Request<'_>) -> Result<Reply, Reply> {
    let platform = platform(request)?;
    let player = player(world, request)?;
    let known = player.platform == platform;
    Ok(Reply::json(
        200,
        if known {
            league::of_player(view(world, request), player)
        } else {
            "[]".to_owned()
        },
    ))
}

fn mastery_of_player(world: &World, request: &Request<'_>) -> Result<Reply, Reply> {
    let platform = platform(request)?;
    let player = player(world, request)?;
    let text = if player.platform == platform {
        mastery::of_player(view(world, request), player)
    } else {
        "[]".to_owned()
    };
    Ok(Reply::json(200, text))
}

fn status(request: &Request<'_>) -> Result<Reply, Reply> {
    let platform = platform(request)?;
    let body = serde_json::json!({
        "id": platform.upper(), "name": platform.upper(), "locales": ["en_US"], "maintenances": [], "incidents": [],
    });
    Ok(Reply::json(200, body.to_string()))
}
