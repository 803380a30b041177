//! The use cases over fakes: what each endpoint decides, and what it says when a dependency is away.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what does not hold must end the test"
)]
#![allow(clippy::needless_pass_by_value, reason = "what a test makes it gives away")]

mod account;
mod authkit;
mod authorization_code;
mod authorize;
mod backoff;
mod bearer;
mod browser;
mod bulk;
mod client_credentials;
mod client_documents;
mod client_policy;
mod client_proof;
mod clients;
mod consent;
mod device;
mod dpop;
mod dpop_resources;
mod edge;
mod exchange;
mod extend;
mod internal_mac;
mod introspect;
mod login;
mod operator;
mod outage;
mod pushed;
mod refresh;
mod registration;
mod revoke;
mod sessions;
mod settings;
mod signals;
mod support;
mod upstream;
mod web;
mod workos_events;
