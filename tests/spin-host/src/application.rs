//! An application: its components, compiled, and the way of a request to one of them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::uri::Authority;
use http::{Request, Response, StatusCode};
use wasmtime::component::{Component as Compiled, InstancePre};
use wasmtime::{Cache, CacheConfig, Config, Engine};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::client::Client;
use crate::headers;
use crate::hosts::AllowedHosts;
use crate::logs::Logs;
use crate::manifest::{Component as Declared, Manifest, Route, Source};
use crate::pool::{Instances, Pool};
use crate::routes::{Matched, Routes};
use crate::state::{Component, State, linker};
use crate::stores::Stores;
use crate::variables::Variables;

/// Who asks where a component does.
const CHAINED: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// A running application.
pub(crate) struct Application {
    authority: Authority,
    client: Client,
    routes: Routes,
    pools: HashMap<String, Pool>,
}

/// The folders of an application.
pub(crate) struct Folders<'a> {
    /// The manifest's, which sources are relative to.
    pub(crate) manifest: &'a Path,
    /// Where compiled components are kept; nowhere if none.
    pub(crate) cache: Option<&'a Path>,
    /// Where the output of components is kept; nowhere if none.
    pub(crate) logs: Option<&'a Path>,
}

/// How an application is served.
#[derive(Clone, Copy)]
pub(crate) struct Serving {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// How long an instance lives at the most, if that is limited.
    pub(crate) life: Option<Duration>,
}

struct Ready {
    component: Arc<Component>,
    instance: InstancePre<State>,
}

impl Application {
    /// Compiles what a trigger starts. Every import that this host does not have is an error here.
    pub(crate) fn load(
        manifest: &Manifest,
        variables: &Variables,
        stores: Stores,
        folders: &Folders<'_>,
        serving: Serving,
    ) -> Result<Arc<Self>> {
        let engine = engine(folders.cache)?;
        let linker = linker(&engine)?;
        let stores = Arc::new(stores);
        let mut ready = HashMap::new();
        for trigger in &manifest.trigger.http {
            let id = &trigger.component;
            let declared = manifest.component.get(id).context("a trigger without a component")?;
            let load = || -> Result<Ready> {
                let component = granted(id, declared, variables, &stores, folders)?;
                let compiled = compiled(&engine, declared, folders.manifest)?;
                Ok(Ready {
                    component: Arc::new(component),
                    instance: linker.instantiate_pre(&compiled)?,
                })
            };
            ready.insert(id.clone(), load().with_context(|| format!("component {id:?}"))?);
        }
        for (id, one) in &ready {
            for other in one.component.hosts.chained() {
                ensure!(
                    ready.contains_key(other),
                    "component {id:?} may call {other:?}, which no trigger starts"
                );
            }
        }
        Self::assemble(ready, routes(manifest)?, serving)
    }

    fn assemble(
        ready: HashMap<String, Ready>,
        routes: Routes,
        serving: Serving,
    ) -> Result<Arc<Self>> {
        let authority = Authority::try_from(serving.listen.to_string())?;
        let mut failed = None;
        let application = Arc::new_cyclic(|application: &Weak<Self>| {
            let mut pools = HashMap::new();
            for (id, Ready { component, instance }) in ready {
                match Instances::new(application.clone(), component, instance, serving.life) {
                    Ok(instances) => _ = pools.insert(id, Pool::new(instances)),
                    Err(error) => failed = Some((id, error)),
                }
            }
            Self { authority, client: Client::new(), routes, pools }
        });
        match failed {
            Some((id, error)) => {
                Err(anyhow::Error::from(error)
                    .context(format!("component {id:?} is no HTTP handler")))
            }
            None => Ok(application),
        }
    }

    /// Where the application itself listens.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The way out.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Answers a request from outside. Where no component can, the answer is empty, as in Spin.
    pub(crate) async fn serve(
        &self,
        request: Request<WasiBody>,
        peer: SocketAddr,
    ) -> Response<WasiBody> {
        let Some(matched) = self.routes.find(request.uri().path()) else {
            return empty(StatusCode::NOT_FOUND);
        };
        self.ask(&matched, request, peer).await
    }

    /// Answers a request of another component, without a socket.
    pub(crate) async fn chain(
        &self,
        id: &str,
        request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, Error> {
        if !self.pools.contains_key(id) {
            return Err(Error::InternalError(Some(format!("unknown component {id:?}"))));
        }
        let matched = Matched::chained(id, request.uri().path());
        // A component that calls itself would have no end of size otherwise.
        Ok(Box::pin(self.ask(&matched, request, CHAINED)).await)
    }

    async fn ask(
        &self,
        matched: &Matched,
        request: Request<WasiBody>,
        peer: SocketAddr,
    ) -> Response<WasiBody> {
        let answered = async {
            let request = headers::prepared(request, matched, peer)?;
            let pool = self.pools.get(&matched.component).context("the component is not loaded")?;
            Ok::<_, anyhow::Error>(pool.handle((), request).await?)
        };
        answered.await.unwrap_or_else(|error| {
            eprintln!("spin-host: {:?} did not answer: {error:#}", matched.component);
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        })
    }
}

fn engine(cache: Option<&Path>) -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    if let Some(folder) = cache {
        let mut kept = CacheConfig::new();
        kept.with_directory(std::path::absolute(folder)?);
        config.cache(Some(Cache::new(kept)?));
    }
    Ok(Engine::new(&config)?)
}

fn compiled(engine: &Engine, declared: &Declared, folder: &Path) -> Result<Compiled> {
    let Source::Path(source) = &declared.source else {
        anyhow::bail!("the source is no file");
    };
    let path = folder.join(source);
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Compiled::new(engine, bytes)?)
}

fn granted(
    id: &str,
    declared: &Declared,
    variables: &Variables,
    stores: &Arc<Stores>,
    folders: &Folders<'_>,
) -> Result<Component> {
    let hosts = declared.allowed_outbound_hosts.iter().map(|host| variables.resolve(host));
    let own =
        declared.variables.iter().map(|(name, text)| Ok((name.clone(), variables.resolve(text)?)));
    Ok(Component {
        id: id.to_owned(),
        hosts: AllowedHosts::parse(hosts.collect::<Result<Vec<_>>>()?)?,
        key_values: declared.key_value_stores.iter().cloned().collect(),
        databases: declared.sqlite_databases.iter().cloned().collect(),
        variables: own.collect::<Result<_>>()?,
        environment: declared.environment.clone(),
        stores: Arc::clone(stores),
        logs: Logs::new(id, folders.logs)?,
    })
}

fn routes(manifest: &Manifest) -> Result<Routes> {
    Routes::new(manifest.trigger.http.iter().filter_map(|trigger| match &trigger.route {
        Route::Public(route) => Some((route.as_str(), trigger.component.as_str())),
        Route::Private { .. } => None,
    }))
}

fn empty(status: StatusCode) -> Response<WasiBody> {
    let mut response = Response::new(WasiBody::default());
    *response.status_mut() = status;
    response
}
