use std::rc::Rc;

use data::clients::{ClientKind, ClientRecord};
use oauth::keys::{Derived, Master, hash_client_secret, parse_key};
use ports::{Clock as _, Config as _, Millis};

use crate::{AuthKitToken, Dependency, FakeDatabase, FakePlatform, FakeWorkos};

/// When a world begins.
pub const NOW: Millis = 1_780_000_000_000;
/// The issuer.
pub const PUBLIC_URL: &str = "https://edge.example";
/// The identity provider's API.
pub const WORKOS_API_URL: &str = "https://workos.example";
/// The `iss` of its tokens.
pub const WORKOS_ISSUER: &str = "https://workos.example/issuer";
/// Our client there.
pub const WORKOS_CLIENT_ID: &str = "client_01TEST";
/// Our API key there.
pub const WORKOS_API_KEY: &str = "sk_test_of_the_fake";
/// The secret of its webhook.
pub const WORKOS_WEBHOOK_SECRET: &str = "whsec_of_the_fake_provider";
/// The SQL endpoint.
pub const SQL_URL: &str = "https://sql.example/sql";
/// Its credentials.
pub const SQL_CONNECTION_STRING: &str = "postgresql://authenticator:test@sql.example/atoms";
/// The secret of `atoms-service`.
pub const SERVICE_SECRET: &str = "test-secret-of-atoms-service";
/// The secret of `atoms-api`.
pub const API_SECRET: &str = "test-secret-of-atoms-api";
/// The secret of `atoms-narrow`.
pub const NARROW_SECRET: &str = "test-secret-of-atoms-narrow";
/// The scopes of the first-party clients.
pub const ALL_SCOPES: [&str; 6] = oauth::scope::ALL;

const GRANTS: [&str; 3] =
    ["urn:ietf:params:oauth:grant-type:token-exchange", "refresh_token", "authorization_code"];

/// A deployment in memory: settings from a fixed master secret, the identity provider, the
/// database with one client of every kind.
///
/// | client | kind | may |
/// |---|---|---|
/// | `atoms-web`, `atoms-cli` | public, first-party | exchange, refresh, codes |
/// | `atoms-service` | confidential, first-party | exchange, refresh, codes, tokens of its own |
/// | `atoms-api` | confidential | introspect any audience |
/// | `atoms-narrow` | confidential | introspect the MCP audience |
/// | `third-party` | public, somebody else's | refresh, codes |
pub struct World {
    /// The host.
    pub platform: FakePlatform,
    /// The identity provider.
    pub workos: Rc<FakeWorkos>,
    /// The business database.
    pub database: Rc<FakeDatabase>,
}

impl World {
    /// A world at [`NOW`].
    ///
    /// # Panics
    /// Never, unless the fixtures are broken.
    pub fn new() -> Self {
        let platform = FakePlatform::new(NOW);
        for (name, value) in settings() {
            platform.set(name, &value);
        }
        let workos = Rc::new(FakeWorkos::with_clock(platform.clock()));
        let jwks = format!("{WORKOS_API_URL}/sso/jwks/{WORKOS_CLIENT_ID}");
        let provider = Rc::clone(&workos);
        platform.route(&jwks, Dependency::Workos, move |request| provider.answer(request));
        let token = format!("{WORKOS_API_URL}/user_management/authenticate");
        let provider = Rc::clone(&workos);
        platform.route(&token, Dependency::Workos, move |request| provider.authenticate(request));
        let database = Rc::new(FakeDatabase::default());
        let sql = Rc::clone(&database);
        platform.route(SQL_URL, Dependency::Sql, move |request| sql.answer(request));
        let world = Self { platform, workos, database };
        for client in world.clients() {
            world.database.register(client);
        }
        world
    }

    /// What the database keeps of a client secret.
    ///
    /// # Panics
    /// If a test has broken the setting `CLIENT_SECRET_KEY`.
    pub fn hash(&self, secret: &str) -> String {
        let key = self.platform.get("CLIENT_SECRET_KEY").expect("the setting");
        hash_client_secret(&parse_key(&key).expect("a key"), secret)
    }

    /// The AuthKit access token of a person who has just signed in.
    pub fn authkit(&self, user: &str, session: &str) -> String {
        self.workos.sign(&AuthKitToken::of(user, session, self.platform.now()))
    }

    fn clients(&self) -> [ClientRecord; 6] {
        let client = |id: &str, secret: Option<&str>, first_party: bool| ClientRecord {
            client_id: id.to_owned(),
            name: format!("Test client {id}"),
            kind: if secret.is_some() { ClientKind::Confidential } else { ClientKind::Public },
            secret_hashes: secret.map(|secret| self.hash(secret)).into_iter().collect(),
            first_party,
            scopes: ALL_SCOPES.map(str::to_owned).to_vec(),
            grant_types: {
                let own = secret.map(|_| "client_credentials");
                GRANTS.into_iter().chain(own).map(str::to_owned).collect()
            },
            redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
            ..ClientRecord::default()
        };
        let resource_server = |id, secret, audience: String| ClientRecord {
            scopes: Vec::new(),
            grant_types: Vec::new(),
            redirect_uris: Vec::new(),
            introspect_audiences: vec![audience],
            ..client(id, Some(secret), false)
        };
        [
            client("atoms-web", None, true),
            client("atoms-cli", None, true),
            client("atoms-service", Some(SERVICE_SECRET), true),
            resource_server("atoms-api", API_SECRET, "*".to_owned()),
            resource_server("atoms-narrow", NARROW_SECRET, format!("{PUBLIC_URL}/mcp")),
            client("third-party", None, false),
        ]
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

fn settings() -> Vec<(&'static str, String)> {
    let master = Master { id: 1, secret: [7; 32] };
    let derived = Derived::from_masters(&[master]).expect("one master secret");
    let mut settings = derived.settings().to_vec();
    for (name, value) in [
        ("PUBLIC_URL", PUBLIC_URL),
        ("WORKOS_API_URL", WORKOS_API_URL),
        ("WORKOS_ISSUER", WORKOS_ISSUER),
        ("WORKOS_CLIENT_ID", WORKOS_CLIENT_ID),
        ("WORKOS_API_KEY", WORKOS_API_KEY),
        ("WORKOS_WEBHOOK_SECRET", WORKOS_WEBHOOK_SECRET),
        ("SQL_URL", SQL_URL),
        ("SQL_CONNECTION_STRING", SQL_CONNECTION_STRING),
        // Suites ask more in a minute than the clients of a person may.
        ("RATE_LIMIT_TIER", "1000"),
    ] {
        settings.push((name, value.to_owned()));
    }
    settings
}
