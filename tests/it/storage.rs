//! The storage that speaks S3 which tests/run.sh starts: a bucket of its own for each test.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode, Url};
use riftsync::riot::install_tls;
use rusty_s3::actions::{CreateBucket, ListObjectsV2};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const SIGNED_FOR: Duration = Duration::from_mins(10);

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the tests with tests/run.sh, which starts a storage")
    })
}

/// A bucket.
pub struct Storage {
    pub url: String,
    pub key_id: String,
    pub secret: String,
    bucket: Bucket,
    credentials: Credentials,
    http: Client,
}

impl Storage {
    pub async fn new() -> Self {
        install_tls();
        let url = variable("TEST_S3_URL");
        let (key_id, secret) = (variable("TEST_S3_KEY_ID"), variable("TEST_S3_SECRET"));
        let name = format!("it-{:016x}", fastrand::u64(..));
        let endpoint: Url = url.parse().unwrap();
        let bucket = Bucket::new(endpoint, UrlStyle::Path, name, "us-east-1").unwrap();
        let credentials = Credentials::new(&*key_id, &*secret);
        let storage = Self {
            url,
            key_id,
            secret,
            http: Client::new(),
            bucket,
            credentials,
        };
        let make = CreateBucket::new(&storage.bucket, &storage.credentials).sign(SIGNED_FOR);
        assert_eq!(storage.ask(Method::PUT, make, Vec::new()).await.0, 200);
        storage
    }

    async fn ask(&self, method: Method, url: Url, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        let length = body.len();
        let request = self.http.request(method, url).body(body);
        let request = request.header("content-length", length);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap().to_vec())
    }

    pub fn bucket(&self) -> &str {
        self.bucket.name()
    }

    /// The address of a lake in it.
    pub fn lake(&self) -> String {
        format!("s3://{}/lakes/rift", self.bucket())
    }

    /// Gives a command what it needs to reach it.
    pub fn known_to(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", &self.key_id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret);
    }

    /// An object of the lake.
    pub async fn get(&self, name: &str) -> Option<Vec<u8>> {
        let key = format!("lakes/rift/{name}");
        let get = self.bucket.get_object(Some(&self.credentials), &key);
        let (status, body) = self
            .ask(Method::GET, get.sign(SIGNED_FOR), Vec::new())
            .await;
        assert!(status == 200 || status == 404, "{status}");
        (status == 200).then_some(body)
    }

    pub async fn put(&self, name: &str, body: &[u8]) {
        let key = format!("lakes/rift/{name}");
        let put = self.bucket.put_object(Some(&self.credentials), &key);
        let (status, _) = self
            .ask(Method::PUT, put.sign(SIGNED_FOR), body.to_vec())
            .await;
        assert_eq!(status, 200);
    }

    pub async fn manifest(&self) -> Option<Value> {
        let text = self.get("manifest.json").await?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    /// Names of all objects in the bucket, from the lake.
    pub async fn objects(&self) -> BTreeSet<String> {
        let (mut found, mut after) = (BTreeSet::new(), None);
        loop {
            let mut list = self.bucket.list_objects_v2(Some(&self.credentials));
            if let Some(after) = &after {
                list.with_continuation_token(String::clone(after));
            }
            let (status, body) = self
                .ask(Method::GET, list.sign(SIGNED_FOR), Vec::new())
                .await;
            assert_eq!(status, 200);
            let text = String::from_utf8(body).unwrap();
            let page = ListObjectsV2::parse_response(&text).unwrap();
            let keys = page.contents.into_iter().map(|object| object.key);
            found.extend(keys.map(|key| key.strip_prefix("lakes/rift/").unwrap().to_owned()));
            after = page.next_continuation_token;
            if after.is_none() {
                return found;
            }
        }
    }

    /// Those that are files of tables.
    pub async fn files(&self) -> BTreeSet<String> {
        let mut found = self.objects().await;
        found.retain(|name| name.contains("part-"));
        found
    }
}

/// The files that a manifest names.
pub fn named(manifest: &Value) -> BTreeSet<String> {
    let files = manifest["files"].as_array().unwrap().iter();
    let files = files.map(|file| &file["path"]);
    let all = files.chain(manifest["former"].as_array().unwrap());
    all.map(|path| path.as_str().unwrap().to_owned()).collect()
}

/// Stands between a program and the storage.
pub struct Between {
    url: String,
    is_cut: watch::Sender<bool>,
    refused: watch::Receiver<u32>,
}

impl Between {
    pub async fn new(storage: &str) -> Self {
        let server = storage.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (is_cut, cut) = watch::channel(false);
        let (refuse, refused) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if *cut.borrow() {
                    refuse.send_modify(|count| *count += 1);
                    continue;
                }
                let (server, mut cut) = (server.clone(), cut.clone());
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        Self {
            url,
            is_cut,
            refused,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub fn mend(&self) {
        self.is_cut.send_replace(false);
    }

    /// Waits until so many connections were refused.
    pub async fn until_refused(&self, count: u32) {
        let mut refused = self.refused.clone();
        refused.wait_for(|refused| *refused >= count).await.unwrap();
    }
}
