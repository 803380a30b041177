//! Where functions meet platforms: the pipeline that every request goes through, and one module of
//! adapters per platform. No other crate names a platform's SDK.
//!
//! A function is an [`Endpoint`]; [`entrypoint!`] makes it the module's export on whatever platform
//! it is built for. Natively only what is no adapter exists, so that tests link no SDK.

#[cfg(any(test, target_arch = "wasm32"))]
mod answer;
mod endpoint;
pub mod guard;
mod origins;
pub mod owner;
mod page;
mod pipeline;
pub mod respond;
pub mod settings;
pub mod store;
mod traced;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub mod cloudflare;
#[cfg(any(
    all(test, not(target_arch = "wasm32")),
    all(target_arch = "wasm32", target_os = "wasi")
))]
pub mod spin;

pub use endpoint::Endpoint;
pub use origins::Origins;
pub use pipeline::{BodyError, Incoming, Instance, Visit, body_limit, serve};

/// Make an [`Endpoint`] the entry point of a function.
#[macro_export]
macro_rules! entrypoint {
    ($endpoint:ty) => {
        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        $crate::__cloudflare_entrypoint!($endpoint);
        #[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
        $crate::__spin_entrypoint!($endpoint);
    };
}

/// Make a function that names the service binding of a path the entry point of the gateway, which
/// only Workers need.
#[macro_export]
macro_rules! gateway {
    ($binding_of:path) => {
        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        $crate::__cloudflare_gateway!($binding_of);
    };
}

/// Make the owner of the ledgers, which takes the commands of the other functions: on Workers with the
/// Durable Object class and its events.
#[macro_export]
macro_rules! ledger_owner {
    () => {
        #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
        $crate::__cloudflare_ledger_owner!();
        #[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
        $crate::__spin_ledger_owner!(owner_handle);
    };
}

/// Make the owner of the ledgers on the platform's key-value store, which only Spin has apart from the
/// other one.
#[macro_export]
macro_rules! kv_ledger_owner {
    () => {
        #[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
        $crate::__spin_ledger_owner!(kv_owner_handle);
    };
}
