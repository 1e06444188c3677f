//! What a real storage answers seldom: a bad moment, and an answer that is lost.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::riot::install_tls;

/// An answer with a status and a tag.
fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\netag: \"t\"\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn refusal(status: &str, code: &str) -> String {
    answer(status, &format!("<Error><Code>{code}</Code></Error>"))
}

/// A storage that gives these answers in turn, each to a connection of its own; an empty one is lost on the way. Tells
/// what it was asked when it has given all.
async fn storage(answers: Vec<String>) -> (InBucket, tokio::task::JoinHandle<Vec<String>>) {
    install_tls();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let settings = LakeSettings {
        endpoint: format!("http://{}", listener.local_addr().unwrap()),
        access_key_id: "ID".to_owned(),
        secret_access_key: crate::config::Secret::new("secret of the double"),
        ..LakeSettings::default()
    };
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let is_whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request);
                let (head, body) = text.split_once("\r\n\r\n")?;
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                let length = length.map_or(0, |length| length.parse().unwrap());
                (body.len() >= length).then_some(())
            };
            while is_whole(&request).is_none() {
                assert!(socket.read_buf(&mut request).await.unwrap() > 0);
            }
            asked.push(String::from_utf8(request).unwrap());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    (InBucket::new(("rift", "lake"), &settings).unwrap(), asked)
}

#[tokio::test]
async fn a_bad_moment_passes_and_what_is_sent_is_sent_again_whole() {
    let (bucket, asked) = storage(vec![
        answer("200 OK", "first"),
        refusal("503 Slow Down", "SlowDown"),
        String::new(),
        answer("200 OK", ""),
    ])
    .await;
    assert_eq!(
        bucket.read("manifest.json").await.unwrap().unwrap(),
        b"first"
    );
    let mut draft = bucket.draft("matches/part-1.parquet").unwrap();
    io::Write::write_all(&mut draft.file, b"rows").unwrap();
    assert_eq!(bucket.keep(draft).await.unwrap(), 4);
    let asked = asked.await.unwrap();
    for request in &asked[1..] {
        assert!(
            request.starts_with("PUT /rift/lake/matches/part-1.parquet?"),
            "{request}"
        );
        assert!(request.ends_with("\r\n\r\nrows"), "{request}");
    }
}

#[tokio::test]
async fn a_manifest_whose_answer_was_lost_is_not_taken_for_somebody_elses() {
    for (there, is_ours) in [("mine", true), ("theirs", false)] {
        let (bucket, asked) = storage(vec![
            answer("200 OK", "before"),
            String::new(),
            refusal("412 Precondition Failed", "PreconditionFailed"),
            answer("200 OK", there),
        ])
        .await;
        bucket.read("manifest.json").await.unwrap();
        assert_eq!(bucket.publish(b"mine".to_vec()).await.unwrap(), is_ours);
        for request in &asked.await.unwrap()[1..3] {
            assert!(request.contains("if-match: \"t\"\r\n"), "{request}");
        }
    }
}

#[tokio::test]
async fn a_first_manifest_is_written_only_where_there_is_none() {
    let (bucket, asked) = storage(vec![
        refusal("404 Not Found", "NoSuchKey"),
        refusal("412 Precondition Failed", "PreconditionFailed"),
        answer("200 OK", "theirs"),
    ])
    .await;
    assert_eq!(bucket.read("manifest.json").await.unwrap(), None);
    assert!(!bucket.publish(b"mine".to_vec()).await.unwrap());
    assert!(asked.await.unwrap()[1].contains("if-none-match: *\r\n"));
}

#[tokio::test]
async fn a_storage_that_is_away_from_the_start_is_told_soon_and_one_that_denies_at_once() {
    let (bucket, asked) = storage(vec![String::new(), String::new(), String::new()]).await;
    let error = bucket.read("manifest.json").await.unwrap_err();
    assert!(
        error.passes && error.cause.contains("cannot be reached"),
        "{error}"
    );
    assert_eq!(asked.await.unwrap().len(), 3);
    let (bucket, asked) = storage(vec![refusal("403 Forbidden", "AccessDenied")]).await;
    let error = bucket.read("manifest.json").await.unwrap_err();
    assert!(!error.passes && error.cause.contains("denies"), "{error}");
    assert!(!format!("{bucket:?} {error:?}").contains("secret of the double"));
    asked.await.unwrap();
}
