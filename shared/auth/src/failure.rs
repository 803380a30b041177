//! How a request at an OAuth endpoint can fail.

use data::DataError;
use ledger::{Budget, Millis};
use oauth::{ErrorCode, OAuthError};
use ports::{LedgerError, SignatureError};

/// Why an OAuth endpoint does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The request is refused, with what the client is told and, where it differs, why.
    #[error("{told} ({reason})")]
    Refused {
        /// For the client.
        told: OAuthError,
        /// For the log.
        reason: &'static str,
    },
    /// The client is who it says, and may not use this endpoint at all.
    #[error("{told}")]
    Forbidden {
        /// For the client.
        told: OAuthError,
    },
    /// Client authentication failed; `basic` if it was tried by that header.
    #[error("client authentication failed: {reason}")]
    Client {
        /// Whether to challenge for Basic.
        basic: bool,
        /// For the log.
        reason: &'static str,
    },
    /// A proactive refresh came too early: nothing was rotated, and nothing is handed out.
    #[error("not due")]
    NotDue {
        /// From when on it is due.
        due_at: Millis,
    },
    /// The person's clients ask too often: nothing was decided, and nothing consumed.
    #[error("rate limit: {}", budget.class.as_str())]
    Limited {
        /// Of what, and when there is more.
        budget: Budget,
    },
    /// The client has failed too often from its network: nothing was looked at.
    #[error("too many failures from one network")]
    Backoff {
        /// When its next request is looked at.
        until: Millis,
    },
    /// What is registered of the client cannot be used: for operators to mend.
    #[error("misconfigured: {0}")]
    Misconfigured(String),
    /// A dependency does not answer: nothing was decided, the client may try again.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A defect of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl Failure {
    /// A refusal whose reason is for the log alone.
    pub const fn refused(code: ErrorCode, description: &'static str, reason: &'static str) -> Self {
        Self::Refused { told: OAuthError::new(code, description), reason }
    }

    /// `invalid_grant`: one description for every cause, so that a thief learns nothing.
    pub const fn invalid_grant(reason: &'static str) -> Self {
        Self::refused(ErrorCode::InvalidGrant, "the token is not valid for this client", reason)
    }

    /// An answer of the ledger that does not belong to the command.
    pub fn unexpected(outcome: &ledger::Outcome) -> Self {
        Self::Internal(outcome.out_of_turn())
    }
}

impl From<OAuthError> for Failure {
    fn from(told: OAuthError) -> Self {
        let reason = told.code.as_str();
        Self::Refused { told, reason }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<SignatureError> for Failure {
    fn from(error: SignatureError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Unavailable(cause) => Self::Unavailable(cause),
            other => Self::Internal(other.to_string()),
        }
    }
}
