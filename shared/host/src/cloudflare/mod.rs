//! Cloudflare Workers: adapters of the ports, the entry points, the Durable Object of the ledgers.

mod entry;
mod exchange;
mod fetch;
mod kv;
#[cfg(feature = "ledger-owner")]
pub mod ledger;
mod ledgers;
mod place;
mod platform;
mod publisher;
mod signatures;

#[cfg(feature = "ledger-owner")]
pub use entry::owner_event;
pub use entry::{Held, fetch_event, gateway_event};
pub use kv::Namespace;
pub use platform::Cloudflare;

/// What [`crate::entrypoint!`] expands to needs these names, and no function should have to.
#[doc(hidden)]
pub mod rt {
    pub use worker::wasm_bindgen::JsValue;
    pub use worker::wasm_bindgen::prelude::wasm_bindgen;
    pub use worker::web_sys::Request;
    pub use worker::worker_sys::Context;
    pub use worker::{Env, js_sys, wasm_bindgen, wasm_bindgen_futures};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __cloudflare_entrypoint {
    ($endpoint:ty) => {
        mod cloudflare_entrypoint {
            use $crate::cloudflare::rt::{Context, Env, JsValue, Request, wasm_bindgen};

            use super::*;

            ::std::thread_local! {
                static HELD: $crate::cloudflare::Held<$endpoint> = $crate::cloudflare::Held::new();
            }

            /// The `fetch` event.
            #[wasm_bindgen(
                                wasm_bindgen = $crate::cloudflare::rt::wasm_bindgen,
                                wasm_bindgen_futures = $crate::cloudflare::rt::wasm_bindgen_futures,
                                js_sys = $crate::cloudflare::rt::js_sys
                            )]
            pub async fn fetch(
                request: Request,
                env: Env,
                _context: Context,
            ) -> ::std::result::Result<JsValue, JsValue> {
                let instance = HELD.with(|held| held.instance(&env));
                $crate::cloudflare::fetch_event(&instance, request, env).await
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __cloudflare_gateway {
    ($binding_of:path) => {
        mod cloudflare_gateway {
            use $crate::cloudflare::rt::{Context, Env, JsValue, Request, wasm_bindgen};

            use super::*;

            /// The `fetch` event.
            #[wasm_bindgen(
                                wasm_bindgen = $crate::cloudflare::rt::wasm_bindgen,
                                wasm_bindgen_futures = $crate::cloudflare::rt::wasm_bindgen_futures,
                                js_sys = $crate::cloudflare::rt::js_sys
                            )]
            pub async fn fetch(
                request: Request,
                env: Env,
                _context: Context,
            ) -> ::std::result::Result<JsValue, JsValue> {
                $crate::cloudflare::gateway_event($binding_of, request, &env).await
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __cloudflare_ledger_owner {
    () => {
        mod cloudflare_ledger_owner {
            use $crate::cloudflare::rt::{Context, Env, JsValue, Request, wasm_bindgen};

            /// The `fetch` event.
            #[wasm_bindgen(
                                wasm_bindgen = $crate::cloudflare::rt::wasm_bindgen,
                                wasm_bindgen_futures = $crate::cloudflare::rt::wasm_bindgen_futures,
                                js_sys = $crate::cloudflare::rt::js_sys
                            )]
            pub async fn fetch(
                request: Request,
                env: Env,
                context: Context,
            ) -> ::std::result::Result<JsValue, JsValue> {
                $crate::cloudflare::owner_event(request, env, context).await
            }

            /// The `scheduled` event.
            #[wasm_bindgen(
                                wasm_bindgen = $crate::cloudflare::rt::wasm_bindgen,
                                wasm_bindgen_futures = $crate::cloudflare::rt::wasm_bindgen_futures,
                                js_sys = $crate::cloudflare::rt::js_sys
                            )]
            pub async fn scheduled(
                event: JsValue,
                env: Env,
                _context: JsValue,
            ) -> ::std::result::Result<(), JsValue> {
                $crate::cloudflare::ledger::scheduled_event(&event, env).await;
                Ok(())
            }
        }
    };
}
