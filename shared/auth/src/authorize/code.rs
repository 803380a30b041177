use ledger::OnceId;
use oauth::authorization::AuthorizationRequest;
use oauth::code::{self, CodeGrant};
use ports::Platform;

use super::sealed::nonce;
use super::{Desk, Next};
use crate::Failure;
use crate::login::Login;

/// What a code is issued from.
pub(super) struct Granted<'g> {
    pub(super) request: &'g AuthorizationRequest,
    pub(super) login: &'g Login,
    /// The name of the code.
    pub(super) id: OnceId,
    /// The grant of the sign-in at the identity provider, if it is this code's to hand on.
    pub(super) refresh_token: Option<&'g str>,
}

impl<P: Platform> Desk<'_, P> {
    /// The code of a request that is granted.
    pub(super) fn issue(&self, granted: &Granted<'_>) -> Result<Next, Failure> {
        let Self { platform, settings, .. } = self;
        let Granted { request, login, id, refresh_token } = granted;
        let name = id.to_string();
        let keys = &settings.upstream.keys;
        let seal = |token: &&str| code::seal_upstream(keys, &nonce(*platform), &name, token);
        let upstream = refresh_token.as_ref().map(|token| seal(token).ok_or_else(no_key));
        let grant = CodeGrant {
            client_id: request.target.client_id.clone(),
            redirect_uri: request.target.redirect_uri.clone(),
            code_challenge: request.code_challenge.clone(),
            scopes: request.scopes.clone(),
            resources: request.resources.clone(),
            key: request.key.clone(),
            user: login.user.clone(),
            organization: login.organization.clone(),
            role: login.role.clone(),
            sign_in: login.sign_in.clone(),
            authenticated_at: login.authenticated_at,
            upstream: upstream.transpose()?,
            expires_at: platform.now() + code::LIFETIME,
            id: name,
        };
        let code = code::seal(&settings.code_keys, &nonce(*platform), &grant).ok_or_else(no_key)?;
        Ok(Next::Code(code))
    }
}

fn no_key() -> Failure {
    Failure::Internal("there is no key to seal with".to_owned())
}
