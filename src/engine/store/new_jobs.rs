//! Jobs that come in, as far as no database is needed to tell: who brings them, what they wait for, and their first
//! state. Both stores decide by this. Pure.

use riftsync_basics::{Failure, JobId, JobState, NewJob, OnFailure, Timestamp};

use super::rows::dependency_failed;
use super::{StoreError, StoreResult};

/// Who brings a job in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// The submitted job that it descends from; 0: it is one.
    pub(crate) flow: i64,
    /// Somebody asked for it by itself.
    pub(crate) submitted: bool,
    /// Somebody waits for it now: no backoff holds it any longer.
    pub(crate) hurry: bool,
}

impl Origin {
    /// Somebody submits it.
    pub(crate) const PERSON: Self = Self {
        flow: 0,
        submitted: true,
        hurry: true,
    };

    /// Somebody submits it with others, under one handle.
    pub(crate) fn batch(handle: i64) -> Self {
        Self {
            flow: handle,
            submitted: false,
            hurry: true,
        }
    }

    /// A job of this flow spawns it.
    pub(crate) fn parent(flow: i64) -> Self {
        Self {
            flow,
            submitted: false,
            hurry: false,
        }
    }
}

/// Which of the jobs that this one comes after are still open, and whether a failed one forbids it. `state_of`: none,
/// there is no such job.
pub(crate) fn look_after(
    job: &NewJob,
    mut state_of: impl FnMut(JobId) -> StoreResult<Option<JobState>>,
) -> StoreResult<(Vec<JobId>, Option<Failure>)> {
    let mut open = Vec::new();
    let mut failed = None;
    for &other in &job.after.jobs {
        if open.contains(&other) {
            continue;
        }
        let state = state_of(other)?.ok_or_else(|| {
            StoreError::Refused(format!(
                "job {other}, which a {} is to come after, does not exist",
                job.kind
            ))
        })?;
        match state {
            JobState::Completed => {}
            JobState::Cancelled | JobState::Discarded => {
                if job.after.on_failure == OnFailure::Cancel {
                    failed = Some(dependency_failed(other, state));
                }
            }
            JobState::Available
            | JobState::Scheduled
            | JobState::Blocked
            | JobState::Running
            | JobState::Retryable => open.push(other),
        }
    }
    if failed.is_some() {
        open.clear();
    }
    Ok((open, failed))
}

/// The state of a new job. `waits`: for others; `fails`: what it is to come after has failed.
pub(crate) fn first_state(fails: bool, waits: bool, run_at: Timestamp, now: Timestamp) -> JobState {
    if fails {
        JobState::Cancelled
    } else if waits {
        JobState::Blocked
    } else if run_at > now {
        JobState::Scheduled
    } else {
        JobState::Available
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riftsync_basics::{After, Priority};

    fn looked(on_failure: OnFailure, states: &[JobState]) -> StoreResult<(Vec<JobId>, bool)> {
        let job = NewJob {
            after: After {
                jobs: (0..3).map(JobId).collect(),
                on_failure,
            },
            kind: "k",
            queue: "q",
            lane: "",
            key: None,
            args: "{}".to_owned(),
            priority: Priority::DEFAULT,
            max_attempts: 1,
            run_at: None,
        };
        let state_of = |id: JobId| Ok(states.get(usize::try_from(id.0).unwrap()).copied());
        let (open, failed) = look_after(&job, state_of)?;
        Ok((open, failed.is_some()))
    }

    #[test]
    fn a_job_waits_for_those_that_are_open_unless_one_has_failed_that_forbids_it() {
        use JobState::{Completed, Discarded, Running};
        let states = [Running, Completed, Discarded];
        let runs = looked(OnFailure::RunAnyway, &states).unwrap();
        assert_eq!(runs, (vec![JobId(0)], false));
        assert_eq!(looked(OnFailure::Cancel, &states).unwrap(), (vec![], true));
        assert!(looked(OnFailure::Cancel, &states[..2]).is_err());
    }
}
