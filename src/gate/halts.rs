//! What attempts stand still for at the gate, in the words of the engine, and back.

use crate::engine;
use crate::model::waiting::Halt;

/// The gate, as a service of the engine.
const GATE: &str = "gate";
const ROOM: &str = "room";
const KEY: &str = "key";

/// As an attempt tells it to the engine.
pub(super) fn told(halt: Halt) -> engine::Halt {
    let part = match halt {
        Halt::Commit => return engine::Halt::Commit,
        Halt::Room => ROOM,
        Halt::Key => KEY,
        Halt::Permit(route) => route.as_str(),
    };
    engine::Halt::Service { name: GATE, part }
}

/// What the engine was told; none: not by the gate.
pub fn heard(halt: engine::Halt) -> Option<Halt> {
    match halt {
        engine::Halt::Commit => Some(Halt::Commit),
        engine::Halt::Service { name: GATE, part } => match part {
            ROOM => Some(Halt::Room),
            KEY => Some(Halt::Key),
            route => route.parse().ok().map(Halt::Permit),
        },
        engine::Halt::Service { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Platform, Region, Route};

    #[test]
    fn what_an_attempt_stands_still_for_comes_back_as_it_was_said() {
        let routes = [Route::Platform(Platform::Kr), Route::Region(Region::Europe)];
        let routes = routes.map(Halt::Permit);
        for halt in [Halt::Commit, Halt::Room, Halt::Key]
            .into_iter()
            .chain(routes)
        {
            assert_eq!(heard(told(halt)), Some(halt));
        }
        let (name, part) = ("mail", "key");
        assert_eq!(heard(engine::Halt::Service { name, part }), None);
    }
}
