//! Documents of a world without HTTP, as they would be sent.

use super::people::KeyScope;
use super::world::World;
use super::{match_document, timeline_document};
use riftsync_model::MatchId;
use riftsync_model::records::PayloadKind;

impl World {
    /// The gzip body that a match's document is answered with. None: the world has none.
    pub fn document(&self, id: MatchId, kind: PayloadKind) -> Option<Vec<u8>> {
        let found = self.find(id)?;
        match kind {
            PayloadKind::Match => match_document::write(self, &found, KeyScope::SHARED, true),
            PayloadKind::Timeline => timeline_document::write(self, &found, KeyScope::SHARED, true),
        }
    }
}
