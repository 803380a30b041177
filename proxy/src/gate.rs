//! Who may use the proxy: callers that know the pinned user and the shared secret.

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

/// Checks the `Neon-Connection-String` of a request.
pub(crate) struct Gate {
    expected: [u8; 32],
}

impl Gate {
    pub(crate) fn new(user: &str, secret: &str) -> Self {
        Self { expected: digest(user.as_bytes(), secret.as_bytes()) }
    }

    /// True when user and password are the pinned ones. Host, port and database are not looked
    /// at: the target is pinned. Takes the same time wherever the difference is.
    pub(crate) fn admits(&self, connection_string: &str) -> bool {
        let Ok(url) = Url::parse(connection_string) else { return false };
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return false;
        }
        let user: Vec<u8> = percent_decode_str(url.username()).collect();
        let password: Vec<u8> = percent_decode_str(url.password().unwrap_or_default()).collect();
        digest(&user, &password).ct_eq(&self.expected).into()
    }
}

fn digest(user: &[u8], password: &[u8]) -> [u8; 32] {
    // The length keeps ("ab", "c") and ("a", "bc") apart.
    let length = (user.len() as u64).to_be_bytes();
    Sha256::new().chain_update(length).chain_update(user).chain_update(password).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_only_the_pinned_user_with_the_secret() {
        let gate = Gate::new("authenticator", "s/cr:t");
        for good in [
            "postgresql://authenticator:s%2Fcr%3At@db.example/atoms",
            "postgres://authenticator:s%2Fcr%3At@elsewhere:1/other?application_name=x",
        ] {
            assert!(gate.admits(good), "{good}");
        }
        for bad in [
            "",
            "authenticator:s%2Fcr%3At",
            "https://authenticator:s%2Fcr%3At@db/atoms",
            "postgres://authenticator@db/atoms",
            "postgres://authenticator:wrong@db/atoms",
            "postgres://postgres:s%2Fcr%3At@db/atoms",
            "postgres://authenticators:%2Fcr%3At@db/atoms",
            "postgres://db/atoms",
        ] {
            assert!(!gate.admits(bad), "{bad}");
        }
    }
}
