//! The use cases over fakes: what each endpoint decides, and what it says when a dependency is away.
#![allow(clippy::unwrap_used, reason = "what does not hold must end the test")]

mod authkit;
mod bearer;
mod clients;
mod exchange;
mod internal_mac;
mod introspect;
mod outage;
mod refresh;
mod revoke;
mod sessions;
mod settings;
mod support;
mod upstream;
mod workos_events;
