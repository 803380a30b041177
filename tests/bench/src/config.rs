//! A configuration of raw workerd, in Cap'n Proto's text form: the least noisy way to run Workers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What a Worker reaches by a name.
pub(crate) enum Binding {
    /// A setting.
    Text(String, String),
    /// Another Worker.
    Service(String, String),
    /// A KV namespace that a Worker serves.
    Kv(String, String),
    /// A Durable Object class of a Worker.
    Object {
        /// The binding's name.
        name: String,
        /// The class.
        class: String,
        /// The Worker that exports it.
        owner: String,
    },
}

/// A Worker.
#[derive(Default)]
pub(crate) struct Worker {
    /// Its name as a service.
    pub(crate) name: String,
    /// Its modules, the main one first: name and file. What ends in `.wasm` is a module of that kind.
    pub(crate) modules: Vec<(String, PathBuf)>,
    /// The version of the platform that it was written for.
    pub(crate) compatibility_date: String,
    /// Deviations from it.
    pub(crate) compatibility_flags: Vec<String>,
    /// What it reaches.
    pub(crate) bindings: Vec<Binding>,
    /// The Durable Object classes that it exports, with SQLite.
    pub(crate) classes: Vec<String>,
}

/// The configuration being written, into a folder of its own.
pub(crate) struct Config {
    folder: PathBuf,
    services: String,
    sockets: String,
    extensions: String,
}

impl Config {
    /// An empty one, with the loopback interface and the rest of the network to call out to.
    pub(crate) fn new(folder: &Path) -> Self {
        let network = "  (name = \"internet\", network = (allow = [\"public\", \"private\"], \
                       tlsOptions = (trustBrowserCas = true))),\n";
        Self {
            folder: folder.to_path_buf(),
            services: network.to_owned(),
            sockets: String::new(),
            extensions: String::new(),
        }
    }

    /// Serve a service on a port. A request may say that it came by https.
    pub(crate) fn listen(&mut self, service: &str, port: u16) -> Result<()> {
        writeln!(
            self.sockets,
            "  (name = {name}, address = \"127.0.0.1:{port}\", service = {service}, \
             http = (forwardedProtoHeader = \"x-forwarded-proto\")),",
            name = text(&format!("{service}-{port}")),
            service = text(service),
        )?;
        Ok(())
    }

    /// A folder that Workers may write to.
    pub(crate) fn disk(&mut self, service: &str, path: &Path) -> Result<()> {
        fs::create_dir_all(path)?;
        let path = path.to_str().context("a folder's name is not UTF-8")?;
        let (service, path) = (text(service), text(path));
        writeln!(self.services, "  (name = {service}, disk = (path = {path}, writable = true)),")?;
        Ok(())
    }

    /// A module that every Worker can import, and that may import what Workers may not.
    pub(crate) fn extension(&mut self, name: &str, file: &Path) -> Result<()> {
        let embedded = self.embed("extensions", name, file)?;
        let name = text(name);
        writeln!(self.extensions, "  (modules = [(name = {name}, esModule = {embedded})]),")?;
        Ok(())
    }

    /// A Worker. Its objects are stored in the disk of that name.
    pub(crate) fn worker(&mut self, worker: &Worker, disk: &str) -> Result<()> {
        let mut modules = String::new();
        for (name, file) in &worker.modules {
            let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
            let embedded = self.embed(&worker.name, name, file)?;
            writeln!(modules, "      (name = {}, {kind} = {embedded}),", text(name))?;
        }
        let name = text(&worker.name);
        let date = text(&worker.compatibility_date);
        let flags: Vec<_> = worker.compatibility_flags.iter().map(|flag| text(flag)).collect();
        let bindings: String = worker.bindings.iter().map(binding).collect();
        let objects = objects(worker, disk);
        write!(
            self.services,
            "  (name = {name}, worker = (\n    compatibilityDate = {date}, compatibilityFlags = \
             [{flags}],\n    modules = [\n{modules}    ],\n    bindings = [\n{bindings}    \
             ],\n{objects}  )),\n",
            flags = flags.join(", ")
        )?;
        Ok(())
    }

    /// Write it; answers where it is.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(&self) -> Result<PathBuf> {
        let Self { services, sockets, extensions, .. } = self;
        let all = format!(
            "using Workerd = import \"/workerd/workerd.capnp\";\n\nconst config :Workerd.Config = \
             (\n services = [\n{services} ],\n sockets = [\n{sockets} ],\n extensions = \
             [\n{extensions} ],\n);\n"
        );
        let path = self.folder.join("config.capnp");
        fs::write(&path, all)?;
        Ok(path)
    }

    /// Files are embedded by paths relative to the configuration, so they are copied beside it.
    fn embed(&self, owner: &str, name: &str, file: &Path) -> Result<String> {
        let plain = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_");
        let copy = format!("{owner}-{}", plain.trim_start_matches(['.', '_']));
        fs::create_dir_all(&self.folder)?;
        fs::copy(file, self.folder.join(&copy))
            .with_context(|| format!("{} is not built", file.display()))?;
        Ok(format!("embed {}", text(&copy)))
    }
}

fn binding(binding: &Binding) -> String {
    let (name, value) = match binding {
        Binding::Text(name, value) => (name, format!("text = {}", text(value))),
        Binding::Service(name, service) => (name, format!("service = {}", text(service))),
        Binding::Kv(name, service) => (name, format!("kvNamespace = {}", text(service))),
        Binding::Object { name, class, owner } => {
            let (class, owner) = (text(class), text(owner));
            let object = format!("(className = {class}, serviceName = {owner})");
            (name, format!("durableObjectNamespace = {object}"))
        }
    };
    format!("      (name = {}, {value}),\n", text(name))
}

fn objects(worker: &Worker, disk: &str) -> String {
    if worker.classes.is_empty() {
        return String::new();
    }
    let class = |class: &String| {
        let key = text(&format!("{}-{class}", worker.name));
        format!("(className = {}, uniqueKey = {key}, enableSql = true)", text(class))
    };
    let classes: Vec<_> = worker.classes.iter().map(class).collect();
    format!(
        "    durableObjectNamespaces = [{}],\n    durableObjectStorage = (localDisk = {}),\n",
        classes.join(", "),
        text(disk)
    )
}

/// A text as Cap'n Proto writes it.
fn text(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_with_quotes_stay_what_they_are() {
        let setting = Binding::Text("KEYS".into(), r#"{"a":"\"}"#.into());
        assert_eq!(binding(&setting).trim(), r#"(name = "KEYS", text = "{\"a\":\"\\\"}"),"#);
    }
}
