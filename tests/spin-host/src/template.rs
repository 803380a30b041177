//! `{{ variable }}` in the manifest's strings.

use anyhow::{Context, Result};

/// Literal text and names of variables, in turn.
#[derive(Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, PartialEq)]
enum Part {
    Literal(String),
    Variable(String),
}

impl Template {
    /// Splits a string at its braces.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("{{") {
            let (name, after) =
                after.split_once("}}").context("a template opens {{ and does not close it")?;
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(Part::Variable(name.trim().to_owned()));
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The variables it needs.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text with every variable in its place; the first error of the look-up otherwise.
    pub(crate) fn resolve<'a>(
        &self,
        mut value: impl FnMut(&str) -> Result<&'a str>,
    ) -> Result<String> {
        let mut whole = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => whole.push_str(text),
                Part::Variable(name) => whole.push_str(value(name)?),
            }
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn resolved(text: &str) -> Result<String> {
        Template::parse(text)?.resolve(|name| match name {
            "host" => Ok("db"),
            other => bail!("no {other}"),
        })
    }

    #[test]
    fn variables_are_put_in_place() {
        assert_eq!(resolved("plain").unwrap(), "plain");
        assert_eq!(resolved("{{host}}").unwrap(), "db");
        assert_eq!(resolved("a-{{ host }}-{{host}}-b").unwrap(), "a-db-db-b");
    }

    #[test]
    fn what_cannot_be_resolved_is_an_error() {
        assert!(resolved("{{ other }}").is_err());
        assert!(Template::parse("{{ host").is_err());
    }
}
