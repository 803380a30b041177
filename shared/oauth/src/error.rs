//! The error codes that clients see, each with its status: RFC 6749 section 5.2 and its extensions.

use http::StatusCode;

/// A registered OAuth error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request is malformed. RFC 6749 section 5.2.
    InvalidRequest,
    /// Client authentication failed. RFC 6749 section 5.2.
    InvalidClient,
    /// The grant or token is not valid, or not this client's. RFC 6749 section 5.2.
    InvalidGrant,
    /// The client may not do this. RFC 6749 section 5.2.
    UnauthorizedClient,
    /// The grant type is not served here. RFC 6749 section 5.2.
    UnsupportedGrantType,
    /// Tokens of this type cannot be revoked. RFC 7009 section 2.2.1.
    UnsupportedTokenType,
    /// The scope is unknown, malformed or exceeds the grant. RFC 6749 section 5.2.
    InvalidScope,
    /// The resource is unknown, malformed or exceeds the grant. RFC 8707 section 2.
    InvalidTarget,
    /// The proof of possession is none for this request. RFC 9449 section 5.
    InvalidDpopProof,
    /// The proof of possession must carry the nonce that comes with this answer. RFC 9449 section 8.
    UseDpopNonce,
    /// The person or the policy denies it. RFC 6749 section 4.1.2.1.
    AccessDenied,
    /// Only codes are issued at the authorization endpoint. RFC 6749 section 4.1.2.1.
    UnsupportedResponseType,
    /// Nobody is signed in, and nobody may be asked. OpenID Connect Core section 3.1.2.6.
    LoginRequired,
    /// The person has not agreed, and may not be asked. OpenID Connect Core section 3.1.2.6.
    ConsentRequired,
    /// The person must be asked, and may not be. OpenID Connect Core section 3.1.2.6.
    InteractionRequired,
    /// Request objects are not read. RFC 9101 section 10.5.
    RequestNotSupported,
    /// Request URIs of others are not followed. RFC 9101 section 10.5.
    RequestUriNotSupported,
    /// The request URI is none of ours, of another client, used or too old. RFC 9101 section 7.
    InvalidRequestUri,
    /// A redirect URI of a registration is none that may be used. RFC 7591 section 3.2.2.
    InvalidRedirectUri,
    /// What a client tells of itself is malformed or not served here. RFC 7591 section 3.2.2.
    InvalidClientMetadata,
    /// Something that we need does not answer. RFC 6749 section 4.1.2.1.
    TemporarilyUnavailable,
    /// Our fault. RFC 6749 section 4.1.2.1.
    ServerError,
}

impl ErrorCode {
    /// The code on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// The HTTP status that goes with the code at the token endpoint.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedTokenType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::InvalidDpopProof
            | Self::UseDpopNonce
            | Self::UnsupportedResponseType
            | Self::LoginRequired
            | Self::ConsentRequired
            | Self::InteractionRequired
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported
            | Self::InvalidRequestUri
            | Self::InvalidRedirectUri
            | Self::InvalidClientMetadata => StatusCode::BAD_REQUEST,
        }
    }
}

/// What a client is told: a code and a sentence that holds nothing of the request or the inside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct OAuthError {
    /// The code.
    pub code: ErrorCode,
    /// For the developer of the client.
    pub description: &'static str,
}

impl OAuthError {
    /// An error with a code and a description.
    pub const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description }
    }

    /// `invalid_request`.
    pub const fn invalid_request(description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }
}
