//! What a fault sends instead of the right answer.

use std::sync::OnceLock;

use crate::faults::FaultKind;
use crate::gzip::{Gap, Stencil};
use crate::limits::LimitType;
use crate::reply::Reply;
use crate::retry_after::RetryAfter;

/// `Retry-After` of a loaded service, as reported in an issue of the client Riven (30).
const SERVICE_RETRY_S: u64 = 3;
/// The shortest of those reported with the type `server` (developer-relations issue 1169).
const SERVER_RETRY_S: u64 = 5;
/// Of a limit that was not overrun.
const FALSE_RETRY_S: u64 = 2;

/// The 429 that a kind of fault is, if it is one, and for how many seconds.
pub fn limit_of(kind: FaultKind) -> Option<(LimitType, u64)> {
    match kind {
        FaultKind::ApplicationLimit => Some((LimitType::Application, FALSE_RETRY_S)),
        FaultKind::MethodLimit => Some((LimitType::Method, FALSE_RETRY_S)),
        FaultKind::ServiceLimit => Some((LimitType::Service, SERVICE_RETRY_S)),
        FaultKind::ServerLimit => Some((LimitType::Server, SERVER_RETRY_S)),
        FaultKind::UntypedLimit => Some((LimitType::Untyped, 0)),
        _ => None,
    }
}

/// The answer of a fault. Kinds that only spoil the right one have none of their own.
pub fn reply(kind: FaultKind, retry_after: RetryAfter, accepts_gzip: bool) -> Option<Reply> {
    match kind {
        FaultKind::ApplicationLimit
        | FaultKind::MethodLimit
        | FaultKind::ServiceLimit
        | FaultKind::ServerLimit
        | FaultKind::UntypedLimit => limit_of(kind).map(|(limit_type, seconds)| {
            Reply::rate_limited(limit_type, retry_after.text(seconds))
        }),
        FaultKind::InternalError | FaultKind::Reset => {
            Some(Reply::error(500, "Internal server error"))
        }
        FaultKind::InternalErrorHtml => Some(html(500, "Internal Server Error")),
        FaultKind::BadGateway => Some(html(502, "Bad Gateway")),
        FaultKind::BadGatewayJson => Some(Reply::error(502, "Bad gateway")),
        FaultKind::Unavailable => Some(Reply::error(503, "Service unavailable")),
        FaultKind::UnavailableHtml => Some(html(503, "Service Temporarily Unavailable")),
        FaultKind::GatewayTimeout => Some(Reply::error(504, "Gateway timeout")),
        FaultKind::GatewayTimeoutHtml => Some(html(504, "Gateway Time-out")),
        FaultKind::Unauthorized => Some(Reply::unauthorized()),
        FaultKind::Forbidden => Some(Reply::forbidden()),
        FaultKind::ForbiddenHtml => Some(html(403, "Forbidden")),
        FaultKind::Bomb if accepts_gzip => Some(Reply::document(bomb().to_vec(), true)),
        // To a client that does not unpack anything a bomb is nothing.
        FaultKind::NotJson | FaultKind::Bomb => Some(Reply::json(
            200,
            "{\"metadata\":{\"dataVersion\":\"2\",\"matchId\":oops",
        )),
        FaultKind::NoContent => Some(Reply::json(204, "")),
        FaultKind::Found => Some(Reply {
            headers: vec![("location", "/nowhere".to_owned())],
            ..html(302, "Found")
        }),
        FaultKind::RequestTimeout => Some(Reply::error(408, "Request Timeout")),
        FaultKind::Unavailable451 => Some(Reply::error(451, "Unavailable For Legal Reasons")),
        FaultKind::NotFound
        | FaultKind::NotFoundPlain
        | FaultKind::NotFoundYoung
        | FaultKind::Retention
        | FaultKind::RetentionListed => Some(Reply::match_not_found()),
        FaultKind::NotFoundHtml => Some(html(404, "Not Found")),
        FaultKind::CutGzip
        | FaultKind::Stall
        | FaultKind::Drip
        | FaultKind::OddValues
        | FaultKind::ListCap
        | FaultKind::SamePage
        | FaultKind::Rename => None,
    }
}

/// The page that answers when the API itself cannot.
fn html(status: u16, title: &str) -> Reply {
    let page = format!(
        "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    );
    Reply::html(status, &page)
}

/// A gzip member of about 130 kB that unpacks to 128 MB: blanks around an empty list, valid JSON.
fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        const PIECE_BYTES: usize = 1 << 20;
        const PIECES: usize = 128;
        let blanks = " ".repeat(PIECE_BYTES);
        let stencil = Stencil::new(&[(Gap::Any, blanks.as_str())]).repeated(PIECES);
        let mut gaps: Vec<&[u8]> = vec![b""; stencil.gaps()];
        gaps[0] = b"[";
        gaps[PIECES] = b"]";
        stencil.fill(&gaps)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gzip::tests::gunzip;

    #[test]
    fn the_bomb_is_small_outside_and_valid_inside() {
        assert!(bomb().len() < 300_000, "{}", bomb().len());
        let text = gunzip(bomb());
        assert!(text.len() > 100_000_000);
        assert_eq!((text[0], text[text.len() - 1]), (b'[', b']'));
    }

    #[test]
    fn a_kind_that_is_named_after_a_status_has_that_status_and_its_page() {
        for kind in FaultKind::ALL {
            let reply = reply(kind, RetryAfter::Present, true);
            assert_eq!(reply.is_none(), kind.spoils_the_answer_only(), "{kind:?}");
            let (name, page) = kind.as_str().split_once('-').unwrap_or((kind.as_str(), ""));
            if let (Some(reply), Ok(status)) = (reply, name.parse::<u16>()) {
                assert_eq!(reply.status, status, "{kind:?}");
                let is_html = reply.content_type.starts_with("text/html");
                let sent_elsewhere = status == 302;
                assert_eq!(is_html, page == "html" || sent_elsewhere, "{kind:?}");
            }
        }
    }

    #[test]
    fn what_kind_of_limit_it_is_stands_in_the_headers() {
        let headers = |kind| reply(kind, RetryAfter::Present, true).unwrap().headers;
        let typed = |name: &str, seconds: &str| {
            vec![
                ("x-rate-limit-type", name.to_owned()),
                ("retry-after", seconds.to_owned()),
            ]
        };
        assert_eq!(
            headers(FaultKind::ApplicationLimit),
            typed("application", "2")
        );
        assert_eq!(headers(FaultKind::MethodLimit), typed("method", "2"));
        assert_eq!(headers(FaultKind::ServiceLimit), typed("service", "3"));
        assert_eq!(headers(FaultKind::ServerLimit), typed("server", "5"));
        assert!(headers(FaultKind::UntypedLimit).is_empty());
        let untold = reply(FaultKind::MethodLimit, RetryAfter::Missing, true).unwrap();
        assert_eq!(untold.headers, [("x-rate-limit-type", "method".to_owned())]);
    }
}
