//! No wait of any verb is silent: after some seconds without progress a person is told what is waited for.
//!
//! Verbs put on the board what they do (`Bars`) and what they wait for (`Wait`). One ticker, on a thread of its own so
//! that it speaks also while the verb's thread waits for a file, reads the board: a terminal has it drawn anew all the
//! time, without one a line is written now and then.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::terminal::{bars, columns, is_terminal, obeyed_by_nobody};
use super::view::{self, Scene, Told};
use crate::store::Location;

/// So long nothing need be said.
const QUIET: Duration = Duration::from_secs(3);
/// After so long without progress those who follow a job ask what it waits for.
const ASK: Duration = Duration::from_millis(1_500);
/// And again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);
/// Between two lines that tell of nothing that was not told before: the first time, and the longest.
const GAP_MIN: Duration = Duration::from_secs(10);
const GAP_MAX: Duration = Duration::from_mins(1);

/// Which lines are written where there is no terminal. Pure: time comes in.
#[derive(Debug)]
struct Patience {
    words: Vec<String>,
    last: Option<(Duration, u64)>,
    gap: Duration,
}

impl Patience {
    fn new() -> Self {
        Self {
            words: Vec::new(),
            last: None,
            gap: GAP_MIN,
        }
    }

    /// Whether to write of this reason now. A reason is told at once the first time, then more and more rarely, and
    /// only if it or the `state` of things changed; once a minute all the same.
    fn is_due(&mut self, word: &str, state: u64, now: Duration) -> bool {
        let is_new = !self.words.iter().any(|told| told == word);
        let due = match self.last {
            None => true,
            Some((at, _)) if is_new => now >= at + QUIET,
            Some((at, before)) => {
                let passed = now.saturating_sub(at);
                passed >= GAP_MAX || (passed >= self.gap && before != state)
            }
        };
        if due {
            if is_new {
                self.words.push(word.to_owned());
            } else {
                self.gap = (self.gap * 2).min(GAP_MAX);
            }
            self.last = Some((now, state));
        }
        due
    }
}

#[derive(Debug)]
struct Label {
    id: u64,
    /// None: there is no reason now.
    told: Option<Told>,
}

#[derive(Debug)]
struct State {
    last_id: u64,
    labels: Vec<Label>,
    scene: Option<(u64, Scene)>,
    /// What tells that something moved, and when it did last.
    mark: u64,
    moved: Duration,
    patience: Patience,
}

/// What a process does and waits for.
#[derive(Debug)]
pub struct Board {
    epoch: Instant,
    state: Mutex<State>,
}

/// The board of this process.
fn board() -> &'static Arc<Board> {
    static BOARD: OnceLock<Arc<Board>> = OnceLock::new();
    BOARD.get_or_init(|| Arc::new(Board::new()))
}

/// What is drawn now.
static SCREEN: Mutex<Option<ProgressBar>> = Mutex::new(None);

impl Board {
    fn new() -> Self {
        Self {
            epoch: Instant::now(),
            state: Mutex::new(State {
                last_id: 0,
                labels: Vec::new(),
                scene: None,
                mark: 0,
                moved: Duration::ZERO,
                patience: Patience::new(),
            }),
        }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain values: a panic elsewhere cannot leave them half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(self: &Arc<Self>, told: Option<Told>) -> Wait {
        let mut state = self.lock();
        state.last_id += 1;
        let id = state.last_id;
        state.labels.push(Label { id, told });
        Wait {
            board: self.clone(),
            id,
        }
    }

    fn bars(self: &Arc<Self>, title: &str) -> Bars {
        let now = self.now();
        let mut state = self.lock();
        state.last_id += 1;
        let id = state.last_id;
        let scene = Scene {
            title: title.to_owned(),
            begun: now,
            ..Scene::default()
        };
        state.scene = Some((id, scene));
        state.moved = now;
        Bars {
            board: self.clone(),
            id,
            begun: now,
            asked: None,
        }
    }

    /// The newest wait that has lasted, if nothing has moved for a while.
    fn told(state: &State, now: Duration) -> Option<Told> {
        if now < state.moved + QUIET {
            return None;
        }
        let lasting = |told: &&Told| now >= told.since + QUIET;
        let labels = state.labels.iter().rev();
        labels
            .filter_map(|label| label.told.as_ref())
            .find(lasting)
            .cloned()
    }

    /// What a terminal shows.
    fn lines(&self, columns: usize) -> Vec<String> {
        let now = self.now();
        let state = self.lock();
        let scene = state.scene.as_ref().map(|(_, scene)| scene);
        view::lines(scene, Self::told(&state, now).as_ref(), now, columns)
    }

    /// The line that is to be written now where there is no terminal.
    fn line(&self) -> Option<String> {
        let now = self.now();
        let mut state = self.lock();
        let counts = match &state.scene {
            Some((_, scene)) => scene.counts(),
            None => String::new(),
        };
        let (word, mut line) = if let Some(told) = Self::told(&state, now) {
            (told.word.clone(), told.line(now))
        } else {
            let (_, scene) = state.scene.as_ref()?;
            if !scene.is_long || now < scene.begun + QUIET {
                return None;
            }
            ("progress".to_owned(), scene.title.clone())
        };
        let now_is = hash(&(&word, &counts));
        if !state.patience.is_due(&word, now_is, now) {
            return None;
        }
        let left = state.scene.as_ref().and_then(|(_, scene)| scene.left(now));
        let more = (!counts.is_empty())
            .then_some(counts)
            .into_iter()
            .chain(left);
        for (number, more) in more.enumerate() {
            line.push_str(if number == 0 { "; " } else { ", " });
            line.push_str(&more);
        }
        Some(line)
    }

    /// Draws what there is to draw, or takes it away.
    fn draw(&self) {
        // Held over both: nothing older is drawn after something newer.
        let mut screen = SCREEN.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = self.lines(columns());
        if lines.is_empty() {
            if let Some(bar) = screen.take() {
                bar.finish_and_clear();
                bars().remove(&bar);
            }
            return;
        }
        let bar = screen.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg}").expect("a fixed template");
            bars().add(ProgressBar::new_spinner().with_style(style))
        });
        bar.set_message(obeyed_by_nobody(&lines.join("\n")).into_owned());
    }

    /// Looks again and again. Never returns.
    async fn run(&self, mut look: impl FnMut(&Self)) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(TICK).await;
            look(self);
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Something that is waited for, until this is dropped.
#[derive(Debug)]
pub struct Wait {
    board: Arc<Board>,
    id: u64,
}

impl Wait {
    fn change(&self, change: impl FnOnce(&mut Option<Told>, Duration)) {
        let mut state = self.board.lock();
        let moved = state.moved;
        if let Some(label) = state.labels.iter_mut().find(|label| label.id == self.id) {
            change(&mut label.told, moved);
        }
    }

    /// Says it in other words; it began when it did.
    pub fn say(&self, word: &str, text: impl Into<String>) {
        let text = text.into();
        self.change(|told, _| {
            if let Some(told) = told {
                word.clone_into(&mut told.word);
                told.text = text;
            }
        });
    }

    /// What is waited for since something moved last; none: nothing, or nobody knows.
    pub fn reason(&self, word: &str, text: &str, left: Option<Duration>) {
        let now = self.board.now();
        let reason = |since| Told {
            word: word.to_owned(),
            text: text.to_owned(),
            since,
            until: left.map(|left| now + left),
        };
        self.change(|told, moved| *told = Some(reason(moved)));
    }

    /// The same as an engine told it.
    pub fn document(&self, waiting: &serde_json::Value) {
        match (waiting["reason"].as_str(), waiting["text"].as_str()) {
            (Some(word), Some(text)) => {
                let left = waiting["left_s"].as_u64().map(Duration::from_secs);
                self.reason(word, text, left);
            }
            _ => self.nothing(),
        }
    }

    fn nothing(&self) {
        self.change(|told, _| *told = None);
    }

    /// Something went on; the next wait begins now.
    pub fn moved(&self) {
        let now = self.board.now();
        self.board.lock().moved = now;
        self.change(|told, _| {
            if let Some(told) = told {
                told.since = now;
            }
        });
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let now = self.board.now();
        let mut state = self.board.lock();
        if let Some(place) = state.labels.iter().position(|label| label.id == self.id) {
            let label = state.labels.remove(place);
            // The end of a wait that lasted is progress; one that was short is none.
            if label.told.is_some_and(|told| now >= told.since + QUIET) {
                state.moved = now;
            }
        }
    }
}

/// What a verb shows of its work, until this is dropped.
#[derive(Debug)]
pub struct Bars {
    board: Arc<Board>,
    id: u64,
    begun: Duration,
    asked: Option<Duration>,
}

impl Bars {
    pub fn new(title: &str) -> Self {
        board().bars(title)
    }

    /// Shows how it stands. `mark`: what changes when something goes on.
    pub fn set(&self, mark: impl Hash, change: impl FnOnce(&mut Scene)) {
        let now = self.board.now();
        let mark = hash(&mark);
        let mut state = self.board.lock();
        if state.mark != mark {
            state.mark = mark;
            state.moved = now;
        }
        if let Some((id, scene)) = &mut state.scene
            && *id == self.id
        {
            change(scene);
        }
    }

    /// How long it will take from now, as far as is known.
    pub fn left(&self, left: Option<Duration>) {
        let ends = left.map(|left| self.board.now() + left);
        if let Some((id, scene)) = &mut self.board.lock().scene
            && *id == self.id
        {
            scene.ends = ends;
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.board.now().saturating_sub(self.begun)
    }

    /// Whether it is time to ask what is waited for: nothing moves, and nobody has asked just now.
    pub fn ask(&mut self) -> bool {
        let now = self.board.now();
        let still = now >= self.board.lock().moved + ASK;
        let ask = still && self.asked.is_none_or(|asked| now >= asked + ASK_AGAIN);
        if ask {
            self.asked = Some(now);
        }
        ask
    }

    /// Takes it away; how long it was there.
    pub fn clear(self) -> Duration {
        self.elapsed()
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let now = self.board.now();
        let mut state = self.board.lock();
        if state.scene.as_ref().is_some_and(|(id, _)| *id == self.id) {
            state.scene = None;
        }
        state.moved = now;
        drop(state);
        if is_terminal() {
            self.board.draw();
        }
    }
}

/// Something that may take its time, and for which there is no reading.
pub fn on(word: &str, text: impl Into<String>) -> Wait {
    let now = board().now();
    board().wait(Some(Told {
        word: word.to_owned(),
        text: text.into(),
        since: now,
        until: None,
    }))
}

/// Something whose reason is asked for when nothing moves.
pub fn reasons() -> Wait {
    board().wait(None)
}

/// A database that is being opened.
pub fn opening(database: &Location) -> Wait {
    match database {
        Location::Sqlite(_) => on(
            "database",
            format!("{database} is not open yet; another program may hold it locked"),
        ),
        Location::Postgres(_) => on(
            "database",
            format!("the connection to {database} is not made yet"),
        ),
    }
}

/// How what is waited for is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// On a terminal, or in lines on stderr where there is none.
    Person,
    /// In the log, for a service.
    Log,
}

/// Tells what is waited for, until it is dropped.
#[derive(Debug)]
pub struct Ticker {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Without a thread nobody is told, and all else goes on.
    pub fn start(voice: Voice) -> Self {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let tell = move || {
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                tokio::select! {
                    never = board().run(|board| speak(board, voice)) => match never {},
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("waits".to_owned());
        Self {
            stop: Some(stop),
            thread: thread.spawn(tell).ok(),
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to hand over.
            let _ = thread.join();
        }
        let mut state = board().lock();
        state.scene = None;
        state.labels.clear();
        drop(state);
        board().draw();
    }
}

fn speak(board: &Board, voice: Voice) {
    if voice == Voice::Person && is_terminal() {
        board.draw();
    } else if let Some(line) = board.line() {
        match voice {
            Voice::Person => crate::errln!("riftsync: {line}"),
            Voice::Log => tracing::info!("{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::view::Meter;
    use crate::model::waiting::{Reason, Waiting};

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A board whose lines are collected with the second in which each came.
    fn listened() -> (Arc<Board>, Arc<Mutex<Vec<String>>>) {
        let board = Arc::new(Board::new());
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let (told, of) = (heard.clone(), board.clone());
        tokio::spawn(async move {
            let run = of.run(|board| {
                if let Some(line) = board.line() {
                    let at = board.now().as_secs();
                    told.lock().unwrap().push(format!("{at} {line}"));
                }
            });
            run.await
        });
        (board, heard)
    }

    fn take(heard: &Mutex<Vec<String>>) -> Vec<String> {
        std::mem::take(&mut *heard.lock().unwrap())
    }

    fn label(board: &Arc<Board>, word: &str) -> Wait {
        board.wait(Some(Told {
            word: word.to_owned(),
            text: format!("{word} is awaited"),
            since: board.now(),
            until: None,
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_said_for_three_seconds_and_then_rarely_as_long_as_nothing_changes() {
        let (board, heard) = listened();
        let _wait = label(&board, "disk");
        tokio::time::sleep(Duration::from_millis(2_900)).await;
        assert_eq!(take(&heard), [""; 0]);
        tokio::time::sleep(secs(200)).await;
        assert_eq!(
            take(&heard),
            [
                "3 waits: disk is awaited, for 3 s so far",
                "63 waits: disk is awaited, for 63 s so far",
                "123 waits: disk is awaited, for 3 min so far",
                "183 waits: disk is awaited, for 4 min so far",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_wait_that_lasts_is_told_and_short_ones_hide_nothing() {
        let (board, heard) = listened();
        let base = label(&board, "base");
        for _ in 0..50 {
            let _short = label(&board, "short");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(take(&heard), ["3 waits: base is awaited, for 3 s so far"]);
        let long = label(&board, "long");
        tokio::time::sleep(secs(4)).await;
        assert_eq!(take(&heard), ["8 waits: long is awaited, for 3 s so far"]);
        drop(long);
        // Its end is progress: the other begins anew.
        tokio::time::sleep(Duration::from_millis(2_800)).await;
        assert_eq!(take(&heard), [""; 0]);
        drop(base);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_silent_and_a_reason_is_told_with_the_time_left_and_the_counts() {
        let (board, heard) = listened();
        let mut bars = board.bars("Faker#KR1 on kr, 2025");
        let reason = board.wait(None);
        let meters = |done| {
            vec![Meter {
                name: "matches",
                done,
                whole: Some(60),
            }]
        };
        for done in 0..20 {
            bars.set(done, |scene| scene.meters = meters(done));
            assert!(!bars.ask());
            tokio::time::sleep(secs(1)).await;
        }
        assert_eq!(take(&heard), [""; 0]);
        let budget = Waiting {
            reason: Reason::Budget,
            left: Some(secs(9)),
        };
        tokio::time::sleep(secs(1)).await;
        assert!(bars.ask() && !bars.ask(), "once a second");
        reason.document(&budget.document());
        tokio::time::sleep(secs(3)).await;
        assert_eq!(
            take(&heard),
            ["22 waits: the key's budget is used up, 8 s; matches 19/60"]
        );
        // Round after round the same: more and more rarely.
        for done in 20..50 {
            bars.set(done, |scene| scene.meters = meters(done));
            tokio::time::sleep(secs(2)).await;
            reason.document(&budget.document());
            tokio::time::sleep(secs(8)).await;
        }
        let at: Vec<u64> = take(&heard)
            .iter()
            .map(|line| line.split(' ').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(at, [32, 52, 92, 152, 212, 272]);
        assert!(bars.clear() >= secs(300));
        drop(reason);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reason_that_was_not_told_before_is_told_at_once() {
        let (board, heard) = listened();
        let reason = board.wait(None);
        for (word, seconds) in [("a", 5), ("b", 5), ("a", 4), ("c", 3)] {
            reason.reason(word, word, None);
            tokio::time::sleep(secs(seconds)).await;
        }
        let words: Vec<String> = take(&heard)
            .iter()
            .map(|line| line.split([':', ',']).nth(1).unwrap().trim().to_owned())
            .collect();
        assert_eq!(words, ["a", "b", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn long_work_that_goes_on_tells_how_far_it_is_where_there_is_no_bar() {
        let (board, heard) = listened();
        let bars = board.bars("export of participants");
        for rows in 0..100_u64 {
            bars.set(rows, |scene| {
                scene.is_long = true;
                scene.meters = vec![Meter {
                    name: "rows",
                    done: rows,
                    whole: None,
                }];
            });
            tokio::time::sleep(secs(1)).await;
        }
        assert_eq!(
            take(&heard),
            [
                "3 export of participants; rows 3/?",
                "13 export of participants; rows 13/?",
                "33 export of participants; rows 33/?",
                "73 export of participants; rows 73/?",
            ]
        );
    }
}
