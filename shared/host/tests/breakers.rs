//! What a client sees of a dependency that is left alone, and that health asks it all the same.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "what does not hold must end the test")]

use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use host::{Endpoint, Incoming, Instance, respond, serve};
use http::StatusCode;
use ports::route::{Function, Match};
use ports::{Config, ConfigError, Platform, Request, Response};
use testing::{Dependency, FakePlatform, Fault, PUBLIC_URL, SQL_URL, World};

macro_rules! endpoint {
    ($name:ident, $guarded:literal) => {
        /// Needs the database, and for its answer nothing but that it answers.
        struct $name;

        impl Endpoint for $name {
            const FUNCTION: Function = Function::Token;
            const GUARDED: bool = $guarded;
            type Settings = ();

            fn configure(_: &impl Config) -> Result<(), ConfigError> {
                Ok(())
            }

            async fn handle(
                platform: &impl Platform,
                (): &(),
                _: &Match<'_>,
                _: &Request,
            ) -> Response {
                let request = http::Request::get(SQL_URL).body(Bytes::new()).unwrap();
                match platform.fetch(request, Duration::from_secs(10)).await {
                    Ok(answer) if !answer.status().is_server_error() => {
                        respond::empty(StatusCode::OK)
                    }
                    _ => respond::oauth_unavailable(),
                }
            }
        }
    };
}

endpoint!(Guarded, true);
endpoint!(Unguarded, false);

fn incoming() -> Incoming {
    let uri = format!("{PUBLIC_URL}/oauth/token");
    http::Request::post(uri).body(Ok(Bytes::new())).unwrap()
}

fn ask<E: Endpoint>(platform: &FakePlatform, instance: &Instance<E>) -> (u16, String) {
    let response = block_on(serve(platform, instance, incoming()));
    let wait = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
    (response.status().as_u16(), wait.unwrap_or_default().to_owned())
}

fn answers(status: StatusCode) -> Fault {
    Fault::Answers(status, Bytes::new())
}

#[test]
fn a_client_is_told_how_long_the_dependency_is_left_alone() {
    let platform = World::new().platform;
    let instance = Instance::<Guarded>::new(&platform);
    platform.fail(Dependency::Sql, Fault::Away);
    for _ in 0..3 {
        assert_eq!(ask(&platform, &instance), (503, "5".to_owned()), "it was asked");
    }
    // Some openings later they are long.
    for _ in 0..8 {
        platform.advance(30_000);
        assert_eq!(ask(&platform, &instance), (503, "5".to_owned()), "the probe");
    }
    let calls = platform.calls(Dependency::Sql);
    let (status, wait) = ask(&platform, &instance);
    let seconds: u64 = wait.parse().unwrap();
    assert!(status == 503 && (15..=30).contains(&seconds), "{status} {wait}");
    assert_eq!(platform.calls(Dependency::Sql), calls, "nobody was asked");

    platform.heal(Dependency::Sql);
    platform.advance(seconds * 1_000);
    for _ in 0..3 {
        assert_eq!(ask(&platform, &instance), (200, String::new()), "whoever waits is served");
    }
}

#[test]
fn what_tells_how_a_dependency_is_asks_it_every_time() {
    let platform = World::new().platform;
    let instance = Instance::<Unguarded>::new(&platform);
    platform.fail(Dependency::Sql, Fault::Away);
    for _ in 0..20 {
        assert_eq!(ask(&platform, &instance).0, 503);
    }
    assert_eq!(platform.calls(Dependency::Sql), 20);
    platform.heal(Dependency::Sql);
    assert_eq!(ask(&platform, &instance).0, 200, "at once");
}

#[test]
fn each_instance_learns_by_itself() {
    let platform = World::new().platform;
    let (one, other) = (Instance::<Guarded>::new(&platform), Instance::<Guarded>::new(&platform));
    platform.fail(Dependency::Sql, answers(StatusCode::BAD_GATEWAY));
    for _ in 0..5 {
        ask(&platform, &one);
    }
    platform.heal(Dependency::Sql);
    assert_eq!((ask(&platform, &one).0, ask(&platform, &other).0), (503, 200));
}
