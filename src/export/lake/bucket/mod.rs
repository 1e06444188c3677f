//! A lake in a storage that speaks S3.
//!
//! A file is written on this machine, to a temporary one that has no name, and sent in one request: the storage
//! has it whole or not at all, so a killed export leaves no part of a file behind. Files are small enough for that
//! (`file_bytes_max`).
//!
//! There is no lock. What is read of an object that can be replaced is read with its tag, and it is replaced only while
//! it has that tag, so of two exports that began on the same manifest one is told that the other one wrote. The files
//! of the one that lost are taken away with those of killed exports: a file's name has the generation that it is made
//! for, and what no manifest names when that generation stands, none ever will.

mod answer;
mod client;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Credentials, UrlStyle};

use self::answer::{Answer, Asker};
use self::client::{Client, Condition, Request, Upload};
use super::place::{Draft, Place};
use super::{LakeError, is_ours, manifest};
use crate::config::{LakeAddress, LakeSettings};
use crate::model::Foreign;

/// Asked for where no region is told; storages that are not Amazon's take any.
const REGION: &str = "us-east-1";
/// Files that are deleted at once.
const DELETES_AT_ONCE: usize = 8;
/// No storage has longer ones.
const TAG_CHARS_MAX: usize = 200;

/// See the module.
pub(super) struct InBucket {
    client: Client,
    /// Empty, or ends with `/`.
    prefix: String,
    address: String,
    /// Tags of what was read, by name; none: it was not there.
    tags: Mutex<HashMap<String, Option<String>>>,
}

impl fmt::Debug for InBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InBucket").field(&self.address).finish()
    }
}

/// Where a bucket is asked for, or what is wrong with the setting.
fn bucket_of(name: &str, settings: &LakeSettings) -> Result<rusty_s3::Bucket, String> {
    let region = if settings.region.is_empty() {
        REGION
    } else {
        &settings.region
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !region.chars().all(is_word) {
        return Err(format!(
            "the region is '{}', which is none. Write AWS_REGION or lake.region as us-east-1",
            Foreign::new(region).as_str()
        ));
    }
    // Amazon has a host for each bucket; a name with dots has none that a certificate is for.
    let (endpoint, style) = match &*settings.endpoint {
        "" if name.contains('.') => (format!("https://s3.{region}.amazonaws.com"), UrlStyle::Path),
        "" => (
            format!("https://s3.{region}.amazonaws.com"),
            UrlStyle::VirtualHost,
        ),
        endpoint => (endpoint.to_owned(), UrlStyle::Path),
    };
    let wrong = || {
        "the endpoint is no URL. Write AWS_ENDPOINT_URL or lake.endpoint as https://host:port, without a user or a \
         password"
            .to_owned()
    };
    let endpoint: reqwest::Url = endpoint.parse().map_err(|_| wrong())?;
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err(wrong());
    }
    rusty_s3::Bucket::new(endpoint, style, name.to_owned(), region.to_owned()).map_err(|_| wrong())
}

impl InBucket {
    pub(super) fn new(
        (bucket, prefix): (&str, &str),
        settings: &LakeSettings,
    ) -> Result<Self, LakeError> {
        let address = LakeAddress::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        let address = address.to_string();
        let wrong = |told: String| {
            let (cause, remedy) = told.split_once(". ").unwrap_or((&told, ""));
            LakeError {
                place: address.clone(),
                cause: cause.to_owned(),
                remedy: remedy.to_owned(),
                passes: false,
            }
        };
        let (id, secret) = (&settings.access_key_id, settings.secret_access_key.expose());
        if !settings.has_credentials() {
            return Err(wrong(
                "the credentials of the storage are not set. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                 access_key_id and secret_access_key in the section [lake] of the settings"
                    .to_owned(),
            ));
        }
        let credentials = match settings.session_token.expose() {
            "" => Credentials::new(id, secret),
            token => Credentials::new_with_token(id, secret, token),
        };
        let bucket = bucket_of(bucket, settings).map_err(wrong)?;
        let asker = Asker {
            place: address.clone(),
            bucket: bucket.name().to_owned(),
            endpoint: bucket.base_url().origin().ascii_serialization(),
            region: bucket.region().to_owned(),
        };
        let prefix = match prefix {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            client: Client::new(bucket, credentials, asker).map_err(wrong)?,
            prefix,
            address,
            tags: Mutex::default(),
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn odd(&self, why: &str) -> LakeError {
        LakeError {
            place: self.address.clone(),
            cause: format!("the storage answers as none does: {why}"),
            remedy: "Check AWS_ENDPOINT_URL or lake.endpoint".to_owned(),
            passes: false,
        }
    }

    fn note(&self, name: &str, tag: Option<String>) {
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        tags.insert(name.to_owned(), tag);
    }

    /// An answer is lost that said that it was replaced, and when it is replaced again it is another one: ours.
    async fn is_there(&self, name: &str, bytes: &[u8]) -> Result<bool, LakeError> {
        Ok(self.read(name).await?.as_deref() == Some(bytes))
    }

    fn tag_of(&self, answer: &Answer) -> Result<String, LakeError> {
        let tag = answer.etag.clone();
        tag.filter(|tag| (1..=TAG_CHARS_MAX).contains(&tag.len()))
            .ok_or_else(|| self.odd("it tells no ETag"))
    }
}

#[async_trait]
impl Place for InBucket {
    fn name(&self) -> String {
        self.address.clone()
    }

    fn prefix(&self) -> String {
        format!("{}/", self.address)
    }

    /// Others may write too; who comes second is told when it is done.
    fn is_alone(&self) -> bool {
        false
    }

    /// The manifest is read next, and tells what is wrong.
    async fn begin(&self) -> Result<(), LakeError> {
        Ok(())
    }

    async fn leave(&self) {}

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, LakeError> {
        let answer = self.client.ask(&Request::Get(&self.key(name))).await?;
        if answer.is_absent() {
            self.note(name, None);
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(self.odd("to a request without a condition"));
        }
        self.note(name, Some(self.tag_of(&answer)?));
        Ok(Some(answer.body))
    }

    fn draft(&self, path: &str) -> io::Result<Draft> {
        Ok(Draft {
            file: tempfile::tempfile()?,
            path: path.to_owned(),
        })
    }

    fn failed(&self, error: &io::Error) -> LakeError {
        let folder = std::env::temp_dir();
        LakeError {
            place: self.address.clone(),
            cause: format!(
                "a temporary file in {} cannot be written: {error}",
                folder.display()
            ),
            remedy: "Free some room there, or name another folder in TMPDIR".to_owned(),
            passes: true,
        }
    }

    async fn keep(&self, draft: Draft) -> Result<u64, LakeError> {
        let length = draft
            .file
            .metadata()
            .map_err(|error| self.failed(&error))?
            .len();
        let upload = Upload::File(Arc::new(draft.file), length);
        let key = self.key(&draft.path);
        let request = Request::Put(&key, &upload, Condition::Any);
        let answer = self.client.ask(&request).await?;
        if !answer.is_success() {
            return Err(self.odd("to a request without a condition"));
        }
        Ok(length)
    }

    async fn publish(&self, bytes: Vec<u8>) -> Result<bool, LakeError> {
        self.replace(manifest::NAME, bytes).await
    }

    async fn replace(&self, name: &'static str, bytes: Vec<u8>) -> Result<bool, LakeError> {
        let tag = {
            let tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
            tags.get(name).cloned().flatten()
        };
        let condition = tag.as_deref().map_or(Condition::Nothing, Condition::Is);
        let upload = Upload::Bytes(bytes.clone().into());
        let key = self.key(name);
        let answer = self
            .client
            .ask(&Request::Put(&key, &upload, condition))
            .await?;
        if answer.is_success() {
            self.note(name, Some(self.tag_of(&answer)?));
            return Ok(true);
        }
        self.is_there(name, &bytes).await
    }

    async fn lacks(&self, files: &[manifest::File]) -> Result<BTreeSet<String>, LakeError> {
        let there: HashMap<String, Option<u64>> = self.listed().await?.into_iter().collect();
        let is_lost = |file: &&manifest::File| match there.get(&file.path) {
            Some(bytes) => bytes.is_some_and(|bytes| bytes != file.bytes),
            None => true,
        };
        let lost = files.iter().filter(is_lost);
        Ok(lost.map(|file| file.path.clone()).collect())
    }

    async fn list(&self) -> Result<Vec<String>, LakeError> {
        let listed = self.listed().await?;
        Ok(listed.into_iter().map(|(path, _)| path).collect())
    }

    async fn remove(&self, paths: Vec<String>) -> Result<(), LakeError> {
        let deletes = stream::iter(paths).map(|path| async move {
            let key = self.key(&path);
            self.client.ask(&Request::Delete(&key)).await
        });
        let mut deletes = deletes.buffer_unordered(DELETES_AT_ONCE);
        while deletes.try_next().await?.is_some() {}
        Ok(())
    }
}

impl InBucket {
    /// All files of tables, with their sizes where the storage tells them.
    async fn listed(&self) -> Result<Vec<(String, Option<u64>)>, LakeError> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let request = Request::List(&self.prefix, after.as_deref());
            let answer = self.client.ask(&request).await?;
            let text = String::from_utf8_lossy(&answer.body);
            let page = ListObjectsV2::parse_response(&text)
                .map_err(|error| self.odd(&format!("no list of objects: {error}")))?;
            found.extend(page.contents.iter().filter_map(|object| {
                let path = object.key.strip_prefix(&self.prefix)?.to_owned();
                let bytes = object.size;
                is_ours(&path).then_some((path, bytes))
            }));
            match page.next_continuation_token {
                Some(token) if after.as_ref() != Some(&token) => after = Some(token),
                Some(_) => return Err(self.odd("a list of objects that has no end")),
                None => return Ok(found),
            }
        }
    }
}
