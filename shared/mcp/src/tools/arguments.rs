//! Strict reading of a call's arguments: each error names the argument and says what to do.

use serde_json::{Map, Value};

use super::Failure;

/// The arguments that have not been read yet.
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(super) fn new(arguments: Map<String, Value>) -> Self {
        Self(arguments)
    }

    /// Refuse every argument that is not among `names`.
    pub(super) fn allow(&self, operation: &str, names: &[&str]) -> Result<(), Failure> {
        let Some(stranger) = self.0.keys().find(|name| !names.contains(&name.as_str())) else {
            return Ok(());
        };
        let shown: String = stranger.chars().take(64).collect();
        let names = names.join(", ");
        let advice = format_args!("unknown to {operation}; remove it. Known are: {names}.");
        Err(Failure::argument(&shown, advice))
    }

    /// A string that must be there.
    pub(super) fn required_text(&mut self, name: &str) -> Result<String, Failure> {
        self.text(name)?.ok_or_else(|| Failure::argument(name, "is missing; give a string."))
    }

    /// A string, if it is there.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::argument(name, "must be a string; omit it if there is none.")),
        }
    }

    /// A whole number within `least..=most`, if it is there.
    pub(super) fn integer(
        &mut self,
        name: &str,
        least: u16,
        most: u16,
    ) -> Result<Option<u16>, Failure> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        // 5.0 is an integer to JSON Schema, too.
        let range = f64::from(least)..=f64::from(most);
        let number =
            value.as_f64().filter(|number| number.fract() == 0.0 && range.contains(number));
        match number {
            Some(number) => Ok(Some(number as u16)),
            None => {
                let advice = format_args!("must be an integer from {least} to {most}.");
                Err(Failure::argument(name, advice))
            }
        }
    }
}
