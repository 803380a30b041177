use ports::route::{Function, Match};
use ports::{Config, ConfigError, Platform, Request, Response};

/// What a function is to its host.
#[expect(async_fn_in_trait, reason = "statically dispatched on single-threaded hosts")]
pub trait Endpoint {
    /// Which function of the route table it is.
    const FUNCTION: Function;

    /// Whether it leaves dependencies alone that have failed again and again. What tells how they are
    /// must ask them.
    const GUARDED: bool = true;

    /// What it reads from the deployment's settings, once per instance.
    type Settings: 'static;

    /// Read the settings. While this fails, every route but `/health/live` answers 503.
    ///
    /// # Errors
    /// The first setting that is missing or malformed.
    fn configure(config: &impl Config) -> Result<Self::Settings, ConfigError>;

    /// Answer a request whose route and method belong to the function and whose body is bounded.
    async fn handle(
        platform: &impl Platform,
        settings: &Self::Settings,
        route: &Match<'_>,
        request: &Request,
    ) -> Response;
}
