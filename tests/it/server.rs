//! The PostgreSQL server that may be restarted, stopped and frozen.

use std::path::PathBuf;
use std::process::Command;

use tokio::sync::{Mutex, MutexGuard};

use crate::scratch::Scratch;
use crate::wait;

/// One test at a time has it.
static TURN: Mutex<()> = Mutex::const_new(());

pub struct Server {
    folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Server {
    pub async fn own() -> Self {
        let folder = std::env::var_os("TEST_RESTARTS")
            .expect("run tests/run.sh, which starts a server for this");
        Self {
            folder: folder.into(),
            _turn: TURN.lock().await,
        }
    }

    pub fn database(&self) -> Scratch {
        let url = std::fs::read_to_string(self.folder.join("url")).unwrap();
        Scratch::on_server(url.trim())
    }

    /// Back when it answers again; also one that was stopped.
    pub async fn restart(&self, how: &'static str) {
        let mut command = Command::new(self.folder.join("restart"));
        command.arg(how);
        let ended = tokio::task::spawn_blocking(move || command.status().unwrap());
        assert!(ended.await.unwrap().success());
    }

    /// Ends its sessions and itself.
    pub async fn stop(&self) {
        let pid = self.pid();
        tell("-INT", &[&pid]);
        let has_ended = async || !self.folder.join("restarts/data/postmaster.pid").exists();
        wait::until("the end of the server", has_ended).await;
    }

    /// Nothing of it moves until it is let go: it takes connections in and says nothing.
    pub fn freeze(&self) -> Frozen {
        let pid = self.pid();
        tell("-STOP", &[&pid]);
        // It starts no more of them now.
        let children = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(children).unwrap();
        let mut pids: Vec<String> = children.split_whitespace().map(str::to_owned).collect();
        let sessions: Vec<&str> = pids.iter().map(String::as_str).collect();
        tell("-STOP", &sessions);
        pids.push(pid);
        Frozen(pids)
    }

    fn pid(&self) -> String {
        let file = self.folder.join("restarts/data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().next().unwrap().to_owned()
    }
}

/// See [`Server::freeze`]; let go when dropped.
pub struct Frozen(Vec<String>);

impl Drop for Frozen {
    fn drop(&mut self) {
        let pids: Vec<&str> = self.0.iter().map(String::as_str).collect();
        tell("-CONT", &pids);
    }
}

/// Some of them may have ended.
fn tell(signal: &str, pids: &[&str]) {
    let mut command = Command::new("kill");
    let _ = command.arg(signal).args(pids).status().unwrap();
}
