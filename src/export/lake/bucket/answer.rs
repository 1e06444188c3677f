//! What an answer of a storage means that is no success: whether it passes, and what a person does about it.

use super::super::LakeError;
use crate::model::Foreign;

/// A clock that is off by so much may be why a signature is refused.
const SKEW_S: i64 = 240;

/// An answer, as far as it is read.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) etag: Option<String>,
    /// Where the bucket is, if it told.
    pub(super) region: Option<String>,
    /// How far our clock is ahead of the storage's.
    pub(super) ahead_s: Option<i64>,
}

/// Who asked, and where.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    /// `s3://bucket/prefix`.
    pub(super) place: String,
    pub(super) bucket: String,
    pub(super) endpoint: String,
    pub(super) region: String,
}

/// Why there is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) cause: String,
    pub(super) remedy: String,
    pub(super) passes: bool,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// What the storage calls it.
    pub(super) fn code(&self) -> String {
        Foreign::new(element(&self.text(), "Code").unwrap_or_default())
            .as_str()
            .to_owned()
    }

    /// There is no such object; its bucket is there.
    pub(super) fn is_absent(&self) -> bool {
        self.status == 404 && self.code() == "NoSuchKey"
    }

    /// The object is not the one that the request had in mind.
    pub(super) fn is_another(&self) -> bool {
        self.status == 412
    }

    pub(super) fn trouble(&self, asker: &Asker) -> Trouble {
        let code = self.code();
        let ahead = self.ahead_s.filter(|ahead| ahead.abs() >= SKEW_S);
        let refused = matches!(self.status, 400 | 401 | 403);
        if code == "RequestTimeTooSkewed" || (refused && ahead.is_some()) {
            return skewed(self.ahead_s);
        }
        if let Some(trouble) = refusal(&code, asker) {
            return trouble;
        }
        let elsewhere = matches!(
            &*code,
            "AuthorizationHeaderMalformed"
                | "AuthorizationQueryParametersError"
                | "PermanentRedirect"
                | "TemporaryRedirect"
                | "IllegalLocationConstraintException"
        );
        // Who redirects without a word of a region is another server, such as a proxy that wants https.
        if elsewhere || (matches!(self.status, 301 | 307) && self.region.is_some()) {
            return self.of_another_region(asker);
        }
        if code.is_empty() && self.status < 500 {
            return stranger(self.status, asker);
        }
        if matches!(self.status, 401 | 403) {
            return Trouble {
                cause: format!("the storage denies access ({code})"),
                remedy: format!(
                    "Let this access key list the bucket '{}', and get, put and delete what is below {} \
                     (s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject)",
                    asker.bucket, asker.place
                ),
                passes: false,
            };
        }
        let text = self.text();
        let told = Foreign::new(element(&text, "Message").unwrap_or_default());
        let told = told.as_str().trim_end_matches('.');
        let passes = self.status >= 500 && self.status != 501
            || matches!(self.status, 408 | 409 | 429)
            || code == "RequestTimeout";
        let space = if code.is_empty() { "" } else { " " };
        Trouble {
            cause: format!(
                "the storage answered HTTP {}{space}{code}: {}",
                self.status, told
            ),
            remedy: if passes {
                "What was there before is whole; try again later".to_owned()
            } else {
                "Look what the storage says of it, or name another place".to_owned()
            },
            passes,
        }
    }

    fn of_another_region(&self, asker: &Asker) -> Trouble {
        let text = self.text();
        let told = element(&text, "Region").or(self.region.as_deref());
        let told = told.map(|region| Foreign::new(region).as_str().to_owned());
        let (cause, remedy) = match told {
            Some(region) => (
                format!(
                    "the bucket is in the region '{region}', not in '{}'",
                    asker.region
                ),
                format!("Set AWS_REGION or lake.region to {region}"),
            ),
            None => (
                format!("the bucket is not in the region '{}'", asker.region),
                "Set AWS_REGION or lake.region to the bucket's".to_owned(),
            ),
        };
        Trouble {
            cause,
            remedy,
            passes: false,
        }
    }
}

/// What codes mean that have one meaning.
fn refusal(code: &str, asker: &Asker) -> Option<Trouble> {
    let (cause, remedy) = match code {
        "NoSuchBucket" => (
            format!("there is no bucket '{}' at {}", asker.bucket, asker.endpoint),
            "Make it, or name another one",
        ),
        "InvalidAccessKeyId" => (
            format!("the storage at {} does not know this access key", asker.endpoint),
            "Check AWS_ACCESS_KEY_ID or lake.access_key_id, and that it is of this storage",
        ),
        "SignatureDoesNotMatch" => (
            "the storage refuses the signature: the secret key is not that of the access key".to_owned(),
            "Check AWS_SECRET_ACCESS_KEY or lake.secret_access_key",
        ),
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => (
            "the session token is no longer valid".to_owned(),
            "Get new credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN belong together",
        ),
        "NotImplemented" => (
            "this storage cannot do what a lake needs: a file that is replaced only if it is the one that was read"
                .to_owned(),
            "Use one that takes If-Match and If-None-Match",
        ),
        _ => return None,
    };
    Some(Trouble {
        cause,
        remedy: remedy.to_owned(),
        passes: false,
    })
}

fn skewed(ahead_s: Option<i64>) -> Trouble {
    let cause = match ahead_s {
        None | Some(0) => "this machine's clock and the storage's are too far apart".to_owned(),
        Some(ahead) if ahead > 0 => {
            format!("this machine's clock is {ahead} s ahead of the storage's")
        }
        Some(behind) => format!("this machine's clock is {} s behind the storage's", -behind),
    };
    Trouble {
        cause,
        remedy: "Set the clock".to_owned(),
        passes: false,
    }
}

fn stranger(status: u16, asker: &Asker) -> Trouble {
    Trouble {
        cause: format!(
            "what answers at {} is no storage that speaks S3 (HTTP {status})",
            asker.endpoint
        ),
        remedy: "Check AWS_ENDPOINT_URL or lake.endpoint".to_owned(),
        passes: false,
    }
}

impl Trouble {
    /// There was no answer.
    pub(super) fn unreachable(why: &str, asker: &Asker) -> Self {
        Self {
            cause: format!("the storage at {} cannot be reached: {why}", asker.endpoint),
            remedy: "Check AWS_ENDPOINT_URL or lake.endpoint, and the network; what was there before is whole"
                .to_owned(),
            passes: true,
        }
    }

    pub(super) fn error(self, asker: &Asker) -> LakeError {
        LakeError {
            place: asker.place.clone(),
            cause: self.cause,
            remedy: self.remedy,
            passes: self.passes,
        }
    }
}

/// The text of the first element of a name that has no others in it.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    (!inner.contains('<')).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str, ahead_s: Option<i64>) -> Trouble {
        let answer = Answer {
            status,
            body: body.as_bytes().to_vec(),
            ahead_s,
            ..Answer::default()
        };
        answer.trouble(&Asker {
            place: "s3://rift/lake".to_owned(),
            bucket: "rift".to_owned(),
            endpoint: "http://127.0.0.1:1".to_owned(),
            region: "us-east-1".to_owned(),
        })
    }

    #[track_caller]
    fn check(status: u16, code: &str, cause: &str, remedy: &str) {
        let body = format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m\u{1b}[1m</Message><Region>kr-1</Region></Error>"
        );
        let trouble = told(status, &body, Some(0));
        let said = format!("{}. {}", trouble.cause, trouble.remedy);
        assert!(said.contains(cause) && said.contains(remedy), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }

    #[test]
    fn each_refusal_has_its_cause_and_its_remedy() {
        check(404, "NoSuchBucket", "no bucket 'rift'", "Make it");
        check(403, "InvalidAccessKeyId", "access key", "AWS_ACCESS_KEY_ID");
        check(
            403,
            "SignatureDoesNotMatch",
            "signature",
            "AWS_SECRET_ACCESS_KEY",
        );
        check(400, "ExpiredToken", "token", "AWS_SESSION_TOKEN");
        check(403, "AccessDenied", "denies access", "s3:PutObject");
        check(403, "RequestTimeTooSkewed", "clock", "Set the clock");
        check(
            400,
            "AuthorizationHeaderMalformed",
            "'kr-1', not in 'us-east-1'",
            "to kr-1",
        );
        check(301, "PermanentRedirect", "kr-1", "lake.region");
        check(501, "NotImplemented", "If", "If-Match");
        check(
            507,
            "QuotaExceeded",
            "HTTP 507 QuotaExceeded: m",
            "is whole",
        );
        check(
            400,
            "EntityTooLarge",
            "HTTP 400 EntityTooLarge",
            "another place",
        );
    }

    #[test]
    fn what_passes_is_tried_again_and_what_a_person_has_to_mend_is_not() {
        let body = |code: &str| format!("<Error><Code>{code}</Code></Error>");
        for (status, code) in [
            (500, "InternalError"),
            (503, "SlowDown"),
            (400, "RequestTimeout"),
            (429, "TooManyRequests"),
            (409, "ConditionalRequestConflict"),
        ] {
            assert!(told(status, &body(code), None).passes, "{code}");
        }
        assert!(told(502, "<html>Bad gateway</html>", None).passes);
        for (status, code) in [
            (404, "NoSuchBucket"),
            (403, "AccessDenied"),
            (501, "NotImplemented"),
        ] {
            assert!(!told(status, &body(code), None).passes, "{code}");
        }
        let page = told(404, "<html>Not here</html>", None);
        assert!(page.cause.contains("speaks S3") && !page.passes, "{page:?}");
    }

    #[test]
    fn a_refusal_beside_a_wrong_clock_is_told_as_the_clock() {
        let denied =
            "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
        let behind = told(403, denied, Some(-7_200));
        assert!(behind.cause.contains("7200 s behind"), "{behind:?}");
        let ahead = told(403, denied, Some(7_200));
        assert!(ahead.cause.contains("7200 s ahead"), "{ahead:?}");
        assert!(told(403, denied, Some(9)).cause.contains("denies"));
        assert!(
            told(404, "<Error><Code>NoSuchBucket</Code></Error>", Some(7_200))
                .cause
                .contains("bucket")
        );
    }

    #[test]
    fn absence_is_told_from_a_bucket_that_is_not_there() {
        let answer = |status, code: &str| Answer {
            status,
            body: format!("<Error><Code>{code}</Code></Error>").into_bytes(),
            ..Answer::default()
        };
        assert!(answer(404, "NoSuchKey").is_absent());
        assert!(!answer(404, "NoSuchBucket").is_absent());
        assert!(!answer(403, "NoSuchKey").is_absent());
        assert_eq!(element("<a><Code>x</Code>", "Code"), Some("x"));
        assert_eq!(element("<Code><b>x</b></Code>", "Code"), None);
        assert_eq!(element("<Code>x", "Code"), None);
    }
}
