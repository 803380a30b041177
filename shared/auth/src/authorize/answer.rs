use data::clients::ClientRecord;
use data::consents::Agreed;
use http::HeaderMap;
use oauth::form::Form;
use oauth::{ErrorCode, OAuthError};
use ports::Platform;

use super::code::Granted;
use super::entry::{place, trusted};
use super::sealed::{Asked, open};
use super::{AuthorizeSettings, Desk, Next, Visit};
use crate::consent::{self, Decided, NoDecision};
use crate::settings::Settings;
use crate::{Failure, login};

/// What a person has answered, and what comes of it.
#[derive(Debug)]
pub struct Answered {
    /// Who had asked.
    pub client: ClientRecord,
    /// Whether they allow it.
    pub allowed: bool,
    /// The way back.
    pub visit: Visit,
}

/// A person answers: 1. it is their answer, on our page, 2. to a request that is still good, of a client
/// that is still known, 3. keep it in mind, 4. the client gets its code, or is told.
///
/// # Errors
/// For the person alone, if it is not theirs or comes too late.
pub async fn answer<P: Platform>(
    platform: &P,
    service: &Settings,
    settings: &AuthorizeSettings,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Answered, Failure> {
    let desk = Desk { platform, service, settings, headers };
    let now = platform.now();
    let decided = consent::decide(&settings.login, headers, form, now).map_err(undecided)?;
    let Decided { login, request, allowed } = &decided;
    if login::is_over(platform, service, login).await? {
        return Err(undecided(NoDecision::SignedOut));
    }
    let asked: Asked = open(&settings.request_keys, &place(login), request, now)
        .ok_or(refused("you were asked too long ago; start again at the application", "too old"))?;
    let target = asked.request.target.clone();
    let client = desk.known(&target.client_id).await?;
    trusted(&client, &target)?;
    let next = if *allowed {
        desk.allowed(&client, &asked, &decided).await
    } else {
        Err(OAuthError::new(ErrorCode::AccessDenied, "the person has denied it").into())
    };
    let visit = Visit { target, cookies: Vec::new(), next };
    Ok(Answered { client, allowed: *allowed, visit })
}

impl<P: Platform> Desk<'_, P> {
    async fn allowed(
        &self,
        client: &ClientRecord,
        asked: &Asked,
        decided: &Decided,
    ) -> Result<Next, Failure> {
        let agreed = Agreed {
            client_id: client.client_id.clone(),
            client_name: client.name.clone(),
            scopes: asked.request.scopes.clone(),
        };
        let (sql, user) = (&self.service.sql, &decided.login.user);
        consent::remember(self.platform, sql, user, &agreed).await?;
        self.issue(&Granted {
            request: &asked.request,
            login: &decided.login,
            id: asked.code,
            refresh_token: asked.refresh_token.as_deref(),
        })
    }
}

fn undecided(why: NoDecision) -> Failure {
    match why {
        NoDecision::SignedOut => {
            refused("you are not signed in any more; start again at the application", "signed out")
        }
        NoDecision::Unclear => refused("the answer is neither yes nor no", "unclear"),
        NoDecision::Forged(_) => Failure::Forbidden {
            told: OAuthError::new(
                ErrorCode::AccessDenied,
                "this answer was not given on our page by whoever is signed in now",
            ),
        },
    }
}

const fn refused(told: &'static str, reason: &'static str) -> Failure {
    Failure::refused(ErrorCode::InvalidRequest, told, reason)
}
