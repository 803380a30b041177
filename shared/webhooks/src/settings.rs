use ports::{Config, ConfigError};
use sha2::{Digest as _, Sha256};

use crate::{Secrets, target};

const URLS: &str = "WEBHOOK_URLS";
const SECRETS: &str = "WEBHOOK_SECRETS";

/// Who is told, for the whole deployment. Without the settings nobody is.
#[derive(Default)]
pub struct Settings {
    /// In the order of the settings.
    pub endpoints: Vec<Endpoint>,
}

/// Who is told.
pub struct Endpoint {
    /// Its name in queues and logs: a hash of the URL, which may have secrets in it.
    pub name: String,
    /// Where to send messages.
    pub url: String,
    /// By which they are signed.
    pub secrets: Secrets,
}

impl Settings {
    /// Endpoints of a deployment. Each costs every message an attempt.
    pub const MAX: usize = 5;

    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is malformed, or missing where the other is there.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let get = |name| config.get(name).unwrap_or_default();
        Self::parse(&get("PUBLIC_URL"), &get(URLS), &get(SECRETS))
    }

    /// Of the texts of the settings: the issuer's URL, the endpoints' URLs, separated by commas, and
    /// as many secrets in their order, separated by commas likewise; see [`Secrets::parse`].
    ///
    /// # Errors
    /// The first one that is malformed, or missing where the other is there.
    pub fn parse(issuer: &str, urls: &str, secrets: &str) -> Result<Self, ConfigError> {
        let urls = checked(issuer, urls)?;
        let wrong = |problem| ConfigError { setting: SECRETS, problem };
        let secrets: Vec<_> = list(secrets).collect();
        if secrets.len() != urls.len() {
            return Err(wrong("must be as many as WEBHOOK_URLS, separated by commas"));
        }
        let endpoints = urls.into_iter().zip(secrets).map(|(url, secrets)| {
            let secrets = Secrets::parse(secrets)
                .ok_or(wrong("must be whsec_ and base64 of 24 to 64 bytes each"))?;
            Ok(Endpoint { name: name(url), url: url.to_owned(), secrets })
        });
        Ok(Self { endpoints: endpoints.collect::<Result<_, _>>()? })
    }

    /// Whether anybody is to be told, for those who announce but do not deliver and have no secrets.
    ///
    /// # Errors
    /// If the URLs are malformed.
    pub fn any(config: &impl Config, issuer: &str) -> Result<bool, ConfigError> {
        checked(issuer, &config.get(URLS).unwrap_or_default()).map(|urls| !urls.is_empty())
    }
}

fn checked<'a>(issuer: &str, urls: &'a str) -> Result<Vec<&'a str>, ConfigError> {
    let wrong = |problem| ConfigError { setting: URLS, problem };
    let urls: Vec<_> = list(urls).collect();
    if urls.len() > Settings::MAX {
        return Err(wrong("must be at most five"));
    }
    for (index, url) in urls.iter().enumerate() {
        target::check(url, target::is_local(issuer)).map_err(wrong)?;
        if urls[..index].contains(url) {
            return Err(wrong("must differ"));
        }
    }
    Ok(urls)
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty())
}

fn name(url: &str) -> String {
    let hash = Sha256::digest(url);
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://edge.example";
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn refused(issuer: &str, urls: &str, secrets: &str) -> &'static str {
        Settings::parse(issuer, urls, secrets).map(drop).unwrap_err().setting
    }

    #[test]
    fn each_endpoint_has_its_secrets() {
        let settings = Settings::parse(
            ISSUER,
            "https://a.example/x, https://b.example",
            &format!("{SECRET} {SECRET},{SECRET}"),
        );
        let endpoints = settings.unwrap().endpoints;
        let urls: Vec<_> = endpoints.iter().map(|endpoint| endpoint.url.as_str()).collect();
        assert_eq!(urls, ["https://a.example/x", "https://b.example"]);
        assert!(endpoints[0].secrets != endpoints[1].secrets);
        assert_ne!(endpoints[0].name, endpoints[1].name);
        assert!(Settings::parse(ISSUER, "", "").unwrap().endpoints.is_empty());
    }

    #[test]
    fn what_is_malformed_or_does_not_go_together_is_named() {
        let (one, two) = ("https://a.example", "https://a.example,https://b.example");
        assert_eq!(refused(ISSUER, one, ""), SECRETS);
        assert_eq!(refused(ISSUER, "", SECRET), SECRETS);
        assert_eq!(refused(ISSUER, two, SECRET), SECRETS);
        assert_eq!(refused(ISSUER, one, "secret"), SECRETS);
        assert_eq!(refused(ISSUER, "http://127.0.0.1/", SECRET), URLS);
        assert_eq!(refused(ISSUER, "https://a.example,https://a.example", SECRET), URLS);
        assert_eq!(refused(ISSUER, &[one; 6].join(","), SECRET), URLS);
        assert!(Settings::parse("http://127.0.0.1:1", "http://127.0.0.1:2/", SECRET).is_ok());
    }
}
