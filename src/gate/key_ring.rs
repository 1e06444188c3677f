//! The key in use. It can be replaced at any time; calls that went with an older one are told apart by
//! its generation.

use std::sync::{PoisonError, RwLock};

use tokio::sync::watch;

use crate::riot::ApiKey;

/// Keys that are remembered, so that no text shows them.
const REMEMBERED: usize = 16;

#[derive(Debug)]
struct Keys {
    generation: u64,
    /// Newest last; never empty.
    keys: Vec<ApiKey>,
}

/// See the module.
#[derive(Debug)]
pub struct KeyRing {
    keys: RwLock<Keys>,
    generation: watch::Sender<u64>,
}

impl KeyRing {
    pub fn new(key: ApiKey) -> Self {
        Self {
            keys: RwLock::new(Keys {
                generation: 1,
                keys: vec![key],
            }),
            generation: watch::channel(1).0,
        }
    }

    fn read<T>(&self, look: impl FnOnce(&Keys) -> T) -> T {
        look(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn generation(&self) -> u64 {
        self.read(|keys| keys.generation)
    }

    /// The key in use and its generation.
    pub fn current(&self) -> (u64, ApiKey) {
        self.read(|keys| {
            let newest = keys.keys.last().expect("there is always one");
            (keys.generation, newest.clone())
        })
    }

    /// Puts another key in use. False: it is in use already.
    pub fn replace(&self, key: ApiKey) -> bool {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let in_use = keys.keys.last().map(ApiKey::fingerprint);
        if in_use == Some(key.fingerprint()) {
            return false;
        }
        if keys.keys.len() == REMEMBERED {
            keys.keys.remove(0);
        }
        keys.keys.push(key);
        keys.generation += 1;
        self.generation.send_replace(keys.generation);
        true
    }

    /// Resolves when the key of that generation is not in use any more.
    pub async fn replaced(&self, generation: u64) {
        let mut newest = self.generation.subscribe();
        // The sender lives as long as this does.
        let _ = newest.wait_for(|newest| *newest != generation).await;
    }

    /// A text without any of the keys in it.
    pub fn redact(&self, text: &str) -> String {
        self.read(|keys| {
            keys.keys
                .iter()
                .fold(text.to_owned(), |text, key| key.redact(&text))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_another_generation_and_the_old_one_stays_unseen() {
        let ring = KeyRing::new(ApiKey::new("RGAPI-old").unwrap());
        assert!(!ring.replace(ApiKey::new("RGAPI-old").unwrap()));
        assert_eq!(ring.current().0, 1);
        assert!(ring.replace(ApiKey::new("RGAPI-new").unwrap()));
        assert_eq!(ring.generation(), 2);
        assert_eq!(ring.redact("RGAPI-old, RGAPI-new"), "<api key>, <api key>");
        assert!(!format!("{ring:?}").contains("RGAPI"));
    }
}
