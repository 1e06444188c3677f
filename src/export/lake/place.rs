//! Where a lake is: what is asked of any such place.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;

use async_trait::async_trait;

use super::LakeError;
use super::manifest;

/// A file that is being written; it has no name yet that a reader knows.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) file: File,
    /// The name that it gets, from the lake's own place.
    pub(super) path: String,
}

/// See the module. Names are relative to the place.
#[async_trait]
pub(super) trait Place: Send + Sync {
    /// What a person calls it.
    fn name(&self) -> String;
    /// What stands before a path where it is read.
    fn prefix(&self) -> String;
    /// Nobody else can write there meanwhile.
    fn is_alone(&self) -> bool;
    /// Must be called first. An error if another export writes there, as far as that can be told.
    async fn begin(&self) -> Result<(), LakeError>;
    /// Nothing will be written: what was made there to begin is taken away.
    async fn leave(&self);
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, LakeError>;
    /// Begins a file; its path must be a new one.
    fn draft(&self, path: &str) -> io::Result<Draft>;
    /// The draft is whole: it gets its name. Returns its size.
    async fn keep(&self, draft: Draft) -> Result<u64, LakeError>;
    /// What a draft's file cannot do.
    fn failed(&self, error: &io::Error) -> LakeError;
    /// Replaces the manifest, at once: all files that were kept stand before it does. False: it is another one
    /// than was read.
    async fn publish(&self, manifest: Vec<u8>) -> Result<bool, LakeError>;
    /// False: it is another one than was read.
    async fn replace(&self, name: &'static str, bytes: Vec<u8>) -> Result<bool, LakeError>;
    /// The paths of those files that are not there, or not as they were written.
    async fn lacks(&self, files: &[manifest::File]) -> Result<BTreeSet<String>, LakeError>;
    /// All files of tables, also what a killed export left.
    async fn list(&self) -> Result<Vec<String>, LakeError>;
    async fn remove(&self, paths: Vec<String>) -> Result<(), LakeError>;
}
