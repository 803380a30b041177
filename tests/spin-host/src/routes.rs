//! Which component a path belongs to: the router of Spin itself, with Spin's reading of the
//! patterns.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use routefinder::Router;

/// The public routes of an application.
pub(crate) struct Routes(Router<Target>);

struct Target {
    component: String,
    /// As the manifest writes it.
    raw: String,
}

/// A path's component, and what Spin tells it about the match.
#[derive(Debug, PartialEq)]
pub(crate) struct Matched {
    /// The component's id.
    pub(crate) component: String,
    /// The pattern as the manifest writes it.
    pub(crate) raw: String,
    /// The pattern without its base's trailing slash: what was matched.
    pub(crate) based: String,
    /// What the `...` stands for, with its slash.
    pub(crate) wildcard: String,
    /// What each `:name` stands for.
    pub(crate) named: Vec<(String, String)>,
}

impl Routes {
    /// A later route takes the place of an equal earlier one, as in Spin.
    pub(crate) fn new<'a>(routes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut router = Router::new();
        for (raw, component) in routes.into_iter().collect::<BTreeMap<_, _>>() {
            let pattern = based(raw);
            let pattern = match pattern.strip_suffix("/...") {
                Some(prefix) => format!("{prefix}/*"),
                None => pattern,
            };
            let target = Target { component: component.to_owned(), raw: raw.to_owned() };
            let added = router.add(pattern.as_str(), target);
            added.map_err(|error| anyhow!("route {raw:?} of component {component:?}: {error}"))?;
        }
        Ok(Self(router))
    }

    /// Exact before wildcard, longest first.
    pub(crate) fn find(&self, path: &str) -> Option<Matched> {
        let found = self.0.best_match(path)?;
        let target = found.handler();
        let captures = found.captures();
        let named = captures.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(Matched {
            component: target.component.clone(),
            based: based(&target.raw),
            raw: target.raw.clone(),
            named: named.collect(),
            wildcard: captures.wildcard().map(|rest| with_slashes(rest, path)).unwrap_or_default(),
        })
    }
}

impl Matched {
    /// The match of a request that another component made: as if by the route `/...`.
    pub(crate) fn chained(component: &str, path: &str) -> Self {
        Self {
            component: component.to_owned(),
            raw: "/...".to_owned(),
            based: "/...".to_owned(),
            wildcard: path.to_owned(),
            named: Vec::new(),
        }
    }
}

/// The pattern with a leading slash and without a trailing one.
fn based(raw: &str) -> String {
    let absolute = if raw.starts_with('/') { raw.to_owned() } else { format!("/{raw}") };
    absolute.strip_suffix('/').map(str::to_owned).unwrap_or(absolute)
}

/// The router drops the slashes around a wildcard's part; Spin gives them back.
fn with_slashes(rest: &str, path: &str) -> String {
    match (rest.is_empty(), path.ends_with('/')) {
        (true, false) => String::new(),
        (true, true) => "/".to_owned(),
        (false, false) => format!("/{rest}"),
        (false, true) => format!("/{rest}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let list = [
            ("/...", "all"),
            ("/a/...", "a-wild"),
            ("/a/b", "exact"),
            ("/a/b/...", "b-wild"),
            ("/users/:id", "user"),
            ("/users/me", "me"),
            ("/users/:id/posts/...", "posts"),
        ];
        Routes::new(list).unwrap()
    }

    fn component(path: &str) -> String {
        routes().find(path).unwrap().component
    }

    #[test]
    fn exact_comes_before_wildcard_and_the_longest_first() {
        assert_eq!(component("/a/b"), "exact");
        assert_eq!(component("/a/b/c"), "b-wild");
        assert_eq!(component("/a/x"), "a-wild");
        assert_eq!(component("/a"), "a-wild");
        assert_eq!(component("/other"), "all");
        assert_eq!(component("/"), "all");
        assert_eq!(component("/users/me"), "me");
        assert_eq!(component("/users/42"), "user");
        assert_eq!(component("/users/42/x"), "all");
    }

    #[test]
    fn a_match_says_what_the_pattern_stands_for() {
        let found = routes().find("/users/42/posts/7/").unwrap();
        assert_eq!(found.component, "posts");
        assert_eq!(found.named, [("id".to_owned(), "42".to_owned())]);
        assert_eq!(found.wildcard, "/7/");
        assert_eq!(found.raw, "/users/:id/posts/...");
        assert_eq!(routes().find("/a").unwrap().wildcard, "");
        assert_eq!(routes().find("/a/").unwrap().wildcard, "/");
        assert_eq!(routes().find("/a/b").unwrap().wildcard, "");
    }

    #[test]
    fn without_a_wildcard_other_paths_match_nothing() {
        let routes = Routes::new([("/only", "only"), ("/", "root")]).unwrap();
        assert_eq!(routes.find("/other"), None);
        assert_eq!(routes.find("/only/more"), None);
        assert_eq!(routes.find("/").unwrap().component, "root");
        assert_eq!(routes.find("/only").unwrap().based, "/only");
    }

    #[test]
    fn the_later_of_two_equal_routes_is_used() {
        let routes = Routes::new([("/x", "first"), ("/x", "second")]).unwrap();
        assert_eq!(routes.find("/x").unwrap().component, "second");
    }
}
