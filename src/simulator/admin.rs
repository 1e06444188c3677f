//! The simulator's own paths, for programs that run beside it: counts out, switches in.
//!
//! | request | body | what it does |
//! |---|---|---|
//! | `GET /__simulator/counters` | | the counts as JSON (`Counters::to_json`) |
//! | `DELETE /__simulator/counters` | | all of them back to 0 |
//! | `PUT /__simulator/faults` | rules as in `--fault`, one a line | another script, which begins now |
//! | `PUT /__simulator/limits` | `20:1,100:120` or `none` | the application's limits |
//! | `PUT /__simulator/method-limits` | the same | those of each method |
//! | `PUT /__simulator/keys` | keys, one a line, or `any` | which ones are accepted |
//! | `PUT /__simulator/names` | renames, one a line (`Old#TAG -> New#TAG`) | all at once; a freed name can be taken |
//! | `PUT /__simulator/now` | a moment: `2025-06-01T00:00:00Z`, or milliseconds since 1970 | the world's clock |
//!
//! They answer this machine alone, and only by an address or localhost: a page of the web that had its name point here
//! would be another's. They need no key, are never counted and never fail by a fault. A body that cannot be read gets
//! 400 with the reason, and changes nothing.

use axum::http::Method as HttpMethod;
use serde_json::json;

use crate::control::Control;
use crate::reply::Reply;
use crate::setting::{SettingError, read_limits};
use riftsync_model::{Timestamp, host};

pub const PREFIX: &str = "/__simulator/";
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Answers a request whose path is `PREFIX` and then `path`.
pub fn answer(control: &Control, method: &HttpMethod, path: &str, body: &[u8]) -> Reply {
    let Ok(text) = std::str::from_utf8(body) else {
        return error(400, "the body is no UTF-8 text");
    };
    let done = match (method.as_str(), path) {
        ("GET", "counters") => {
            let counters = control.shared.counters().to_json();
            return Reply::json(200, counters.to_string());
        }
        ("DELETE", "counters") => {
            control.reset_counters();
            Ok(())
        }
        ("PUT", "faults") => lines(text)
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(|script| control.set_script(script)),
        ("PUT", "limits") => read_limits(text.trim()).map(|limits| control.set_app_limits(limits)),
        ("PUT", "method-limits") => {
            read_limits(text.trim()).map(|limits| control.set_method_limits(limits))
        }
        ("PUT", "keys") => {
            let keys: Vec<String> = lines(text).map(str::to_owned).collect();
            control.set_keys(Some(keys).filter(|keys| *keys != ["any"]));
            Ok(())
        }
        ("PUT", "names") => lines(text)
            .map(str::parse)
            .collect::<Result<Vec<_>, _>>()
            .and_then(|renames| control.rename(&renames)),
        ("PUT", "now") => read_moment(text.trim()).map(|now| control.set_now(now)),
        _ => {
            return error(
                404,
                "no such switch. Known: GET and DELETE counters, PUT faults, limits, method-limits, keys, names and now",
            );
        }
    };
    match done {
        Ok(()) => Reply::json(200, "{\"ok\":true}"),
        Err(SettingError(why)) => error(400, &why),
    }
}

fn read_moment(text: &str) -> Result<Timestamp, SettingError> {
    let ms = text.parse().ok();
    let iso = || {
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(moment.as_millisecond())
    };
    let moment = ms.or_else(iso).map(Timestamp::from_millis);
    moment.ok_or_else(|| {
        SettingError(format!(
            "'{text}' is no moment. Write 2025-06-01T00:00:00Z or milliseconds since 1970"
        ))
    })
}

/// Whether a caller may use the switches: from this machine, by a name that no stranger can have point here.
pub fn may_switch(is_local: bool, host: &str) -> bool {
    is_local && host::is_known(host, &[])
}

pub fn not_local() -> Reply {
    error(
        403,
        "the switches answer only to this machine, asked for by an address or localhost",
    )
}

pub fn too_large() -> Reply {
    error(413, "the body is larger than 64 KiB")
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn error(status: u16, why: &str) -> Reply {
    Reply::json(status, json!({"error": why}).to_string())
}
