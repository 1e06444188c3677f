//! How a store uses its database.

use super::address::Address;

/// How a store uses its database.
#[derive(Debug, Clone)]
pub struct Settings {
    pub address: Address,
    /// Connections that write.
    pub writers: usize,
    /// A pooler may give every transaction another session: nothing is kept in one.
    pub pooler: bool,
    /// Tell other engines of new work, and listen to them. Not behind a pooler.
    pub notify: bool,
    /// Whose connections these are, as the server shows them; the address may say another name.
    pub application: &'static str,
}

impl Settings {
    pub fn new(address: Address) -> Self {
        Self {
            address,
            writers: 3,
            pooler: false,
            notify: true,
            application: "riftsync-engine",
        }
    }
}
