//! An engine as machines watch it: Prometheus, a service manager, and users who may not.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::verbs::SYNC;
use super::*;
use crate::setup::{as_user, exited};

/// What has not come in this time will not come.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks an HTTP server, and reads all that it says.
fn http(addr: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(super) fn scrape(addr: &str) -> String {
    let answer = http(addr, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    text.to_owned()
}

/// The samples of a text by name and labels; each has a help text and a type before it.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut family = String::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && name != family, "{line}");
            name.clone_into(&mut family);
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with(&family), "{name} is not of {family}");
        let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(
            samples.insert(name.to_owned(), value).is_none(),
            "twice: {line}"
        );
    }
    samples
}

#[tokio::test]
async fn prometheus_reads_what_was_done_where_somebody_asked_for_it_and_no_key() {
    let setup = setup(40).await;
    let served = setup
        .served_with(|command| command.env("RIFTSYNC_METRICS__LISTEN", "127.0.0.1:0"))
        .await;
    setup.json(SYNC).await;
    let url = served.ready["metrics"].as_str().unwrap();
    let addr = url
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    assert!(addr.starts_with("127.0.0.1:"), "{url}");
    let page = scrape(addr);
    let samples = samples(&page);
    let jobs = setup
        .json(&["job", "list", "--state", "completed", "--limit", "1000"])
        .await;
    let completed = jobs["jobs"].as_array().unwrap().len() as f64;
    let sum = |name: &str, with: &str| -> f64 {
        let found = samples.iter();
        let found = found.filter(|(sample, _)| sample.starts_with(name) && sample.contains(with));
        found.map(|(_, value)| value).sum()
    };
    let done = sum("riftsync_attempts_total{", r#"outcome="processed""#);
    let close = |one: f64, other: f64| (one - other).abs() < 0.5;
    assert!(
        completed > 60.0 && close(done, completed),
        "{done} {completed}"
    );
    assert!(close(
        sum("riftsync_attempt_duration_seconds_count", ""),
        done
    ));
    let calls =
        setup.simulator.counters().of_status(200) + setup.simulator.counters().of_status(404);
    assert!(
        close(samples["riftsync_api_calls_total"], calls as f64),
        "{calls}"
    );
    assert!(close(samples["riftsync_api_key_valid"], 1.0));
    assert!(samples[r#"riftsync_actor_up{actor="/engine/metrics_exporter"}"#] > 0.0);
    assert!(samples[r#"riftsync_limiter_granted_total{route="europe"}"#] > 60.0);
    assert!(samples["riftsync_store_commits_total"] > 1.0);
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    let secret = SIMULATED_KEY.trim_start_matches("RGAPI-");
    assert!(!page.contains(secret));
    let elsewhere = http(addr, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");
    // Those who say nothing hold their place for a while, and nobody else's.
    let _silent: Vec<_> = (0..4).map(|_| TcpStream::connect(addr).unwrap()).collect();
    scrape(addr);
    let other = setup.path("other.sock");
    let mut second = setup.command(&["serve", "--metrics-listen", addr]);
    second.args(["--socket", other.to_str().unwrap()]);
    let refused = run(second).await;
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains(addr), "{}", text(&refused));
}

#[tokio::test]
async fn a_service_manager_hears_that_the_engine_is_ready_lives_and_stops() {
    let setup = setup(1).await;
    let place = setup.path("notify.sock");
    let socket = UnixDatagram::bind(&place).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let until = |word: &str| {
        let mut bytes = [0; 4_096];
        loop {
            let length = socket.recv(&mut bytes).unwrap();
            let told = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if told.lines().any(|line| line == word) {
                return told;
            }
        }
    };
    let served = setup
        .served_with(|command| {
            command
                .env("NOTIFY_SOCKET", &place)
                .env("WATCHDOG_USEC", "300000")
        })
        .await;
    let ready = until("READY=1");
    assert!(ready.contains("STATUS=0 jobs run"), "{ready}");
    for _ in 0..3 {
        assert!(until("WATCHDOG=1").contains("STATUS="));
    }
    served.signal("-TERM");
    until("STOPPING=1");
    assert_eq!(served.exited().await, Some(0), "{}", setup.log());
}

/// Two walls: the file's mode, and who the peer is if somebody has opened that.
#[tokio::test]
async fn another_user_cannot_connect() {
    let setup = setup(1).await;
    let _served = setup.served().await;
    // The folder and the program are where another user gets at them.
    let open = |path: PathBuf, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(setup.path(""), 0o755);
    let socket = setup.path("riftsync.sock");
    let words = ["status", "--socket", socket.to_str().unwrap()];
    let ask = |user| as_user(setup.folder.path(), user, &words);
    let (Some(ours), Some(first), Some(second)) = (ask(0), ask(65_534), ask(65_534)) else {
        eprintln!(
            "SKIPPED another_user_cannot_connect: it needs root, to become somebody else, and setpriv"
        );
        return;
    };
    let ours = run(ours).await;
    assert!(ours.status.success(), "{}", text(&ours));
    let refused = run(first).await;
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(text(&refused).contains("ermission"), "{}", text(&refused));
    open(socket.clone(), 0o666);
    let refused = run(second).await;
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    assert!(
        text(&refused).contains("another user"),
        "{}",
        text(&refused)
    );
}

/// Whoever has taken the socket's place answers as an engine would, and waits for a key.
#[tokio::test]
async fn a_key_is_sent_to_no_other_user() {
    let folder = tempfile::TempDir::new().unwrap();
    let socket = folder.path().join("r.sock");
    let words = ["key", "set", "--socket", socket.to_str().unwrap()];
    let Some(mut command) = as_user(folder.path(), 65_534, &words) else {
        eprintln!(
            "SKIPPED a_key_is_sent_to_no_other_user: it needs root, to become somebody else, and setpriv"
        );
        return;
    };
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, mode) in [(folder.path(), 0o755), (&*socket, 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let heard = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut lines = BufReader::new(&stream);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        if !line.is_empty() {
            let answer = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"replaced\":true}}\n";
            (&stream).write_all(answer.as_bytes()).unwrap();
        }
        line
    });
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let typed = writeln!(child.stdin.take().unwrap(), "{SIMULATED_KEY}");
    let output = exited(child).await;
    // It may have gone before it was typed.
    drop(typed);
    // If it never came, somebody has to, or it is waited for without end.
    drop(UnixStream::connect(&socket));
    assert_eq!(heard.join().unwrap(), "", "what the stranger heard");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("uid 0"), "{}", text(&output));
    assert!(text(&output).contains("was not sent"), "{}", text(&output));
}

#[tokio::test]
async fn what_another_program_says_on_the_socket_controls_no_terminal() {
    let folder = tempfile::TempDir::new().unwrap();
    let socket = folder.path().join("r.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let evil = r"\u001b[31mevil\u001b]0;\u0007\u009b2J";
    let good = format!(
        r#"{{"result":{{"verdict":"{evil}","findings":[{{"part":"{evil}","message":"{evil}","remedy":""}}]}}"#
    );
    let bad = format!(r#"{{"error":{{"code":-32000,"message":"{evil}"}}"#);
    std::thread::spawn(move || {
        for answer in [&good, &bad, &good, &bad] {
            let (stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let answer = format!("{answer},\"jsonrpc\":\"2.0\",\"id\":1}}\n");
            (&stream).write_all(answer.as_bytes()).unwrap();
        }
    });
    for more in [&[][..], &["--json"]] {
        for _ in 0..2 {
            let words = ["health", "--socket", socket.to_str().unwrap()];
            let output = run(crate::setup::bare(&[&words, more].concat())).await;
            let told = text(&output) + &String::from_utf8_lossy(&output.stdout);
            assert!(told.contains("evil"), "{told}");
            assert!(
                !told.replace('\n', "").contains(char::is_control),
                "{told:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_metrics_are_told_by_no_strangers_name() {
    let setup = setup(1).await;
    let served = setup
        .served_with(|command| {
            command
                .env("RIFTSYNC_METRICS__LISTEN", "127.0.0.1:0")
                .env("RIFTSYNC_METRICS__HOSTS", "riftsync, Metrics.Example.org")
        })
        .await;
    let url = served.ready["metrics"].as_str().unwrap();
    let addr = url
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    for (host, status) in [
        (addr, 200),
        ("localhost:1", 200),
        ("[::1]", 200),
        ("riftsync:9464", 200),
        ("metrics.example.org", 200),
        ("evil.example:9464", 421),
        ("127.0.0.1.evil.example", 421),
    ] {
        let answer = http(
            addr,
            &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        );
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{host}: {answer}");
        assert_eq!(answer.contains("riftsync_"), status == 200, "{host}");
    }
}
