//! The texts that documents are filled into, written and compressed at the first use of each script.

use std::sync::OnceLock;

use crate::game::Era;
use crate::gzip::Stencil;
use crate::match_document;
use crate::script::{Script, Shape};
use crate::timeline_document;

#[derive(Debug)]
pub struct Library {
    seed: u64,
    /// By era and script: the two documents differ in what they depend on.
    matches: Vec<OnceLock<Stencil>>,
    timelines: Vec<OnceLock<Stencil>>,
}

impl Library {
    pub fn new(seed: u64) -> Self {
        let scripts = slot(Shape::Bots, Shape::Bots.scripts());
        let empty = |count: usize| (0..count).map(|_| OnceLock::new()).collect();
        Self {
            seed,
            matches: empty(scripts * Era::ALL.len()),
            timelines: empty(scripts),
        }
    }

    pub fn script(&self, shape: Shape, number: u32) -> Script {
        Script::new(self.seed, shape, number)
    }

    pub fn match_text(&self, shape: Shape, era: Era, number: u32) -> &Stencil {
        self.matches[slot(shape, number) * Era::ALL.len() + era as usize]
            .get_or_init(|| match_document::stencil(&self.script(shape, number), era))
    }

    pub fn timeline_text(&self, shape: Shape, number: u32) -> &Stencil {
        self.timelines[slot(shape, number)]
            .get_or_init(|| timeline_document::stencil(&self.script(shape, number)))
    }
}

/// Where a script's text is kept: after those of all shapes before its own.
fn slot(shape: Shape, number: u32) -> usize {
    let before: u32 = Shape::ALL
        .iter()
        .take_while(|s| **s != shape)
        .map(|s| s.scripts())
        .sum();
    (before + number) as usize
}
