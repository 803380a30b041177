//! A panic in a Worker reaches the platform's log. Alone in its binary: the hook is global, and
//! after a panic no other test could be trusted.
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#![allow(clippy::expect_used, clippy::panic, reason = "what does not hold must end the test")]

#[path = "cloudflare/js.rs"]
#[expect(dead_code, reason = "another binary uses the rest")]
mod js;

use host::Endpoint;
use host::cloudflare::Held;
use ports::route::{Function, Match};
use ports::{Config, ConfigError, Platform, Request, Response};
use wasm_bindgen_test::wasm_bindgen_test;
use worker::wasm_bindgen::closure::Closure;

use js::{Console, call, env};

struct Idle;

impl Endpoint for Idle {
    const FUNCTION: Function = Function::Health;
    type Settings = ();

    fn configure(_: &impl Config) -> Result<(), ConfigError> {
        Ok(())
    }

    async fn handle(_: &impl Platform, (): &(), _: &Match<'_>, _: &Request) -> Response {
        Response::default()
    }
}

/// The panic is real: it ends the call at the boundary to JavaScript, which catches it.
#[wasm_bindgen_test]
fn a_panic_reaches_the_console() {
    // The test runner's own hook would hide that ours is missing.
    std::panic::set_hook(Box::new(|_| {}));
    Held::<Idle>::new()
        .instance(&env("{ LEDGER_STORE: 'durable-object', PUBLIC_URL: 'https://edge.example' }"));
    let console = Console::capture("error");
    let panicking = Closure::<dyn FnMut()>::new(|| panic!("canary of the panic"));
    let attempt = "(() => { try { a(); return 'no' } catch (error) { return 'yes' } })()";
    let caught = call(attempt, &[panicking.as_ref()]);
    // Its state is that of an aborted call; nobody may touch it again.
    std::mem::forget(panicking);
    let written = console.written();
    drop(console);
    assert_eq!(caught.as_string().as_deref(), Some("yes"), "the call was ended");
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(written[0].contains("canary of the panic"), "{written:?}");
    assert!(written[0].contains("panic.rs"), "with its place: {written:?}");
}
