//! Many clients that want no good: the engine's memory stays bounded, and others are served.

use std::time::Duration;

use super::*;

/// Lines of one client at most, as the manual says.
const LINE_BYTES: usize = 1 << 20;
/// All that clients may cost together. Each of the 64 may have a line of a mebibyte in a buffer that has grown by
/// doubling; what is answered is written as it comes.
const CLIENTS_KIB: u64 = 64 * 2 * 1_024 + 48 * 1_024;

fn write_what_is_taken(stream: &mut UnixStream, bytes: &[u8]) {
    stream.set_nonblocking(true).unwrap();
    let mut rest = bytes;
    let mut idle = 0;
    while !rest.is_empty() && idle < 50 {
        match stream.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                idle += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            // It was sent away.
            Err(_) => return,
        }
    }
}

#[tokio::test]
async fn two_hundred_clients_with_half_lines_long_lines_and_unread_answers_cost_a_bounded_memory() {
    let setup = setup(5).await;
    let served = setup.served().await;
    // A client that was there before, and stays.
    let mut steady = setup.connect();
    let mut is_well = || {
        steady.send(r#"{"jsonrpc":"2.0","id":1,"method":"engine.status"}"#);
        assert_eq!(steady.line()["result"]["state"], "running");
    };
    is_well();
    let before = memory_kib(served.pid(), "VmHWM:");
    let socket = setup.path("riftsync.sock");
    let half = vec![b'x'; LINE_BYTES - 1];
    let long = vec![b'['; 3 << 20];
    let batch: Vec<String> = (0..9_000)
        .map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"engine.metrics"}}"#))
        .collect();
    let batch = format!("[{}]\n", batch.join(","));
    assert!(batch.len() < LINE_BYTES);
    for sent in [&half, &long, batch.as_bytes()] {
        let clients: Vec<_> = (0..200)
            .map(|_| {
                let mut client = UnixStream::connect(&socket).unwrap();
                write_what_is_taken(&mut client, sent);
                client
            })
            .collect();
        is_well();
        drop(clients);
    }
    is_well();
    let grown = memory_kib(served.pid(), "VmHWM:").saturating_sub(before);
    assert!(grown < CLIENTS_KIB, "{grown} KiB more at the most");
    drop(served);
}
