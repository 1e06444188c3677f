//! What a person has chosen, and what a key means. Pure: keys and the engine's answers come in.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::feed::Told;
use super::rows;
use crate::model::Timestamp;
use crate::model::snapshot::Snapshot;

/// Rows that a page is.
const PAGE: isize = 10;

/// The lists on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Panel {
    Queues,
    #[default]
    Jobs,
    Limits,
    Actors,
    Errors,
}

impl Panel {
    pub(super) const ALL: [Self; 5] = [
        Self::Queues,
        Self::Jobs,
        Self::Limits,
        Self::Actors,
        Self::Errors,
    ];

    fn beside(self, step: usize) -> Self {
        let at = Self::ALL.iter().position(|panel| *panel == self);
        Self::ALL[(at.unwrap_or(0) + step) % Self::ALL.len()]
    }
}

/// What the engine is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ControlCommand {
    /// A queue's name, or `all`.
    Pause(String),
    Resume(String),
    Cancel(i64),
    Retry(i64),
}

/// What a key press leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Stay,
    Quit,
    Do(ControlCommand),
}

/// What lies over the lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Over {
    #[default]
    Nothing,
    Help,
    /// All that is known of the selected row.
    More,
    /// A question; only `y` is yes. What was chosen when it was asked, whatever moves below.
    Sure {
        job: i64,
        what: String,
    },
}

/// What happened in a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) calls: f64,
    pub(super) commits: f64,
    /// Of one processor.
    pub(super) cpu: f64,
    /// Attempts that ended, by queue.
    pub(super) queues: Vec<(String, f64)>,
}

impl Rates {
    pub(super) fn of_queue(&self, name: &str) -> Option<f64> {
        let mut queues = self.queues.iter();
        queues
            .find(|(queue, _)| queue == name)
            .map(|(_, rate)| *rate)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct App {
    pub(super) snapshot: Snapshot,
    pub(super) looked_at: Option<Timestamp>,
    pub(super) rates: Option<Rates>,
    /// Since when the engine has been gone, and what was said.
    pub(super) gone: Option<(Timestamp, String)>,
    pub(super) focus: Panel,
    /// The chosen row of each panel by what it is, not where: rows come and go.
    chosen: [Option<String>; Panel::ALL.len()],
    pub(super) over: Over,
    /// What became of the last command.
    pub(super) said: Option<Result<String, String>>,
}

impl App {
    pub(super) fn on_told(&mut self, told: Told, now: Timestamp) {
        match told {
            Told::Looked(snapshot) => {
                self.rates = self.rates_until(&snapshot, now);
                self.snapshot = *snapshot;
                self.looked_at = Some(now);
                self.gone = None;
            }
            Told::Gone(why) => {
                let since = self.gone.as_ref().map_or(now, |(since, _)| *since);
                self.gone = Some((since, why));
                self.rates = None;
            }
            Told::Did(did) => self.said = Some(did),
        }
    }

    /// What happened since the last look; nothing is known of another engine's time before.
    fn rates_until(&self, next: &Snapshot, now: Timestamp) -> Option<Rates> {
        let (before, after) = (&self.snapshot, next);
        let took = now.since(self.looked_at?).as_secs_f64();
        if before.status.engine != after.status.engine || took <= 0.0 {
            return None;
        }
        let rate = |before: u64, after: u64| after.saturating_sub(before) as f64 / took;
        let cpu = |of: &Snapshot| of.total("process").map_or(0, |total| total.cpu_ms);
        let queues = after.status.queues.iter().map(|queue| {
            let name = &queue.queue;
            let done = rate(before.done_of(name), after.done_of(name));
            (name.clone(), done)
        });
        Some(Rates {
            calls: rate(before.status.calls, after.status.calls),
            commits: rate(before.status.commits, after.status.commits),
            cpu: rate(cpu(before), cpu(after)) / 1_000.0,
            queues: queues.collect(),
        })
    }

    pub(super) fn say_busy(&mut self) {
        self.said = Some(Err(
            "the engine has not yet done what it was told".to_owned()
        ));
    }

    pub(super) fn on_key(&mut self, key: KeyEvent) -> Step {
        if key.kind == KeyEventKind::Release {
            return Step::Stay;
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        if ctrl && matches!(key.code, KeyCode::Char('c' | 'C')) {
            return Step::Quit;
        }
        match std::mem::take(&mut self.over) {
            Over::Nothing => {}
            Over::Sure { job, .. } => {
                if matches!(key.code, KeyCode::Char('y' | 'Y')) {
                    return Step::Do(ControlCommand::Cancel(job));
                }
                self.said = Some(Ok(format!("job {job} goes on")));
                return Step::Stay;
            }
            // Any key takes it away; one that quits still quits nothing else.
            Over::Help | Over::More => return Step::Stay,
        }
        self.said = None;
        match key.code {
            KeyCode::Char('q') => return Step::Quit,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.over = Over::Help,
            KeyCode::Tab | KeyCode::Right => self.focus = self.focus.beside(1),
            KeyCode::BackTab | KeyCode::Left => {
                self.focus = self.focus.beside(Panel::ALL.len() - 1);
            }
            KeyCode::Down | KeyCode::Char('j') => self.move_by(1),
            KeyCode::Up | KeyCode::Char('k') => self.move_by(-1),
            KeyCode::PageDown => self.move_by(PAGE),
            KeyCode::PageUp => self.move_by(-PAGE),
            KeyCode::Home | KeyCode::Char('g') => self.move_by(isize::MIN / 2),
            KeyCode::End | KeyCode::Char('G') => self.move_by(isize::MAX / 2),
            KeyCode::Enter if self.chosen_at(self.focus).is_some() => self.over = Over::More,
            KeyCode::Char('p') => return self.queue_command(ControlCommand::Pause),
            KeyCode::Char('r') => return self.queue_command(ControlCommand::Resume),
            KeyCode::Char('P') => return Step::Do(ControlCommand::Pause("all".to_owned())),
            KeyCode::Char('R') => return Step::Do(ControlCommand::Resume("all".to_owned())),
            KeyCode::Char('c') => self.ask_to_cancel(),
            KeyCode::Char('t') => return self.order_retry(),
            _ => {}
        }
        Step::Stay
    }

    /// The row that is chosen in a panel, by its place.
    pub(super) fn chosen_at(&self, panel: Panel) -> Option<usize> {
        let names = rows::names(&self.snapshot, panel);
        if names.is_empty() {
            return None;
        }
        let chosen = self.chosen[panel as usize].as_ref();
        let at = chosen.and_then(|chosen| names.iter().position(|name| name == chosen));
        Some(at.unwrap_or(0))
    }

    fn move_by(&mut self, by: isize) {
        let names = rows::names(&self.snapshot, self.focus);
        if let Some(at) = self.chosen_at(self.focus) {
            let to = at.saturating_add_signed(by).min(names.len() - 1);
            self.chosen[self.focus as usize] = Some(names[to].clone());
        }
    }

    /// The queue that is chosen, or the one of the chosen job.
    fn queue_command(&mut self, command: fn(String) -> ControlCommand) -> Step {
        let queue = match (self.focus, self.chosen_at(self.focus)) {
            (Panel::Queues, Some(at)) => {
                let queue = self.snapshot.status.queues.get(at);
                queue.map(|queue| queue.queue.clone())
            }
            _ => None,
        };
        let Some(queue) = queue else {
            self.said = Some(Err(
                "choose a queue: Tab goes to the queues. P and R are for all of them".to_owned(),
            ));
            return Step::Stay;
        };
        Step::Do(command(queue))
    }

    fn ask_to_cancel(&mut self) {
        let jobs = rows::jobs(&self.snapshot);
        let job = match (self.focus, self.chosen_at(self.focus)) {
            (Panel::Jobs, Some(at)) => jobs.get(at).map(|job| (job.job_id, rows::title(job))),
            (Panel::Errors, Some(at)) => {
                let troubles = self.snapshot.troubles();
                let tried_again = troubles.get(at).filter(|t| t.fate == "retried");
                tried_again.map(|trouble| (trouble.job_id, rows::trouble_title(trouble)))
            }
            _ => None,
        };
        match job {
            Some((job, what)) => self.over = Over::Sure { job, what },
            None => self.said = Some(Err("choose a job that has not ended".to_owned())),
        }
    }

    fn order_retry(&mut self) -> Step {
        if let (Panel::Errors, Some(at)) = (self.focus, self.chosen_at(self.focus))
            && let Some(trouble) = self.snapshot.troubles().get(at)
        {
            return Step::Do(ControlCommand::Retry(trouble.job_id));
        }
        self.said = Some(Err("choose a failed job: Tab goes to the errors".to_owned()));
        Step::Stay
    }
}
