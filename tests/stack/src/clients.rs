//! The OAuth clients that are registered from the start: one of every kind that matters.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use oauth::keys::{Derived, hash_client_secret, parse_key};
use sqlx::{Connection, PgConnection};

use crate::info::ClientInfo;
use crate::keys;

struct Seed {
    id: &'static str,
    name: &'static str,
    confidential: bool,
    first_party: bool,
    grants: &'static [&'static str],
    scopes: &'static [&'static str],
    /// Audiences that it may introspect; `{}` stands for the public URL.
    introspects: &'static [&'static str],
    redirects: &'static [&'static str],
}

const GRANTS: &[&str] =
    &["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"];
/// A service acts for people, and for itself.
const GRANTS_OF_A_SERVICE: &[&str] = &[
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "client_credentials",
];
const SCOPES: &[&str] = &[
    "atoms:workspace.read",
    "atoms:workspace.write",
    "sessions:read",
    "sessions:write",
    "audit:read",
    "offline_access",
];

const PUBLIC: Seed = Seed {
    id: "",
    name: "",
    confidential: false,
    first_party: true,
    grants: GRANTS,
    scopes: SCOPES,
    introspects: &[],
    // Any port of one's own machine, RFC 8252 section 7.3.
    redirects: &["http://127.0.0.1/callback"],
};
const RESOURCE_SERVER: Seed = Seed {
    confidential: true,
    first_party: false,
    grants: &[],
    scopes: &[],
    redirects: &[],
    ..PUBLIC
};

const SEEDS: [Seed; 6] = [
    Seed { id: "atoms-web", name: "Atoms for the web", ..PUBLIC },
    Seed { id: "atoms-cli", name: "Atoms for the terminal", ..PUBLIC },
    Seed {
        id: "atoms-service",
        name: "Atoms service",
        confidential: true,
        grants: GRANTS_OF_A_SERVICE,
        ..PUBLIC
    },
    Seed { id: "atoms-api", name: "Atoms API", introspects: &["*"], ..RESOURCE_SERVER },
    Seed { id: "atoms-narrow", name: "MCP only", introspects: &["{}/mcp"], ..RESOURCE_SERVER },
    Seed { id: "third-party", name: "Somebody else's", first_party: false, ..PUBLIC },
];

/// Register the clients, with secrets of this run.
pub(crate) async fn register(
    postgres_url: &str,
    public_url: &str,
    derived: &Derived,
) -> Result<BTreeMap<String, ClientInfo>> {
    let key = parse_key(derived.get("CLIENT_SECRET_KEY").context("no client secret key")?)?;
    let mut connection = PgConnection::connect(postgres_url).await?;
    let mut clients = BTreeMap::new();
    for seed in SEEDS {
        let secret = if seed.confidential { Some(keys::secret()?) } else { None };
        let hashes: Vec<_> = secret.iter().map(|secret| hash_client_secret(&key, secret)).collect();
        insert(&mut connection, &seed, &hashes, public_url)
            .await
            .with_context(|| format!("cannot register the client {}", seed.id))?;
        clients.insert(seed.id.to_owned(), ClientInfo { id: seed.id.to_owned(), secret });
    }
    connection.close().await?;
    Ok(clients)
}

/// Give a client a policy of its own.
pub(crate) async fn set_policy(
    postgres_url: &str,
    client: &str,
    policy: &serde_json::Value,
) -> Result<()> {
    let mut connection = PgConnection::connect(postgres_url).await?;
    sqlx::query("update app.oauth_clients set policy = $2::jsonb where client_id = $1")
        .bind(client)
        .bind(policy.to_string())
        .execute(&mut connection)
        .await?;
    Ok(connection.close().await?)
}

async fn insert(
    connection: &mut PgConnection,
    seed: &Seed,
    hashes: &[String],
    public_url: &str,
) -> Result<(), sqlx::Error> {
    let introspects: Vec<_> =
        seed.introspects.iter().map(|audience| audience.replace("{}", public_url)).collect();
    sqlx::query(
        "insert into app.oauth_clients (client_id, name, kind, secret_hashes, first_party, scopes, \
         grant_types, introspect_audiences, redirect_uris) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(seed.id)
    .bind(seed.name)
    .bind(if seed.confidential { "confidential" } else { "public" })
    .bind(hashes)
    .bind(seed.first_party)
    .bind(seed.scopes)
    .bind(seed.grants)
    .bind(introspects)
    .bind(seed.redirects)
    .execute(connection)
    .await?;
    Ok(())
}
