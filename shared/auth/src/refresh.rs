//! The refresh grant, RFC 6749 section 6.

use data::clients::ClientRecord;
use ledger::{Address, Answer, Budget, Command, Outcome, Refresh, Refusal, UpstreamOutcome};
use oauth::dpop::InvalidProof;
use oauth::form::Form;
use oauth::metadata::REFRESH_TOKEN;
use oauth::{ErrorCode, RefreshToken, scope};
use ports::{Millis, Platform};

use crate::issue::{TokenResponse, mint};
use crate::presented::FORGED;
use crate::settings::{ClientSettings, MintSettings, Settings};
use crate::visitor::Visitor;
use crate::{Failure, upstream};

/// Exchange a refresh token for its successor, for an authenticated client. With `proactive=true`
/// only if the access token expires within five minutes, unless `force_rotation=true` overrules it.
///
/// If the session's AuthKit grant is due, it is renewed first, so that the tokens speak of what WorkOS
/// says by now. Without an answer of WorkOS the refresh goes on; that the grant has ended ends the
/// session.
///
/// # Errors
/// `invalid_grant` for every token that is not in force for this client; nothing is consumed but
/// by reuse of a replaced token, which ends the session.
pub async fn refresh<P: Platform>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    minting: &MintSettings,
    record: &ClientRecord,
    visitor: &Visitor,
    form: &Form,
) -> Result<(TokenResponse, Refreshed), Failure> {
    let text = form.require("refresh_token", "refresh_token is missing")?;
    if !record.may_use(REFRESH_TOKEN) {
        return Err(UNAUTHORIZED);
    }
    let token =
        RefreshToken::decode(text, &settings.issuer, &client.refresh_keys).map_err(|_| {
            let failure = Failure::invalid_grant(FORGED);
            guessed(client, record, visitor, platform.now(), failure)
        })?;
    let command = asked(settings, client, record, visitor, &token, form)?;
    let Answer { outcome, budget } =
        decided(platform, settings, minting, record, &token.address, command).await?;
    match outcome {
        Outcome::Issued(issue) => {
            let key = visitor.key();
            let response = mint(platform, settings, client, minting, record, &issue, key).await?;
            let session = issue.session.to_string();
            Ok((response, Refreshed { session, repeated: issue.repeated, budget }))
        }
        // Of all that could be used once, there is nothing but the proof.
        Outcome::Refused(Refusal::Replayed) => Err(InvalidProof::Replayed.into()),
        Outcome::Refused(refusal) => Err(refused(refusal)),
        Outcome::Limited(budget) => Err(Failure::Limited { budget }),
        Outcome::NotDue { due_at } => Err(Failure::NotDue { due_at }),
        other => Err(Failure::unexpected(&other)),
    }
}

/// The refresh that a form asks for.
fn asked(
    settings: &Settings,
    client: &ClientSettings,
    record: &ClientRecord,
    visitor: &Visitor,
    token: &RefreshToken,
    form: &Form,
) -> Result<Refresh, Failure> {
    Ok(Refresh {
        session: token.session,
        generation: token.generation,
        counter: token.counter,
        client_id: record.client_id.clone(),
        scopes: form.get("scope").map(scope::parse).transpose()?,
        resources: resources(settings, form)?,
        key_id: client.refresh_keys.newest(),
        proactive: form.flag("proactive")?,
        force_rotation: form.flag("force_rotation")?,
        renews_upstream: true,
        signals: visitor.signals.clone(),
        key: visitor.key().map(str::to_owned),
        proof: visitor.once(),
    })
}

/// What the ledger decides, with the grant at the identity provider renewed before if that is due.
async fn decided<P: Platform>(
    platform: &P,
    settings: &Settings,
    minting: &MintSettings,
    record: &ClientRecord,
    address: &Address,
    mut command: Refresh,
) -> Result<Answer, Failure> {
    let mut envelope = settings.envelope_for(record, Command::Refresh(command.clone()))?;
    let answer = platform.ask(address, &envelope).await?;
    if answer.outcome != Outcome::Upstream(UpstreamOutcome::Due) {
        return Ok(answer);
    }
    upstream::renew(platform, settings, minting, (address, command.session)).await?;
    command.renews_upstream = false;
    envelope.command = Command::Refresh(command);
    Ok(platform.ask(address, &envelope).await?)
}

/// What is told of a refresh besides its tokens.
pub struct Refreshed {
    /// The session.
    pub session: String,
    /// Whether the answer was given before.
    pub repeated: bool,
    /// What is left of the rate limit that it has spent from, for the client.
    pub budget: Option<Budget>,
}

/// A token or code that nobody has minted counts against whoever presents it.
pub(crate) fn guessed(
    client: &ClientSettings,
    record: &ClientRecord,
    visitor: &Visitor,
    now: Millis,
    failure: Failure,
) -> Failure {
    let network = visitor.signals.network.as_deref();
    client.failures.borrow_mut().failed(&record.client_id, network, now);
    failure
}

/// The resources that a request asks for, in their canonical form; `None` if it asks for none.
///
/// # Errors
/// `invalid_target` for one that is not ours.
pub(crate) fn resources(settings: &Settings, form: &Form) -> Result<Option<Vec<String>>, Failure> {
    let mut resources: Vec<String> = Vec::new();
    for text in form.all("resource").chain(form.all("audience")) {
        let resource = settings.resources.canonical(text)?;
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    Ok(Some(resources).filter(|resources| !resources.is_empty()))
}

/// How a refusal of the ledger looks to a client: every way of not being in force looks alike.
pub(crate) fn refused(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::UnknownSession => Failure::invalid_grant("unknown session"),
        Refusal::SessionEnded(_) => Failure::invalid_grant("session ended"),
        Refusal::ForeignClient => Failure::invalid_grant("another client's token"),
        Refusal::Reuse => Failure::invalid_grant("reuse detected, session ended"),
        Refusal::DeviceChanged => Failure::invalid_grant("another device"),
        Refusal::NetworkChanged => Failure::invalid_grant("another network"),
        Refusal::Exhausted => Failure::invalid_grant("generations exhausted"),
        Refusal::TooMany => Failure::invalid_grant("too many tokens"),
        // Of a token exchange, where RFC 8693 section 2.2.2 asks for this code.
        Refusal::StaleProof => Failure::refused(
            ErrorCode::InvalidRequest,
            "the subject token is not valid",
            "proof older than the session's end",
        ),
        Refusal::ScopeNotGranted => Failure::refused(
            ErrorCode::InvalidScope,
            "the scope exceeds what was granted",
            "scope not granted",
        ),
        Refusal::ResourceNotGranted => Failure::refused(
            ErrorCode::InvalidTarget,
            "the resource exceeds what was granted",
            "resource not granted",
        ),
        Refusal::Replayed => Failure::invalid_grant("used before"),
        Refusal::WrongKey => Failure::invalid_grant("bound to another key"),
        Refusal::Full => Failure::Unavailable("no room to remember what is used up".to_owned()),
        Refusal::SessionLimit => Failure::refused(
            ErrorCode::AccessDenied,
            "the person has as many sessions as are allowed",
            "session limit",
        ),
    }
}

/// The client is not registered for the grant.
pub(crate) const UNAUTHORIZED: Failure = Failure::refused(
    ErrorCode::UnauthorizedClient,
    "the client may not use this grant type",
    "grant type not registered",
);
