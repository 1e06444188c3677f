//! Which job killed its engine: what a death says of the jobs that it interrupted, and what becomes of them. Pure.
//!
//! Two kinds of death are told apart by what the process leaves behind. One that ends *by itself* (an abort, which a
//! stack overflow, a panic in a panic and memory that cannot be had come to; or the system's killer of processes that
//! take too much memory) was ended by something in it, and that may be one of its jobs. Any other was ended *from
//! outside*: `kill -9`, a power cut, a database that was restored from a dump with jobs that ran when it was made.
//!
//! After a death by itself all jobs that ran are suspects. They run again at once, in groups beside everything else;
//! only a suspect that meets another such death is put into a smaller group, and at last runs alone, with nothing else
//! under way in its engine. Whoever survives is no suspect any more. A job is discarded only if engines died by
//! themselves [`LONE_DEATHS_MAX`] times while it was the only thing that ran. So `k` jobs that kill engines cost a few
//! deaths each, whatever the number of the others, and no other job is ever taken for one of them: who is there by
//! chance survives when alone.
//!
//! A death from outside says nothing of a job, so it makes no suspects and discards nothing, however often it comes.
//! But a job may kill its engine without a trace (a fault of the processor's kind), and of an engine on another machine
//! nobody may *know* how it ended. Such a job is found by repetition: a job that met very many kills, or some deaths of
//! which nothing is known, is a suspect like the others, and one that dies even alone is *held back*: tried again after
//! growing pauses, and told of. It may be innocent, so a person decides whether to give it up.

use std::time::Duration;

use super::attempt::Settlement;
use super::failure::Failure;
use super::job::JobState;
use super::time::Timestamp;
use super::words::words;

/// How many suspects of a level, from one on, run at the same time in an engine. Above: one, and nothing else.
const GROUPS: [u32; 2] = [64, 8];
/// From this level on a job runs alone.
pub const ALONE_FROM: u32 = 3;
/// Deaths by itself of an engine in which only this job ran, after which it is taken for their cause.
pub const LONE_DEATHS_MAX: u32 = 3;
/// Deaths from outside that a job meets before it is suspected of causing what only looks like one: more than a storm
/// of kills brings, for each kill meets all that an engine holds, and that is held until its turn comes.
pub const QUIET_DEATHS_FREE: u32 = 100;
/// A death of which nothing is known counts for so many of them.
pub const UNKNOWN_WEIGHT: u32 = 8;
/// How long a job is held back at first, and at most.
const HELD_BACK: Duration = Duration::from_mins(1);
const HELD_BACK_MAX: Duration = Duration::from_hours(6);

/// What is known against a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suspicion {
    /// None: it is no suspect. The higher, the fewer others run beside it. Gone when it survives.
    pub level: u32,
    /// Deaths by itself of an engine in which only this job ran, in all its life.
    pub lone_deaths: u32,
    /// Other deaths that it met, in all its life: those of which nothing is known count [`UNKNOWN_WEIGHT`] times.
    pub quiet_deaths: u32,
}

/// How an engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Something in it ended it.
    ByItself,
    /// It was ended.
    FromOutside,
    Unknown,
}

impl Death {
    /// As databases keep it.
    pub fn number(self) -> i32 {
        match self {
            Self::Unknown => 0,
            Self::ByItself => 1,
            Self::FromOutside => 2,
        }
    }

    pub fn of_number(number: i32) -> Self {
        match number {
            1 => Self::ByItself,
            2 => Self::FromOutside,
            _ => Self::Unknown,
        }
    }
}

/// What a job had to do with the death of its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It waited for another one that ran alone.
    Bystander,
    /// It ran, and others did.
    AmongOthers,
    /// Nothing else ran.
    Alone,
}

/// Whether a job of this level runs with nothing else under way in its engine.
pub fn runs_alone(level: u32) -> bool {
    level >= ALONE_FROM
}

/// How many suspects may run in an engine if one of them has this level.
pub fn group_max(level: u32) -> u32 {
    let at = usize::try_from(level.saturating_sub(1)).unwrap_or(usize::MAX);
    GROUPS.get(at).copied().unwrap_or(1)
}

/// Whether a suspect may start in an engine where `suspects` run already, the worst of this level.
pub fn may_join(suspects: u32, worst: u32, level: u32) -> bool {
    suspects < group_max(worst.max(level))
}

/// The parts of the jobs that a dead engine held. `marked`: of each, whether it had told that it runs alone.
pub fn parts(marked: &[bool]) -> Vec<Part> {
    let by_mark = marked.contains(&true);
    let part = |is_marked: &bool| match (by_mark, is_marked) {
        (true, true) => Part::Alone,
        (true, false) => Part::Bystander,
        (false, _) if marked.len() == 1 => Part::Alone,
        (false, _) => Part::AmongOthers,
    };
    marked.iter().map(part).collect()
}

/// What becomes of a job whose engine died. The attempt is given back: the death was not its end.
pub fn after_death(
    attempt: u32,
    before: Suspicion,
    death: Death,
    part: Part,
    now: Timestamp,
) -> (Settlement, Suspicion) {
    let again = Settlement {
        state: JobState::Available,
        attempt: attempt.saturating_sub(1),
        run_at: now,
        error: None,
        result: None,
    };
    let mut known = before;
    match (death, part) {
        (_, Part::Bystander) => return (again, known),
        (Death::ByItself, Part::AmongOthers) => known.level += 1,
        (Death::ByItself, Part::Alone) => {
            known.level = (known.level + 1).max(ALONE_FROM);
            known.lone_deaths += 1;
            if known.lone_deaths >= LONE_DEATHS_MAX {
                let discarded = Settlement {
                    state: JobState::Discarded,
                    attempt,
                    error: Some(poison(known.lone_deaths)),
                    ..again
                };
                return (discarded, known);
            }
        }
        (Death::FromOutside | Death::Unknown, _) => {
            known.quiet_deaths += if death == Death::Unknown {
                UNKNOWN_WEIGHT
            } else {
                1
            };
            if known.quiet_deaths > QUIET_DEATHS_FREE {
                known.level += 1;
                if part == Part::Alone && runs_alone(before.level) {
                    let pause = pause_of(known.quiet_deaths);
                    let held_back = Settlement {
                        state: JobState::Scheduled,
                        run_at: now + pause,
                        error: Some(held_back(pause)),
                        ..again
                    };
                    return (held_back, known);
                }
            }
        }
    }
    (again, known)
}

/// Doubles with each death, from the first one that it met as a suspect who runs alone.
fn pause_of(quiet_deaths: u32) -> Duration {
    let more = quiet_deaths.saturating_sub(QUIET_DEATHS_FREE) / UNKNOWN_WEIGHT;
    let more = more.saturating_sub(ALONE_FROM);
    HELD_BACK
        .saturating_mul(1 << more.min(16))
        .min(HELD_BACK_MAX)
}

fn poison(deaths: u32) -> Failure {
    Failure::new(
        "poison_pill",
        format!("the engine died by itself {deaths} times while this job ran alone"),
    )
    .with_remedy(format!(
        "look into the log for what it did last, then run it again{}",
        words().with_retry()
    ))
}

fn held_back(pause: Duration) -> Failure {
    let minutes = pause.as_secs() / 60;
    Failure::new(
        "held_back",
        format!(
            "engine after engine was ended while this job ran, the last one while it ran alone; it is held back for {minutes} min"
        ),
    )
    .retryable()
    .with_remedy(format!(
        "find out what ends the engine (the system's log tells of memory and of faults), or cancel the job{} to give it up",
        words().with_cancel()
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[track_caller]
    fn dies(known: Suspicion, death: Death, part: Part) -> (JobState, Suspicion) {
        let (settlement, known) = after_death(2, known, death, part, NOW);
        let kept = settlement.attempt == 1 || settlement.state == JobState::Discarded;
        assert!(kept, "the attempt is given back");
        (settlement.state, known)
    }

    #[test]
    fn kills_alone_discard_nothing_however_often_they_come() {
        for part in [Part::AmongOthers, Part::Alone] {
            let mut known = Suspicion::default();
            for death in 1..=1_000 {
                let (state, then) = dies(known, Death::FromOutside, part);
                assert_ne!(state, JobState::Discarded);
                assert_eq!(then.level > 0, death > QUIET_DEATHS_FREE, "{death}");
                known = then;
            }
            assert_eq!(known.lone_deaths, 0);
        }
    }

    #[test]
    fn a_death_among_others_makes_a_suspect_and_three_alone_are_the_jobs_own() {
        let mut known = Suspicion::default();
        for _ in 0..20 {
            let (state, then) = dies(known, Death::ByItself, Part::AmongOthers);
            assert_eq!(state, JobState::Available);
            known = then;
        }
        for state in [
            JobState::Available,
            JobState::Available,
            JobState::Discarded,
        ] {
            let (then_state, then) = dies(known, Death::ByItself, Part::Alone);
            assert_eq!(then_state, state);
            known = then;
        }
    }

    #[test]
    fn who_waits_for_one_that_runs_alone_has_no_part_in_its_death() {
        use Part::{Alone, AmongOthers, Bystander};
        assert_eq!(parts(&[false, true, false]), [Bystander, Alone, Bystander]);
        assert_eq!(parts(&[false, false]), [AmongOthers, AmongOthers]);
        assert_eq!(parts(&[false]), [Alone]);
        let none = Suspicion::default();
        assert_eq!(dies(none, Death::ByItself, Bystander).1, none);
    }

    #[test]
    fn what_is_held_back_is_tried_again_after_growing_pauses() {
        let mut known = Suspicion::default();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            let (settled, then) = after_death(1, known, Death::Unknown, Part::Alone, NOW);
            if settled.state == JobState::Scheduled {
                pauses.push(settled.run_at.since(NOW).as_secs());
                let error = settled.error.expect("it says why");
                assert_eq!(error.kind, "held_back");
            }
            known = then;
        }
        assert_eq!(pauses[..3], [60, 120, 240]);
        assert_eq!(pauses.last(), Some(&(6 * 3_600)));
    }

    /// One engine over a backlog, in steps of a moment each: what kills it is known, and whether it is found.
    struct World {
        rng: fastrand::Rng,
        jobs: BTreeMap<usize, Job>,
        /// Jobs that run and moments that each has left; the first to run alone, if one does.
        running: BTreeMap<usize, u32>,
        alone: Option<usize>,
        deaths: u32,
        now: Timestamp,
    }

    struct Job {
        known: Suspicion,
        state: JobState,
        run_at: Timestamp,
        /// How its engine dies by it.
        kills: Option<Death>,
    }

    impl World {
        fn new(seed: u64, jobs: usize, poison: usize, kills: Death) -> Self {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut all: Vec<usize> = (0..jobs).collect();
            rng.shuffle(&mut all);
            let poison = &all[..poison];
            let job = |id: usize| Job {
                known: Suspicion::default(),
                state: JobState::Available,
                run_at: NOW,
                kills: poison.contains(&id).then_some(kills),
            };
            Self {
                jobs: (0..jobs).map(|id| (id, job(id))).collect(),
                rng,
                running: BTreeMap::new(),
                alone: None,
                deaths: 0,
                now: NOW,
            }
        }

        /// As stores claim: suspects first, the least suspected before the others.
        fn claim(&mut self, slots: usize) {
            let due = |job: &Job, now| match job.state {
                JobState::Available => true,
                JobState::Scheduled => job.run_at <= now,
                _ => false,
            };
            let mut waiting: Vec<(u32, usize)> = self
                .jobs
                .iter()
                .filter(|(id, job)| due(job, self.now) && !self.running.contains_key(*id))
                .map(|(id, job)| (job.known.level, *id))
                .collect();
            waiting.sort_unstable_by_key(|(level, id)| (*level == 0, *level, *id));
            for (level, id) in waiting {
                let levels = self.running.keys().map(|id| self.jobs[id].known.level);
                let suspects = levels.filter(|level| *level > 0);
                let (count, worst) = suspects.fold((0, 0), |(count, worst), level| {
                    (count + 1, worst.max(level))
                });
                if self.running.len() < slots && (level == 0 || may_join(count, worst, level)) {
                    self.running.insert(id, self.rng.u32(1..20));
                }
            }
        }

        /// What executes: all, or one that waited until nothing else did.
        fn executing(&mut self) -> Vec<usize> {
            let lone = |id: &usize| runs_alone(self.jobs[id].known.level);
            if self.alone.is_none() {
                self.alone = self.running.keys().copied().find(lone);
            }
            match self.alone {
                Some(id) => vec![id],
                None => self.running.keys().copied().collect(),
            }
        }

        fn die(&mut self, death: Death) {
            self.deaths += 1;
            let held: Vec<usize> = std::mem::take(&mut self.running).into_keys().collect();
            let marked: Vec<bool> = held.iter().map(|id| self.alone == Some(*id)).collect();
            self.alone = None;
            for (id, part) in held.into_iter().zip(parts(&marked)) {
                let job = self.jobs.get_mut(&id).unwrap();
                let (settled, known) = after_death(1, job.known, death, part, self.now);
                (job.known, job.state, job.run_at) = (known, settled.state, settled.run_at);
                let innocent = job.kills.is_none();
                assert!(
                    !innocent || settled.state != JobState::Discarded,
                    "job {id}"
                );
            }
        }

        /// `killed`: how often it is killed from outside, by chance in each moment.
        fn step(&mut self, slots: usize, killed: f64) {
            self.now = self.now + Duration::from_millis(10);
            self.claim(slots);
            for id in self.executing() {
                let left = self.running.get_mut(&id).unwrap();
                *left -= 1;
                if *left > 0 {
                    continue;
                }
                if let Some(death) = self.jobs[&id].kills {
                    return self.die(death);
                }
                self.running.remove(&id);
                self.alone = self.alone.filter(|alone| *alone != id);
                self.jobs.get_mut(&id).unwrap().state = JobState::Completed;
            }
            if self.rng.f64() < killed {
                self.die(Death::FromOutside);
            }
        }

        fn count(&self, state: JobState) -> usize {
            self.jobs.values().filter(|job| job.state == state).count()
        }
    }

    const JOBS: usize = 150;

    #[test]
    fn jobs_that_abort_their_engine_are_found_in_a_few_deaths_each_and_nobody_else_is() {
        for seed in 0..60 {
            let poison = 1 + usize::try_from(seed).unwrap() % 5;
            let mut world = World::new(seed, JOBS, poison, Death::ByItself);
            while world.count(JobState::Completed) < JOBS - poison
                || world.count(JobState::Discarded) < poison
            {
                world.step(32, 0.0);
                let most = 7 * u32::try_from(poison).unwrap();
                assert!(world.deaths <= most, "seed {seed}: {} deaths", world.deaths);
            }
        }
    }

    /// Killed every fifth of a second, while a job takes up to as long.
    #[test]
    fn in_a_storm_of_kills_nobody_else_is_taken_for_one_that_aborts() {
        for seed in 0..30 {
            let mut world = World::new(seed, JOBS, 2, Death::ByItself);
            let mut moments = 0;
            while world.count(JobState::Completed) < JOBS - 2 {
                world.step(32, 0.05);
                moments += 1;
                assert!(moments < 20_000, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_job_that_kills_without_a_trace_is_held_back_and_the_others_are_done() {
        for seed in 0..30 {
            let mut world = World::new(seed, JOBS, 2, Death::Unknown);
            while world.count(JobState::Scheduled) < 2
                || world.count(JobState::Completed) < JOBS - 2
            {
                world.step(32, 0.0);
                // Once more each, if the other took longer to find than the first pause.
                let most = 2 * (QUIET_DEATHS_FREE / UNKNOWN_WEIGHT + ALONE_FROM + 3);
                assert!(world.deaths <= most, "seed {seed}: {} deaths", world.deaths);
            }
            assert_eq!(world.count(JobState::Discarded), 0);
        }
    }

    #[test]
    fn after_fourteen_kills_everything_runs_at_once() {
        let mut world = World::new(7, 3_000, 0, Death::ByItself);
        for _ in 0..14 {
            for _ in 0..30 {
                world.step(32, 0.0);
            }
            world.die(Death::FromOutside);
        }
        world.claim(32);
        assert_eq!(world.running.len(), 32);
        assert!(world.jobs.values().all(|job| job.known.level == 0));
    }
}
