//! What all pages share.

use std::sync::Arc;

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
    /// Guesses of the secret, one at a time.
    pub(crate) guess: tokio::sync::Mutex<()>,
}
