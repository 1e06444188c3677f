//! Players as the documents of a batch tell of them: the rows they come to, worked out in memory.

use std::collections::{BTreeMap, HashMap};

use diesel::result::OptionalExtension;
use diesel_async::RunQueryDsl;

use super::Fault;
use super::data_statements as own;
use super::locks::Class;
use super::transaction::Transaction;
use crate::model::records::{PlayerRecord, SeenPlayer};
use crate::model::{Platform, RiotId, Timestamp};
use crate::store::data_statements as sql;
use crate::store::plain;

/// What one batch tells of one player. Of several names the newest stands.
#[derive(Debug)]
pub(super) struct Sighting<'a> {
    name: Option<&'a RiotId>,
    folded: Option<String>,
    /// When the name was seen; 0 without one.
    name_seen_at: i64,
    platform: Platform,
    fingerprint: &'a str,
    icon: Option<i32>,
    level: Option<i64>,
    tracked: bool,
    /// By account-v1 and summoner-v4: it is written whatever is known.
    told: bool,
    now: Timestamp,
}

/// By puuid, whose order is that of the rows' locks.
#[derive(Debug, Default)]
pub(super) struct Sightings<'a>(BTreeMap<&'a str, Sighting<'a>>);

/// Players that are there.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) ids: BTreeMap<String, i64>,
    /// When their names were seen.
    seen_at: HashMap<String, i64>,
}

impl Known {
    pub(super) fn made(&mut self, made: Vec<(String, i64)>) {
        self.ids.extend(made);
    }
}

/// What is written of players, by puuid.
pub(super) type Newer<'s> = Vec<(&'s str, &'s Sighting<'s>)>;

/// The players as the columns that a statement takes.
macro_rules! columns {
    ($statement:path, $players:expr) => {{
        let players: &[(&str, &Sighting<'_>)] = &$players;
        let each = || players.iter().map(|(_, sighting)| *sighting);
        $statement {
            puuids: players.iter().map(|(puuid, _)| *puuid).collect(),
            fingerprints: each().map(|one| one.fingerprint).collect(),
            game_names: each().map(|one| one.name.map(RiotId::game_name)).collect(),
            tag_lines: each().map(|one| one.name.map(RiotId::tag_line)).collect(),
            folded: each().map(|one| one.folded.as_deref()).collect(),
            seen_at: each().map(|one| one.name_seen_at).collect(),
            platforms: each().map(|one| one.platform.as_str()).collect(),
            icons: each().map(|one| one.icon).collect(),
            levels: each().map(|one| one.level).collect(),
            tracked: each().map(|one| one.tracked).collect(),
            at: each().map(|one| one.now.as_millis()).collect(),
        }
    }};
}

impl<'a> Sightings<'a> {
    pub(super) fn puuids(&self) -> Vec<&'a str> {
        self.0.keys().copied().collect()
    }

    fn unknown(&self, known: &Known) -> Newer<'_> {
        let all = self.0.iter().map(|(puuid, one)| (*puuid, one));
        all.filter(|(puuid, _)| !known.ids.contains_key(*puuid))
            .collect()
    }

    /// Most players of a match are known, and nothing is newer: they are not written, and not locked.
    pub(super) fn newer(&self, known: &Known) -> Newer<'_> {
        let newer = self.0.iter().filter(|(puuid, sighting)| {
            let seen_at = known.seen_at.get(**puuid);
            seen_at.is_some_and(|seen_at| sighting.told || *seen_at < sighting.name_seen_at)
        });
        newer.map(|(puuid, sighting)| (*puuid, sighting)).collect()
    }

    /// A player was seen in a document of the moment `seen_at`.
    pub(super) fn seen(
        &mut self,
        seen: &'a SeenPlayer,
        platform: Platform,
        fingerprint: &'a str,
        seen_at: Timestamp,
        now: Timestamp,
    ) {
        let name = seen.riot_id.as_ref();
        self.add(
            seen.puuid.as_str(),
            name,
            platform,
            fingerprint,
            seen_at,
            now,
        );
    }

    /// What account-v1 and summoner-v4 tell is newer than any match.
    pub(super) fn told(&mut self, record: &'a PlayerRecord, fingerprint: &'a str, now: Timestamp) {
        let (puuid, name) = (record.puuid.as_str(), record.riot_id.as_ref());
        let sighting = self.add(puuid, name, record.platform, fingerprint, now, now);
        sighting.icon = record.profile_icon_id.or(sighting.icon);
        sighting.level = record.summoner_level.or(sighting.level);
        sighting.told = true;
        sighting.tracked |= record.tracked;
    }

    fn add(
        &mut self,
        puuid: &'a str,
        name: Option<&'a RiotId>,
        platform: Platform,
        fingerprint: &'a str,
        seen_at: Timestamp,
        now: Timestamp,
    ) -> &mut Sighting<'a> {
        let sighting = self.0.entry(puuid).or_insert(Sighting {
            name: None,
            folded: None,
            name_seen_at: 0,
            platform,
            fingerprint,
            icon: None,
            level: None,
            tracked: false,
            told: false,
            now,
        });
        if let Some(name) = name
            && sighting.name_seen_at < seen_at.as_millis()
        {
            sighting.name = Some(name);
            sighting.folded = Some(name.folded());
            sighting.name_seen_at = seen_at.as_millis();
            sighting.platform = platform;
            sighting.fingerprint = fingerprint;
        }
        sighting.now = now;
        sighting
    }
}

impl Transaction<'_> {
    /// Makes one row of all rows of a person whose puuid is another under each key: the oldest row, with
    /// the puuid of today, all games, and the statistics that they add up to.
    pub(super) async fn unite_player(
        &mut self,
        record: &PlayerRecord,
        was: &[i64],
        fingerprint: &str,
    ) -> Result<(), Fault> {
        if was.is_empty() {
            return Ok(());
        }
        let puuid = record.puuid.as_str();
        let known: Option<(i64, i64)> = sql::PlayerByPuuid { puuid }
            .get_result(&mut self.conn)
            .await
            .optional()?;
        let ids: Vec<i64> = was.iter().copied().chain(known.map(|(id, _)| id)).collect();
        // Another sync may have made one row of some of them since they were looked up.
        let rows: Vec<i64> = sql::PlayersThere { ids: &ids }.load(&mut self.conn).await?;
        let [to, from @ ..] = rows.as_slice() else {
            return Ok(());
        };
        let to = *to;
        let present = record.riot_id.as_ref().map(RiotId::folded);
        if !from.is_empty() {
            sql::MoveGames { to, from }.execute(&mut self.conn).await?;
            sql::TrackAlso { to, from }.execute(&mut self.conn).await?;
            self.unite_cleaned(to, from).await?;
            self.move_standing(to, from).await?;
            for &gone in from {
                self.move_lists_and_names(to, gone, present.as_deref())
                    .await?;
            }
            sql::DropPlayers { ids: from }
                .execute(&mut self.conn)
                .await?;
        }
        let set = plain::set_puuid(to, puuid, fingerprint);
        set.execute(&mut self.conn).await?;
        self.recompute_players(&rows).await
    }

    /// What was listed of one row of a person, and what it was called, goes to another.
    async fn move_lists_and_names(
        &mut self,
        to: i64,
        from: i64,
        present: Option<&str>,
    ) -> Result<(), Fault> {
        let conn = &mut self.conn;
        sql::MoveYears { to, from }.execute(conn).await?;
        plain::drop_years(from).execute(conn).await?;
        sql::MoveListed { to, from }.execute(conn).await?;
        plain::drop_listed(from).execute(conn).await?;
        let names = sql::MoveNames {
            to,
            from,
            stays: to,
            own: from,
            present,
            other: to,
        };
        names.execute(conn).await?;
        plain::drop_names(from).execute(conn).await?;
        Ok(())
    }

    /// Makes the players that are not there. Returns the ids of all, and what is newer of those that were.
    pub(super) async fn add_players<'s>(
        &mut self,
        sightings: &'s Sightings<'_>,
    ) -> Result<(BTreeMap<String, i64>, Newer<'s>), Fault> {
        let mut known = self.look_up(sightings.puuids()).await?;
        let new = self.pass_new_players(sightings, &known);
        known.made(self.make_players(&new).await?);
        self.look_for_others(sightings, &mut known).await?;
        let newer = sightings.newer(&known);
        Ok((known.ids, newer))
    }

    pub(super) async fn look_up(&self, puuids: Vec<&str>) -> Result<Known, Fault> {
        let mut known = Known::default();
        if puuids.is_empty() {
            return Ok(known);
        }
        let players = own::KnownPlayers { puuids };
        let rows: Vec<(String, i64, i64)> = players.load(&mut { self.conn }).await?;
        for (puuid, id, seen_at) in rows {
            known.seen_at.insert(puuid.clone(), seen_at);
            known.ids.insert(puuid, id);
        }
        Ok(known)
    }

    /// The players that are not known: they are the next that are written.
    pub(super) fn pass_new_players<'s>(
        &mut self,
        sightings: &'s Sightings<'_>,
        known: &Known,
    ) -> Newer<'s> {
        let new = sightings.unknown(known);
        if !new.is_empty() {
            let puuids: Vec<&str> = new.iter().map(|(puuid, _)| *puuid).collect();
            self.locks.pass(Class::NewPlayers, &puuids);
        }
        new
    }

    /// Returns those that no other transaction brings just now.
    pub(super) async fn make_players(&self, new: &Newer<'_>) -> Result<Vec<(String, i64)>, Fault> {
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let add = columns!(own::AddPlayers, new);
        Ok(add.load(&mut { self.conn }).await?)
    }

    /// Players whom others have brought meanwhile.
    pub(super) async fn look_for_others(
        &self,
        sightings: &Sightings<'_>,
        known: &mut Known,
    ) -> Result<(), Fault> {
        let raced = sightings.unknown(known).into_iter();
        let raced: Vec<&str> = raced.map(|(puuid, _)| puuid).collect();
        let more = self.look_up(raced).await?;
        known.ids.extend(more.ids);
        known.seen_at.extend(more.seen_at);
        Ok(())
    }

    /// Writes what is newer of players that are there.
    pub(super) async fn update_players(&mut self, newer: &Newer<'_>) -> Result<(), Fault> {
        self.pass_newer(newer);
        self.write_newer(newer).await
    }

    /// These players that are there are the next that are written.
    pub(super) fn pass_newer(&mut self, newer: &Newer<'_>) {
        if !newer.is_empty() {
            let puuids: Vec<&str> = newer.iter().map(|(puuid, _)| *puuid).collect();
            self.locks.pass(Class::Players, &puuids);
        }
    }

    pub(super) async fn write_newer(&self, newer: &Newer<'_>) -> Result<(), Fault> {
        if newer.is_empty() {
            return Ok(());
        }
        columns!(own::PutPlayers, newer)
            .execute(&mut { self.conn })
            .await?;
        let told = newer.iter().filter(|(_, sighting)| sighting.told);
        let puuids: Vec<&str> = told.map(|(puuid, _)| *puuid).collect();
        if !puuids.is_empty() {
            let found = own::Found { puuids };
            found.execute(&mut { self.conn }).await?;
        }
        Ok(())
    }
}
