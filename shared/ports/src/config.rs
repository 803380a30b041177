//! Reading settings: each is there and well-formed, or the function refuses to serve and names it.

use std::str::FromStr;

use crate::Config;

/// A setting that keeps the function from serving. Its value is never part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("setting {setting}: {problem}")]
pub struct ConfigError {
    /// The setting's name.
    pub setting: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The text of a setting that must be there.
///
/// # Errors
/// If it is absent or empty.
pub fn required(config: &impl Config, setting: &'static str) -> Result<String, ConfigError> {
    config.get(setting).ok_or(ConfigError { setting, problem: "is not set" })
}

/// A setting that must be there, parsed by `parse`.
///
/// # Errors
/// If it is absent or `parse` refuses it; then `problem` says what it should be.
pub fn parsed<T, E>(
    config: &impl Config,
    setting: &'static str,
    problem: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, ConfigError> {
    parse(&required(config, setting)?).map_err(|_| ConfigError { setting, problem })
}

/// A setting that may be absent.
///
/// # Errors
/// If it is there and no number.
pub fn number<T: FromStr>(
    config: &impl Config,
    setting: &'static str,
) -> Result<Option<T>, ConfigError> {
    let problem = "must be a whole number in range";
    config
        .get(setting)
        .map(|text| text.trim().parse().map_err(|_| ConfigError { setting, problem }))
        .transpose()
}
