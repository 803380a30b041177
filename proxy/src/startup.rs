//! Opening a session: connect, TLS, authentication, session defaults.

use std::{io, time::Duration};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256},
    },
    message::{
        backend::{AuthenticationSaslBody, Message},
        frontend,
    },
};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::{
    error::{ErrorObject, Failure},
    settings::{Binding, Database, Settings},
    tls::Tls,
    wire::Wire,
};

/// A peer that is silent for so long is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// A peer that confirms or takes nothing for so long is gone, unless it may be at work for longer.
const UNCONFIRMED: Duration = Duration::from_secs(30);

/// A session ready for queries, and what cancels it.
pub(crate) struct Session {
    pub(crate) wire: Wire,
    pub(crate) cancel_key: (i32, i32),
}

/// Opens a session with the pinned target.
pub(crate) async fn open(settings: &Settings, tls: &Tls) -> Result<Session, Failure> {
    let (mut wire, security) = dial(settings, tls).await.map_err(unreachable)?;
    let startup = startup_message(settings).map_err(unreachable)?;
    wire.queue(startup);
    let mut session = Session { wire, cancel_key: (0, 0) };
    authenticate(&mut session.wire, &settings.database, &security).await?;
    loop {
        match receive(&mut session.wire).await? {
            Message::BackendKeyData(key) => {
                session.cancel_key = (key.process_id(), key.secret_key());
            }
            Message::ReadyForQuery(_) => return Ok(session),
            _ => {}
        }
    }
}

/// Asks Postgres to cancel what a session runs. There is no answer, but Postgres hangs up once it
/// has passed the request on.
pub(crate) async fn cancel(
    settings: &Settings,
    tls: &Tls,
    (process, secret): (i32, i32),
) -> io::Result<()> {
    let (mut wire, _) = dial(settings, tls).await?;
    let mut request = BytesMut::new();
    frontend::cancel_request(process, secret, &mut request);
    wire.queue(request);
    wire.send().await?;
    match wire.receive().await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::other("an answer to a cancel request")),
    }
}

/// Makes a connection tell when its peer has vanished, and not wait for more to send. `patience`:
/// for so long the peer may take nothing.
pub(crate) fn tune(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(patience.max(UNCONFIRMED)))?;
    #[cfg(not(target_os = "linux"))]
    let _ = patience;
    Ok(())
}

/// What is known of how a connection is protected.
struct Security {
    is_encrypted: bool,
    /// The `tls-server-end-point` of the server's certificate.
    end_point: Option<Vec<u8>>,
}

async fn dial(settings: &Settings, tls: &Tls) -> io::Result<(Wire, Security)> {
    let Database { host, port, .. } = &settings.database;
    let stream = TcpStream::connect((host.as_str(), *port)).await?;
    tune(&stream, settings.request_timeout)?;
    let protected = tls.protect(stream).await?;
    let security =
        Security { is_encrypted: protected.is_encrypted, end_point: protected.end_point };
    Ok((Wire::new(protected.stream, settings.max_response_bytes), security))
}

fn startup_message(settings: &Settings) -> io::Result<BytesMut> {
    let options = session_options(settings.statement_timeout);
    let parameters = [
        ("user", settings.database.user.as_str()),
        ("database", settings.database.name.as_str()),
        ("client_encoding", "UTF8"),
        ("application_name", "atoms-edge-proxy"),
        ("options", options.as_str()),
    ];
    let mut message = BytesMut::new();
    frontend::startup_message(parameters, &mut message)?;
    Ok(message)
}

/// Set at start, these are what `DISCARD ALL` returns to. Postgres must notice by itself when we
/// vanish in the middle of a transaction: it holds locks.
fn session_options(statement_timeout: Duration) -> String {
    format!(
        "-c statement_timeout={} -c tcp_keepalives_idle={} -c tcp_keepalives_interval={} \
         -c tcp_keepalives_count=3",
        statement_timeout.as_millis(),
        KEEPALIVE.as_secs(),
        KEEPALIVE_INTERVAL.as_secs()
    )
}

async fn authenticate(
    wire: &mut Wire,
    database: &Database,
    security: &Security,
) -> Result<(), Failure> {
    let must_bind = database.channel_binding == Binding::Require;
    let mut is_bound = false;
    loop {
        match receive(wire).await? {
            Message::AuthenticationOk if must_bind && !is_bound => {
                return Err(refusal("the server does not bind the channel"));
            }
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationSasl(body) => {
                is_bound = scram(wire, &body, database, security).await?;
            }
            // Whoever is in between could ask for it.
            _ if must_bind || !(security.is_encrypted || database.is_local()) => {
                return Err(refusal("the server asks for a password that others could read"));
            }
            Message::AuthenticationCleartextPassword => {
                password(wire, database.password.as_bytes())?;
            }
            Message::AuthenticationMd5Password(body) => {
                let user = database.user.as_bytes();
                let hash = md5_hash(user, database.password.as_bytes(), body.salt());
                password(wire, hash.as_bytes())?;
            }
            _ => return Err(refusal("unknown authentication method")),
        }
    }
}

fn password(wire: &mut Wire, password: &[u8]) -> Result<(), Failure> {
    let mut message = BytesMut::new();
    frontend::password_message(password, &mut message).map_err(unreachable)?;
    wire.queue(message);
    Ok(())
}

/// SCRAM-SHA-256 (RFC 7677), bound to the TLS connection where both sides can (RFC 5802, section 6).
/// Tells whether it was.
async fn scram(
    wire: &mut Wire,
    offer: &AuthenticationSaslBody,
    database: &Database,
    security: &Security,
) -> Result<bool, Failure> {
    let offered: Vec<&str> = offer.mechanisms().collect().map_err(unreachable)?;
    let (mechanism, binding) = choose(&offered, database.channel_binding, security)?;
    let mut scram = ScramSha256::new(database.password.as_bytes(), binding);
    let mut message = BytesMut::new();
    frontend::sasl_initial_response(mechanism, scram.message(), &mut message)
        .map_err(unreachable)?;
    wire.queue(message);
    let Message::AuthenticationSaslContinue(body) = receive(wire).await? else {
        return Err(refusal("unexpected answer in SCRAM"));
    };
    scram.update(body.data()).map_err(unreachable)?;
    let mut message = BytesMut::new();
    frontend::sasl_response(scram.message(), &mut message).map_err(unreachable)?;
    wire.queue(message);
    let Message::AuthenticationSaslFinal(body) = receive(wire).await? else {
        return Err(refusal("unexpected answer in SCRAM"));
    };
    scram.finish(body.data()).map_err(unreachable)?;
    Ok(mechanism == SCRAM_SHA_256_PLUS)
}

fn choose(
    offered: &[&str],
    wish: Binding,
    security: &Security,
) -> Result<(&'static str, ChannelBinding), Failure> {
    let offers = |mechanism: &str| offered.contains(&mechanism);
    match &security.end_point {
        Some(end_point) if wish != Binding::Disable && offers(SCRAM_SHA_256_PLUS) => {
            let binding = ChannelBinding::tls_server_end_point(end_point.clone());
            Ok((SCRAM_SHA_256_PLUS, binding))
        }
        _ if wish == Binding::Require => Err(refusal("the server does not bind the channel")),
        _ if !offers(SCRAM_SHA_256) => Err(refusal("the server does not offer SCRAM-SHA-256")),
        // Says that we could: a server that could too then knows that somebody has hidden it.
        Some(_) if wish == Binding::Prefer => Ok((SCRAM_SHA_256, ChannelBinding::unrequested())),
        _ => Ok((SCRAM_SHA_256, ChannelBinding::unsupported())),
    }
}

fn refusal(reason: &str) -> Failure {
    Failure::Unreachable(reason.to_owned())
}

/// The next message; an error of the server means that there will be no session.
async fn receive(wire: &mut Wire) -> Result<Message, Failure> {
    match wire.receive().await.map_err(unreachable)? {
        Message::ErrorResponse(body) => {
            Err(Failure::Unreachable(Failure::Sql(Box::new(ErrorObject::read(&body))).to_string()))
        }
        message => Ok(message),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unreachable(error: io::Error) -> Failure {
    Failure::Unreachable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(end_point: Option<&[u8]>) -> Security {
        Security { is_encrypted: true, end_point: end_point.map(<[u8]>::to_vec) }
    }

    #[test]
    fn the_channel_is_bound_where_both_sides_can() {
        let both = [SCRAM_SHA_256, SCRAM_SHA_256_PLUS];
        let known = security(Some(b"hash"));
        let chosen = |offered: &[&str], wish, security: &Security| {
            choose(offered, wish, security).map(|(mechanism, _)| mechanism).ok()
        };
        assert_eq!(chosen(&both, Binding::Prefer, &known), Some(SCRAM_SHA_256_PLUS));
        assert_eq!(chosen(&both, Binding::Require, &known), Some(SCRAM_SHA_256_PLUS));
        assert_eq!(chosen(&both, Binding::Disable, &known), Some(SCRAM_SHA_256));
        assert_eq!(chosen(&both, Binding::Prefer, &security(None)), Some(SCRAM_SHA_256));
        assert_eq!(chosen(&both, Binding::Require, &security(None)), None);
        assert_eq!(chosen(&[SCRAM_SHA_256], Binding::Require, &known), None);
        assert_eq!(chosen(&[], Binding::Prefer, &known), None);
    }

    #[test]
    fn a_hidden_offer_is_noticed_by_the_server() {
        let (_, binding) =
            choose(&[SCRAM_SHA_256], Binding::Prefer, &security(Some(b"hash"))).unwrap();
        let scram = ScramSha256::new(b"", binding);
        assert!(scram.message().starts_with(b"y,,"));
    }
}
