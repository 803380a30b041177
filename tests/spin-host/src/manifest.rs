//! The application manifest, version 2 (<https://spinframework.dev/manifest-reference>).
//!
//! What this host does not do is refused by name, so that a manifest which runs here means the same
//! under Spin.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::template::Template;

/// A manifest whose references hold: components exist, templates name declared variables.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    spin_manifest_version: u32,
    /// What the application is called.
    pub(crate) application: Application,
    /// Application variables by name.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, Variable>,
    /// What starts a component.
    pub(crate) trigger: Triggers,
    /// Components by id.
    #[serde(default)]
    pub(crate) component: BTreeMap<String, Component>,
}

/// `[application]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    /// The name, which Spin requires.
    pub(crate) name: String,
    #[serde(default, rename = "version")]
    _version: IgnoredAny,
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
    #[serde(default, rename = "authors")]
    _authors: IgnoredAny,
    #[serde(default, rename = "tool")]
    _tool: IgnoredAny,
}

/// `[variables]`: exactly one of a default and `required = true`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    /// The value where the environment has none.
    pub(crate) default: Option<String>,
    #[serde(default)]
    required: bool,
    #[serde(default, rename = "secret")]
    _secret: bool,
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
}

/// `[[trigger.http]]`, the only kind this host has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Triggers {
    /// In the order of the manifest.
    pub(crate) http: Vec<HttpTrigger>,
}

/// A route and its component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpTrigger {
    /// The id of the component.
    pub(crate) component: String,
    /// Where requests come from.
    pub(crate) route: Route,
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    executor: Option<Executor>,
}

/// A public pattern, or reachable from other components alone.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Route {
    /// `/path`, `/path/...`, `/path/:name`.
    Public(String),
    /// `{ private = true }`.
    Private {
        /// Anything but true is a mistake.
        private: bool,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Executor {
    r#type: String,
}

/// `[component.ID]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Component {
    /// The component's file, relative to the manifest.
    pub(crate) source: Source,
    /// Where it may connect to: may hold templates.
    #[serde(default)]
    pub(crate) allowed_outbound_hosts: Vec<String>,
    /// Labels of key-value stores.
    #[serde(default)]
    pub(crate) key_value_stores: Vec<String>,
    /// Labels of databases.
    #[serde(default)]
    pub(crate) sqlite_databases: Vec<String>,
    /// What `spin:variables` answers: names and templates.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, String>,
    /// What `wasi:cli/environment` answers.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    #[serde(default)]
    files: Vec<IgnoredAny>,
    #[serde(default)]
    ai_models: Vec<IgnoredAny>,
    #[serde(default)]
    dependencies: BTreeMap<String, IgnoredAny>,
    #[serde(default, rename = "build")]
    _build: IgnoredAny,
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
    #[serde(default, rename = "tool")]
    _tool: IgnoredAny,
}

/// Where a component's bytes come from.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Source {
    /// A file.
    Path(String),
    /// A registry or a URL, which this host does not fetch.
    Remote(IgnoredAny),
}

impl Manifest {
    /// Reads a manifest and holds its parts against each other.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let manifest: Self =
            toml::from_str(text).context("the manifest is not one this host can run")?;
        let version = manifest.spin_manifest_version;
        ensure!(version == 2, "spin_manifest_version is {version}, this host knows 2");
        ensure!(!manifest.application.name.is_empty(), "the application has no name");
        for (name, variable) in &manifest.variables {
            valid_name(name)?;
            let one = variable.required != variable.default.is_some();
            ensure!(one, "variable {name:?} must either have a default or be required");
        }
        for trigger in &manifest.trigger.http {
            manifest.check_trigger(trigger)?;
        }
        for (id, component) in &manifest.component {
            manifest.check_component(component).with_context(|| format!("component {id:?}"))?;
        }
        Ok(manifest)
    }

    fn check_trigger(&self, trigger: &HttpTrigger) -> Result<()> {
        let id = &trigger.component;
        ensure!(self.component.contains_key(id), "a trigger names the unknown component {id:?}");
        if let Route::Private { private: false } = trigger.route {
            bail!("component {id:?}: a route is a pattern or {{ private = true }}");
        }
        match trigger.executor.as_ref().map(|executor| executor.r#type.as_str()) {
            None | Some("http" | "spin") => Ok(()),
            Some(other) => bail!("component {id:?}: this host has no executor {other:?}"),
        }
    }

    fn check_component(&self, component: &Component) -> Result<()> {
        ensure!(component.files.is_empty(), "this host mounts no files");
        ensure!(component.ai_models.is_empty(), "this host has no models");
        ensure!(component.dependencies.is_empty(), "this host composes no dependencies");
        if let Source::Remote(_) = component.source {
            bail!("this host loads components from files alone");
        }
        for name in component.variables.keys() {
            valid_name(name)?;
        }
        for text in component.variables.values().chain(&component.allowed_outbound_hosts) {
            for name in Template::parse(text)?.names() {
                ensure!(
                    self.variables.contains_key(name),
                    "unknown variable {name:?} in a template"
                );
            }
        }
        Ok(())
    }
}

/// Spin's rule for names of variables: lower-case words joined by single underscores.
pub(crate) fn valid_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(!name.is_empty(), "{name:?}: must not be empty");
    ensure!(name.chars().all(allowed), "{name:?}: only lower-case letters, digits and underscores");
    ensure!(
        name.starts_with(|c: char| c.is_ascii_lowercase()),
        "{name:?}: must start with a letter"
    );
    ensure!(!name.ends_with('_'), "{name:?}: must end with a letter or digit");
    ensure!(!name.contains("__"), "{name:?}: must not have two underscores together");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "edge"
        version = "0.1.0"
        [variables]
        host = { default = "db" }
        token = { required = true, secret = true, description = "a token" }
        [[trigger.http]]
        route = "/a/..."
        component = "a"
        [[trigger.http]]
        route = { private = true }
        component = "b"
        [component.a]
        source = "a.wasm"
        allowed_outbound_hosts = ["http://{{ host }}:80", "http://b.spin.internal"]
        key_value_stores = ["default"]
        sqlite_databases = ["default"]
        environment = { A = "b" }
        [component.a.variables]
        url = "http://{{ host }}/{{token}}"
        [component.a.build]
        command = "cargo build"
        [component.b]
        source = "b.wasm"
    "#;

    fn refused(from: &str, to: &str) -> String {
        assert!(WHOLE.contains(from), "{from} is not in the manifest");
        format!("{:#}", Manifest::parse(&WHOLE.replace(from, to)).unwrap_err())
    }

    #[test]
    fn a_manifest_is_read() {
        let manifest = Manifest::parse(WHOLE).unwrap();
        assert_eq!(manifest.trigger.http.len(), 2);
        assert_eq!(manifest.component["a"].variables["url"], "http://{{ host }}/{{token}}");
        assert!(matches!(manifest.trigger.http[1].route, Route::Private { private: true }));
    }

    #[test]
    fn what_would_change_behaviour_is_refused() {
        assert!(refused("version = 2", "version = 1").contains("knows 2"));
        assert!(
            refused("source = \"b.wasm\"", "source = \"b.wasm\"\nfiles = [\"x\"]")
                .contains("mounts no files")
        );
        assert!(
            refused("source = \"b.wasm\"", "source = \"b.wasm\"\nunheard = 1").contains("unheard")
        );
        assert!(
            refused("source = \"b.wasm\"", "source = { url = \"u\" }").contains("from files alone")
        );
        assert!(refused("[[trigger.http]]", "[[trigger.redis]]").contains("redis"));
        assert!(refused("component = \"b\"", "component = \"c\"").contains("unknown component"));
        assert!(refused("private = true", "private = false").contains("a route is a pattern"));
    }

    #[test]
    fn variables_are_held_to_the_rules() {
        assert!(refused("required = true,", "").contains("must either"));
        assert!(
            refused("{ default = \"db\" }", "{ default = \"db\", required = true }")
                .contains("must either")
        );
        assert!(refused("{{token}}", "{{missing}}").contains("unknown variable \"missing\""));
        assert!(refused("host = { default", "Host = { default").contains("only lower-case"));
    }
}
