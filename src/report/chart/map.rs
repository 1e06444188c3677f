//! A plain map of Summoner's Rift with dots where champions fell.

use std::fmt::Write;

use super::picture;
use crate::kills::SIDE;

/// Spots of one kind, with the class that draws them: its caps are round or square, so that not only the colour tells.
pub(crate) struct Dots<'d> {
    pub class: &'static str,
    pub at: &'d [[u8; 2]],
}

/// Three lanes, the river and two bases. Drawn by us: nothing is taken from a picture of the game.
const GROUND: &str = "<path class=\"land\" d=\"M0 0h150v150H0z\"/><path class=\"river\" d=\"M16 22L128 134\"/>\
                      <path class=\"lane\" d=\"M14 128V22Q14 14 22 14H128M26 124L124 26M22 136H128Q136 136 136 128V22\"/>\
                      <path class=\"base\" d=\"M0 112A38 38 0 0 1 38 150H0zM150 38A38 38 0 0 1 112 0H150z\"/>";

pub(crate) fn kill_map(
    id: &str,
    title: &str,
    says: &str,
    is_rift: bool,
    dots: &[Dots<'_>],
) -> String {
    let mut shapes = if is_rift {
        GROUND.to_owned()
    } else {
        "<path class=\"land\" d=\"M0 0h150v150H0z\"/>".to_owned()
    };
    for one in dots {
        // From the lower left, as the game counts; each from the one before it, which is short.
        let spot = |[x, y]: &[u8; 2]| (i32::from(*x), SIDE - i32::from(*y));
        let mut spots: Vec<(i32, i32)> = one.at.iter().map(spot).collect();
        spots.sort_unstable();
        let mut path = String::with_capacity(8 * spots.len());
        let (mut x_before, mut y_before) = (0, 0);
        for (x, y) in spots {
            let _ = write!(path, "m{} {}h0", x - x_before, y - y_before);
            (x_before, y_before) = (x, y);
        }
        let _ = write!(shapes, "<path class=\"dots {}\" d=\"{path}\"/>", one.class);
    }
    picture(id, (150, 150), title, says, &shapes).replacen(
        "class=\"chart ",
        "class=\"chart map ",
        1,
    )
}
