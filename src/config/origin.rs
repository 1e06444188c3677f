//! Where each setting comes from, for those who wonder why it is as it is.

use std::collections::BTreeMap;
use std::path::Path;

use config::{Config as Source, File, FileFormat, Value, ValueKind};

use super::{DEFAULTS, PRODUCTION, Profile, environment};

/// The last that named each setting: by its name, as `queues.recovery.slots`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, String>);

impl Origins {
    /// `file`: that was named, with its text. All was read before, so what is wrong with it was told.
    pub(super) fn of(profile: Profile, file: Option<(&Path, &str)>) -> Self {
        let production = (profile == Profile::Production).then_some(PRODUCTION);
        Self::of_texts(DEFAULTS, production, file)
    }

    fn of_texts(defaults: &str, production: Option<&str>, file: Option<(&Path, &str)>) -> Self {
        let mut origins = Self::default();
        let text = |text: &str| {
            Source::builder()
                .add_source(File::from_str(text, FileFormat::Toml))
                .build()
        };
        let mut add = |source: Result<Source, _>, origin: &str| {
            if let Ok(source) = source {
                origins.add("", &source.cache, origin);
            }
        };
        add(text(defaults), "default");
        if let Some(production) = production {
            add(text(production), "profile production");
        }
        if let Some((path, file)) = file {
            add(text(file), &path.display().to_string());
        }
        add(
            Source::builder().add_source(environment::source()).build(),
            "the environment",
        );
        origins
    }

    fn add(&mut self, name: &str, value: &Value, origin: &str) {
        match &value.kind {
            ValueKind::Table(table) => {
                for (key, value) in table {
                    let name = if name.is_empty() {
                        key.clone()
                    } else {
                        format!("{name}.{key}")
                    };
                    self.add(&name, value, origin);
                }
            }
            _ => self.put(name, origin),
        }
    }

    pub(super) fn put(&mut self, name: &str, origin: &str) {
        self.0.insert(name.to_owned(), origin.to_owned());
    }

    /// None: nobody named it, so it is as the program has it.
    pub fn of_setting(&self, name: &str) -> &str {
        self.0.get(name).map_or("default", |origin| origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_names_a_setting_is_where_it_comes_from() {
        let defaults = "[a]\nb = 1\nc = 2\n[a.d]\ne = 3";
        let file = Some((Path::new("/etc/x.toml"), "[a]\nd = { e = 5 }"));
        let origins = Origins::of_texts(defaults, Some("[a]\nc = 3"), file);
        let of = |name| origins.of_setting(name);
        assert_eq!(of("a.b"), "default");
        assert_eq!(of("a.c"), "profile production");
        assert_eq!(of("a.d.e"), "/etc/x.toml");
        assert_eq!(of("a.nobody.named"), "default");
    }
}
