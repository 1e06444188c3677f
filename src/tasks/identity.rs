//! Who a player is: a puuid. A name is a look, which changes and changes hands; a puuid is of one API key.
//!
//! So a player is asked for by the puuid wherever one of the present key is known, and the name is taken as it comes. A
//! row whose puuid is of another key is found by proof: a stored match of it is fetched once more, and whoever has the
//! same place in it has the same puuid there as everywhere under the key of today. It costs one call, and it holds for
//! a player who was renamed, and for a name that somebody else has taken since. Rows become one on such a proof alone,
//! or when a row has nothing but its name; without it they stay two.
//!
//! When a name turns out to be somebody's, others that have it in the database are asked who they are now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::PlayerSyncArgs;
use super::player::Stop;
use crate::gate::RiotApi;
use crate::model::records::{PayloadKind, PlayerRecord};
use crate::model::{Failure, Outcome, Platform, Priority, Puuid, Retention, RiotId};
use crate::riot::{
    Account, Call, RiotError, parse_account, parse_match, parse_region, parse_summoner,
};
use crate::store::engine::JobContext;
use crate::store::people::{Appearance, shown};
use crate::store::{Effect, StoredPlayer};

/// Stored matches that are asked for to find one participant again: the newest may be of a mode that is closed to keys.
const PROOFS_MAX: usize = 2;

/// Whom a job is about, and where.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) riot_id: Option<RiotId>,
    pub(super) puuid: Option<Puuid>,
    pub(super) platform: Platform,
    /// The player is synced again by schedule from now on.
    pub(super) track: bool,
    /// How long Riot has the matches that tell who somebody is.
    pub(super) retention: Retention,
}

impl Wanted {
    pub(super) fn of(args: &PlayerSyncArgs, retention: Retention) -> Self {
        Self {
            riot_id: args.riot_id.clone(),
            puuid: args.puuid.clone(),
            platform: args.platform,
            track: args.track,
            retention,
        }
    }
}

/// A player under the present key.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) player: PlayerRecord,
    /// What a person should know of the name.
    pub(super) notes: Vec<String>,
    identity: Identity,
    retention: Retention,
}

/// An account, and what the database has of it.
#[derive(Debug, Clone)]
struct Identity {
    account: Account,
    /// Rows with another puuid that are this player.
    proved: Vec<i64>,
    /// Rows that were asked for already.
    asked: Vec<i64>,
}

impl Identity {
    fn of(account: Account) -> Self {
        Self {
            account,
            proved: Vec::new(),
            asked: Vec::new(),
        }
    }

    fn asked(mut self, row: &StoredPlayer) -> Self {
        self.asked.push(row.id);
        self
    }

    fn proved(mut self, row: &StoredPlayer) -> Self {
        if row.puuid != self.account.puuid {
            self.proved.push(row.id);
        }
        self.asked(row)
    }
}

/// What a row came to under the present key.
enum Now {
    Is(Account),
    /// Riot does not know the puuid any more.
    Gone,
    /// Its puuid is of another key, and no stored match of it is served that could tell the one of this key.
    Unproved,
}

/// Finds the player, by puuid if one is known.
pub(super) async fn find(
    api: &RiotApi,
    context: &JobContext,
    wanted: &Wanted,
) -> Result<Found, Stop> {
    let row = match &wanted.puuid {
        Some(puuid) => row_of(context, puuid).await?,
        None => None,
    };
    let found = match (&wanted.puuid, &row) {
        (_, Some(row)) => find_row(api, context, wanted, row).await,
        (Some(puuid), None) => find_stranger(api, context, wanted, puuid).await,
        (None, None) => find_by_name(api, context, wanted).await,
    };
    let outcome = match found {
        Ok(identity) => complete(api, context, wanted, identity).await,
        Err(stop) => Err(stop),
    };
    if let (Some(row), Err(Stop::Settled(Outcome::Discard(failure)))) = (&row, &outcome) {
        lost(context, row, failure).await?;
    }
    outcome
}

/// A row that was asked for in vain is remembered. Whoever waits at a terminal is told by the job's end.
async fn lost(context: &JobContext, row: &StoredPlayer, failure: &Failure) -> Result<(), Stop> {
    let store = context.store();
    let why = failure.message.clone();
    let tracked = store.lose(row.id, why, context.now()).await?;
    if tracked && context.priority() != Priority::INTERACTIVE {
        let remedy = failure.remedy.as_deref().unwrap_or_default();
        tracing::warn!(
            "{}, who is tracked, was not found: {}; {remedy}",
            shown(row),
            failure.message
        );
    }
    Ok(())
}

async fn row_of(context: &JobContext, puuid: &Puuid) -> Result<Option<StoredPlayer>, Stop> {
    let rows = context
        .store()
        .players_by_puuid(std::slice::from_ref(puuid))
        .await?;
    Ok(rows.into_iter().next())
}

/// A player of the database.
async fn find_row(
    api: &RiotApi,
    context: &JobContext,
    wanted: &Wanted,
    row: &StoredPlayer,
) -> Result<Identity, Stop> {
    match now(api, context, row, wanted.retention).await? {
        Now::Is(account) => return Ok(Identity::of(account).proved(row)),
        Now::Gone => return Err(gone(row)),
        Now::Unproved => {}
    }
    // The name is all that is left, and it may be somebody else's by now.
    let riot_id = wanted.riot_id.as_ref().or(row.riot_id.as_ref());
    let Some(riot_id) = riot_id else {
        return Err(unproved(row, None));
    };
    let Some(account) = by_name(api, context, riot_id, wanted.platform).await? else {
        return Err(unproved(row, None));
    };
    if is_bare(context, row).await? {
        return Ok(Identity::of(account).proved(row));
    }
    match row_of(context, &account.puuid).await? {
        Some(other) if other.id != row.id => Err(unproved(row, Some(&other))),
        _ => Ok(Identity::of(account).asked(row)),
    }
}

/// A puuid that no row has.
async fn find_stranger(
    api: &RiotApi,
    context: &JobContext,
    wanted: &Wanted,
    puuid: &Puuid,
) -> Result<Identity, Stop> {
    match account_of(api, context, puuid, wanted.platform).await {
        Ok(Some(account)) => Ok(Identity::of(account)),
        // It may have been the puuid of a row that got another one since.
        Ok(None) | Err(Stop::Riot(RiotError::ForeignPuuid)) if wanted.riot_id.is_some() => {
            find_by_name(api, context, wanted).await
        }
        Ok(None) => Err(not_found(
            format!("Riot knows no player {puuid}"),
            "check that all 78 characters are there, or name the player as Name#TAG",
        )),
        Err(Stop::Riot(RiotError::ForeignPuuid)) => Err(not_found(
            format!("the puuid {puuid} is of another API key: each key has its own"),
            "name the player as Name#TAG, or take the puuid that this key gives",
        )),
        Err(stop) => Err(stop),
    }
}

/// A name as somebody typed it: who has it now, else who had it when it was last heard of.
async fn find_by_name(
    api: &RiotApi,
    context: &JobContext,
    wanted: &Wanted,
) -> Result<Identity, Stop> {
    let Some(riot_id) = &wanted.riot_id else {
        let why = "neither a name nor a puuid was given".to_owned();
        return Err(not_found(why, "name the player as Name#TAG"));
    };
    if let Some(account) = by_name(api, context, riot_id, wanted.platform).await? {
        return Ok(Identity::of(account));
    }
    let mut rows = context.store().namesakes(riot_id).await?;
    let bear_it = !rows.is_empty();
    if !bear_it {
        rows = context.store().former_holders(riot_id).await?;
    }
    // One person may have several rows, of several keys.
    let mut people: BTreeMap<Puuid, Identity> = BTreeMap::new();
    for row in &rows {
        if let Now::Is(account) = now(api, context, row, wanted.retention).await? {
            let puuid = account.puuid.clone();
            let person = people.remove(&puuid);
            let person = person.unwrap_or_else(|| Identity::of(account));
            people.insert(puuid, person.proved(row));
        }
    }
    if people.len() > 1 {
        let name = |person: Identity| {
            let riot_id = named(&person.account);
            riot_id.map_or_else(|| person.account.puuid.to_string(), String::from)
        };
        let names: Vec<String> = people.into_values().map(name).collect();
        return Err(not_found(
            format!(
                "nobody is called '{riot_id}' now, and several players were: {}",
                names.join(", ")
            ),
            "name the one you mean",
        ));
    }
    if let Some((_, person)) = people.pop_first() {
        return Ok(person);
    }
    let failure = Failure::new("not_found", format!("no player is called '{riot_id}'"))
        .with_remedy(
            "check the spelling and the tag after '#'; it is shown in the League client's profile",
        );
    // Those who only had the name once are asked for by the one they have.
    for row in rows.iter().filter(|_| bear_it) {
        lost(context, row, &failure).await?;
    }
    Err(Stop::Settled(Outcome::Discard(failure)))
}

/// Who a row is under the present key.
async fn now(
    api: &RiotApi,
    context: &JobContext,
    row: &StoredPlayer,
    retention: Retention,
) -> Result<Now, Stop> {
    if *row.key_fingerprint == *api.key_fingerprint() {
        match account_of(api, context, &row.puuid, row.platform).await {
            Ok(account) => return Ok(account.map_or(Now::Gone, Now::Is)),
            // Its row has the wrong key: somebody wrote it by hand, or it came from another database.
            Err(Stop::Riot(RiotError::ForeignPuuid)) => {}
            Err(stop) => return Err(stop),
        }
    }
    let Some(puuid) = proof(api, context, row, retention).await? else {
        return Ok(Now::Unproved);
    };
    let account = account_of(api, context, &puuid, row.platform).await?;
    Ok(account.map_or(Now::Gone, Now::Is))
}

/// The puuid that a row's player has under the present key: of whoever has the same place in a match of the row.
async fn proof(
    api: &RiotApi,
    context: &JobContext,
    row: &StoredPlayer,
    retention: Retention,
) -> Result<Option<Puuid>, Stop> {
    let places = context.store().appearances(row.id, PROOFS_MAX).await?;
    let is_there =
        |place: &Appearance| !retention.is_over(PayloadKind::Match, place.start, context.now());
    for place in places.into_iter().filter(is_there) {
        let id = place.match_id;
        let document = match api.call(context, &Call::match_document(id)).await {
            Ok(response) => api.read(response, move |text| parse_match(id, text)).await,
            Err(error) => Err(error),
        };
        match document {
            Ok((record, _)) => {
                let participants = record.participants.into_iter();
                let mut there =
                    participants.filter(|one| one.participant_id == place.participant_id);
                if let Some(player) = there.next().and_then(|one| one.player) {
                    return Ok(Some(player.puuid));
                }
            }
            // That match tells nothing; another one may.
            Err(RiotError::NotFound | RiotError::Forbidden(_) | RiotError::Payload(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Whether a row is nothing but a name: nothing is mixed up when it goes with it.
async fn is_bare(context: &JobContext, row: &StoredPlayer) -> Result<bool, Stop> {
    let store = context.store();
    Ok(store.appearances(row.id, 1).await?.is_empty()
        && store.yearly_stats(row.id, None).await?.is_empty())
}

async fn by_name(
    api: &RiotApi,
    context: &JobContext,
    riot_id: &RiotId,
    platform: Platform,
) -> Result<Option<Account>, Stop> {
    match api.call(context, &Call::account(riot_id, platform)).await {
        Err(RiotError::NotFound) => Ok(None),
        other => {
            let mut account = api.read(other?, parse_account).await?.0;
            // The account's own spelling of the name, if it gives one.
            if named(&account).is_none() {
                account.game_name = Some(riot_id.game_name().to_owned());
                account.tag_line = Some(riot_id.tag_line().to_owned());
            }
            Ok(Some(account))
        }
    }
}

async fn account_of(
    api: &RiotApi,
    context: &JobContext,
    puuid: &Puuid,
    platform: Platform,
) -> Result<Option<Account>, Stop> {
    match api.call(context, &Call::account_of(puuid, platform)).await {
        Err(RiotError::NotFound) => Ok(None),
        other => Ok(Some(api.read(other?, parse_account).await?.0)),
    }
}

fn named(account: &Account) -> Option<RiotId> {
    let (name, tag) = account.game_name.as_ref().zip(account.tag_line.as_ref())?;
    RiotId::new(name, tag).ok()
}

/// The account's player on the platform.
async fn complete(
    api: &RiotApi,
    context: &JobContext,
    wanted: &Wanted,
    identity: Identity,
) -> Result<Found, Stop> {
    let account = &identity.account;
    let riot_id = named(account);
    let call = Call::summoner(&account.puuid, wanted.platform);
    let summoner = match api.call(context, &call).await {
        Err(RiotError::NotFound) => {
            let who = riot_id.or_else(|| wanted.riot_id.clone());
            return Err(elsewhere(api, context, wanted.platform, &account.puuid, who).await);
        }
        other => api.read(other?, parse_summoner).await?.0,
    };
    let mut notes = Vec::new();
    if let (Some(old), Some(new)) = (&wanted.riot_id, &riot_id)
        && old.folded() != new.folded()
    {
        let note = format!("{old} is called {new} now");
        tracing::info!("{note}");
        notes.push(note);
    }
    Ok(Found {
        player: PlayerRecord {
            puuid: account.puuid.clone(),
            riot_id,
            platform: wanted.platform,
            profile_icon_id: summoner.profile_icon_id,
            summoner_level: summoner.summoner_level,
            tracked: wanted.track,
        },
        notes,
        identity,
        retention: wanted.retention,
    })
}

/// Why a player is not on a platform: where it is, if the API tells.
async fn elsewhere(
    api: &RiotApi,
    context: &JobContext,
    platform: Platform,
    puuid: &Puuid,
    who: Option<RiotId>,
) -> Stop {
    let who = who.map_or_else(|| puuid.to_string(), |riot_id| riot_id.to_string());
    let region = match api.call(context, &Call::region_of(puuid, platform)).await {
        Ok(response) => api.read(response, parse_region).await.ok(),
        Err(_) => None,
    };
    match region.and_then(|(region, _)| region) {
        Some(region) if region != platform => not_found(
            format!("'{who}' does not play on {platform}, but on {region}"),
            &format!("sync with --platform {region}; what is stored stays with the player"),
        ),
        _ => not_found(
            format!("'{who}' does not play on {platform}"),
            "name the server the player plays on with --platform",
        ),
    }
}

fn not_found(message: String, remedy: &str) -> Stop {
    Stop::Settled(Outcome::Discard(
        Failure::new("not_found", message).with_remedy(remedy),
    ))
}

fn gone(row: &StoredPlayer) -> Stop {
    let message = format!(
        "Riot does not know the player any more who was {}",
        shown(row)
    );
    let remedy = format!(
        "`riftsync untrack --puuid {}` ends the tracking; what is stored stays",
        row.puuid
    );
    not_found(message, &remedy)
}

fn unproved(row: &StoredPlayer, other: Option<&StoredPlayer>) -> Stop {
    let holder = other.map_or_else(
        || "nobody has the name now".to_owned(),
        |other| format!("the name is that of the player {} now", other.puuid),
    );
    let message = format!(
        "who was {} under another API key cannot be told: Riot serves none of the player's stored matches any more, and {holder}",
        shown(row)
    );
    let remedy = format!(
        "sync the player by the present name; `riftsync untrack --puuid {}` ends the tracking of the old row",
        row.puuid
    );
    not_found(message, &remedy)
}

/// What is written when a player was found, and what a person should know of it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) effects: Vec<Effect>,
    pub(super) notes: Vec<String>,
}

/// The player's row, as one row of all that are this player; and the new names of others that the database has under
/// the player's name.
pub(super) async fn written(
    api: &RiotApi,
    context: &JobContext,
    found: Found,
    key: &Arc<str>,
) -> Result<Written, Stop> {
    let Found {
        player,
        mut notes,
        identity,
        retention,
    } = found;
    let mut was = identity.proved;
    let mut effects = Vec::new();
    let rows = match &player.riot_id {
        Some(riot_id) => context.store().namesakes(riot_id).await?,
        None => Vec::new(),
    };
    for row in rows {
        if row.puuid == player.puuid || identity.asked.contains(&row.id) {
            continue;
        }
        match now(api, context, &row, retention).await? {
            Now::Is(account) if account.puuid == player.puuid => was.push(row.id),
            Now::Is(account) => {
                if let Some((effect, name)) = renamed(&row, &player, account, key) {
                    let note = format!(
                        "{} is another player now; who had that name before is called {name} now",
                        shown(&row)
                    );
                    tracing::info!("{note}");
                    notes.push(note);
                    effects.push(effect);
                }
            }
            Now::Unproved if is_bare(context, &row).await? => was.push(row.id),
            Now::Gone | Now::Unproved => {}
        }
    }
    if api.key_fingerprint() != *key && !(was.is_empty() && effects.is_empty()) {
        // Half of it is of another key. Once more, under the key that came meanwhile.
        return Err(RiotError::ForeignPuuid.into());
    }
    effects.push(Effect::Player {
        record: player,
        was,
        key_fingerprint: key.clone(),
    });
    Ok(Written { effects, notes })
}

/// The row of somebody whose name is another player's now; none: the API tells no other name for it.
fn renamed(
    row: &StoredPlayer,
    player: &PlayerRecord,
    account: Account,
    key: &Arc<str>,
) -> Option<(Effect, RiotId)> {
    let name = named(&account)?;
    let folded = |riot_id: &RiotId| riot_id.folded();
    if player.riot_id.as_ref().map(folded) == Some(name.folded()) {
        return None;
    }
    let was = if account.puuid == row.puuid {
        Vec::new()
    } else {
        vec![row.id]
    };
    let record = PlayerRecord {
        puuid: account.puuid,
        riot_id: Some(name.clone()),
        platform: row.platform,
        profile_icon_id: None,
        summoner_level: None,
        tracked: false,
    };
    let effect = Effect::Player {
        record,
        was,
        key_fingerprint: key.clone(),
    };
    Some((effect, name))
}
