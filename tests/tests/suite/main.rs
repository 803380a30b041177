//! Every endpoint against a running stack, one module per endpoint. Tests of a test point of the RFCs
//! begin with its name.
#![expect(clippy::disallowed_methods, reason = "a native program: it has a clock")]

mod account;
mod audit;
mod authorization_code;
mod authorize;
mod bad_input;
mod client_auth;
mod client_credentials;
mod client_documents;
mod client_keys;
mod dpop;
mod health;
mod http;
mod introspect;
mod main_job;
mod mcp;
mod mcp_access;
mod metadata;
mod organizations;
mod race;
mod refresh;
mod register;
mod revoke;
mod sessions;
mod subject_tokens;
mod token_exchange;
mod upstream;
mod web;
mod workos_webhook;
