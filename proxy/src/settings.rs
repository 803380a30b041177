//! What the proxy is told at start.

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::gate::Gate;

/// How far the connection to Postgres must be protected by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS when the server offers it (the default for a server on this machine). Its certificate is
    /// then verified: an unverified one is refused rather than trusted.
    Prefer,
    /// TLS, always, with a verified certificate and host name (the default for a server anywhere
    /// else). `require`, `verify-ca` and
    /// `verify-full` all mean this: there is no mode that accepts any certificate.
    Require,
}

/// Whether the password exchange is bound to the TLS connection (RFC 5802, section 6), so that
/// nobody in between can pass it on, whatever certificate they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Never.
    Disable,
    /// Where the server offers it (the default).
    Prefer,
    /// Always: a server that does not is refused.
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
    /// PEM file with the only root certificates to trust (`sslrootcert`); `None`: Mozilla's.
    pub root_certificates: Option<PathBuf>,
    /// Binding of SCRAM to TLS.
    pub channel_binding: Binding,
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
            ssl_mode: SslMode::Require,
            root_certificates: None,
            channel_binding: Binding::Prefer,
        };
        if database.is_local() {
            database.ssl_mode = SslMode::Prefer;
        }
        ensure!(!database.user.is_empty(), "the database URL names no user");
        ensure!(!database.name.is_empty(), "the database URL names no database");
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" => database.ssl_mode = ssl_mode(&value)?,
                "channel_binding" => database.channel_binding = binding(&value)?,
                "sslrootcert" => database.root_certificates = Some(PathBuf::from(&*value)),
                _ => bail!("the database URL has an unknown parameter `{name}`"),
            }
        }
        let cannot =
            database.channel_binding == Binding::Require && database.ssl_mode == SslMode::Disable;
        ensure!(!cannot, "channel_binding=require needs TLS");
        Ok(database)
    }

    /// True when nothing between us and the server can listen.
    pub(crate) fn is_local(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.host, self.port, self.name)
    }
}

/// A certificate to serve HTTPS with, as files in PEM format.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate and those of its issuers.
    pub chain: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Everything the proxy needs to know.
pub struct Settings {
    /// The pinned target.
    pub database: Database,
    /// Who may speak to us.
    pub(crate) gate: Gate,
    /// What `/metrics` asks for as a bearer token; `None`: nothing.
    pub metrics_token: Option<String>,
    /// With what to serve HTTPS; `None`: HTTP.
    pub certificate: Option<Certificate>,
    /// How often the files of the certificate are looked at for new ones.
    pub certificate_poll: Duration,
    /// `statement_timeout` of every session; zero is none.
    pub statement_timeout: Duration,
    /// Deadline of a whole request: reading it, waiting for a connection, running it.
    pub request_timeout: Duration,
    /// Longest wait for a free connection, connecting included.
    pub queue_timeout: Duration,
    /// How long a client may take for the head of a request, or keep a connection without one.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of its answer.
    pub write_timeout: Duration,
    /// How long `/healthz` tells of a shutdown before connections are refused.
    pub drain_delay: Duration,
    /// How long requests in flight may then take before they are cancelled.
    pub drain_timeout: Duration,
    /// Most connections to Postgres.
    pub pool_size: usize,
    /// Most prepared statements of each of them; zero prepares none.
    pub statement_cache: usize,
    /// Most connections of clients; others wait to be accepted.
    pub max_clients: usize,
    /// Largest request body in bytes.
    pub max_request_bytes: usize,
    /// Largest response body in bytes.
    pub max_response_bytes: usize,
    /// Most bytes of all bodies that are held at once; a request counts twice.
    pub max_buffered_bytes: usize,
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
            metrics_token: None,
            certificate: None,
            certificate_poll: Duration::from_secs(60),
            statement_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            queue_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(20),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(10),
            pool_size: 16,
            statement_cache: 100,
            max_clients: 1024,
            max_request_bytes: 10 * 1024 * 1024,
            max_response_bytes: 10 * 1024 * 1024,
            max_buffered_bytes: 256 * 1024 * 1024,
        })
    }

    /// # Errors
    /// Names the setting that cannot work.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(self.pool_size > 0, "the pool size is zero");
        ensure!(self.max_clients > 0, "the number of clients is zero");
        let cache = self.statement_cache;
        ensure!(
            cache == 0 || cache >= 16,
            "the statement cache is neither off (0) nor at least 16"
        );
        let largest = self.max_request_bytes.saturating_mul(2).max(self.max_response_bytes);
        ensure!(
            self.max_buffered_bytes >= largest,
            "the bytes to be held at once are fewer than one request or answer may take"
        );
        ensure!(self.metrics_token.as_deref() != Some(""), "the metrics token is empty");
        Ok(())
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

fn binding(text: &str) -> Result<Binding> {
    Ok(match text {
        "disable" => Binding::Disable,
        "prefer" => Binding::Prefer,
        "require" => Binding::Require,
        _ => bail!("channel_binding must be disable, prefer or require"),
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
    fn insists_on_tls_unless_the_server_is_here() {
        let database = Database::parse("postgresql://u@[::1]/d").unwrap();
        assert_eq!((database.host.as_str(), database.port), ("::1", 5432));
        assert_eq!(database.ssl_mode, SslMode::Prefer);
        assert!(database.password.is_empty());
        for host in ["db.example", "10.0.0.1", "localhost.example", "127.0.0.1.example"] {
            let database = Database::parse(&format!("postgresql://u@{host}/d")).unwrap();
            assert_eq!(database.ssl_mode, SslMode::Require, "{host}");
        }
        let chosen = Database::parse("postgresql://u@10.0.0.1/d?sslmode=disable").unwrap();
        assert_eq!(chosen.ssl_mode, SslMode::Disable);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let spoil: [fn(&mut Settings); 6] = [
            |settings| settings.pool_size = 0,
            |settings| settings.max_clients = 0,
            |settings| settings.statement_cache = 15,
            |settings| settings.max_buffered_bytes = settings.max_response_bytes,
            |settings| settings.max_response_bytes = settings.max_buffered_bytes + 1,
            |settings| settings.metrics_token = Some(String::new()),
        ];
        let settings = || {
            let database = Database::parse("postgres://u@h/d").unwrap();
            Settings::new(database, "s").unwrap()
        };
        settings().check().unwrap();
        for spoil in spoil {
            let mut settings = settings();
            spoil(&mut settings);
            assert!(settings.check().is_err());
        }
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
            "postgres://u:hidden@h/d?channel_binding=maybe",
            "postgres://u:hidden@h/d?sslmode=disable&channel_binding=require",
        ] {
            let error = format!("{:#}", Database::parse(url).unwrap_err());
            assert!(!error.contains("hidden"), "{error}");
        }
        let database = Database::parse("postgres://u:hidden@h/d").unwrap();
        assert!(!format!("{database:?}").contains("hidden"));
        assert!(Settings::new(database, "").is_err());
    }
}
