//! `config show`: the settings as they are, and where they lead.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::config::Config;

/// What the settings lead to.
#[derive(Debug)]
pub struct SettingLocations<'p> {
    /// The file of `--config`.
    pub file: Option<&'p Path>,
    pub database: &'p str,
    pub socket: &'p Path,
    pub metrics_log: Option<PathBuf>,
    /// Where the API key is; never the key.
    pub key: &'p str,
}

/// For programs: the settings, and the places apart.
pub fn document(config: &Config, places: &SettingLocations<'_>) -> Value {
    json!({
        "settings": config,
        "places": {
            "config": places.file, "database": places.database, "socket": places.socket,
            "metrics_log": places.metrics_log, "key": places.key,
        },
    })
}

/// For people: a file as `--config` takes it, with the places as comments at its head.
pub fn text(config: &Config, places: &SettingLocations<'_>) -> String {
    let shown =
        |path: Option<&Path>| path.map_or("none".to_owned(), |path| path.display().to_string());
    let mut text = format!(
        "# settings of  {}\n# database     {}\n# socket       {}\n# metrics log  {}\n# API key      {}\n",
        places.file.map_or(
            "built-in defaults, profile and environment".to_owned(),
            |path| shown(Some(path))
        ),
        places.database,
        places.socket.display(),
        shown(places.metrics_log.as_deref()),
        places.key,
    );
    if let Value::Object(settings) = json!(config) {
        table(&mut text, "", &settings);
    }
    text.trim_end().to_owned()
}

/// A table of TOML: its own values first, then those that have a heading.
fn table(text: &mut String, path: &str, values: &Map<String, Value>) {
    let plain = |value: &Value| !value.is_object() && !value.is_null();
    let own: Vec<_> = values.iter().filter(|(_, value)| plain(value)).collect();
    if !own.is_empty() {
        if !path.is_empty() {
            let _ = writeln!(text, "\n[{path}]");
        }
        for (name, value) in own {
            // Strings, numbers and lists of them are the same in JSON and TOML.
            let _ = writeln!(text, "{name} = {value}");
        }
    }
    for (name, value) in values {
        if let Value::Object(values) = value {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            table(text, &path, values);
        }
    }
}

/// Every setting by its name, as it is and where it comes from. A password is in none: the address of the database
/// is shown without.
pub fn lines(config: &Config) -> Value {
    let mut lines = Vec::new();
    add_lines(&mut lines, config, "", &json!(config));
    Value::Array(lines)
}

fn add_lines(lines: &mut Vec<Value>, config: &Config, name: &str, value: &Value) {
    match value {
        Value::Object(values) => {
            for (key, value) in values {
                let name = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                add_lines(lines, config, &name, value);
            }
        }
        Value::Null => {}
        value => lines.push(json!({
            "name": name, "value": value, "from": config.origins.of_setting(name),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Profile;

    #[test]
    fn what_is_shown_is_a_file_that_means_the_same_and_holds_no_password() {
        let mut config = Config::load(None, Profile::Production, None).unwrap();
        config.database.url = "postgres://me:hunter2@host/db?sslmode=disable"
            .to_owned()
            .into();
        config.engine.drain_s = 77;
        let places = SettingLocations {
            file: None,
            database: "somewhere",
            socket: Path::new("/run/x.sock"),
            metrics_log: None,
            key: "in RIOT_API_KEY",
        };
        let shown = text(&config, &places);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!document(&config, &places).to_string().contains("hunter2"));
        let lines = lines(&config).to_string();
        assert!(
            lines.contains("host/db") && !lines.contains("hunter2"),
            "{lines}"
        );
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("shown.toml");
        std::fs::write(&path, &shown).unwrap();
        let again = Config::load(None, Profile::Development, Some(&path)).unwrap();
        assert_eq!(json!(again), json!(config), "{shown}");
        assert_eq!(again.engine.drain_s, 77);
    }
}
