//! What the ledgers are told of the request that a command came by.
#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, reason = "what does not hold must end the test")]

use bytes::Bytes;
use futures::executor::block_on;
use host::{Endpoint, Instance, respond, serve};
use http::StatusCode;
use ledger::{
    Actor, Address, Command, CreateSession, Device, Envelope, Limits, Origin, Policy, Signals,
    Subject,
};
use ports::route::{Function, Match};
use ports::{Config, ConfigError, Platform, Request, Response};
use testing::{NOW, PUBLIC_URL, World};

/// Begins a session in the name of an operator.
struct Begins;

impl Endpoint for Begins {
    const FUNCTION: Function = Function::Token;
    type Settings = ();

    fn configure(_: &impl Config) -> Result<(), ConfigError> {
        Ok(())
    }

    async fn handle(platform: &impl Platform, (): &(), _: &Match<'_>, _: &Request) -> Response {
        let command = Command::CreateSession(CreateSession {
            subject: Subject { id: "ada".to_owned(), organization: None, roles: Vec::new() },
            client_id: "atoms-web".to_owned(),
            scopes: Vec::new(),
            scopes_by_default: true,
            resources: Vec::new(),
            resources_by_default: true,
            device: Device { label: String::new(), fingerprint: None },
            external_id: None,
            authenticated_at: NOW,
            key_id: 1,
            signals: Signals::default(),
            fresh_for: 0,
            code: None,
            proof: None,
            key: None,
        });
        let policy = Policy { limits: Limits::off(), ..Policy::default() };
        let actor = Actor::Operator("olga".to_owned());
        let origin = Origin { actor, ..Origin::default() };
        let envelope = Envelope { command, policy, origin };
        platform.execute(&Address::from_bytes([1; 16]), &envelope).await.unwrap();
        respond::empty(StatusCode::OK)
    }
}

#[test]
fn an_event_tells_the_request_and_its_trace_and_on_whose_behalf() {
    let world = World::new();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = http::Request::post(format!("{PUBLIC_URL}/oauth/token"))
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .body(Ok(Bytes::new()))
        .unwrap();
    let instance = Instance::<Begins>::new(&world.platform);
    let response = block_on(serve(&world.platform, &instance, request));
    let event = world.platform.audit().remove(0);
    let named = response.headers()["x-request-id"].to_str().unwrap();
    assert_eq!(
        (event.request_id.as_deref(), event.trace_id.as_deref()),
        (Some(named), Some(trace))
    );
    assert_eq!(event.actor, Actor::Operator("olga".to_owned()));
}
