//! The key in use. It can be replaced at any time; calls that went with an older one are told apart by
//! its generation.

use std::sync::{PoisonError, RwLock};

use tokio::sync::watch;

use crate::riot::ApiKey;

#[derive(Debug)]
struct Keys {
    generation: u64,
    key: ApiKey,
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
            keys: RwLock::new(Keys { generation: 1, key }),
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
        self.read(|keys| (keys.generation, keys.key.clone()))
    }

    /// Puts another key in use. False: it is in use already.
    pub fn replace(&self, key: ApiKey) -> bool {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.key.fingerprint() == key.fingerprint() {
            return false;
        }
        keys.key = key;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Foreign;

    #[test]
    fn a_new_key_is_another_generation_and_the_old_one_stays_unseen() {
        let ring = KeyRing::new(ApiKey::new("RGAPI-old").unwrap());
        assert!(!ring.replace(ApiKey::new("RGAPI-old").unwrap()));
        assert_eq!(ring.current().0, 1);
        assert!(ring.replace(ApiKey::new("RGAPI-new").unwrap()));
        assert_eq!(ring.generation(), 2);
        let text = Foreign::new("RGAPI-old, RGAPI-new");
        assert_eq!(text.as_str(), "<api key>, <api key>");
        assert!(!format!("{ring:?}").contains("RGAPI"));
    }
}
