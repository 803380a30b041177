//! Instances of a component and which of them serves a request: the numbers are Spin's.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep};
use wasmtime::component::{GuestTaskId, InstancePre};
use wasmtime::{Error, Result, Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ProxyHandler, ShouldAccept, WorkerExpiration, WorkerState,
    WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::application::Application;
use crate::outbound::Outbound;
use crate::state::{Component, State};

/// How many requests an instance serves in its life.
const REQUESTS: usize = 128;

/// How many of them at a time.
const CONCURRENT: usize = 16;

/// How long an instance waits for its next request.
const IDLE: Duration = Duration::from_secs(1);

/// The instances of a component, by way of the requests they are given.
pub(crate) type Pool = ProxyHandler<Instances>;

/// Makes instances. Without a limit of time, as in Spin.
pub(crate) struct Instances {
    application: Weak<Application>,
    component: Arc<Component>,
    service: ServicePre<State>,
    life: Option<Duration>,
}

/// Ends an instance that has nothing to do, and any that has lived as long as it may.
pub(crate) struct Expiry {
    idle: Pin<Box<Sleep>>,
    end: Option<Pin<Box<Sleep>>>,
}

/// Counts an instance's requests.
pub(crate) struct Counted {
    component: Arc<Component>,
}

impl Instances {
    /// Fails for a component that is no HTTP handler.
    pub(crate) fn new(
        application: Weak<Application>,
        component: Arc<Component>,
        instance: InstancePre<State>,
        life: Option<Duration>,
    ) -> Result<Self> {
        Ok(Self { application, component, service: ServicePre::new(instance)?, life })
    }
}

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiry;
    type WorkerState = Counted;

    async fn instantiate(&self) -> Result<Instance<State, Expiry, Counted>> {
        let component = Arc::clone(&self.component);
        let outbound = Outbound::new(self.application.clone(), Arc::clone(&component));
        let state = State::new(Arc::clone(&component), outbound);
        let mut store = Store::new(self.service.engine(), state);
        let proxy = Proxy::P3(self.service.instantiate_async(&mut store).await?);
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration: Expiry {
                idle: Box::pin(sleep(IDLE)),
                end: self.life.map(|life| Box::pin(sleep(life))),
            },
            state: Counted { component },
        })
    }
}

impl WorkerExpiration for Expiry {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(());
        }
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        let end = tokio::time::Instant::from_std(start + IDLE);
        if self.idle.deadline() != end {
            self.idle.as_mut().reset(end);
        }
        self.idle.as_mut().poll(cx)
    }
}

impl WorkerState for Counted {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        match (concurrent, total) {
            (_, REQUESTS..) => ShouldAccept::Never,
            (CONCURRENT.., _) => ShouldAccept::No,
            _ => ShouldAccept::Yes,
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<State>, result: Result<(), Error>) {
        drop(store);
        if let Err(error) = result {
            eprintln!("spin-host: an instance of {:?} is gone: {error:?}", self.component.id);
        }
    }
}
