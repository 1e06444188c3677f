//! Whom somebody asks for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Puuid, RiotId};

/// A player, by name or by puuid. The puuid says who it is, the name what somebody calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Asked")]
pub struct Whom {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub riot_id: Option<RiotId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub puuid: Option<Puuid>,
}

impl Whom {
    /// Whoever has that name.
    pub fn named(riot_id: RiotId) -> Self {
        Self {
            riot_id: Some(riot_id),
            puuid: None,
        }
    }

    /// Whoever has that puuid, under the key that gave it.
    pub fn with_puuid(puuid: Puuid) -> Self {
        Self {
            riot_id: None,
            puuid: Some(puuid),
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.riot_id, &self.puuid) {
            (Some(riot_id), _) => write!(f, "{riot_id}"),
            (None, Some(puuid)) => write!(f, "{puuid}"),
            (None, None) => f.write_str("nobody"),
        }
    }
}

/// The same as it comes from outside.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    riot_id: Option<RiotId>,
    #[serde(default)]
    puuid: Option<Puuid>,
}

impl TryFrom<Asked> for Whom {
    type Error = &'static str;

    fn try_from(Asked { riot_id, puuid }: Asked) -> Result<Self, Self::Error> {
        if riot_id.is_none() && puuid.is_none() {
            return Err("name the player by riot_id (\"Name#TAG\") or by puuid");
        }
        Ok(Self { riot_id, puuid })
    }
}
