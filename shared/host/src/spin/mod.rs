//! Spin: adapters of the ports, the entry points, the owner of the ledgers.
//!
//! The platform reuses an instance for many requests, several at a time, and a panic ends it with all
//! of them. Nothing is lost by that: whatever must last is in the store of the ledgers, each command is
//! one write there, and every command can be repeated. What an instance remembers (settings, breakers,
//! counts of the guard) is made anew.

mod expiring;
mod headers;
#[cfg(any(test, feature = "ledger-owner"))]
mod replies;
mod tally;

#[cfg(target_family = "wasm")]
mod entry;
#[cfg(target_family = "wasm")]
mod fetch;
#[cfg(target_family = "wasm")]
mod guard;
#[cfg(target_family = "wasm")]
mod kv;
#[cfg(target_family = "wasm")]
mod ledgers;
#[cfg(all(target_family = "wasm", feature = "ledger-owner"))]
mod owner;
#[cfg(target_family = "wasm")]
mod platform;

#[cfg(target_family = "wasm")]
pub use entry::{Held, handle};
#[cfg(all(target_family = "wasm", feature = "ledger-owner"))]
pub use owner::{kv_owner_handle, owner_handle};
#[cfg(target_family = "wasm")]
pub use platform::Spin;

/// What [`crate::entrypoint!`] expands to needs these names, and no function should have to.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod rt {
    pub use spin_sdk::wasip3::exports::http::handler::Guest;
    pub use spin_sdk::wasip3::http::service::export;
    pub use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __spin_entrypoint {
    ($endpoint:ty) => {
        mod spin_entrypoint {
            use super::*;

            ::std::thread_local! {
                static HELD: $crate::spin::Held<$endpoint> = $crate::spin::Held::new();
            }

            struct Component;

            $crate::spin::rt::export!(Component);

            impl $crate::spin::rt::Guest for Component {
                async fn handle(
                    request: $crate::spin::rt::Request,
                ) -> ::std::result::Result<$crate::spin::rt::Response, $crate::spin::rt::ErrorCode>
                {
                    $crate::spin::handle(&HELD, request).await
                }
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __spin_ledger_owner {
    ($handle:ident) => {
        mod spin_ledger_owner {
            struct Component;

            $crate::spin::rt::export!(Component);

            impl $crate::spin::rt::Guest for Component {
                async fn handle(
                    request: $crate::spin::rt::Request,
                ) -> ::std::result::Result<$crate::spin::rt::Response, $crate::spin::rt::ErrorCode>
                {
                    $crate::spin::$handle(request).await
                }
            }
        }
    };
}
