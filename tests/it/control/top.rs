//! `riftsync top` in a terminal, as a person has it.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command as PtyCommand, Pty};

use super::verbs::SYNC;
use super::*;

/// A look that does not come in this time will not come.
const PATIENCE: Duration = Duration::from_mins(1);

/// A terminal in which a program runs.
pub(super) struct Terminal {
    pub(super) child: Child,
    pty: Arc<Pty>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    raw: Vec<u8>,
}

impl Terminal {
    pub(super) fn open(command: Command, rows: u16, columns: u16) -> Self {
        let (pty, terminal) = pty_process::blocking::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let mut command = PtyCommand::from(command);
        command = command.env("TERM", "xterm-256color");
        let child = command.spawn(terminal).unwrap();
        let pty = Arc::new(pty);
        let (send, output) = channel();
        let reader = pty.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // An error: the program has ended, and its end of the terminal with it.
            while let Ok(read @ 1..) = (&*reader).read(&mut bytes) {
                if send.send(bytes[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            pty,
            output,
            screen: vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0),
            raw: Vec::new(),
        }
    }

    pub(super) fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// The lines of the screen now.
    pub(super) fn lines(&self) -> Vec<String> {
        let screen = self.screen.screen();
        let rows = screen.rows(0, screen.size().1.get());
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    /// Waits until a line of the screen has all these words.
    #[track_caller]
    pub(super) fn until(&mut self, words: &[&str]) {
        // The screen goes on changing: its clock ticks.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.screen.screen().contents();
            if shown
                .lines()
                .any(|line| words.iter().all(|word| line.contains(word)))
            {
                return;
            }
            match self
                .output
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.take(&bytes),
                Err(why) => panic!("{why:?}; no line has {words:?}:\n{shown}"),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.extend_from_slice(bytes);
    }

    /// Waits until the program has ended; the terminal must be as it was.
    #[track_caller]
    pub(super) fn ended(mut self) -> (Option<i32>, Vec<u8>) {
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "it keeps the screen");
        assert!(!screen.hide_cursor(), "it keeps the cursor");
        (self.child.wait().unwrap().code(), self.raw)
    }
}

impl Setup {
    fn top(&self) -> Terminal {
        Terminal::open(self.command(&["top"]), 24, 80)
    }
}

#[tokio::test]
async fn top_shows_an_engine_gives_it_orders_and_outlives_it() {
    let setup = setup(60).await;
    let served = setup.served().await;
    setup.json(&["queue", "pause", "match_processing"]).await;
    setup.json(&[SYNC, &["--detach"]].concat()).await;
    let mut top = setup.top();
    top.until(&["riftsync top", "running", "API key valid"]);
    top.until(&["1 player euw1/quietotter", "children"]);
    top.until(&["match_processing", "paused"]);
    top.until(&["europe", "wait"]);
    top.until(&["canceller", "up"]);
    // Back to the queues, and down to the second.
    top.press("\x1b[Z");
    top.press("\x1b[B");
    top.press("r");
    top.until(&["match_processing starts jobs again"]);
    top.until(&["match_processing", "open"]);
    assert_eq!(
        setup.json(&["job", "wait", "1"]).await["state"],
        "completed"
    );
    setup.json(&["queue", "pause", "all"]).await;
    served.signal("-KILL");
    served.exited().await;
    top.until(&["engine gone, waiting"]);
    let _next = setup.served().await;
    top.until(&["riftsync top", "running", "API key valid"]);
    top.press("q");
    let (code, raw) = top.ended();
    assert_eq!(code, Some(0));
    let secret = SIMULATED_KEY.trim_start_matches("RGAPI-");
    assert!(!String::from_utf8_lossy(&raw).contains(secret));
}

#[tokio::test]
async fn top_cancels_and_tries_again() {
    let setup = setup(20).await;
    let _served = setup.served().await;
    setup.json(&["queue", "pause", "match_processing"]).await;
    setup.json(&[SYNC, &["--detach"]].concat()).await;
    let mut top = setup.top();
    top.until(&["1 player euw1/quietotter", "children"]);
    top.press("c");
    top.until(&["Cancel job 1?"]);
    top.press("n");
    top.until(&["job 1 goes on"]);
    top.press("c");
    top.until(&["Cancel job 1?"]);
    top.press("y");
    top.until(&["1 player euw1/quiet", "cancelled"]);
    assert_eq!(
        setup.json(&["job", "show", "1"]).await["state"],
        "cancelled"
    );
    setup.json(&["queue", "resume", "all"]).await;
    // Back past the queues: the errors.
    top.press("\x1b[Z\x1b[Z");
    top.press("t");
    top.until(&["job 1 runs again"]);
    assert_eq!(
        setup.json(&["job", "wait", "1"]).await["state"],
        "completed"
    );
    top.press("\x03");
    assert_eq!(top.ended().0, Some(0));
}

#[tokio::test]
async fn top_gives_the_terminal_back_at_a_signal_and_needs_one_and_an_engine() {
    let setup = setup(1).await;
    let without = Terminal::open(setup.command(&["top"]), 24, 80);
    let (code, said) = without.ended();
    assert_eq!(code, Some(3));
    assert!(String::from_utf8_lossy(&said).contains("riftsync serve"));
    let _served = setup.served().await;
    for signal_name in ["-TERM", "-INT"] {
        let mut top = setup.top();
        top.until(&["riftsync top", "running"]);
        signal(&top.child, signal_name);
        assert_eq!(top.ended().0, Some(0));
    }
    for args in [&["top"][..], &["top", "--json"]] {
        let piped = setup.run(args).await;
        assert_eq!(piped.status.code(), Some(2));
        let said = text(&piped);
        assert!(said.contains("riftsync status --json"), "{said}");
    }
}

#[tokio::test]
async fn a_sync_that_is_interrupted_takes_its_bars_away_and_leaves_the_job_to_the_engine() {
    let setup = setup(30).await;
    let _served = setup.served().await;
    setup.json(&["queue", "pause", "match_processing"]).await;
    let mut sync = Terminal::open(setup.command(SYNC), 24, 80);
    sync.until(&["matches", "[", "/"]);
    sync.press("\x03");
    let (code, raw) = sync.ended();
    assert_eq!(code, Some(130));
    let mut screen = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
    screen.process(&raw);
    let left = screen.screen().contents();
    assert!(!left.contains('['), "a bar is left: {left}");
    assert!(left.contains("goes on in the engine"), "{left}");
}

#[tokio::test]
async fn the_log_has_colours_on_a_terminal_unless_its_owner_wants_none() {
    let setup = setup(1).await;
    for (no_color, coloured) in [("", true), ("1", false)] {
        let mut command = setup.command(&["serve"]);
        command.env("NO_COLOR", no_color);
        let mut serve = Terminal::open(command, 24, 200);
        serve.until(&["INFO", "is ready"]);
        serve.press("\x03");
        let (code, raw) = serve.ended();
        // Also when it is stopped at the very moment it is ready.
        assert_eq!(code, Some(0));
        let has_colour = raw.windows(3).any(|bytes| bytes == b"\x1b[3");
        assert_eq!(has_colour, coloured, "{}", String::from_utf8_lossy(&raw));
    }
}
