//! Opening a session: connect, TLS, authentication, session defaults.

use std::{io, time::Duration};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{
        backend::{AuthenticationSaslBody, Message},
        frontend,
    },
};
use tokio::net::TcpStream;

use crate::{
    error::{ErrorObject, Failure},
    settings::{Database, Settings},
    tls::Tls,
    wire::Wire,
};

/// A session ready for queries, and what cancels it.
pub(crate) struct Session {
    pub(crate) wire: Wire,
    pub(crate) cancel_key: (i32, i32),
}

/// Opens a session with the pinned target.
pub(crate) async fn open(settings: &Settings, tls: &Tls) -> Result<Session, Failure> {
    let mut wire = dial(settings, tls).await.map_err(unreachable)?;
    let startup = startup_message(settings).map_err(unreachable)?;
    wire.queue(&startup);
    let mut session = Session { wire, cancel_key: (0, 0) };
    authenticate(&mut session.wire, &settings.database).await?;
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

/// Asks Postgres to cancel what a session runs. Best effort: there is no answer.
pub(crate) async fn cancel(
    settings: &Settings,
    tls: &Tls,
    (process, secret): (i32, i32),
) -> io::Result<()> {
    let mut wire = dial(settings, tls).await?;
    let mut request = BytesMut::new();
    frontend::cancel_request(process, secret, &mut request);
    wire.queue(&request);
    wire.send().await
}

async fn dial(settings: &Settings, tls: &Tls) -> io::Result<Wire> {
    let Database { host, port, .. } = &settings.database;
    let stream = TcpStream::connect((host.as_str(), *port)).await?;
    stream.set_nodelay(true)?;
    Ok(Wire::new(tls.protect(stream).await?, settings.max_response_bytes))
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

/// Set at start, these are what `DISCARD ALL` returns to.
fn session_options(statement_timeout: Duration) -> String {
    format!("-c statement_timeout={}", statement_timeout.as_millis())
}

async fn authenticate(wire: &mut Wire, database: &Database) -> Result<(), Failure> {
    loop {
        match receive(wire).await? {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationCleartextPassword => {
                password(wire, database.password.as_bytes())?;
            }
            Message::AuthenticationMd5Password(body) => {
                let user = database.user.as_bytes();
                let hash = md5_hash(user, database.password.as_bytes(), body.salt());
                password(wire, hash.as_bytes())?;
            }
            Message::AuthenticationSasl(body) => scram(wire, &body, &database.password).await?,
            _ => return Err(Failure::Unreachable("unknown authentication method".to_owned())),
        }
    }
}

fn password(wire: &mut Wire, password: &[u8]) -> Result<(), Failure> {
    let mut message = BytesMut::new();
    frontend::password_message(password, &mut message).map_err(unreachable)?;
    wire.queue(&message);
    Ok(())
}

/// SCRAM-SHA-256 (RFC 7677), without channel binding.
async fn scram(
    wire: &mut Wire,
    offer: &AuthenticationSaslBody,
    password: &str,
) -> Result<(), Failure> {
    let offered = offer.mechanisms().any(|name| Ok(name == SCRAM_SHA_256)).map_err(unreachable)?;
    if !offered {
        return Err(Failure::Unreachable("the server does not offer SCRAM-SHA-256".to_owned()));
    }
    let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    let mut message = BytesMut::new();
    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut message)
        .map_err(unreachable)?;
    wire.queue(&message);
    let Message::AuthenticationSaslContinue(body) = receive(wire).await? else {
        return Err(Failure::Unreachable("unexpected answer in SCRAM".to_owned()));
    };
    scram.update(body.data()).map_err(unreachable)?;
    message.clear();
    frontend::sasl_response(scram.message(), &mut message).map_err(unreachable)?;
    wire.queue(&message);
    let Message::AuthenticationSaslFinal(body) = receive(wire).await? else {
        return Err(Failure::Unreachable("unexpected answer in SCRAM".to_owned()));
    };
    scram.finish(body.data()).map_err(unreachable)
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
