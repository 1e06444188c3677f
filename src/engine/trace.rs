//! What an engine leaves behind on its machine, by which the next one there knows how it ended.
//!
//! While it runs, an engine holds a small file. Its first line is the machine's boot and how many processes this machine has
//! killed for want of memory until now. A process that aborts (a stack that overflows, a panic in a panic, memory that
//! cannot be had all come to that) adds a letter to it: a signal handler may write a byte to an open file, and little else.
//! An orderly end takes the file away.
//!
//! So a file that nobody holds tells: with the letter, or in the same boot and with more processes killed for memory than
//! before, the engine *ended by itself*. Else it was killed, or the machine stopped. Where there is no file (another
//! machine, a database restored from a dump) nothing is known, which counts as that. A fault of the processor's kind
//! (SIGSEGV) in the C libraries leaves no letter either: its handler would take the place of the one that tells a stack's
//! overflow. `model::suspicion` finds a job that does that by repetition.
//!
//! A file that cannot be written is told once and costs this knowledge alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use signal_hook::consts::SIGABRT;
use signal_hook::low_level::{pipe, unregister};
use signal_hook::{SigId, flag};

const SUFFIX: &str = "trace";
/// A file of an engine that no database here knew for so long goes.
const KEPT: Duration = Duration::from_hours(24);
/// More than any of these files has.
const READ_MAX: u64 = 4_096;

/// The file of an engine that runs.
#[derive(Debug)]
pub(super) struct Trace {
    path: PathBuf,
    /// Locked for as long as the process lives.
    file: File,
    /// What writes the letter, and what ends the process then.
    handlers: [SigId; 2],
}

/// A file of one that ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) engine: String,
    pub(super) by_itself: bool,
    path: PathBuf,
}

/// What a machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Machine {
    /// New at every boot.
    boot: String,
    /// Processes it killed for want of memory since then.
    killed: u64,
}

impl Machine {
    /// On a system that does not tell: of no boot, and nothing killed.
    fn now() -> Self {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        let counts = text("/proc/vmstat");
        let killed = counts
            .lines()
            .find_map(|line| line.strip_prefix("oom_kill "));
        Self {
            boot: text("/proc/sys/kernel/random/boot_id").trim().to_owned(),
            killed: killed
                .and_then(|count| count.trim().parse().ok())
                .unwrap_or(0),
        }
    }

    /// Always as long as before, so that it can be written over itself.
    fn line(&self) -> String {
        format!("{:<40} {:020}\n", self.boot, self.killed)
    }
}

/// Whether the engine that left this ended by itself.
fn by_itself(left: &str, now: &Machine) -> bool {
    let (line, letters) = left.split_once('\n').unwrap_or_default();
    let (boot, killed) = line.rsplit_once(' ').unwrap_or_default();
    let same_boot = !now.boot.is_empty() && boot.trim_end() == now.boot;
    let of_memory = killed.parse().is_ok_and(|killed: u64| now.killed > killed);
    !letters.is_empty() || (same_boot && of_memory)
}

impl Trace {
    pub(super) fn hold(folder: &Path, engine: &str) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(engine).with_extension(SUFFIX);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        file.try_lock()?;
        file.write_all_at(Machine::now().line().as_bytes(), 0)?;
        let letters = OpenOptions::new().append(true).open(&path)?;
        let letter = pipe::register(SIGABRT, letters)?;
        // Also where the signal came from another process, such as a watchdog: in the order in which they were made.
        let end = flag::register_conditional_default(SIGABRT, Arc::new(AtomicBool::new(true)))?;
        Ok(Self {
            path,
            file,
            handlers: [letter, end],
        })
    }

    /// What the machine did to others until now is not held against this one.
    pub(super) fn refresh(&self) {
        if let Err(why) = self.file.write_all_at(Machine::now().line().as_bytes(), 0) {
            tracing::debug!("{} is not refreshed: {why}", self.path.display());
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        for handler in self.handlers {
            unregister(handler);
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The files of those that have ended.
pub(super) fn left_in(folder: &Path) -> Vec<Left> {
    let now = Machine::now();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let traces = paths.filter(|path| path.extension().is_some_and(|suffix| suffix == SUFFIX));
    traces.filter_map(|path| left(path, &now)).collect()
}

fn left(path: PathBuf, now: &Machine) -> Option<Left> {
    let file = File::open(&path).ok()?;
    // Who lives holds it.
    file.try_lock().ok()?;
    let mut text = String::new();
    file.take(READ_MAX).read_to_string(&mut text).ok()?;
    Some(Left {
        engine: path.file_stem()?.to_str()?.to_owned(),
        by_itself: by_itself(&text, now),
        path,
    })
}

impl Left {
    /// It was read. `told`: a database that knows the engine heard of it.
    pub(super) fn done(self, told: bool) {
        let old = || {
            let written = std::fs::metadata(&self.path).and_then(|file| file.modified());
            written.is_ok_and(|at| {
                let age = SystemTime::now().duration_since(at);
                age.is_ok_and(|age| age > KEPT)
            })
        };
        if told || old() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(boot: &str, killed: u64) -> Machine {
        Machine {
            boot: boot.to_owned(),
            killed,
        }
    }

    #[test]
    fn an_abort_and_memory_are_ends_by_itself_and_a_kill_and_a_power_cut_are_not() {
        let left = machine("one", 3).line();
        let aborted = format!("{left}X");
        for (left, now, expected) in [
            (&left, machine("one", 3), false),
            (&left, machine("one", 4), true),
            (&left, machine("two", 4), false),
            (&aborted, machine("one", 3), true),
            (&aborted, machine("two", 0), true),
            (&String::new(), machine("one", 9), false),
            (&machine("", 0).line(), machine("", 0), false),
        ] {
            assert_eq!(by_itself(left, &now), expected, "{left:?} {now:?}");
        }
        assert_eq!(left.len(), machine("another", 3_000_000).line().len());
    }

    #[test]
    fn who_lives_is_not_looked_into_and_who_ended_well_leaves_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let trace = Trace::hold(folder.path(), "e1").unwrap();
        trace.refresh();
        assert_eq!(left_in(folder.path()), []);
        drop(trace);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_engine_left_is_read_once_and_what_nobody_knew_is_kept() {
        let folder = tempfile::TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name).with_extension(SUFFIX), text).unwrap();
        };
        write("killed", &Machine::now().line());
        write("aborted", &(Machine::now().line() + "X"));
        let mut found = left_in(folder.path());
        found.sort_by(|one, other| one.engine.cmp(&other.engine));
        let seen: Vec<_> = found
            .iter()
            .map(|left| (left.engine.as_str(), left.by_itself))
            .collect();
        assert_eq!(seen, [("aborted", true), ("killed", false)]);
        for left in found {
            left.done(false);
        }
        let again = left_in(folder.path());
        assert_eq!(again.len(), 2);
        for left in again {
            left.done(true);
        }
        assert_eq!(left_in(folder.path()), []);
    }
}
