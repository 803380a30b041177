//! Application variables and what each component sees of them: `spin:variables`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use wasmtime::component::Accessor;

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::manifest::{Manifest, valid_name};
use crate::state::{Imports, State};
use crate::template::Template;

/// What Spin puts before a variable's name in the environment.
const PREFIX: &str = "SPIN_VARIABLE_";

/// The values of all application variables.
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// From the environment, else from the manifest. As in Spin, the application does not start
    /// while a required one is missing; the error names it.
    pub(crate) fn new(
        manifest: &Manifest,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, variable) in &manifest.variables {
            let given = environment(&format!("{PREFIX}{}", name.to_ascii_uppercase()));
            match given.or_else(|| variable.default.clone()) {
                Some(value) => _ = values.insert(name.clone(), value),
                None => missing.push(name),
            }
        }
        if !missing.is_empty() {
            bail!("no provider resolved required variable(s): {missing:?}");
        }
        Ok(Self(values))
    }

    /// A string of the manifest with every template resolved.
    pub(crate) fn resolve(&self, text: &str) -> Result<String> {
        let value = |name: &str| self.0.get(name).map(String::as_str);
        Template::parse(text)?
            .resolve(|name| value(name).with_context(|| format!("unknown variable {name:?}")))
    }
}

impl Host for State {}

impl<T: Send> HostWithStore<T> for Imports {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, Error> {
        valid_name(&name).map_err(|error| Error::InvalidName(error.to_string()))?;
        accessor.with(|mut access| {
            let component = &access.get().component;
            let value = component.variables.get(&name).cloned();
            value.ok_or_else(|| {
                Error::Undefined(format!("no variable for {:?}.{name:?}", component.id))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let text = r#"
            spin_manifest_version = 2
            application = { name = "edge" }
            [variables]
            host = { default = "db" }
            token = { required = true, secret = true }
            [[trigger.http]]
            route = "/"
            component = "a"
            [component.a]
            source = "a.wasm"
        "#;
        Manifest::parse(text).unwrap()
    }

    #[test]
    fn the_environment_comes_before_the_default() {
        let environment = |name: &str| (name == "SPIN_VARIABLE_TOKEN").then(|| "secret".to_owned());
        let variables = Variables::new(&manifest(), environment).unwrap();
        assert_eq!(variables.resolve("{{ host }}:{{ token }}").unwrap(), "db:secret");
        let all = |name: &str| Some(name.to_ascii_lowercase());
        let variables = Variables::new(&manifest(), all).unwrap();
        assert_eq!(variables.resolve("{{ host }}").unwrap(), "spin_variable_host");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = Variables::new(&manifest(), |_| None).err().unwrap().to_string();
        assert_eq!(error, "no provider resolved required variable(s): [\"token\"]");
    }
}
