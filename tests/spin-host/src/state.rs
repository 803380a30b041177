//! What one instance of a component has: WASI, its resources and what the manifest grants it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime::{Engine, Result};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::bindings;
use crate::hosts::AllowedHosts;
use crate::logs::Logs;
use crate::outbound::Outbound;
use crate::stores::Stores;

/// A component and everything the manifest gives it, the same for all its instances.
pub(crate) struct Component {
    /// The id in the manifest.
    pub(crate) id: String,
    /// Where it may connect to.
    pub(crate) hosts: AllowedHosts,
    /// Labels of the key-value stores it may open.
    pub(crate) key_values: BTreeSet<String>,
    /// Labels of the databases it may open.
    pub(crate) databases: BTreeSet<String>,
    /// What `spin:variables` answers.
    pub(crate) variables: BTreeMap<String, String>,
    /// What `wasi:cli/environment` answers.
    pub(crate) environment: BTreeMap<String, String>,
    /// The stores and databases of the application.
    pub(crate) stores: Arc<Stores>,
    /// Where its output goes.
    pub(crate) logs: Logs,
}

/// The data of an instance's store.
pub(crate) struct State {
    /// What the manifest grants.
    pub(crate) component: Arc<Component>,
    /// Everything the instance holds open.
    pub(crate) table: ResourceTable,
    /// How many stores and connections that is.
    pub(crate) open: Open,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
}

/// How many resources of each kind are open. Spin has a limit for each.
#[derive(Default)]
pub(crate) struct Open {
    pub(crate) key_values: usize,
    pub(crate) databases: usize,
    pub(crate) redis: usize,
}

/// Gives the linker its way from the store's data to [`State`].
pub(crate) struct Imports;

impl HasData for Imports {
    type Data<'a> = &'a mut State;
}

impl State {
    /// A fresh instance's: no files, no sockets, no arguments, as Spin gives a component without
    /// `files`.
    pub(crate) fn new(component: Arc<Component>, outbound: Outbound) -> Self {
        let mut wasi = WasiCtx::builder();
        wasi.stdout(component.logs.stdout()).stderr(component.logs.stderr());
        for (name, value) in &component.environment {
            wasi.env(name, value);
        }
        Self {
            component,
            table: ResourceTable::new(),
            open: Open::default(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outbound,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

/// Everything a component may import. What is not here fails when the application starts.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    bindings::Imports::add_to_linker::<_, Imports>(&mut linker, |state| state)?;
    Ok(linker)
}
