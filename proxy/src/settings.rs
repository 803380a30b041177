//! What the proxy is told at start.

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::gate::Gate;

/// How far the connection to Postgres must be protected by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS when the server offers it (the default, as in libpq). Its certificate is then verified:
    /// an unverified one is refused rather than trusted.
    Prefer,
    /// TLS, always, with a verified certificate and host name. `require`, `verify-ca` and
    /// `verify-full` all mean this: there is no mode that accepts any certificate.
    Require,
}

/// The one Postgres this proxy speaks to.
#[derive(Clone)]
pub struct Database {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Role to log in as; clients must name the same one.
    pub user: String,
    /// Password of the role; empty where the server trusts us.
    pub password: String,
    /// Database name.
    pub name: String,
    /// Protection of the connection.
    pub ssl_mode: SslMode,
    /// PEM file with further root certificates (`sslrootcert`).
    pub root_certificates: Option<PathBuf>,
}

impl Database {
    /// Reads a `postgres://` or `postgresql://` URL.
    ///
    /// # Errors
    /// When it is not such a URL, lacks host, user or database, or has a parameter unknown here.
    /// The message never repeats the URL: it has a password in it.
    pub fn parse(text: &str) -> Result<Self> {
        let Ok(url) = Url::parse(text) else { bail!("the database URL is not a URL") };
        ensure!(matches!(url.scheme(), "postgres" | "postgresql"), "not a postgres:// URL");
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        ensure!(!host.is_empty(), "the database URL names no host");
        let mut database = Self {
            host: decode(host)?,
            port: url.port().unwrap_or(5432),
            user: decode(url.username())?,
            password: decode(url.password().unwrap_or_default())?,
            name: decode(url.path().trim_start_matches('/'))?,
            ssl_mode: SslMode::Prefer,
            root_certificates: None,
        };
        ensure!(!database.user.is_empty(), "the database URL names no user");
        ensure!(!database.name.is_empty(), "the database URL names no database");
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" => database.ssl_mode = ssl_mode(&value)?,
                "sslrootcert" => database.root_certificates = Some(PathBuf::from(&*value)),
                _ => bail!("the database URL has an unknown parameter `{name}`"),
            }
        }
        Ok(database)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.host, self.port, self.name)
    }
}

/// Everything the proxy needs to know.
pub struct Settings {
    /// The pinned target.
    pub database: Database,
    /// Who may speak to us.
    pub(crate) gate: Gate,
    /// `statement_timeout` of every session; zero is none.
    pub statement_timeout: Duration,
    /// Deadline of a whole request: reading it, waiting for a connection, running it.
    pub request_timeout: Duration,
    /// Longest wait for a free connection, connecting included.
    pub queue_timeout: Duration,
    /// Most connections to Postgres.
    pub pool_size: usize,
    /// Largest request body in bytes.
    pub max_request_bytes: usize,
    /// Largest response body in bytes.
    pub max_response_bytes: usize,
}

impl Settings {
    /// Settings with the documented defaults.
    ///
    /// # Errors
    /// When the shared secret is empty.
    pub fn new(database: Database, secret: &str) -> Result<Self> {
        ensure!(!secret.is_empty(), "the shared secret is empty");
        Ok(Self {
            gate: Gate::new(&database.user, secret),
            database,
            statement_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            queue_timeout: Duration::from_secs(5),
            pool_size: 16,
            max_request_bytes: 10 * 1024 * 1024,
            max_response_bytes: 10 * 1024 * 1024,
        })
    }
}

fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.context("the database URL is not UTF-8")?.into_owned())
}

fn ssl_mode(text: &str) -> Result<SslMode> {
    Ok(match text {
        "disable" => SslMode::Disable,
        "prefer" => SslMode::Prefer,
        "require" | "verify-ca" | "verify-full" => SslMode::Require,
        _ => bail!("sslmode must be disable, prefer, require, verify-ca or verify-full"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_parts() {
        let url = "postgres://auth%40x:p%2Fw@db.example:6000/at%20oms?sslmode=verify-full&sslrootcert=/ca.pem";
        let database = Database::parse(url).unwrap();
        assert_eq!(database.host, "db.example");
        assert_eq!(database.port, 6000);
        assert_eq!(database.user, "auth@x");
        assert_eq!(database.password, "p/w");
        assert_eq!(database.name, "at oms");
        assert_eq!(database.ssl_mode, SslMode::Require);
        assert_eq!(database.root_certificates, Some(PathBuf::from("/ca.pem")));
    }

    #[test]
    fn has_the_defaults_of_libpq() {
        let database = Database::parse("postgresql://u@[::1]/d").unwrap();
        assert_eq!((database.host.as_str(), database.port), ("::1", 5432));
        assert_eq!(database.ssl_mode, SslMode::Prefer);
        assert!(database.password.is_empty());
    }

    #[test]
    fn refuses_what_it_does_not_understand_without_repeating_it() {
        for url in [
            "nonsense",
            "mysql://u:hidden@h/d",
            "postgres:///d",
            "postgres://u:hidden@h",
            "postgres://:hidden@h/d",
            "postgres://u:hidden@h/d?sslmode=maybe",
            "postgres://u:hidden@h/d?sslmod=require",
        ] {
            let error = format!("{:#}", Database::parse(url).unwrap_err());
            assert!(!error.contains("hidden"), "{error}");
        }
        let database = Database::parse("postgres://u:hidden@h/d").unwrap();
        assert!(!format!("{database:?}").contains("hidden"));
        assert!(Settings::new(database, "").is_err());
    }
}
