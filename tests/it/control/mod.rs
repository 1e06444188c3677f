//! A running engine and those who talk to it: the verbs, `nc`, and programs.

mod protocol;
mod verbs;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use riftsync::model::Timestamp;
use riftsync::simulator::{SIMULATED_KEY, Simulator, SimulatorConfig, World, WorldConfig};
use serde_json::Value;
use tempfile::TempDir;

const PLAYER: &str = "Quiet Otter#SIM";

/// A folder, a simulated API, and `riftsync` with nothing of the caller's environment but these.
struct Setup {
    folder: TempDir,
    simulator: Simulator,
}

async fn setup(matches_per_year: u32) -> Setup {
    let world = World::new(WorldConfig {
        players: vec![(PLAYER.parse().unwrap(), "euw1".parse().unwrap())],
        matches_per_year,
        first_year: 2024,
        last_year: 2025,
        now: Timestamp::from_millis(1_780_000_000_000),
        ..WorldConfig::default()
    });
    Setup {
        folder: TempDir::new().unwrap(),
        simulator: Simulator::start(Arc::new(world), SimulatorConfig::default())
            .await
            .unwrap(),
    }
}

impl Setup {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_riftsync"));
        command
            .env_clear()
            .env("RIOT_API_KEY", SIMULATED_KEY)
            .env("RIFTSYNC_PROFILE", "production")
            .env("RIFTSYNC_RIOT__BASE_URL", self.simulator.base_url())
            .args(args)
            .arg("--database")
            .arg(format!("sqlite://{}", self.path("t.db").display()))
            .stdin(Stdio::null());
        command
    }

    /// Starts `serve` and waits for its ready line.
    async fn serve(&self) -> Served {
        self.serve_with(|command| command).await
    }

    async fn serve_with(&self, change: impl FnOnce(&mut Command) -> &mut Command) -> Served {
        let mut command = self.command(&["serve", "--json"]);
        let log = std::fs::File::create(self.path("serve.log")).unwrap();
        change(&mut command);
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
        Served { child }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("serve.log")).unwrap()
    }

    /// Runs a verb to its end, off the test's thread, which the simulator needs.
    async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    /// The same, and reads its answer.
    async fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat()).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// One question to the engine.
    fn json_rpc(&self, method: &str) -> Value {
        let mut lines = self.connect();
        lines.send(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#
        ));
        lines.line()["result"].take()
    }

    /// As `nc -U` has it.
    fn connect(&self) -> Lines {
        let stream = UnixStream::connect(self.path("riftsync.sock")).unwrap();
        Lines {
            reader: BufReader::new(stream.try_clone().unwrap()),
            writer: stream,
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running `serve`; killed when dropped.
struct Served {
    child: Child,
}

impl Served {
    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args([name, &pid]).status();
        assert!(status.unwrap().success());
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
