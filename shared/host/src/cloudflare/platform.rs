use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use ports::{Clock, Config, Log, Millis, Random, Timer};
use worker::{Delay, Env, console_log, js_sys};

/// The Workers platform behind one request.
pub struct Cloudflare {
    pub(super) env: Env,
}

impl Cloudflare {
    /// On the bindings of a request.
    pub const fn new(env: Env) -> Self {
        Self { env }
    }
}

impl Clock for Cloudflare {
    fn now(&self) -> Millis {
        now()
    }
}

/// The platform's clock, which moves with I/O only.
pub(super) fn now() -> Millis {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, after 1970"
    )]
    let now = js_sys::Date::now() as Millis;
    now
}

impl Timer for Cloudflare {
    async fn sleep(&self, duration: Duration) {
        Delay::from(duration).await;
    }
}

/// The outcome, or `None` if it takes longer than `limit`.
pub(super) async fn within<T>(limit: Duration, attempt: impl Future<Output = T>) -> Option<T> {
    match select(pin!(attempt), pin!(Delay::from(limit))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    }
}

impl Random for Cloudflare {
    fn fill(&self, out: &mut [u8]) {
        fill(out);
    }
}

/// Random bytes of WebCrypto.
pub(super) fn fill(out: &mut [u8]) {
    #[expect(clippy::disallowed_methods, reason = "this is the Random port's adapter")]
    let filled = getrandom::fill(out);
    #[expect(clippy::expect_used, reason = "without randomness nothing here may go on")]
    filled.expect("the platform's randomness");
}

impl Config for Cloudflare {
    fn get(&self, name: &str) -> Option<String> {
        // Variables and secrets are bindings of the same kind.
        let value = self.env.var(name).ok()?.to_string();
        Some(value).filter(|value| !value.is_empty())
    }
}

impl Log for Cloudflare {
    fn line(&self, line: &str) {
        console_log!("{line}");
    }
}
