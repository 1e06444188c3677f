//! What lies over the lists: help, a row in full, a question.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use super::text::age;
use crate::cli::top::app::{App, Panel};
use crate::cli::top::rows;
use crate::model::Timestamp;

const HELP: &[&str] = &[
    "Tab, Shift-Tab   go to the next list, to the one before",
    "Up, Down, j, k   choose a row; also PgUp, PgDn, Home, End",
    "Enter            all that is known of the row",
    "p  r             pause or resume the chosen queue",
    "P  R             pause or resume all queues",
    "c                cancel the chosen job, after a question",
    "t                try the chosen failed job again",
    "q, Ctrl-C        leave; the engine goes on",
    "",
    "WAIT jobs are held and stand still: Enter says for what.",
    "READY jobs wait for a slot, LATER ones for their time,",
    "RETRY ones for another attempt, BLOCK ones for others.",
    "A queue is held while the API or the key does not work.",
    "A few more than its slots run for who waits at a terminal.",
];

pub(super) fn help(frame: &mut Frame<'_>, area: Rect) {
    let lines = HELP.iter().map(|line| Line::from(*line)).collect();
    pop_up(frame, area, "keys", lines, 60);
}

pub(super) fn sure(frame: &mut Frame<'_>, area: Rect, job: i64, what: &str) {
    let lines = vec![
        Line::from(format!("Cancel job {job}?")).bold(),
        Line::from(what.to_owned()),
        Line::from("Its children that nobody else wants end with it."),
        Line::default(),
        Line::from("y  yes, cancel it      any other key: no"),
    ];
    pop_up(frame, area, "cancel", lines, 60);
}

/// The chosen row with everything that the list has no room for.
pub(super) fn more(frame: &mut Frame<'_>, area: Rect, app: &App, now: Timestamp) {
    let Some(at) = app.chosen_at(app.focus) else {
        return;
    };
    let snapshot = &app.snapshot;
    let mut facts: Vec<(&str, String)> = Vec::new();
    match app.focus {
        Panel::Queues => {
            if let Some(queue) = snapshot.status.queues.get(at) {
                facts.push(("queue", queue.queue.clone()));
                facts.push(("slots", queue.slots.to_string()));
                let rate = queue.rate.clone();
                for wait in &queue.waits {
                    let left = wait.left_s.map(|left| format!(", {left} s"));
                    let left = left.unwrap_or_default();
                    facts.push(("waiting", format!("{} for {}{left}", wait.jobs, wait.what)));
                }
                facts.push(("rate", rate.unwrap_or_else(|| "none".to_owned())));
                facts.push((
                    "change",
                    format!("riftsync queue set {} --slots N --rate 100/m", queue.queue),
                ));
            }
        }
        Panel::Jobs => {
            if let Some(job) = rows::jobs(snapshot).get(at) {
                facts.push(("job", job.job_id.to_string()));
                facts.push(("kind", job.kind.clone()));
                facts.push(("key", job.key.clone().unwrap_or_default()));
                facts.push(("queue", job.queue.clone()));
                facts.push(("state", job.state.clone()));
                if let Some(waiting) = &job.waiting {
                    let left = waiting.left_s.map(|left| format!(", {left} s"));
                    facts.push(("waits", waiting.text.clone() + &left.unwrap_or_default()));
                }
                facts.push(("attempt", job.attempt.to_string()));
                facts.push(("step", job.step.clone().unwrap_or_default()));
                facts.push(("percent", job.percent.to_string()));
                facts.push(("enqueued", format!("{} ago", age(job.enqueued_at, now))));
                facts.push(("all of it", format!("riftsync job show {}", job.job_id)));
            }
        }
        Panel::Limits => {
            if let Some(rows::Limit::Window { route, window }) = rows::limits(snapshot).get(at) {
                facts.push(("route", (*route).to_owned()));
                let method = window.method.clone();
                facts.push(("of", method.unwrap_or_else(|| "the key".to_owned())));
                facts.push(("window", format!("{} s", window.seconds)));
                facts.push(("used", format!("{} of {} calls", window.used, window.limit)));
            } else if let Some(rows::Limit::Route { name, .. }) = rows::limits(snapshot).get(at) {
                facts.push(("route", (*name).to_owned()));
            }
        }
        Panel::Actors => {
            if let Some(actor) = snapshot.metrics.actors.get(at) {
                facts.push(("actor", actor.actor.clone()));
                facts.push(("is", if actor.up { "up" } else { "down" }.to_owned()));
                facts.push(("for", age(actor.since, now)));
                facts.push(("restarts", actor.restarts.to_string()));
                let events = snapshot.metrics.events.iter().rev();
                let its =
                    events.filter(|event| event.actor == actor.actor && !event.detail.is_empty());
                for event in its.take(5) {
                    let what = format!("{} ago: {}", age(event.at, now), event.detail);
                    facts.push(("event", what));
                }
            }
        }
        Panel::Errors => {
            if let Some(trouble) = snapshot.troubles().get(at) {
                facts.push(("job", trouble.job_id.to_string()));
                facts.push(("kind", trouble.kind.clone()));
                facts.push(("key", trouble.key.clone().unwrap_or_default()));
                facts.push(("then", trouble.fate.clone()));
                facts.push(("when", format!("{} ago", age(trouble.at, now))));
                facts.push(("why", trouble.message.clone()));
                if let Some(remedy) = &trouble.remedy {
                    facts.push(("remedy", remedy.clone()));
                }
            }
        }
    }
    let lines = facts
        .into_iter()
        .filter(|(_, what)| !what.is_empty())
        .map(|(name, what)| Line::from(vec![format!("{name:9} ").dim(), what.into()]))
        .collect();
    pop_up(frame, area, "more", lines, 76);
}

fn pop_up(frame: &mut Frame<'_>, area: Rect, title: &str, lines: Vec<Line<'_>>, width: u16) {
    let width = width.min(area.width);
    let block = Block::bordered()
        .title(format!(" {title} "))
        .border_style(Style::new().fg(Color::Cyan));
    let inner = usize::from(width.saturating_sub(2).max(1));
    // What is too long for a line goes on in the next.
    let height: usize = lines
        .iter()
        .map(|line| line.width().div_ceil(inner).max(1))
        .sum();
    let height = u16::try_from(height + 3).unwrap_or(u16::MAX);
    let [across] = Layout::horizontal([Constraint::Length(width)])
        .flex(Flex::Center)
        .areas(area);
    let [place] = Layout::vertical([Constraint::Length(height.min(area.height))])
        .flex(Flex::Center)
        .areas(across);
    frame.render_widget(Clear, place);
    let text = Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .block(block);
    frame.render_widget(text, place);
}
