//! Which machine a URL leads to: for people to read, and to keep what deletes away from other machines.

use std::fmt;
use std::net::IpAddr;

use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::connection::Failure;

/// Where a database is, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A host's name or address, or the folder of a socket.
    pub host: String,
    /// Its port, where the URL leads to one.
    pub port: Option<u16>,
    /// The name of the database, where the URL has one.
    pub database: Option<String>,
}

impl Place {
    /// Of a `postgresql://` URL, as a session would read it: settings of the environment fill gaps, and
    /// `?host=` outdoes what stands before the path.
    ///
    /// # Errors
    /// [`Failure::Protocol`] for what is no such URL.
    pub fn of_database(url: &str) -> Result<Self, Failure> {
        let options = options(url)?;
        let socket = options.get_socket().map(|path| path.display().to_string());
        let port = socket.is_none().then_some(options.get_port());
        let host = socket.unwrap_or_else(|| options.get_host().to_owned());
        Ok(Self { host, port, database: options.get_database().map(str::to_owned) })
    }

    /// Of a `/sql` endpoint: which database is behind it is its own business.
    ///
    /// # Errors
    /// [`Failure::Protocol`] for what is no URL.
    pub fn of_endpoint(url: &str) -> Result<Self, Failure> {
        let wrong = || Failure::Protocol("this is no http(s):// URL".to_owned());
        let url = Url::parse(url).map_err(|_| wrong())?;
        let host = url.host_str().ok_or_else(wrong)?.to_owned();
        Ok(Self { host, port: url.port(), database: None })
    }

    /// Whether the URL names this machine. A tunnel or a proxy may lead on from here: ask the server, too.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(database) => write!(formatter, "{database} at {}", self.host)?,
            None => write!(formatter, "the database behind {}", self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

/// Whether a host is this machine by its name, address or socket.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a URL asks of a session.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, Failure> {
    let ours = ["postgresql://", "postgres://"].iter().any(|scheme| url.starts_with(scheme));
    // What a parser says of a URL could have the password in it.
    let wrong = || Failure::Protocol("this is no postgresql:// URL".to_owned());
    url.parse().ok().filter(|_| ours).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        for (url, host, expected) in [
            ("postgresql://u:p@localhost/atoms", "localhost", true),
            ("postgresql://u:p@127.0.0.1:5432/atoms", "127.0.0.1", true),
            ("postgresql://u:p@[::1]/atoms", "[::1]", true),
            ("postgresql://u:p@%2Fvar%2Frun/atoms", "/var/run", true),
            ("postgresql://u:p@localhost/atoms?host=/run/pg", "/run/pg", true),
            ("postgresql://u:p@db.example.com/atoms", "db.example.com", false),
            ("postgresql://u:p@localhost/atoms?host=db.example.com", "db.example.com", false),
            ("postgresql://u:p@localhost.example.com/atoms", "localhost.example.com", false),
            ("postgresql://u:p@10.0.0.1/atoms", "10.0.0.1", false),
            ("postgresql://localhost:p@db/atoms", "db", false),
        ] {
            let place = Place::of_database(url).unwrap();
            assert_eq!((&*place.host, place.is_loopback()), (host, expected), "{url}");
            let shown = place.to_string();
            assert!(
                shown.starts_with(&format!("atoms at {host}")) && !shown.contains(":p"),
                "{shown}"
            );
        }
        for (url, expected) in [
            ("http://127.0.0.1:5488/sql", true),
            ("http://[::1]:5488/sql", true),
            ("https://api.example.com/sql", false),
            ("https://127.0.0.1.example.com/sql", false),
        ] {
            assert_eq!(Place::of_endpoint(url).unwrap().is_loopback(), expected, "{url}");
        }
        let error = Place::of_database("mysql://localhost/secret").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
