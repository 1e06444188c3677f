//! Numbers, times and names in as few columns as they need.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::Timestamp;

/// Columns that a name has at the least.
const FLEXIBLE_MIN: usize = 10;

/// A cell of a row.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) right: bool,
}

pub(super) fn left(text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        style: Style::new(),
        right: false,
    }
}

pub(super) fn right(text: impl Into<String>) -> Cell {
    Cell {
        right: true,
        ..left(text)
    }
}

impl Cell {
    pub(super) fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

/// A row of cells in columns of these widths, a blank between two. A column without a width is left out.
pub(super) fn row(cells: Vec<Cell>, widths: &[Option<usize>]) -> Line<'static> {
    let shown = cells.into_iter().zip(widths);
    let shown = shown.filter_map(|(cell, width)| Some((cell, (*width)?)));
    let spans = shown.map(|(cell, width)| {
        let text = fit(&cell.text, width);
        let blanks = " ".repeat(width.saturating_sub(Span::raw(text.as_str()).width()));
        let text = if cell.right {
            format!("{blanks}{text} ")
        } else {
            format!("{text}{blanks} ")
        };
        Span::styled(text, cell.style)
    });
    spans.collect()
}

/// The widths of columns of which one (0 below) takes what the others leave, up to a most: numbers stay near
/// their name on a large screen. When that is next to nothing, columns to the right of it are left out, the
/// last first.
pub(super) fn widths(columns: &[usize], most: usize, width: u16) -> Vec<Option<usize>> {
    let flexible = columns.iter().position(|column| *column == 0);
    let mut shown = columns.len();
    let rest = loop {
        let fixed: usize = columns[..shown].iter().sum::<usize>() + shown;
        let rest = usize::from(width).saturating_sub(fixed);
        if rest >= FLEXIBLE_MIN || shown <= flexible.map_or(0, |at| at + 1) {
            break rest;
        }
        shown -= 1;
    };
    let widths = columns.iter().enumerate().map(|(at, column)| {
        let width = if *column == 0 {
            rest.min(most)
        } else {
            *column
        };
        (at < shown).then_some(width)
    });
    widths.collect()
}

/// A line that reaches to the end of its list.
pub(super) fn padded(mut line: Line<'static>, width: u16) -> Line<'static> {
    let blanks = usize::from(width).saturating_sub(line.width());
    line.push_span(Span::raw(" ".repeat(blanks)));
    line
}

/// As much of a text as there is room for; what is cut ends with an ellipsis.
pub(super) fn fit(text: &str, width: usize) -> String {
    if Span::raw(text).width() <= width {
        return text.to_owned();
    }
    let mut fitting = String::new();
    for letter in text.chars() {
        fitting.push(letter);
        if Span::raw(fitting.as_str()).width() + 1 > width {
            fitting.pop();
            break;
        }
    }
    if width > 0 {
        fitting.push('…');
    }
    fitting
}

/// A number in at most six columns.
pub(super) fn count(number: u64) -> String {
    let (million, billion) = (1_000_000, 1_000_000_000);
    match number {
        0..100_000 => number.to_string(),
        100_000..1_000_000 => format!("{}k", number / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1}M", number as f64 / f64::from(million)),
        _ => format!("{:.1}G", number as f64 / f64::from(billion)),
    }
}

/// A number that may not be known.
pub(super) fn count_or_dash(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), count)
}

pub(super) fn bytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 10_000.0 {
        format!("{mib:.0}M")
    } else {
        format!("{:.1}G", mib / 1_024.0)
    }
}

/// So much a second, after what it is of.
pub(super) fn rate(per_second: Option<f64>) -> String {
    per_second.map_or_else(String::new, |rate| format!(" {}", per_s(rate)))
}

pub(super) fn per_s(rate: f64) -> String {
    if rate > 0.0 && rate < 9.95 {
        format!("{rate:.1}/s")
    } else {
        format!("{rate:.0}/s")
    }
}

/// How long ago, in at most four columns.
pub(super) fn age(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "-".to_owned(), |at| span(now.since(at)))
}

pub(super) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{seconds}s"),
        seconds @ 100..6_000 => format!("{}m", seconds / 60),
        seconds @ 6_000..360_000 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// A bar of so many columns, of which a share is full.
pub(super) fn bar(share: f64, columns: usize) -> String {
    const PARTS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a screen's columns"
    )]
    let eighths = (share.clamp(0.0, 1.0) * (columns * 8) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(PARTS[eighths % 8]);
    }
    let drawn = eighths.div_ceil(8);
    bar.push_str(&"·".repeat(columns.saturating_sub(drawn)));
    bar
}
