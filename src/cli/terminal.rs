//! Log lines and progress bars on one terminal: a line never tears a bar.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogFormat;
use crate::model::secrets::without_secrets;
use crate::supervision;

/// All bars of the process.
pub fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(|| {
        // It knows no way to take a line back.
        if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
            MultiProgress::with_draw_target(ProgressDrawTarget::hidden())
        } else {
            MultiProgress::new()
        }
    })
}

/// Whether there is a terminal that bars can be drawn on.
pub fn is_terminal() -> bool {
    !bars().is_hidden()
}

/// How wide the terminal is; of one that does not tell, as wide as they were once.
pub fn columns() -> usize {
    match console::Term::stderr().size_checked() {
        Some((_, columns @ 1..)) => usize::from(columns),
        _ => 80,
    }
}

/// How wide the terminal is that stdout is; none: it is none.
pub fn output_columns() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    Some(usize::from(columns)).filter(|columns| *columns > 0)
}

/// Starts the text log on stderr; `RUST_LOG` overrides the level.
pub fn start_log(default_level: &str, format: LogFormat) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default_level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(Stderr);
    // A second start, in tests, keeps the first.
    let _ = match format {
        LogFormat::Text => log.with_ansi(has_colour()).try_init(),
        // `span` tells of which attempt of which job a line is.
        LogFormat::Json => log
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
}

/// Whether stderr is a terminal of somebody who likes colours; see no-color.org.
fn has_colour() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !unwanted && io::IsTerminal::is_terminal(&io::stderr())
}

#[derive(Debug, Clone, Copy)]
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Libraries write lines too, at levels that somebody may ask for.
        let text = String::from_utf8_lossy(line);
        let clean = without_secrets(&text);
        // A reader that has gone (a closed terminal, `| head`) must not take the engine along.
        let _ = bars().suspend(|| io::stderr().write_all(clean.as_bytes()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Stderr {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        Self
    }
}

/// Ctrl-C or SIGTERM, from the call on: also one that comes before anybody waits for it. A second one ends
/// the process at once; what is committed stays.
pub fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let heard = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = heard else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            crate::errln!("riftsync: stopped at once; what was stored stays");
            std::process::exit(130);
        });
    }
}

/// Panics are told in one line, without secrets.
pub fn watch_panics() {
    supervision::watch_panics(|text| without_secrets(text).into_owned());
}

/// An error as a terminal may show it: what it quotes may come from anywhere. Its lines stay.
pub fn shown(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    obeyed_by_nobody(&without_secrets(&text)).into_owned()
}

/// A text without what controls a terminal; its lines and their indents stay.
pub fn obeyed_by_nobody(text: &str) -> Cow<'_, str> {
    let is_kept = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if text.chars().all(is_kept) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|c| is_kept(*c)).collect())
    }
}

/// Writes a line to stdout. Whoever reads may have had enough (`riftsync job list | head`): then the
/// rest is nobody's, and that is no failure.
#[macro_export]
macro_rules! outln {
    ($($line:tt)*) => {
        $crate::cli::terminal::out(format_args!($($line)*))
    };
}

/// Writes a line to stderr. Nobody may read that any more (`riftsync sync 2>&1 | head -1`): what is done goes on all
/// the same.
#[macro_export]
macro_rules! errln {
    ($($line:tt)*) => {
        $crate::cli::terminal::err(format_args!($($line)*))
    };
}

/// See `errln!`.
pub fn err(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Whether anything was written to stdout.
static SPOKEN: AtomicBool = AtomicBool::new(false);

/// Whether `outln!` has written anything yet.
pub fn has_spoken() -> bool {
    SPOKEN.load(Ordering::Relaxed)
}

/// Why what was to be shown was not written; a reader that has gone is no reason.
static UNWRITTEN: OnceLock<Option<String>> = OnceLock::new();

/// Why stdout has not all that it should; none: it has, or nobody reads it.
pub fn unwritten() -> Option<&'static str> {
    UNWRITTEN.get()?.as_deref()
}

/// See `outln!`.
pub fn out(line: std::fmt::Arguments<'_>) {
    SPOKEN.store(true, Ordering::Relaxed);
    // The work goes on all the same: what is stored is worth more than what is said of it.
    if UNWRITTEN.get().is_some() {
        return;
    }
    let write = || {
        // What another program told, as whoever listens on a socket, may be in it.
        let line = line.to_string();
        let line = obeyed_by_nobody(&line);
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{line}").and_then(|()| stdout.flush())
    };
    // It may go to the terminal that bars are drawn on.
    if let Err(error) = bars().suspend(write) {
        let has_gone = error.kind() == io::ErrorKind::BrokenPipe;
        let _ = UNWRITTEN.set((!has_gone).then(|| error.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Write for Heard {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_log_of_riftsync_has_the_lines_of_all_its_crates() {
        let heard = Heard::default();
        let writer = heard.clone();
        let log = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("riftsync=debug"))
            .with_writer(move || writer.clone())
            .finish();
        // As each crate calls its own lines.
        assert!(
            std::any::type_name::<crate::limiter::RateLimiter>().starts_with("riftsync_limiter")
        );
        tracing::subscriber::with_default(log, || {
            tracing::debug!(target: "riftsync::engine::queue", "of the program");
            tracing::debug!(target: "riftsync_limiter::actor", "of the limiter");
            tracing::debug!(target: "riftsync_supervision::supervisor", "of the supervisors");
            tracing::debug!(target: "hyper::client", "of a library");
        });
        let heard = String::from_utf8(heard.0.lock().unwrap().clone()).unwrap();
        for (words, is_heard) in [
            ("of the program", true),
            ("of the limiter", true),
            ("of the supervisors", true),
            ("of a library", false),
        ] {
            assert_eq!(heard.contains(words), is_heard, "{words}: {heard}");
        }
    }
}
