//! Jobs that come in with a group, and what they will need: ids, and turns behind those that wait.

use diesel_async::RunQueryDsl;

use super::claim_cursors::Place;
use super::enqueue::Call;
use super::fault::Fault;
use super::job_statements as sql;
use super::settle::End;
use super::transaction::Transaction;
use riftsync_basics::{JobState, NewJob, Priority};

/// The jobs that the commands of a group bring in, or may bring in.
#[derive(Debug, Default)]
pub(super) struct Coming<'a> {
    pub(super) jobs: Vec<&'a NewJob>,
    batches: usize,
}

impl<'a> Coming<'a> {
    pub(super) fn of(ends: &[End<'a>], calls: &[Call<'a>]) -> Self {
        let spawns = |end: &&End<'a>| end.settlement.state == JobState::Completed;
        let spawned = ends.iter().filter(spawns);
        let spawned = spawned.flat_map(|end| end.children);
        let batches = calls.iter().filter(|call| call.is_batch());
        Self {
            jobs: spawned
                .chain(calls.iter().flat_map(|call| call.jobs))
                .collect(),
            batches: batches.count(),
        }
    }

    /// In their order, each once.
    pub(super) fn keys(&self) -> Vec<(&'a str, &'a str)> {
        let keys = self.jobs.iter();
        let mut keys: Vec<_> = keys
            .filter_map(|job| Some((job.kind, job.key.as_deref()?)))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn places(&self) -> Vec<(&'a str, i32)> {
        let mut places = Vec::new();
        for job in &self.jobs {
            let place = (job.queue, i32::from(job.priority.get()));
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }
}

/// Ids and turns for new jobs.
#[derive(Debug, Default)]
pub(super) struct Stock {
    ids: Vec<i64>,
    turns: Vec<Turn>,
}

/// Of a queue and priority, the turn of the first job that waits.
type Turn = (String, i32, Option<i64>);

impl Transaction<'_> {
    /// What new jobs will need. More ids than needed do no harm: joined jobs take none.
    pub(super) async fn stock_for(&self, coming: &Coming<'_>) -> Result<Stock, Fault> {
        let places = coming.places();
        let (ids, turns) = tokio::try_join!(
            biased;
            self.new_ids(coming),
            self.turns_at(&places),
        )?;
        Ok(Stock { ids, turns })
    }

    async fn new_ids(&self, coming: &Coming<'_>) -> Result<Vec<i64>, Fault> {
        let count = coming.jobs.len() + coming.batches;
        if count == 0 {
            return Ok(Vec::new());
        }
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Ok(sql::NewIds { count }.load(&mut { self.conn }).await?)
    }

    /// An id for each, of those in stock if they are enough.
    pub(super) async fn take_ids(&mut self, coming: &Coming<'_>) -> Result<Vec<i64>, Fault> {
        let count = coming.jobs.len() + coming.batches;
        if self.stock.ids.len() < count {
            return self.new_ids(coming).await;
        }
        Ok(self.stock.ids.drain(..count).collect())
    }

    pub(super) async fn first_turns<'a>(
        &mut self,
        coming: &Coming<'a>,
    ) -> Result<Vec<(&'a str, i32, i64)>, Fault> {
        let places = coming.places();
        let asked = |place: &&(&str, i32)| self.stock.turns.iter().any(|turn| is_at(turn, place));
        if places.iter().filter(asked).count() < places.len() {
            let turns = self.turns_at(&places).await?;
            self.stock.turns.extend(turns);
        }
        let first =
            |place: &(&'a str, i32)| (place.0, place.1, first_turn(&self.stock.turns, place));
        Ok(places.iter().map(first).collect())
    }

    /// The turns of the first jobs that wait in queues at priorities; 0 where none does.
    pub(super) async fn next_turns(&mut self, places: &[(&str, i32)]) -> Result<Vec<i64>, Fault> {
        let turns = self.turns_at(places).await?;
        Ok(places
            .iter()
            .map(|place| first_turn(&turns, place))
            .collect())
    }

    async fn turns_at(&self, places: &[(&str, i32)]) -> Result<Vec<Turn>, Fault> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let starts: Vec<Place> = places
            .iter()
            .map(|(queue, priority)| {
                self.start(queue)
                    .at(usize::try_from(*priority).unwrap_or(0))
            })
            .collect();
        let turns = sql::NextTurns {
            queues: places.iter().map(|place| place.0).collect(),
            priorities: places.iter().map(|place| place.1).collect(),
            turns: starts.iter().map(|start| start.0).collect(),
            ids: starts.iter().map(|start| start.1).collect(),
        };
        Ok(turns.load(&mut { self.conn }).await?)
    }
}

fn is_at(turn: &Turn, place: &(&str, i32)) -> bool {
    turn.0 == place.0 && turn.1 == place.1
}

fn first_turn(turns: &[Turn], place: &(&str, i32)) -> i64 {
    let turn = turns.iter().find(|turn| is_at(turn, place));
    turn.and_then(|turn| turn.2).unwrap_or(0)
}

/// Each job of a queue and priority has the next turn there.
pub(super) fn take_turn<'a>(
    turns: &mut Vec<(&'a str, Priority, i64)>,
    job: &'a NewJob,
    firsts: &[(&str, i32, i64)],
) -> i64 {
    let here = |place: &&mut (&str, Priority, i64)| place.0 == job.queue && place.1 == job.priority;
    if let Some((_, _, turn)) = turns.iter_mut().find(here) {
        *turn += 1;
        return *turn;
    }
    let priority = i32::from(job.priority.get());
    let first = firsts
        .iter()
        .find(|place| place.0 == job.queue && place.1 == priority);
    let turn = first.map_or(0, |place| place.2);
    turns.push((job.queue, job.priority, turn));
    turn
}
