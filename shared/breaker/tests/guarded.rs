//! A platform behind breakers, over the fake platform and its faults.
#![allow(clippy::unwrap_used, reason = "what does not hold must end the test")]

use std::time::Duration;

use breaker::{Breaker, Breakers, Guarded};
use bytes::Bytes;
use futures::executor::block_on;
use futures::future::join_all;
use http::StatusCode;
use ports::{Fetch, FetchError, Response};
use testing::{Dependency, FakePlatform, Fault, NOW};

const SQL: &str = "https://db.test/sql";
const KEYS: &str = "https://workos.test/keys";
const TIMEOUT: Duration = Duration::from_secs(5);

fn platform() -> FakePlatform {
    let platform = FakePlatform::new(NOW);
    platform.route(SQL, Dependency::Sql, |_| Response::new(Bytes::from_static(b"rows")));
    platform.route(KEYS, Dependency::Workos, |_| Response::new(Bytes::from_static(b"keys")));
    platform
}

/// One request of its own, as the pipeline has it, and what a client is told to wait.
fn ask(
    platform: &FakePlatform,
    breakers: &Breakers,
    url: &str,
) -> (Result<StatusCode, FetchError>, Option<Duration>) {
    let guarded = Guarded::new(platform, Some(breakers));
    let request = http::Request::get(url).body(Bytes::new()).unwrap();
    let outcome = block_on(guarded.fetch(request, TIMEOUT));
    (outcome.map(|response| response.status()), guarded.wait())
}

#[test]
fn a_dependency_that_hangs_costs_a_few_timeouts_and_then_no_time() {
    let (platform, breakers) = (platform(), Breakers::default());
    platform.fail(Dependency::Sql, Fault::Timeout);
    for _ in 0..Breaker::FAILURES {
        assert_eq!(ask(&platform, &breakers, SQL), (Err(FetchError::Timeout(TIMEOUT)), None));
    }
    let calls = platform.calls(Dependency::Sql);
    for _ in 0..100 {
        let (outcome, wait) = ask(&platform, &breakers, SQL);
        let wait = wait.unwrap();
        assert_eq!(outcome, Err(FetchError::Paused(wait)));
        assert!(wait <= Duration::from_millis(Breaker::SHORTEST), "{wait:?}");
    }
    assert_eq!(platform.calls(Dependency::Sql), calls, "it is left alone");
    assert_eq!(ask(&platform, &breakers, KEYS), (Ok(StatusCode::OK), None), "others are not");
}

#[test]
fn it_recovers_by_itself_once_the_dependency_is_back() {
    let (platform, breakers) = (platform(), Breakers::default());
    let overloaded = Fault::Answers(StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
    for fault in [Fault::Away, Fault::Timeout, Fault::AnswerLost, overloaded] {
        platform.fail(Dependency::Sql, fault);
        while ask(&platform, &breakers, SQL).1.is_none() {}
        platform.heal(Dependency::Sql);
        platform.advance(Breaker::SHORTEST);
        for _ in 0..3 {
            assert_eq!(ask(&platform, &breakers, SQL), (Ok(StatusCode::OK), None));
        }
    }
}

#[test]
fn a_dependency_that_says_no_is_well() {
    let (platform, breakers) = (platform(), Breakers::default());
    for status in [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND] {
        platform.fail(Dependency::Sql, Fault::Answers(status, Bytes::new()));
        for _ in 0..20 {
            assert_eq!(ask(&platform, &breakers, SQL), (Ok(status), None));
        }
    }
}

#[test]
fn of_many_requests_at_once_one_is_the_probe() {
    let (platform, breakers) = (platform(), Breakers::default());
    platform.fail(Dependency::Sql, Fault::Away);
    while ask(&platform, &breakers, SQL).1.is_none() {}
    platform.heal(Dependency::Sql);
    platform.advance(Breaker::SHORTEST);
    let calls = platform.calls(Dependency::Sql);
    let guarded = Guarded::new(&platform, Some(&breakers));
    let request = || http::Request::get(SQL).body(Bytes::new()).unwrap();
    let outcomes = block_on(join_all((0..50).map(|_| guarded.fetch(request(), TIMEOUT))));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(platform.calls(Dependency::Sql), calls + 1);
}
