//! What a database consists of, as a text that people review: everything in the schemas of ours and the
//! roles, each with a key in a line of its own and its definition indented below. Two such texts are
//! compared by key.

use std::collections::BTreeMap;
use std::fmt;

use crate::connection::{Connection, Failure, Statement};

const QUERY: &str = include_str!("catalogue.sql");
const INDENT: &str = "    ";

/// Definitions by key, such as `table app.workspaces policy user_read`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalogue(BTreeMap<String, String>);

/// What one of two catalogues has and the other does not have so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Found and not expected: the key and the definition.
    More(String, String),
    /// Expected and not found: the key and the definition.
    Less(String, String),
    /// Found otherwise than expected.
    Different {
        /// Of what.
        key: String,
        /// The definition that was expected.
        expected: String,
        /// The one that was found.
        found: String,
    },
}

impl Catalogue {
    /// Read that of a database. Any login may.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn read(connection: &mut impl Connection) -> Result<Self, Failure> {
        let path = Statement::new("select set_config('search_path', 'pg_catalog', true)");
        let rows = connection.transaction(&[path, Statement::new(QUERY)]).await?;
        let rows = rows.into_iter().nth(1).unwrap_or_default();
        let entry = |row: Vec<Option<String>>| match <[_; 2]>::try_from(row) {
            Ok([Some(key), definition]) => Ok((key, tidy(&definition.unwrap_or_default()))),
            _ => Err(Failure::Protocol("an entry of the catalogue has no name".to_owned())),
        };
        Ok(Self(rows.into_iter().map(entry).collect::<Result<_, _>>()?))
    }

    /// Read the text of one: what [`Self::to_string`] has written. Lines that begin with `#` are remarks.
    pub fn parse(text: &str) -> Self {
        let mut entries: Vec<(String, Vec<&str>)> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let indented = line.strip_prefix(INDENT).or(line.is_empty().then_some(""));
            match (indented, entries.last_mut()) {
                (Some(definition), Some((_, lines))) => lines.push(definition),
                (Some(_), None) => {}
                (None, _) => entries.push((line.to_owned(), Vec::new())),
            }
        }
        let joined = entries.into_iter().map(|(key, lines)| (key, tidy(&lines.join("\n"))));
        Self(joined.collect())
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The definition of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Keys and definitions, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, definition)| (key.as_str(), definition.as_str()))
    }

    /// How `found` differs from this, in the order of the keys.
    pub fn compare(&self, found: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (key, expected) in &self.0 {
            match found.0.get(key) {
                None => differences.push(Difference::Less(key.clone(), expected.clone())),
                Some(found) if found != expected => differences.push(Difference::Different {
                    key: key.clone(),
                    expected: expected.clone(),
                    found: found.clone(),
                }),
                Some(_) => {}
            }
        }
        let more = found.0.iter().filter(|(key, _)| !self.0.contains_key(*key));
        differences.extend(more.map(|(key, found)| Difference::More(key.clone(), found.clone())));
        differences.sort_by(|one, other| one.key().cmp(other.key()));
        differences
    }
}

impl fmt::Display for Catalogue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, definition) in &self.0 {
            writeln!(formatter, "{key}")?;
            lines(formatter, INDENT, definition)?;
        }
        Ok(())
    }
}

impl Difference {
    /// Of what.
    pub fn key(&self) -> &str {
        match self {
            Self::More(key, _) | Self::Less(key, _) | Self::Different { key, .. } => key,
        }
    }
}

/// `+` is what was found, `-` what was expected, `~` what differs; of that only the lines that do.
impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::More(key, definition) => {
                writeln!(formatter, "+ {key}")?;
                lines(formatter, "      ", definition)
            }
            Self::Less(key, definition) => {
                writeln!(formatter, "- {key}")?;
                lines(formatter, "      ", definition)
            }
            Self::Different { key, expected, found } => {
                writeln!(formatter, "~ {key}")?;
                let (expected, found) = without_what_is_alike(expected, found);
                lines(formatter, "    - ", &expected)?;
                lines(formatter, "    + ", &found)
            }
        }
    }
}

fn lines(formatter: &mut fmt::Formatter<'_>, before: &str, text: &str) -> fmt::Result {
    text.lines()
        .try_for_each(|line| writeln!(formatter, "{}", format!("{before}{line}").trim_end()))
}

/// Two texts without their first and last lines as far as those are alike.
fn without_what_is_alike(one: &str, other: &str) -> (String, String) {
    let (mut one, mut other): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
    while !one.is_empty() && one.last() == other.last() {
        one.pop();
        other.pop();
    }
    let alike = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    (one[alike..].join("\n"), other[alike..].join("\n"))
}

/// Space at the ends of lines says nothing, and editors take it away.
fn tidy(definition: &str) -> String {
    let lines: Vec<_> = definition.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(entries: &[(&str, &str)]) -> Catalogue {
        Catalogue(entries.iter().map(|(key, text)| ((*key).to_owned(), tidy(text))).collect())
    }

    #[test]
    fn a_catalogue_is_read_again_as_it_was_written() {
        let all = catalogue(&[
            ("function app.f()", "owner o\nbegin  \n\n    -- # not a remark\nend\n"),
            ("role r member of s", ""),
            ("schema app", "owner o"),
        ]);
        let text = all.to_string();
        assert!(!text.contains(" \n"), "{text}");
        assert_eq!(Catalogue::parse(&format!("# A remark\n\n{text}")), all);
        assert!(all.compare(&all).is_empty());
    }

    #[test]
    fn what_is_more_less_and_different_is_told() {
        let expected = catalogue(&[("a", "1"), ("b", "one\ntwo\nthree"), ("d", "4")]);
        let found = catalogue(&[("a", "1"), ("b", "one\n2\nthree"), ("c", "3")]);
        let told: Vec<_> = expected.compare(&found).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["~ b\n    - two\n    + 2\n", "+ c\n      3\n", "- d\n      4\n"]);
    }
}
