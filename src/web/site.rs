//! What all pages share.

use std::sync::Arc;

use riftsync_basics::Form;

use super::ask::Ask;
use super::live::Live;
use super::place::WebPlace;

/// See the module.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) place: Arc<WebPlace>,
    pub(crate) engine: Arc<dyn Ask>,
    pub(crate) live: Arc<Live>,
    pub(crate) cookie: String,
    /// The kinds of jobs that people submit.
    pub(crate) forms: Vec<Form>,
    /// Guesses of the secret, one at a time.
    pub(crate) guess: tokio::sync::Mutex<()>,
}
