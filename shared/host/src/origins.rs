use oauth::resource::Site;
use ports::{Config, ConfigError};

/// The web origins that browsers may call from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// From `ALLOWED_ORIGINS`; the deployment's own origin is always among them.
    ///
    /// # Errors
    /// If an entry is not an origin, or `PUBLIC_URL` has none.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let own = ports::config::parsed(config, "PUBLIC_URL", "must be a URL", origin)?;
        let listed = config.get("ALLOWED_ORIGINS").unwrap_or_default();
        let listed = listed.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let problem = "must be a comma-separated list of origins, such as https://app.example";
        let mut origins = vec![own];
        for entry in listed {
            match origin(entry) {
                Ok(origin) if origin == entry => origins.push(origin),
                _ => return Err(ConfigError { setting: "ALLOWED_ORIGINS", problem }),
            }
        }
        Ok(Self(origins))
    }

    /// Whether a browser's `Origin` header is one of them.
    pub fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|known| known == origin)
    }
}

fn origin(text: &str) -> Result<String, ()> {
    Site::parse(text).map(|site| site.origin()).ok_or(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Settings(&'static str);

    impl Config for Settings {
        fn get(&self, name: &str) -> Option<String> {
            Some(if name == "PUBLIC_URL" { "https://edge.example" } else { self.0 }.to_owned())
        }
    }

    #[test]
    fn the_own_origin_and_the_listed_ones_are_allowed() {
        let origins = Origins::load(&Settings("https://app.example, http://localhost:5173"));
        let origins = origins.expect("origins");
        for origin in ["https://edge.example", "https://app.example", "http://localhost:5173"] {
            assert!(origins.allow(origin), "{origin}");
        }
        for origin in ["https://evil.example", "null", "https://app.example.evil.example", "*", ""]
        {
            assert!(!origins.allow(origin), "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_at_start() {
        for list in ["*", "app.example", "https://app.example/path", "ftp://x"] {
            assert!(Origins::load(&Settings(list)).is_err(), "{list}");
        }
    }
}
