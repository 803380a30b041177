//! Token exchange, RFC 8693: a first-party app that holds an AuthKit access token gets a session. One
//! that can keep a secret may hand over the AuthKit refresh token instead: then the session holds the
//! grant, and follows what WorkOS says of the person for as long as it lives.

use std::time::Duration;

use data::clients::{ClientKind, ClientRecord};
use ledger::{Command, CreateSession, Envelope, Refusal, Subject};
use oauth::dpop::InvalidProof;
use oauth::form::Form;
use oauth::metadata::TOKEN_EXCHANGE;
use oauth::{ErrorCode, scope};
use ports::Platform;

use crate::authkit::{self, Identity};
use crate::issue::{TokenResponse, mint, started};
use crate::refresh::{Refreshed, UNAUTHORIZED, refused, resources};
use crate::settings::{ClientSettings, MintSettings, Settings};
use crate::visitor::Visitor;
use crate::{Failure, upstream};

const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
const REFRESH_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const JWT_TYPE: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Exchange an AuthKit token for a session of ours. The same sign-in by the same client
/// yields the same session, however often it is repeated. A person who switches the organization
/// within a sign-in exchanges the new AuthKit token: the session moves to that organization, while
/// access tokens that were minted before speak of the old one until they expire.
///
/// A refresh token is redeemed at WorkOS, which replaces it: the client's copy is dead from then on, and
/// WorkOS's sign-in is ours to keep.
///
/// # Errors
/// `invalid_request` for a subject token that is not in force (RFC 8693 section 2.2.2).
pub async fn exchange<P: Platform>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    minting: &MintSettings,
    record: &ClientRecord,
    visitor: &Visitor,
    form: &Form,
) -> Result<(TokenResponse, Refreshed), Failure> {
    let request = Request::parse(settings, record, form)?;
    // Before anything is asked of others.
    let policy = settings.policy_of(record)?;
    let (identity, refresh_token) = proved(platform, minting, record, &request.subject).await?;
    let subject = provision(platform, settings, &identity, data::DEFAULT_TIMEOUT).await?;
    let address = settings.user_ledger(&subject.id);
    let command = asked(request, client, record, visitor, subject, &identity);
    let envelope = Envelope { policy, ..settings.envelope(command) };
    let (issue, budget) =
        started(platform, &address, &envelope).await?.map_err(refused_or_replayed)?;
    if let Some(token) = refresh_token {
        let place = (&address, issue.session);
        upstream::grant(platform, settings, minting, place, &token, &identity).await?;
    }
    let key = visitor.key();
    let mut response = mint(platform, settings, client, minting, record, &issue, key).await?;
    response.issued_token_type = Some(ACCESS_TOKEN_TYPE);
    let session = issue.session.to_string();
    Ok((response, Refreshed { session, repeated: issue.repeated, budget }))
}

/// How a refusal of the ledger looks where nothing can be used once but a proof.
pub(crate) fn refused_or_replayed(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Replayed => InvalidProof::Replayed.into(),
        other => refused(other),
    }
}

/// The session that a client asks for.
fn asked(
    request: Request<'_>,
    client: &ClientSettings,
    record: &ClientRecord,
    visitor: &Visitor,
    subject: Subject,
    identity: &Identity,
) -> Command {
    Command::CreateSession(CreateSession {
        subject,
        client_id: record.client_id.clone(),
        scopes: request.scopes.names,
        scopes_by_default: request.scopes.by_default,
        resources: request.resources.names,
        resources_by_default: request.resources.by_default,
        device: visitor.device.clone(),
        external_id: Some(identity.external_id()),
        authenticated_at: identity.issued_at,
        key_id: client.refresh_keys.newest(),
        signals: visitor.signals.clone(),
        fresh_for: 0,
        code: None,
        proof: visitor.once(),
        key: visitor.key().map(str::to_owned),
    })
}

/// Whom the subject token speaks of, and the AuthKit refresh token that it was redeemed for, if it was.
async fn proved<P: Platform>(
    platform: &P,
    minting: &MintSettings,
    record: &ClientRecord,
    subject: &Proof<'_>,
) -> Result<(Identity, Option<String>), Failure> {
    let (access_token, refresh_token) = match subject {
        Proof::Access(token) => ((*token).to_owned(), None),
        Proof::Refresh(token) => {
            let taken = upstream::take_over(platform, minting, &record.client_id, token).await?;
            let redeemed = taken.map_err(not_valid)?;
            (redeemed.access_token, Some(redeemed.refresh_token))
        }
    };
    let identity = authkit::verify(platform, &minting.workos, &access_token).await?;
    Ok((identity, refresh_token))
}

/// What a client asks for, checked against its registration.
struct Request<'f> {
    subject: Proof<'f>,
    scopes: Ask,
    resources: Ask,
}

/// What proves the sign-in.
enum Proof<'f> {
    Access(&'f str),
    Refresh(&'f str),
}

/// Scopes or resources, and whether they are the default because the client named none.
pub(crate) struct Ask {
    pub(crate) names: Vec<String>,
    by_default: bool,
}

impl Ask {
    pub(crate) fn new(named: Option<Vec<String>>, default: impl FnOnce() -> Vec<String>) -> Self {
        Self { by_default: named.is_none(), names: named.unwrap_or_else(default) }
    }
}

impl<'f> Request<'f> {
    fn parse(settings: &Settings, record: &ClientRecord, form: &'f Form) -> Result<Self, Failure> {
        if !record.may_use(TOKEN_EXCHANGE) || !record.first_party {
            return Err(UNAUTHORIZED);
        }
        let subject_token = form.require("subject_token", "subject_token is missing")?;
        let token_type = form.require("subject_token_type", "subject_token_type is missing")?;
        let subject = match token_type {
            ACCESS_TOKEN_TYPE | JWT_TYPE => Proof::Access(subject_token),
            // Whoever can read a public client could hand over what it has found there.
            REFRESH_TOKEN_TYPE if record.kind != ClientKind::Confidential => {
                return Err(UNAUTHORIZED);
            }
            REFRESH_TOKEN_TYPE => Proof::Refresh(subject_token),
            _ => return Err(invalid("the subject token type is not supported")),
        };
        if form.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN_TYPE) {
            return Err(invalid("only access tokens can be requested"));
        }
        if form.get("actor_token").is_some() {
            return Err(invalid("actor tokens are not supported"));
        }
        Ok(Self {
            subject,
            scopes: scopes(record, form)?,
            resources: Ask::new(resources(settings, form)?, || everything(settings)),
        })
    }
}

/// All resources of the deployment.
pub(crate) fn everything(settings: &Settings) -> Vec<String> {
    vec![settings.resources.issuer().to_owned(), settings.resources.mcp().to_owned()]
}

/// The scopes asked for, all of which the client must be registered for; by default all that it is
/// registered for but `offline_access`, which lengthens a session and is asked for by name.
pub(crate) fn scopes(record: &ClientRecord, form: &Form) -> Result<Ask, Failure> {
    let named = form.get("scope").map(scope::parse).transpose()?;
    if named.iter().flatten().any(|name| !record.scopes.contains(name)) {
        return Err(Failure::refused(
            ErrorCode::InvalidScope,
            "the client is not registered for the scope",
            "scope not registered",
        ));
    }
    let usual = || record.scopes.iter().filter(|name| *name != scope::OFFLINE_ACCESS);
    Ok(Ask::new(named, || usual().cloned().collect()))
}

/// The person's place in the business data: the organization of the sign-in, or their own.
pub(crate) async fn provision(
    platform: &impl Platform,
    settings: &Settings,
    identity: &Identity,
    patience: Duration,
) -> Result<Subject, Failure> {
    let sql = &settings.sql;
    let database = data::NeonSql::new(platform, sql.url.clone(), sql.connection_string.clone())
        .with_timeout(patience);
    let place = data::membership::provision(
        &database,
        &identity.user,
        identity.organization.as_deref(),
        identity.role.as_deref(),
        &data::new_uuid(platform.now(), platform),
    )
    .await?;
    Ok(Subject {
        id: identity.user.clone(),
        organization: Some(place.organization_id),
        roles: vec![place.role],
    })
}

/// RFC 8693 section 2.2.2.
const fn not_valid(reason: &'static str) -> Failure {
    Failure::refused(ErrorCode::InvalidRequest, "the subject token is not valid", reason)
}

const fn invalid(description: &'static str) -> Failure {
    Failure::refused(ErrorCode::InvalidRequest, description, description)
}
