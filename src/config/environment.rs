//! Settings by the environment: `RIFTSYNC_SECTION__KEY`.

use config::Environment;

const PREFIX: &str = "RIFTSYNC";

pub(super) fn source() -> Environment {
    Environment::with_prefix(PREFIX)
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
}

/// What is wrong with the name of an environment variable that can only mean a setting of one of the sections: between
/// the section and the key stand two underscores, and one is typed easily.
pub(super) fn misspelt(variable: &str, sections: &[String]) -> Option<String> {
    let name = variable.strip_prefix(PREFIX)?.strip_prefix('_')?;
    if name.contains("__") {
        return None;
    }
    let lower = name.to_lowercase();
    let section = sections.iter().find(|section| {
        lower
            .strip_prefix(*section)
            .is_some_and(|key| key.starts_with('_'))
    })?;
    let (section, key) = name.split_at(section.len());
    Some(format!(
        "the environment variable {variable} is no setting. Two underscores part a section from its key: set {PREFIX}_{section}_{key}"
    ))
}

#[cfg(test)]
mod tests {
    use super::misspelt;

    #[test]
    fn a_variable_with_one_underscore_for_two_is_named_with_the_right_one() {
        let sections = ["riot".to_owned(), "metrics".to_owned()];
        let told = |variable| misspelt(variable, &sections);
        let riot = told("RIFTSYNC_RIOT_BASE_URL").unwrap();
        assert!(riot.contains("set RIFTSYNC_RIOT__BASE_URL"), "{riot}");
        let metrics = told("RIFTSYNC_metrics_listen").unwrap();
        assert!(
            metrics.contains("set RIFTSYNC_metrics__listen"),
            "{metrics}"
        );
        for other in [
            "RIFTSYNC_RIOT__BASE_URL",
            "RIFTSYNC_PROFILE",
            "RIFTSYNC_RIOTS",
            "RIOT_API_KEY",
        ] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
