//! Where the lake is, and how a storage that speaks S3 is reached.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::secrets::keep_password;

/// How the address of a bucket begins.
const SCHEME: &str = "s3://";
/// What a storage takes at most.
const PREFIX_BYTES_MAX: usize = 512;

/// Where a lake is, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LakeAddress {
    Folder(PathBuf),
    /// `s3://bucket/prefix`; the prefix may be empty.
    Bucket {
        bucket: String,
        prefix: String,
    },
}

impl LakeAddress {
    /// Reads an address, or says what is wrong with it.
    pub fn of(named: OsString) -> Result<Self, String> {
        let Some(text) = named.to_str() else {
            return Ok(Self::Folder(named.into()));
        };
        if text.is_empty() {
            return Err("it has no name. Name a folder or s3://bucket/prefix".to_owned());
        }
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return match text.split_once("://") {
                Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
                    Err(format!(
                        "'{scheme}' is no storage that is known. Name a folder or s3://bucket/prefix"
                    ))
                }
                _ => Ok(Self::Folder(named.into())),
            };
        };
        if rest.contains('@') {
            return Err(
                "the address of a lake has no access key in it. Write s3://bucket/prefix, and set AWS_ACCESS_KEY_ID \
                 and AWS_SECRET_ACCESS_KEY"
                    .to_owned(),
            );
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(fits) || bucket.contains("..") {
            return Err(format!(
                "'{bucket}' is no name of a bucket: it has 3 to 63 letters, digits and -. Write s3://bucket/prefix"
            ));
        }
        let fits = |c: char| fits(c) || c == '=';
        let is_part =
            |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(fits);
        if !prefix.is_empty()
            && (prefix.len() > PREFIX_BYTES_MAX || !prefix.split('/').all(is_part))
        {
            return Err(format!(
                "'{prefix}' is no prefix for a lake: use letters, digits, - _ . = and single / between them, at most \
                 {PREFIX_BYTES_MAX}"
            ));
        }
        Ok(Self::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl fmt::Display for LakeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "{SCHEME}{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "{SCHEME}{bucket}/{prefix}"),
        }
    }
}

/// A setting that nothing shows: no `Debug`, no answer, no log. Once it is read, it is taken out of all texts.
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    pub fn new(text: &str) -> Self {
        keep_password(text.as_bytes(), &[]);
        Self(text.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.expose_secret().is_empty()
    }

    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { "***" }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::new(&text))
    }
}

/// The endpoint that other programs use may have a password in it. It is no endpoint for a lake, and nothing shows it.
fn without_user<S: Serializer>(endpoint: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match endpoint.rsplit_once('@') {
        Some((_, host)) => serializer.serialize_str(&format!("***@{host}")),
        None => serializer.serialize_str(endpoint),
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LakeSettings {
    /// A folder or `s3://bucket/prefix`; empty: none.
    pub dir: String,
    /// Empty: Amazon's own of the region.
    #[serde(serialize_with = "without_user")]
    pub endpoint: String,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Secret,
}

impl LakeSettings {
    pub fn address(&self) -> Result<Option<LakeAddress>, String> {
        if self.dir.is_empty() {
            return Ok(None);
        }
        LakeAddress::of(OsString::from(&self.dir)).map(Some)
    }

    /// Whether it is known who asks a storage.
    pub fn has_credentials(&self) -> bool {
        !self.access_key_id.is_empty() && !self.secret_access_key.is_empty()
    }

    /// Takes from the environment of other programs what is not set. Credentials come from one place, all of them.
    /// Returns which settings were found, and where.
    pub(super) fn fill(
        &mut self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Vec<(&'static str, &'static str)> {
        // As `config show` prints it: the secret is not in there.
        if self.secret_access_key.expose() == "***" {
            self.access_key_id = String::new();
            self.secret_access_key = Secret::default();
            self.session_token = Secret::default();
        }
        let mut found = Vec::new();
        let mut look = |setting, names: &[&'static str]| {
            let named = names.iter().find_map(|name| {
                let value = variable(name)?.trim().to_owned();
                (!value.is_empty()).then_some((*name, value))
            });
            named.map(|(name, value)| {
                found.push((setting, name));
                value
            })
        };
        if self.endpoint.is_empty()
            && let Some(value) = look(
                "lake.endpoint",
                &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
            )
        {
            self.endpoint = value;
        }
        if self.region.is_empty()
            && let Some(value) = look("lake.region", &["AWS_REGION", "AWS_DEFAULT_REGION"])
        {
            self.region = value;
        }
        if self.access_key_id.is_empty() && self.secret_access_key.is_empty() {
            self.access_key_id =
                look("lake.access_key_id", &["AWS_ACCESS_KEY_ID"]).unwrap_or_default();
            let mut secret = |setting, name| {
                let value = look(setting, &[name]);
                value.map_or_else(Secret::default, |value| Secret::new(&value))
            };
            self.secret_access_key = secret("lake.secret_access_key", "AWS_SECRET_ACCESS_KEY");
            self.session_token = secret("lake.session_token", "AWS_SESSION_TOKEN");
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<LakeAddress, String> {
        LakeAddress::of(OsString::from(text))
    }

    #[test]
    fn an_address_is_a_folder_or_a_bucket_and_says_itself_again() {
        for folder in ["lake", "/a/lake", "s3:/x", "a b/c", "C:\\lake", "./s3://x"] {
            assert_eq!(address(folder), Ok(LakeAddress::Folder(folder.into())));
        }
        for (text, bucket, prefix) in [
            ("s3://rift", "rift", ""),
            ("s3://rift/", "rift", ""),
            ("s3://rift.data/lakes/kr/", "rift.data", "lakes/kr"),
        ] {
            let found = address(text).unwrap();
            let wanted = LakeAddress::Bucket {
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
            };
            assert_eq!(found, wanted);
            assert_eq!(found.to_string(), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_to_write() {
        for wrong in [
            "s3://",
            "s3:///x",
            "s3://ab",
            "s3://a b/c",
            "s3://rift//x",
            "s3://rift/../x",
            "s3://rift/a*",
            "s3://rift/a?b",
            "s3://user:pass@rift/x",
            "gs://rift/x",
            "https://rift/x",
        ] {
            let told = address(wrong).unwrap_err();
            assert!(told.contains('.') && !told.contains("pass"), "{told}");
        }
        let long = format!("s3://rift/{}", "x".repeat(600));
        assert!(address(&long).is_err());
    }

    fn filled(mut settings: LakeSettings) -> (LakeSettings, Vec<(&'static str, &'static str)>) {
        let found = settings.fill(|name| match name {
            "AWS_ENDPOINT_URL" => Some("http://one".to_owned()),
            "AWS_REGION" => Some(" eu-west-1 ".to_owned()),
            "AWS_ACCESS_KEY_ID" => Some("ENVIRONS".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("secret of environs".to_owned()),
            "AWS_SESSION_TOKEN" => Some("token of environs".to_owned()),
            _ => None,
        });
        (settings, found)
    }

    #[test]
    fn what_is_not_set_comes_from_the_variables_of_other_programs_and_credentials_from_one_place() {
        let (settings, found) = filled(LakeSettings::default());
        assert_eq!(settings.endpoint, "http://one");
        assert_eq!(settings.region, "eu-west-1");
        assert_eq!(settings.access_key_id, "ENVIRONS");
        assert_eq!(settings.session_token.expose(), "token of environs");
        assert_eq!(found.len(), 5);
        let with_password = LakeSettings {
            endpoint: "https://ada:hush@host:9".to_owned(),
            ..LakeSettings::default()
        };
        let shown = serde_json::to_value(&with_password).unwrap();
        assert_eq!(shown["endpoint"], "***@host:9");
        // What `config show` prints of it has no secret.
        let shown = LakeSettings {
            access_key_id: "MINE".to_owned(),
            secret_access_key: Secret::new("***"),
            ..LakeSettings::default()
        };
        assert_eq!(
            filled(shown).0.secret_access_key.expose(),
            "secret of environs"
        );
        let own = LakeSettings {
            region: "kr-1".to_owned(),
            access_key_id: "MINE".to_owned(),
            secret_access_key: Secret::new("secret of mine"),
            ..LakeSettings::default()
        };
        let (settings, _) = filled(own);
        assert_eq!(settings.region, "kr-1");
        assert_eq!(settings.access_key_id, "MINE");
        assert!(settings.session_token.is_empty(), "it is of another key");
    }

    #[test]
    fn a_secret_is_shown_by_nothing() {
        let (settings, _) = filled(LakeSettings::default());
        let shown = format!("{settings:?} {}", serde_json::to_string(&settings).unwrap());
        assert!(!shown.contains("of environs"), "{shown}");
        let text =
            crate::model::secrets::without_secrets("it was 'secret of environs'").into_owned();
        assert_eq!(text, "it was '***'");
    }
}
