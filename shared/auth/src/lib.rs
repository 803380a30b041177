//! The use cases of the authorization server, over ports: authorization requests, sign-in and consent,
//! authorization codes, client credentials, refresh, token exchange, revocation, introspection, proofs of
//! possession, a person's sessions and audit trail, bearer tokens, client authentication and
//! registration, AuthKit and its grants.
//!
//! In scope: the order of checks and which facts go where. Out of scope: HTTP (the functions), token
//! formats (crate `oauth`), the rules of sessions (crate `ledger`).

pub mod access;
pub mod account;
pub mod audit;
pub mod authkit;
pub mod authorization_code;
pub mod authorize;
pub mod backoff;
pub mod bearer;
pub mod bulk;
pub mod client_credentials;
mod client_documents;
mod client_proof;
pub mod clients;
pub mod consent;
pub mod device;
pub mod edge;
pub mod exchange;
pub mod extend;
pub mod failure;
mod freshness;
pub mod introspect;
pub mod issue;
pub mod login;
pub mod network;
pub mod operator;
pub mod policy;
mod presented;
pub mod proof;
pub mod published;
pub mod refresh;
pub mod registration;
pub mod remote;
pub mod revoke;
pub mod sessions;
pub mod settings;
mod upstream;
pub mod visitor;
pub mod workos;
pub mod workos_events;

pub use failure::Failure;
pub use settings::Settings;
