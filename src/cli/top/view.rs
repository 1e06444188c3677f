//! Draws what is known: a pure function of the app, the time and the size of the screen.

mod over;
mod panels;
mod text;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use self::text::{age, bytes, count, fit, rate};
use super::app::{App, Over, Panel};
use crate::model::Timestamp;

/// From this width on, two columns.
const WIDE: u16 = 130;
/// Below that height only the jobs have room.
const LOW: u16 = 14;
/// A look that is older is told as old.
const OLD_S: u64 = 4;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, now: Timestamp) {
    let area = frame.area();
    let [head, lists, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_head(frame, head, app, now);
    if lists.height < LOW {
        panels::draw(frame, lists, app, app.focus, now);
    } else if area.width >= WIDE {
        draw_wide(frame, lists, app, now);
    } else {
        draw_narrow(frame, lists, app, now);
    }
    if app.gone.is_some() {
        // It was so once.
        frame.buffer_mut().set_style(lists, Style::new().dim());
    }
    draw_foot(frame, foot, app);
    match &app.over {
        Over::Nothing => {}
        Over::Help => over::help(frame, area),
        Over::More => over::more(frame, area, app, now),
        Over::Sure { job, what } => over::sure(frame, area, *job, what),
    }
}

fn rows_of(count: usize) -> u16 {
    // A header, and an empty line after it.
    u16::try_from(count).unwrap_or(u16::MAX).saturating_add(2)
}

/// Few errors leave their room to the jobs.
fn errors_of(app: &App, area: Rect) -> u16 {
    let wanted = rows_of(app.snapshot.troubles().len()) - 1;
    wanted.clamp(2, (area.height / 4).max(2))
}

fn draw_narrow(frame: &mut Frame<'_>, area: Rect, app: &App, now: Timestamp) {
    let queues = rows_of(app.snapshot.status.queues.len()) - 1;
    let queues = queues.min(area.height / 3 + 1);
    let errors = errors_of(app, area);
    // Few jobs leave their room to limits and actors; many take half of it.
    let rest = area.height.saturating_sub(queues + errors);
    let jobs = rows_of(super::rows::jobs(&app.snapshot).len()).min(rest / 2);
    let [queues, jobs, middle, errors] = Layout::vertical([
        Constraint::Length(queues),
        Constraint::Length(jobs),
        Constraint::Fill(1),
        Constraint::Length(errors),
    ])
    .areas(area);
    let [limits, actors] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(middle);
    panels::draw(frame, queues, app, Panel::Queues, now);
    panels::draw(frame, jobs, app, Panel::Jobs, now);
    panels::draw(frame, with_gap(limits), app, Panel::Limits, now);
    panels::draw(frame, actors, app, Panel::Actors, now);
    panels::draw(frame, errors, app, Panel::Errors, now);
}

fn draw_wide(frame: &mut Frame<'_>, area: Rect, app: &App, now: Timestamp) {
    let [left, right] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
    let queues = rows_of(app.snapshot.status.queues.len());
    let [queues, jobs, errors] = Layout::vertical([
        Constraint::Length(queues),
        Constraint::Fill(1),
        Constraint::Length(errors_of(app, area)),
    ])
    .areas(with_gap(left));
    panels::draw(frame, queues, app, Panel::Queues, now);
    panels::draw(frame, jobs, app, Panel::Jobs, now);
    panels::draw(frame, errors, app, Panel::Errors, now);
    let actors = rows_of(app.snapshot.metrics.actors.len());
    let limits = rows_of(super::rows::limits(&app.snapshot).len().max(3));
    let [limits, actors, events] = Layout::vertical([
        Constraint::Max(limits),
        Constraint::Max(actors),
        Constraint::Fill(1),
    ])
    .areas(right);
    panels::draw(frame, limits, app, Panel::Limits, now);
    panels::draw(frame, actors, app, Panel::Actors, now);
    panels::events(frame, events, app, now);
}

/// The same without its last two columns, which keep neighbours apart.
fn with_gap(area: Rect) -> Rect {
    Rect {
        width: area.width.saturating_sub(2),
        ..area
    }
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, app: &App, now: Timestamp) {
    let status = &app.snapshot.status;
    let old = app.looked_at.map_or(0, |at| now.since(at).as_secs());
    let state = if let Some((since, _)) = &app.gone {
        let gone = format!("engine gone, waiting {}", age(Some(*since), now));
        Span::styled(gone, Style::new().fg(Color::Red).bold())
    } else if app.looked_at.is_none() {
        Span::raw("asking the engine")
    } else if old > OLD_S {
        let old = format!("no answer for {old} s");
        Span::styled(old, Style::new().fg(Color::Yellow).bold())
    } else {
        let color = match &*status.state {
            "running" => Color::Green,
            _ => Color::Yellow,
        };
        Span::styled(status.state.clone(), Style::new().fg(color).bold())
    };
    let key = match &*status.key {
        "" => Span::raw(""),
        "valid" => Span::raw("  API key valid"),
        other => Span::styled(
            format!("  API key {other}"),
            Style::new().fg(Color::Red).bold(),
        ),
    };
    let up = std::time::Duration::from_secs(status.uptime_s);
    let about = if status.engine.is_empty() {
        String::new()
    } else {
        format!(
            "  pid {}  up {}  {}",
            status.pid,
            crate::cli::view::rounded(up),
            status.database
        )
    };
    let title = Span::from("riftsync top").bold();
    let fixed = title.width() + 2 + state.width() + key.width();
    let about = fit(&about, usize::from(area.width).saturating_sub(fixed));
    let first = Line::from(vec![title, Span::raw("  "), state, key, about.dim()]);
    frame.render_widget(Paragraph::new(vec![first, numbers(app)]), area);
}

/// What the engine as a whole has done and takes.
fn numbers(app: &App) -> Line<'static> {
    let (snapshot, status) = (&app.snapshot, &app.snapshot.status);
    if status.engine.is_empty() {
        return Line::default();
    }
    let rates = app.rates.as_ref();
    let mut line = vec![Span::raw(format!(
        "{} {}{}",
        count(status.calls),
        if status.calls == 1 { "call" } else { "calls" },
        rate(rates.map(|rates| rates.calls))
    ))];
    let refused = format!("  {} x 429", count(status.rate_limited));
    line.push(if status.rate_limited > 0 {
        refused.yellow()
    } else {
        refused.into()
    });
    match status.key_shared_with.len() {
        0 => {}
        1 => line.push("  shares the key with another database".into()),
        others => line.push(format!("  shares the key with {others} databases").into()),
    }
    let commits = rate(rates.map(|rates| rates.commits));
    line.push(format!("  {} commits{commits}", count(status.commits)).into());
    if let Some(store) = snapshot.total("store") {
        if let Some(p99) = store.ms.p99 {
            line.push(format!(" p99 {p99:.0}ms").into());
        }
        line.push(format!("  db {}", bytes(store.database_bytes)).into());
    }
    if let Some(process) = snapshot.total("process") {
        line.push(format!("  rss {}", bytes(process.rss_bytes)).into());
    }
    if let Some(rates) = rates {
        line.push(format!("  cpu {:.0}%", rates.cpu * 100.0).into());
    }
    Line::from(line)
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let line = match (&app.said, &app.gone) {
        (Some(Ok(said)), _) => Line::from(said.clone()).green(),
        (Some(Err(said)), _) => Line::from(said.clone()).red(),
        (None, Some((_, why))) => Line::from(why.clone()).red(),
        (None, None) => keys(),
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn keys() -> Line<'static> {
    let keys = [
        ("Tab", "list"),
        ("Enter", "more"),
        ("p", "pause"),
        ("r", "resume"),
        ("c", "cancel"),
        ("t", "try again"),
        ("?", "help"),
        ("q", "quit"),
    ];
    let spans = keys
        .into_iter()
        .flat_map(|(key, what)| [key.bold(), Span::raw(" "), what.dim(), Span::raw("  ")]);
    spans.collect()
}
