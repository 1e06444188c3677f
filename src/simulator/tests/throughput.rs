//! How much of a core the simulator takes. Not a test of anything: run it in release mode with
//! `cargo test --release --lib throughput -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{ALPHA, config, riot_id};
use crate::{KeyScope, SIMULATED_KEY, Simulator, SimulatorConfig, World, WorldConfig};
use crate::{match_document, timeline_document};

/// CPU time of all threads with this name so far, from the kernel's clock ticks of 10 ms.
fn cpu_of_thread(name: &str) -> Duration {
    let ticks = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| {
            let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            let (thread, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
            let fields: Vec<&str> = rest.split(' ').collect();
            let used = || Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?);
            if thread == name { used() } else { None }
        });
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

#[test]
#[ignore = "a measurement"]
fn throughput() {
    let world = Arc::new(World::new(WorldConfig {
        plain: true,
        ..config(3000)
    }));
    let begun = Instant::now();
    world.warm_up();
    println!("warm-up: {:?}", begun.elapsed());
    let truth = world.player_matches(&riot_id(ALPHA), 2025);
    let begun = Instant::now();
    let mut bytes = [0, 0];
    for m in &truth {
        let found = world.find(m.id).unwrap();
        let scope = KeyScope::of_key(SIMULATED_KEY);
        bytes[0] += match_document::write(&world, &found, scope, true)
            .unwrap()
            .len();
        bytes[1] += timeline_document::write(&world, &found, scope, true)
            .unwrap()
            .len();
    }
    let pairs = u32::try_from(truth.len()).unwrap();
    let [match_bytes, timeline_bytes] = bytes.map(|sum| sum / truth.len());
    println!(
        "documents: {:?} a pair ({match_bytes} + {timeline_bytes} bytes)",
        begun.elapsed() / pairs
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let simulator = Simulator::start(Arc::clone(&world), SimulatorConfig::default()).await.unwrap();
        let begun = Instant::now();
        let connections = (0..8).map(|_| async {
            let mut stream = TcpStream::connect(simulator.addr()).await.unwrap();
            let mut buffer = vec![0; 1 << 17];
            for m in &truth {
                for suffix in ["", "/timeline"] {
                    let request = format!(
                        "GET /europe/lol/match/v5/matches/{}{suffix} HTTP/1.1\r\nhost: sim\r\nx-riot-token: {SIMULATED_KEY}\r\naccept-encoding: gzip\r\n\r\n",
                        m.id
                    );
                    stream.write_all(request.as_bytes()).await.unwrap();
                    let mut got = 0;
                    while !buffer[..got].ends_with(b"\r\n0\r\n\r\n") {
                        got += stream.read(&mut buffer[got..]).await.unwrap();
                    }
                }
            }
        });
        futures_util::future::join_all(connections).await;
        let (wall, cpu) = (begun.elapsed(), cpu_of_thread("simulator"));
        let pairs = pairs * 8;
        println!("over HTTP: {pairs} pairs in {wall:?}; the simulator used {:?} of CPU a pair", cpu / pairs);
        simulator.stop().await;
    });
}
