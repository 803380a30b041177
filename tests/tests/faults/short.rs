//! One stack for all tests of time and of the provider's tokens: its sessions are short and few, and
//! its identity provider is ours.

use anyhow::Result;
use e2e::client::Fields;
use e2e::world::unique;
use e2e::{Session, World};
use serde_json::{Value, json};
use stack::{Stack, StackOptions};
use tokio::sync::OnceCell;

use crate::provider::{CLIENT, ISSUER, Provider};

/// Within this many seconds a replaced refresh token yields its successor again.
pub(crate) const GRACE: f64 = 2.0;
/// After this many seconds without use a session ends.
pub(crate) const IDLE: f64 = 3.0;
/// After this many seconds a session ends.
pub(crate) const ABSOLUTE: f64 = 8.0;
/// After this many seconds an access token of an offline session expires.
pub(crate) const ACCESS: f64 = 5.0;

/// With this scope a session is neither idle nor over as long as the tests run.
pub(crate) const OFFLINE: Fields<'static> =
    &[("scope", "offline_access sessions:read atoms:workspace.read")];

/// The stack. It ends with the process.
pub(crate) struct Short {
    pub(crate) world: World,
    pub(crate) provider: Provider,
    _stack: Stack,
}

static SHORT: OnceCell<Short> = OnceCell::const_new();

impl Short {
    /// The one stack, started by whoever comes first.
    pub(crate) async fn get() -> Result<&'static Self> {
        SHORT.get_or_try_init(Self::start).await
    }

    async fn start() -> Result<Self> {
        let provider = Provider::start()?;
        let settings = [
            ("WORKOS_API_URL", provider.url.as_str()),
            ("WORKOS_ISSUER", ISSUER),
            ("WORKOS_CLIENT_ID", CLIENT),
            ("REFRESH_GRACE_SECONDS", "2"),
            ("SESSION_IDLE_SECONDS", "3"),
            ("SESSION_ABSOLUTE_SECONDS", "8"),
            ("ACCESS_TOKEN_SECONDS", "5"),
            ("SESSION_MAX", "2"),
            ("SESSION_ON_LIMIT", "deny"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let stack = Stack::start(StackOptions { settings, ..StackOptions::default() }).await?;
        Ok(Self { world: World::of(stack.info())?, provider, _stack: stack })
    }

    /// A session of a person whom nobody knew before.
    pub(crate) async fn session(&self, extra: Fields<'_>) -> Result<Session> {
        self.session_of(&format!("user_{}", unique()), extra, &json!({})).await
    }

    /// A session of a person by a new sign-in, with other claims in its token.
    pub(crate) async fn session_of(
        &self,
        user: &str,
        extra: Fields<'_>,
        claims: &Value,
    ) -> Result<Session> {
        let token = self.provider.token(user, &unique(), claims)?;
        self.world.session_of("atoms-web", &token, extra).await
    }
}
