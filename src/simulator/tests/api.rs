//! A simulator and a client that hides nothing of what was sent.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{ALPHA, riot_id};
use crate::{KeyScope, SIMULATED_KEY, Simulator, SimulatorConfig, World};

pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
    /// In how many pieces the body came.
    pub chunks: usize,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub fn message(&self) -> String {
        self.json()["status"]["message"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

pub struct Api {
    pub simulator: Simulator,
    pub world: Arc<World>,
}

impl Api {
    pub async fn new(config: SimulatorConfig) -> Self {
        let world = Arc::new(World::new(super::config(60)));
        let simulator = Simulator::start(Arc::clone(&world), config).await.unwrap();
        Self { simulator, world }
    }

    /// The whole answer as it comes over the socket, by hand: no client may hide what was sent.
    pub async fn raw(&self, path: &str, headers: &str) -> std::io::Result<Vec<u8>> {
        self.send("localhost", "GET", path, headers, "").await
    }

    async fn send(
        &self,
        host: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.simulator.addr()).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    pub async fn with(&self, path: &str, headers: &str) -> Answer {
        read(&self.raw(path, headers).await.unwrap())
    }

    /// A request without a key, as the simulator's own paths are asked.
    pub async fn admin(&self, method: &str, path: &str, body: &str) -> Answer {
        self.admin_by("localhost", method, path, body).await
    }

    /// The same by another name.
    pub async fn admin_by(&self, host: &str, method: &str, path: &str, body: &str) -> Answer {
        let path = format!("/__simulator/{path}");
        read(&self.send(host, method, &path, "", body).await.unwrap())
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.with(path, &format!("x-riot-token: {SIMULATED_KEY}\r\n"))
            .await
    }

    pub fn puuid(&self) -> String {
        self.world
            .puuid(&riot_id(ALPHA), KeyScope::of_key(SIMULATED_KEY))
            .unwrap()
            .to_string()
    }

    pub async fn ids(&self, query: &str) -> Vec<String> {
        let answer = self
            .get(&format!(
                "/europe/lol/match/v5/matches/by-puuid/{}/ids?{query}",
                self.puuid()
            ))
            .await;
        assert_eq!(answer.status, 200, "{query}");
        serde_json::from_slice(&answer.body).unwrap()
    }
}

/// The pieces of a body, joined.
fn dechunk(bytes: &[u8]) -> Vec<u8> {
    chunks(bytes).concat()
}

/// The pieces of a body as they were sent.
fn chunks(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|w| w == b"\r\n").unwrap();
        let length =
            usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        bytes = &bytes[line + 2..];
        if length == 0 {
            return body;
        }
        body.push(&bytes[..length]);
        bytes = &bytes[length + 2..];
    }
}

fn read(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let answer = Answer {
        status: head[9..12].parse().unwrap(),
        body: dechunk(&bytes[end + 4..]),
        chunks: chunks(&bytes[end + 4..]).len(),
        head,
    };
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    answer
}
