#![doc = include_str!("README.md")]

mod access;
mod actor;
mod ask;
mod assets;
mod chart;
mod history;
pub mod listener;
mod live;
mod pages;
mod parts;
mod place;
mod respond;
mod server;
mod shell;
mod show;
mod site;

pub use access::{SECRET_MIN, Secret, WeakSecret};
pub use ask::{Ask, AskError};
pub use place::{PlaceError, WebPlace, WebSettings};
pub use server::serve;
