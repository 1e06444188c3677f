//! The lists, each a header and its rows.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::text::{
    Cell, age, bar, count, count_or_dash, fit, left, padded, per_s, right, row, span, widths,
};
use crate::cli::top::app::{App, Panel};
use crate::cli::top::rows::{self, Limit};
use crate::model::Timestamp;
use crate::model::snapshot::{Job, Queue, Snapshot, Waiting};

/// Above this share a window is nearly full.
const FULL: f64 = 0.95;

/// A list before it is drawn. The first heading is its name.
struct List {
    columns: &'static [usize],
    /// Columns that the one without a width takes at most.
    most: usize,
    headings: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
    /// What is said when there is nothing.
    empty: &'static str,
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, panel: Panel, now: Timestamp) {
    let list = match panel {
        Panel::Queues => queues(app),
        Panel::Jobs => jobs(&app.snapshot, area.width, now),
        Panel::Limits => limits(&app.snapshot, area.width),
        Panel::Actors => actors(&app.snapshot, now),
        Panel::Errors => errors(&app.snapshot, area.width, now),
    };
    let focused = app.focus == panel;
    let chosen = app.chosen_at(panel).filter(|_| focused);
    show(frame, area, list, focused, chosen);
}

/// Draws a list so that the chosen row is to be seen.
fn show(frame: &mut Frame<'_>, area: Rect, list: List, focused: bool, chosen: Option<usize>) {
    let Some(room) = usize::from(area.height).checked_sub(1) else {
        return;
    };
    let widths = widths(list.columns, list.most, area.width);
    let first = chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(room));
    let hidden = list.rows.len() > room;
    let mut headings = list.headings;
    if hidden && room > 0 {
        let end = (first + room).min(list.rows.len());
        // Where there is room for it.
        let name = &mut headings[list.columns.iter().position(|c| *c == 0).unwrap_or(0)].text;
        *name = format!("{name} {}-{end}/{}", first + 1, list.rows.len());
    }
    let style = if focused {
        Style::new().fg(Color::Black).bg(Color::Cyan)
    } else {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::DIM)
    };
    let mut lines = vec![padded(row(headings, &widths), area.width).style(style)];
    if list.rows.is_empty() {
        lines.push(Line::from(fit(list.empty, area.width.into())).dim());
    }
    for (at, cells) in list.rows.into_iter().enumerate().skip(first).take(room) {
        let line = row(cells, &widths);
        lines.push(if Some(at) == chosen {
            padded(line, area.width).style(Style::new().add_modifier(Modifier::REVERSED))
        } else {
            line
        });
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn queues(app: &App) -> List {
    let row_of = |queue: &Queue| {
        let (state, style) = match (queue.paused, queue.held) {
            (true, _) => ("paused", Style::new().fg(Color::Yellow)),
            (_, true) => ("held", Style::new().fg(Color::Red)),
            _ => ("open", Style::new()),
        };
        let done = app.rates.as_ref().and_then(|r| r.of_queue(&queue.queue));
        let busy = if queue.running > 0 {
            Style::new().fg(Color::Green)
        } else {
            Style::new()
        };
        vec![
            left(&queue.queue),
            left(state).style(style),
            right(format!("{}/{}", queue.running, queue.slots)).style(busy),
            right(waits(queue)).style(Style::new().fg(Color::Yellow)),
            right(queue.rate.clone().unwrap_or_else(|| "-".to_owned())),
            right(count_or_dash(queue.available)),
            right(count_or_dash(queue.scheduled)),
            right(count_or_dash(queue.retryable)),
            right(count_or_dash(queue.blocked)),
            right(done.map_or_else(|| "-".to_owned(), per_s)),
        ]
    };
    List {
        columns: &[0, 6, 7, 4, 6, 6, 5, 5, 5, 6],
        most: 28,
        headings: [left("QUEUES"), left("STATE")]
            .into_iter()
            .chain(
                [
                    "RUNNING", "WAIT", "RATE", "READY", "LATER", "RETRY", "BLOCK", "DONE",
                ]
                .map(right),
            )
            .collect(),
        rows: app.snapshot.status.queues.iter().map(row_of).collect(),
        empty: "none",
    }
}

/// How many of a queue's jobs stand still.
fn waits(queue: &Queue) -> String {
    match queue.waits.iter().map(|wait| wait.jobs).sum() {
        0 => String::new(),
        waiting => count(waiting),
    }
}

fn jobs(snapshot: &Snapshot, width: u16, now: Timestamp) -> List {
    let wide = width >= 100;
    let bar_columns = if wide { 24 } else { 8 };
    let row_of = |job: &Job| {
        let waiting = job.waiting.as_ref();
        let state = match &*job.state {
            "running" if waiting.is_some() => left("waits").style(Style::new().fg(Color::Yellow)),
            "running" => left("running").style(Style::new().fg(Color::Green)),
            "blocked" => left("children").style(Style::new().fg(Color::Cyan)),
            other => left(other),
        };
        let share = job.percent as f64 / 100.0;
        let step = match waiting {
            Some(Waiting { what, left_s, .. }) => {
                let left = left_s.map(|left| format!(" {}", span(Duration::from_secs(left))));
                what.clone() + &left.unwrap_or_default()
            }
            None => job.step.as_deref().unwrap_or_default().replace('_', " "),
        };
        // Short jobs tell nothing of how far they are.
        let (progress, percent) = match job.step {
            Some(_) => (bar(share, bar_columns), format!("{}%", job.percent)),
            None => (String::new(), String::new()),
        };
        vec![
            right(job.job_id.to_string()),
            left(rows::title(job)),
            state,
            left(progress).style(Style::new().fg(Color::Cyan)),
            right(percent),
            left(step),
            right(job.attempt.to_string()),
            right(age(job.started_at.or(job.enqueued_at), now)),
        ]
    };
    let jobs = rows::jobs(snapshot);
    List {
        columns: if wide {
            &[10, 0, 8, 24, 4, 24, 3, 5]
        } else {
            &[6, 0, 8, 8, 4, 12, 3, 4]
        },
        most: usize::MAX,
        headings: vec![
            left("JOBS"),
            left("WHAT"),
            left("STATE"),
            left("PROGRESS"),
            left(""),
            left("STEP OR WAIT"),
            right("TRY"),
            right("AGE"),
        ],
        rows: jobs.into_iter().map(row_of).collect(),
        empty: "no job runs",
    }
}

fn limits(snapshot: &Snapshot, width: u16) -> List {
    let wide = width >= 64;
    let bar_columns = if wide { 30 } else { 10 };
    let row_of = |limit: &Limit<'_>| match limit {
        Limit::Route {
            name,
            waiting,
            in_flight,
            paused_s,
            strangers_percent,
        } => {
            let others = match (*strangers_percent > 0.0, wide) {
                (false, _) => String::new(),
                (true, true) => format!(", another program uses {strangers_percent:.0} %"),
                (true, false) => format!(", others {strangers_percent:.0} %"),
            };
            let waits = format!("{waiting} wait{others}");
            let paused = || span(Duration::from_secs_f64(paused_s.ceil()));
            let (state, style) = match (*paused_s > 0.0, wide) {
                (false, _) => (waits, Style::new()),
                (true, true) => (
                    format!("paused {}, {waits}", paused()),
                    Style::new().fg(Color::Red),
                ),
                (true, false) => (format!("paused {}", paused()), Style::new().fg(Color::Red)),
            };
            vec![
                left((*name).to_owned()).style(Style::new().bold()),
                left(state).style(style),
                right(format!("{in_flight} out")),
            ]
        }
        Limit::Window { window, .. } => {
            let share = window.used as f64 / window.limit.max(1) as f64;
            let color = if share >= FULL {
                Color::Yellow
            } else {
                Color::Green
            };
            let whose = window.method.as_deref().unwrap_or("key");
            vec![
                left(format!(" {whose} {}s", window.seconds)),
                left(bar(share, bar_columns)).style(Style::new().fg(color)),
                right(format!("{}/{}", count(window.used), count(window.limit))),
            ]
        }
    };
    List {
        columns: if wide { &[0, 30, 11] } else { &[0, 10, 11] },
        most: 30,
        headings: vec![left("LIMITS"), left("USED"), right("OF")],
        rows: rows::limits(snapshot).iter().map(row_of).collect(),
        empty: "no call was made yet",
    }
}

fn actors(snapshot: &Snapshot, now: Timestamp) -> List {
    let actors = &snapshot.metrics.actors;
    let down = actors.iter().filter(|actor| !actor.up).count();
    let restarts: u64 = actors.iter().map(|actor| actor.restarts).sum();
    let mut title = "ACTORS".to_owned();
    if down > 0 {
        title = format!("{title} {down} down");
    }
    let rows = actors.iter().map(|actor| {
        let indent = "  ".repeat(rows::depth(actor));
        let name = left(format!("{indent}{}", rows::last_part(&actor.actor)));
        let state = if actor.up {
            left("up").style(Style::new().fg(Color::Green))
        } else {
            left("down").style(Style::new().fg(Color::Red).bold())
        };
        let restarts = match actor.restarts {
            0 => right("-"),
            n => right(count(n)).style(Style::new().fg(Color::Yellow).bold()),
        };
        vec![name, state, restarts, right(age(actor.since, now))]
    });
    List {
        columns: &[0, 4, 10, 4],
        most: 40,
        headings: vec![
            left(title),
            left("IS"),
            right(match restarts {
                0 => "RESTARTS".to_owned(),
                n => format!("RESTARTS {n}"),
            }),
            right("FOR"),
        ],
        rows: rows.collect(),
        empty: "none",
    }
}

fn errors(snapshot: &Snapshot, width: u16, now: Timestamp) -> List {
    let rows = snapshot.troubles().into_iter().map(|trouble| {
        let style = match &*trouble.fate {
            "retried" => Style::new().fg(Color::Yellow),
            "cancelled" => Style::new(),
            _ => Style::new().fg(Color::Red),
        };
        vec![
            right(trouble.job_id.to_string()),
            left(rows::trouble_title(&trouble)),
            left(&trouble.fate).style(style),
            left(trouble.message),
            right(age(trouble.at, now)),
        ]
    });
    List {
        columns: if width >= 100 {
            &[10, 34, 9, 0, 5]
        } else {
            &[6, 22, 9, 0, 4]
        },
        most: usize::MAX,
        headings: vec![
            left("ERRORS"),
            left("WHAT"),
            left("THEN"),
            left("WHY"),
            right("AGE"),
        ],
        rows: rows.collect(),
        empty: "none of late",
    }
}

/// What happened of late, newest first; there is nothing to choose in it.
pub(super) fn events(frame: &mut Frame<'_>, area: Rect, app: &App, now: Timestamp) {
    let rows = app.snapshot.metrics.events.iter().rev().map(|event| {
        let bad = ["actor_died", "job_panicked", "escalated", "key_rejected"];
        let style = if bad.contains(&&*event.event) {
            Style::new().fg(Color::Red)
        } else {
            Style::new()
        };
        let actor = event.actor.strip_prefix("/engine/").unwrap_or(&event.actor);
        vec![
            left(event.event.replace('_', " ")).style(style),
            left(format!("{actor} {}", event.detail)),
            right(age(event.at, now)),
        ]
    });
    let list = List {
        columns: &[17, 0, 4],
        most: usize::MAX,
        headings: vec![left("EVENTS"), left(""), right("AGE")],
        rows: rows.collect(),
        empty: "none",
    };
    show(frame, area, list, false, None);
}
