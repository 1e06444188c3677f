//! Another program with the same key: so many calls at once, each so often, whatever becomes of them.

use std::str::FromStr;

use crate::setting::{SettingError, number, read_ms};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger {
    /// At once, on each route that is called.
    pub calls: u32,
    pub every_ms: u64,
}

impl FromStr for Stranger {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let read = || {
            let (calls, every) = text.split_once(':')?;
            let (calls, every_ms) = (number(calls)?, read_ms(every)?);
            (calls > 0 && calls <= 10_000 && every_ms > 0).then_some(Self { calls, every_ms })
        };
        read().ok_or_else(|| {
            SettingError(format!(
                "'{text}' is no other program. Write calls:time, as 1:500ms, or 10:5s for ten at once (up to 10000)"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_so_many_calls_each_so_often() {
        let read = |text: &str| text.parse::<Stranger>().map(|it| (it.calls, it.every_ms));
        assert_eq!(
            (read("1:500ms"), read("10:5s")),
            (Ok((1, 500)), Ok((10, 5_000)))
        );
        for wrong in ["", "10", "0:1s", "1:0s", "1:5", "-1:1s", "10001:1s"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
