//! A running engine and those who talk to it: the verbs, `nc`, and programs.

mod asked;
mod away;
mod browser;
mod crowded;
mod engine_pages;
mod forms;
mod joined;
mod outputs;
mod pages;
mod player_pages;
mod protocol;
mod secret;
mod top;
mod verbs;
mod waits;
mod watched;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use riftsync::simulator::SIMULATED_KEY;
use serde_json::{Value, json};

use crate::setup::{PLAYER, Setup, run, setup, signal, text};

impl Setup {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts `serve` and waits for its ready line.
    async fn served(&self) -> Served {
        self.served_with(|command| command).await
    }

    async fn served_with(&self, change: impl FnOnce(&mut Command) -> &mut Command) -> Served {
        let mut command = self.command(&["serve", "--json"]);
        change(&mut command);
        self.served_by(command).await
    }

    /// The same with a command of one's own.
    async fn served_by(&self, mut command: Command) -> Served {
        let log = std::fs::File::create(self.path("serve.log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let ready = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line
        });
        let ready: Value = serde_json::from_str(&ready.await.unwrap()).unwrap_or_default();
        assert_eq!(ready["ready"], true, "{}", self.log());
        assert_eq!(ready["pid"], child.id());
        Served { child, ready }
    }

    /// Runs a verb to its end, off the test's thread, which the simulator needs.
    async fn run(&self, args: &[&str]) -> Output {
        run(self.command(args)).await
    }

    /// The same, and reads its answer.
    async fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat()).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// One question to the engine.
    fn json_rpc(&self, method: &str) -> Value {
        self.ask(method, &json!({}))["result"].take()
    }

    /// One question with parameters, and all of its answer.
    fn ask(&self, method: &str, params: &Value) -> Value {
        let mut lines = self.connect();
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        lines.send(&request.to_string());
        lines.line()
    }

    /// As `nc -U` has it.
    fn connect(&self) -> Lines {
        Lines::to(&self.path("riftsync.sock"))
    }
}

/// A number of a process in KiB, from `/proc`.
fn memory_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A running `serve`; killed when dropped.
struct Served {
    child: Child,
    /// What it said when it was ready.
    ready: Value,
}

impl Served {
    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Its exit code, when it has ended.
    async fn exited(mut self) -> Option<i32> {
        tokio::task::spawn_blocking(move || self.child.wait().unwrap().code())
            .await
            .unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines over the socket.
struct Lines {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Lines {
    fn to(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        Self {
            reader: BufReader::new(stream.try_clone().unwrap()),
            writer: stream,
        }
    }

    fn send(&mut self, line: &str) {
        self.writer.write_all(line.as_bytes()).unwrap();
        self.writer.write_all(b"\n").unwrap();
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}
