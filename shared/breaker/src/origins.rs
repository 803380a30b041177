use std::cell::RefCell;
use std::collections::BTreeMap;

use http::{StatusCode, Uri};
use ports::{FetchError, Millis, Response};

use crate::{Breaker, Permit};

/// The breakers of an instance, one for each origin that it asks. They are kept as long as the
/// platform keeps the instance; another instance learns by itself.
#[derive(Debug, Default)]
pub struct Breakers {
    known: RefCell<BTreeMap<String, Breaker>>,
}

/// A call that may be made; its outcome is to be [recorded](Breakers::record).
#[derive(Debug)]
pub struct Pass {
    origin: String,
    /// `None` if the origin has no breaker.
    permit: Option<Permit>,
}

impl Breakers {
    /// Origins with a breaker at any time: strangers may come to name some (clients' metadata), and
    /// memory is bounded. Beyond it an origin has none.
    pub const MAX: usize = 64;

    /// Ask to make a call to `uri` that takes no longer than `patience`.
    ///
    /// # Errors
    /// As of [`Breaker::admit`].
    pub fn admit(&self, uri: &Uri, now: Millis, patience: Millis) -> Result<Pass, Millis> {
        let origin = origin(uri);
        let mut known = self.known.borrow_mut();
        if known.len() >= Self::MAX && !known.contains_key(&origin) {
            known.retain(|_, breaker| !breaker.is_idle(now));
            if known.len() >= Self::MAX {
                return Ok(Pass { origin, permit: None });
            }
        }
        let permit = known.entry(origin.clone()).or_default().admit(now, patience)?;
        Ok(Pass { origin, permit: Some(permit) })
    }

    /// Tell what became of a call; `random` as of [`Breaker::record`].
    pub fn record(
        &self,
        pass: &Pass,
        outcome: &Result<Response, FetchError>,
        now: Millis,
        random: u32,
    ) {
        let mut known = self.known.borrow_mut();
        if let (Some(permit), Some(breaker)) = (pass.permit, known.get_mut(&pass.origin)) {
            breaker.record(permit, failed(outcome), now, random);
        }
    }
}

/// Whether the dependency itself is in trouble. Any other answer, also a refusal, is one of a
/// dependency that works.
fn failed(outcome: &Result<Response, FetchError>) -> bool {
    match outcome {
        Err(FetchError::Timeout(_) | FetchError::Connection(_)) => true,
        // It was not asked, or has answered more than was wanted.
        Err(FetchError::Paused(_) | FetchError::TooLong(_)) => false,
        Ok(response) => match response.status() {
            StatusCode::TOO_MANY_REQUESTS => true,
            // Of the request alone: a method or a version unknown there, an answer too large.
            StatusCode::NOT_IMPLEMENTED
            | StatusCode::HTTP_VERSION_NOT_SUPPORTED
            | StatusCode::INSUFFICIENT_STORAGE => false,
            status => status.is_server_error(),
        },
    }
}

fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}", uri.scheme_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn answer(status: u16) -> Result<Response, FetchError> {
        Ok(http::Response::builder().status(status).body(Bytes::new()).unwrap())
    }

    fn lost() -> Result<Response, FetchError> {
        Err(FetchError::Connection("reset".to_owned()))
    }

    fn call(
        breakers: &Breakers,
        uri: &str,
        outcome: &Result<Response, FetchError>,
        now: Millis,
    ) -> bool {
        let Ok(pass) = breakers.admit(&uri.parse().unwrap(), now, 1_000) else { return false };
        breakers.record(&pass, outcome, now, 0);
        true
    }

    #[test]
    fn what_counts_as_a_failure_of_the_dependency() {
        for status in [429, 500, 502, 503, 504, 520] {
            assert!(failed(&answer(status)), "{status}");
        }
        for status in [200, 204, 301, 400, 401, 403, 404, 408, 409, 413, 422, 501, 505, 507] {
            assert!(!failed(&answer(status)), "{status}");
        }
        assert!(failed(&lost()));
        assert!(failed(&Err(FetchError::Timeout(Duration::from_secs(1)))));
    }

    #[test]
    fn each_origin_has_a_breaker_of_its_own() {
        let breakers = Breakers::default();
        for path in ["a", "b", "c"] {
            assert!(call(&breakers, &format!("https://one.test/{path}"), &lost(), NOW));
        }
        assert!(!call(&breakers, "https://one.test/d", &answer(200), NOW));
        for other in ["https://two.test/a", "http://one.test/a", "https://one.test:8443/a"] {
            assert!(call(&breakers, other, &answer(200), NOW), "{other}");
        }
    }

    #[test]
    fn origins_without_end_take_no_memory_without_end() {
        let breakers = Breakers::default();
        for number in 0..10 * Breakers::MAX {
            assert!(call(&breakers, &format!("https://{number}.test/"), &lost(), NOW));
        }
        assert_eq!(breakers.known.borrow().len(), Breakers::MAX);
        let later = NOW + Breaker::WINDOW;
        assert!(call(&breakers, "https://new.test/", &lost(), later));
        assert_eq!(breakers.known.borrow().len(), 1, "those that are over make room");
    }
}
