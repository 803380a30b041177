//! The pages that people see, as pure functions from what is to be shown to a complete HTML document.
//!
//! In scope: words, markup, style. There is no script and nothing is loaded, so that a policy of
//! `default-src 'none'` and the hash of the one style sheet is all that a page needs. Text of others
//! cannot become markup: [`html::Html`] takes markup from our sources only.
//!
//! Out of scope: who may see a page and what a form does (crate `auth`), headers (crate `host`).
//!
//! `cargo run -p pages --example gallery -- FOLDER` writes every page in each of its states;
//! `node tests/judges/pages.mjs FOLDER PICTURES` has a browser judge them and takes their pictures.

mod account;
mod client;
mod consent;
mod error;
pub mod html;
mod layout;
mod place;
mod returning;
mod time;
mod words;

pub use account::{AccountPage, App, Notice, Session, account, signed_out};
pub use client::{Client, Origin};
pub use consent::{ConsentPage, consent};
pub use error::{ErrorPage, error};
pub use layout::POLICY;
pub use returning::{ReturningPage, returning};
