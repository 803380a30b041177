//! One raw workerd with everything that is compared: the functions, the platform's floors, the peer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use stack::layout::{self, FUNCTIONS};
use stack::process::{Child, Reaper};
use stack::settings::{self, Kind, Settings};
use stack::{StackInfo, free_port, wait_for_ok};
use toml::{Table, Value};

use crate::config::{Binding, Config, Worker};

/// Where all Durable Objects are stored.
const DISK: &str = "disk";
/// The KV namespace in memory.
const MEMORY: &str = "kv-memory";
/// Wrangler's KV namespace.
const SIMULATED: &str = "kv-simulated";
/// What our Workers that have no configuration of wrangler were written for.
const DATE: &str = "2026-11-01";

/// The Workers at work. Dropping it ends them.
pub(crate) struct Server {
    _child: Child,
    /// Where they listen.
    pub(crate) ports: Ports,
    /// Where the ledgers are stored.
    pub(crate) ledgers: PathBuf,
}

/// Where Workers listen on the loopback interface.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    /// The front door.
    pub(crate) gateway: u16,
    /// The token function itself.
    pub(crate) token: u16,
    /// The introspect function itself.
    pub(crate) introspect: u16,
    /// The same with edge reads, where it knows them.
    pub(crate) edge: Option<u16>,
    /// The platform's floors.
    pub(crate) floor: u16,
    /// The peer on KV in memory.
    pub(crate) peer_memory: u16,
    /// The peer on wrangler's KV.
    pub(crate) peer_simulated: u16,
}

impl Server {
    /// Start it for the settings of a stack.
    ///
    /// # Errors
    /// If something is not built, or does not start.
    pub(crate) async fn start(info: &StackInfo) -> Result<Self> {
        let data = std::env::temp_dir().join(format!("atoms-edge-bench-{}", std::process::id()));
        let folder = info.folder.join("workerd");
        let mut config = Config::new(&folder);
        config.disk(DISK, &data.join("objects"))?;
        kv(&mut config, &data)?;
        let edge = functions(&mut config, &info.settings)?;
        floor(&mut config)?;
        peer(&mut config, "peer-memory", MEMORY)?;
        peer(&mut config, "peer-simulated", SIMULATED)?;
        let ports = listen(&mut config, info, edge.as_deref())?;
        let path = config.save()?;
        let child = run(&path, &data, info).await?;
        let ledgers = data.join("objects").join("ledger-Ledger");
        Ok(Self { _child: child, ports, ledgers })
    }
}

/// Where lines of the log go is not what is measured: nowhere.
async fn run(config: &Path, data: &Path, info: &StackInfo) -> Result<Child> {
    let reaper = Reaper::start(data)?;
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" serve --experimental \"$1\" > /dev/null"])
        .arg(layout::npm_program("workerd"))
        .arg(config);
    let log = info.folder.join("workerd.log");
    let mut child = Child::spawn("workerd", &mut command, &log, Signal::SIGTERM, &reaper)?;
    let health = format!("{}/health/live", info.base_url);
    wait_for_ok(&mut child, &health, Duration::from_secs(60)).await?;
    Ok(child)
}

fn listen(config: &mut Config, info: &StackInfo, edge: Option<&str>) -> Result<Ports> {
    let mut on = |service: &str| {
        let port = free_port()?;
        config.listen(service, port).map(|()| port)
    };
    let ports = Ports {
        token: on("token")?,
        introspect: on("introspect")?,
        edge: edge.map(&mut on).transpose()?,
        floor: on("floor")?,
        peer_memory: on("peer-memory")?,
        peer_simulated: on("peer-simulated")?,
        gateway: url::Url::parse(&info.base_url)?.port().context("the gateway has no port")?,
    };
    config.listen("gateway", ports.gateway)?;
    Ok(ports)
}

/// Our functions, from their configurations for wrangler. The ledgers report what is revoked, as edge
/// reads want it; the introspect function is there twice, if it knows them: in strong mode, and under
/// the name that is answered. As floors and peer write no line for a request, ours write those of failures
/// only.
fn functions(config: &mut Config, values: &Settings) -> Result<Option<String>> {
    let mode = "INTROSPECTION_MODE";
    let knows = settings::SETTINGS.iter().any(|setting| setting.name == mode);
    let mut values = values.clone();
    values.insert("LOG_LEVEL".to_owned(), "error".to_owned());
    let mut edge = values.clone();
    if knows {
        edge.insert(mode.to_owned(), "edge".to_owned());
    }
    for function in FUNCTIONS {
        let values = if function == "ledger" { &edge } else { &values };
        config.worker(&worker(function, values)?, DISK)?;
    }
    if !knows {
        return Ok(None);
    }
    let name = "introspect-edge".to_owned();
    config.worker(&Worker { name: name.clone(), ..worker("introspect", &edge)? }, DISK)?;
    Ok(Some(name))
}

fn worker(function: &str, values: &Settings) -> Result<Worker> {
    let path = layout::wrangler_config(function);
    let table: Table = fs::read_to_string(&path)?.parse()?;
    let main = path.with_file_name(of(&table, "main"));
    let wasm = main.with_file_name("index_bg.wasm");
    Ok(Worker {
        name: function.to_owned(),
        modules: vec![("index.js".to_owned(), main), ("./index_bg.wasm".to_owned(), wasm)],
        compatibility_date: of(&table, "compatibility_date").to_owned(),
        bindings: bindings(function, &table, values),
        classes: classes(&table),
        ..Worker::default()
    })
}

fn bindings(function: &str, table: &Table, values: &Settings) -> Vec<Binding> {
    let mut bindings = Vec::new();
    for kind in [Kind::Var, Kind::Secret] {
        let own = settings::of(function, kind, values);
        bindings.extend(own.into_iter().map(|(name, value)| Binding::Text(name, value)));
    }
    for entry in list(table.get("services")) {
        let name = of(entry, "binding").to_owned();
        bindings.push(Binding::Service(name, plain(of(entry, "service")).to_owned()));
    }
    for entry in list(table.get("kv_namespaces")) {
        bindings.push(Binding::Kv(of(entry, "binding").to_owned(), MEMORY.to_owned()));
    }
    for entry in list(table.get("durable_objects").and_then(|objects| objects.get("bindings"))) {
        let owner = entry.get("script_name").and_then(Value::as_str).map_or(function, plain);
        bindings.push(Binding::Object {
            name: of(entry, "name").to_owned(),
            class: of(entry, "class_name").to_owned(),
            owner: owner.to_owned(),
        });
    }
    bindings
}

fn classes(table: &Table) -> Vec<String> {
    let migrations = list(table.get("migrations"));
    let lists = migrations.filter_map(|entry| entry.get("new_sqlite_classes")?.as_array());
    lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn floor(config: &mut Config) -> Result<()> {
    let built = layout::root().join("tests/bench/floor/build");
    let worker = Worker {
        name: "floor".to_owned(),
        modules: vec![
            ("index.js".to_owned(), built.join("index.js")),
            ("./index_bg.wasm".to_owned(), built.join("index_bg.wasm")),
        ],
        compatibility_date: DATE.to_owned(),
        bindings: vec![Binding::Object {
            name: "FLOOR".to_owned(),
            class: "Floor".to_owned(),
            owner: "floor".to_owned(),
        }],
        classes: vec!["Floor".to_owned()],
        ..Worker::default()
    };
    config.worker(&worker, DISK)
}

fn peer(config: &mut Config, name: &str, kv: &str) -> Result<()> {
    let worker = Worker {
        name: name.to_owned(),
        modules: vec![("peer.mjs".to_owned(), layout::target().join("bench/peer.mjs"))],
        compatibility_date: DATE.to_owned(),
        bindings: vec![Binding::Kv("OAUTH_KV".to_owned(), kv.to_owned())],
        ..Worker::default()
    };
    config.worker(&worker, DISK)
}

/// Two KV namespaces: the cheapest there can be, and the one that wrangler simulates, which is a
/// Durable Object of the miniflare package, set up as it does itself.
fn kv(config: &mut Config, data: &Path) -> Result<()> {
    let script = layout::root().join("tests/bench/workers/kv.mjs");
    let memory = Worker {
        name: MEMORY.to_owned(),
        modules: vec![("kv.mjs".to_owned(), script)],
        compatibility_date: DATE.to_owned(),
        ..Worker::default()
    };
    config.worker(&memory, DISK)?;

    let carried = layout::root().join("node_modules/miniflare/dist/src/workers");
    let storage = "kv-storage";
    config.disk(storage, &data.join("kv"))?;
    config.extension("miniflare:shared", &carried.join("shared/index.worker.js"))?;
    let object = Worker {
        name: "kv-object".to_owned(),
        modules: vec![("namespace.worker.js".into(), carried.join("kv/namespace.worker.js"))],
        compatibility_date: "2023-07-24".to_owned(),
        compatibility_flags: vec!["nodejs_compat".to_owned(), "experimental".to_owned()],
        bindings: vec![Binding::Service("MINIFLARE_BLOBS".to_owned(), storage.to_owned())],
        classes: vec!["KVNamespaceObject".to_owned()],
    };
    config.worker(&object, storage)?;
    let entry = Worker {
        name: SIMULATED.to_owned(),
        modules: vec![("entry.js".into(), carried.join("shared/object-entry.worker.js"))],
        compatibility_date: DATE.to_owned(),
        bindings: vec![
            Binding::Text("MINIFLARE_NAMESPACE".to_owned(), "bench".to_owned()),
            Binding::Object {
                name: "MINIFLARE_OBJECT".to_owned(),
                class: "KVNamespaceObject".to_owned(),
                owner: object.name,
            },
        ],
        ..Worker::default()
    };
    config.worker(&entry, DISK)
}

/// The function of a Worker's name.
fn plain(name: &str) -> &str {
    name.trim_start_matches("atoms-edge-")
}

fn of<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Table> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}
