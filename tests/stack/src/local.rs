//! The stack as a whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use oauth::keys::{Derived, Master};

use crate::info::{ClientInfo, StackInfo};
use crate::platform::{Functions, Platform};
use crate::postgres::Postgres;
use crate::process::{Child, Reaper};
use crate::proxy::Proxy;
use crate::redis::Redis;
use crate::schedule::{Operator, Schedule};
use crate::settings::{self, Settings};
use crate::spin::Spin;
use crate::workers::Workers;
use crate::workos::{self, Emulator};
use crate::{clients, keys, layout, migrate, network};

/// Told of every part that is up, and how long it took.
pub type Progress = Arc<dyn Fn(&str, Duration) + Send + Sync>;

/// What may differ from stack to stack.
#[derive(Default)]
pub struct StackOptions {
    /// What the functions run on; as `ATOMS_PLATFORM` says if absent.
    pub platform: Option<Platform>,
    /// The service's port; a free one if absent.
    pub port: Option<u16>,
    /// Settings of the functions that win over the stack's own, such as a shorter session.
    pub settings: Vec<(String, String)>,
    /// Requests without credentials that the gateway takes in a minute; more than any suite makes if
    /// absent.
    pub guard: Option<u32>,
    /// The master secret; a random one if absent.
    pub masters: Option<Vec<Master>>,
    /// Told of every part that is up.
    pub progress: Option<Progress>,
    /// Nobody asks for maintenance, where ledgers have no alarms.
    pub unscheduled: bool,
    /// Start the database and its proxy only: whoever asks serves the functions and the identity
    /// provider, from the settings and at the addresses that the description has.
    pub data_only: bool,
}

/// A running stack. Dropping it ends every process; so does the death of the process that owns it.
pub struct Stack {
    info: StackInfo,
    // In the order in which they are to end.
    _schedule: Option<Schedule>,
    functions: Option<Child>,
    proxy: Option<Child>,
    workos: Option<Child>,
    _redis: Option<Redis>,
    _postgres: Postgres,
    plan: Plan,
    reaper: Arc<Reaper>,
}

/// How to start each part again.
struct Plan {
    platform: Platform,
    functions: Functions,
    proxy: Proxy,
    emulator: Emulator,
    webhook_secret: String,
    /// Where a suite may publish documents and keys of clients.
    clients_port: u16,
}

impl Stack {
    /// Start everything and wait until it answers. The functions and the proxy must be built.
    ///
    /// # Errors
    /// If a part does not start; its message has the end of that part's log.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let [high, low] = keys::random()?;
        let run = format!("{}-{:04x}", std::process::id(), u16::from_be_bytes([high, low]));
        let folder = layout::new_run(&run)?;
        let data = std::env::temp_dir().join(format!("atoms-edge-{run}"));
        std::fs::create_dir(&data).with_context(|| format!("cannot make {}", data.display()))?;
        let reaper = Reaper::start(&data)?;
        let keys = match options.masters {
            Some(masters) => Derived::from_masters(&masters)?,
            None => keys::derived()?,
        };
        let platform = options.platform.map_or_else(Platform::from_environment, Ok)?;
        let mut plan = Plan::new(platform, options.port, options.guard, &folder)?;
        let mut values = plan.settings(&keys, options.settings);
        let redis = Redis::start_for(&mut values, &data, &folder, &reaper).await?;
        // On Workers there are alarms and cron triggers.
        let operator = match platform {
            Platform::Workers => None,
            Platform::Spin => Some(Operator::new(&mut values)?),
        };
        settings::check(&values)?;
        let whole = !options.data_only;
        if whole {
            plan.functions.configure(&values)?;
        }

        let progress = options.progress.unwrap_or_else(|| Arc::new(|_, _| {}));
        let public_url = plan.functions.url();
        let (database, workos, functions) = tokio::try_join!(
            database(&data, &folder, &reaper, &public_url, &keys, &progress),
            only_if(whole, timed("WorkOS emulator", &progress, plan.emulator.start(&reaper))),
            only_if(
                whole,
                timed(plan.functions.name(), &progress, plan.functions.start_all(&reaper))
            ),
        )?;
        plan.proxy.database_url = database.authenticator_url;
        let proxy = timed("SQL proxy", &progress, plan.proxy.start(&reaper)).await?;
        let info = plan.info(&database.postgres, database.clients, values, folder);
        let schedule = operator.filter(|_| whole && !options.unscheduled);
        Ok(Self {
            _schedule: schedule.map(|operator| Schedule::start(&public_url, operator)),
            info,
            functions,
            proxy: Some(proxy),
            workos,
            _redis: redis,
            _postgres: database.postgres,
            plan,
            reaper,
        })
    }

    /// What one needs to know to use it.
    pub fn info(&self) -> &StackInfo {
        &self.info
    }

    /// End every process. The logs stay.
    pub fn stop(self) {
        drop(self);
    }

    /// Fails if a part has ended by itself.
    ///
    /// # Errors
    /// With the end of that part's log.
    pub fn check(&mut self) -> Result<()> {
        let parts = [&mut self.functions, &mut self.proxy, &mut self.workos];
        parts.into_iter().flatten().try_for_each(Child::check)
    }

    /// Take Postgres away from the functions: the proxy's port is closed.
    pub fn stop_proxy(&mut self) {
        self.proxy = None;
    }

    /// Give it back, on the same port.
    ///
    /// # Errors
    /// If the proxy does not start.
    pub async fn start_proxy(&mut self) -> Result<()> {
        self.proxy = None;
        self.proxy = Some(self.plan.proxy.start(&self.reaper).await?);
        Ok(())
    }

    /// Let the proxy accept connections but not answer, or go on.
    pub fn pause_proxy(&self, paused: bool) {
        pause(self.proxy.as_ref(), paused);
    }

    /// Take WorkOS away: its port is closed.
    pub fn stop_workos(&mut self) {
        self.workos = None;
    }

    /// Start the emulator again on the same port. It has forgotten everything: the seeded people
    /// have other ids and its signing key is new.
    ///
    /// # Errors
    /// If the emulator does not start.
    pub async fn start_workos(&mut self) -> Result<()> {
        self.workos = None;
        self.workos = Some(self.plan.emulator.start(&self.reaper).await?);
        Ok(())
    }

    /// Let the emulator accept connections but not answer, or go on. It forgets nothing.
    pub fn pause_workos(&self, paused: bool) {
        pause(self.workos.as_ref(), paused);
    }

    /// Kill the functions as a crash would. What they had stored stays.
    pub fn kill_functions(&mut self) {
        if let Some(functions) = self.functions.take() {
            functions.kill();
        }
    }

    /// Give the functions what is derived from these master secrets, from their next start on.
    ///
    /// # Errors
    /// If nothing can be derived from them.
    pub fn rotate_keys(&mut self, masters: &[Master]) -> Result<()> {
        let keys = Derived::from_masters(masters)?;
        self.info.settings.extend(settings::derived(&keys));
        self.plan.functions.configure(&self.info.settings)
    }

    /// Give one function another value of a setting, or none, from the next start on: what a slip of
    /// whoever deploys would do.
    ///
    /// # Errors
    /// If there is no such function or setting.
    pub fn set(&mut self, function: &str, name: &str, value: Option<&str>) -> Result<()> {
        self.plan.functions.set(function, name, value)
    }

    /// From the next start on, end every instance after so long, whatever it is doing, as a panic
    /// would. Only our own host of Spin does that.
    pub fn end_instances_after(&mut self, life: Option<Duration>) {
        self.plan.functions.end_instances_after(life);
    }

    /// Start the functions again on the same port and the same store.
    ///
    /// # Errors
    /// If they do not start.
    pub async fn start_functions(&mut self) -> Result<()> {
        self.kill_functions();
        self.functions = Some(self.plan.functions.start_all(&self.reaper).await?);
        Ok(())
    }
}

impl Plan {
    fn new(
        platform: Platform,
        port: Option<u16>,
        guard: Option<u32>,
        folder: &Path,
    ) -> Result<Self> {
        let (port, folder) = (gateway_port(port)?, folder.to_path_buf());
        let guard = guard.unwrap_or(1_000_000);
        let proxy = Proxy {
            binary: layout::sibling_binary("atoms-edge-proxy")?,
            // Known when the database is.
            database_url: String::new(),
            secret: keys::secret()?,
            port: network::free_port()?,
            log: folder.join("proxy.log"),
        };
        Ok(Self {
            platform,
            emulator: Emulator { port: network::free_port()?, folder: folder.clone() },
            functions: match platform {
                Platform::Workers => Functions::Workers(Workers { port, folder, guard }),
                Platform::Spin => {
                    let variables = Settings::new();
                    Functions::Spin(Spin { port, folder, guard, variables, instance_life: None })
                }
            },
            proxy,
            webhook_secret: keys::secret()?,
            clients_port: network::free_port()?,
        })
    }

    fn settings(&self, keys: &Derived, overrides: Vec<(String, String)>) -> Settings {
        // The driver refuses an address in place of a host name.
        let connection =
            format!("postgresql://authenticator:{}@localhost/atoms", self.proxy.secret);
        let own = [
            ("PUBLIC_URL", self.functions.url()),
            ("WORKOS_API_URL", self.emulator.url()),
            ("WORKOS_ISSUER", self.emulator.url()),
            ("WORKOS_CLIENT_ID", workos::CLIENT_ID.to_owned()),
            ("WORKOS_API_KEY", workos::API_KEY.to_owned()),
            ("WORKOS_WEBHOOK_SECRET", self.webhook_secret.clone()),
            ("SQL_URL", format!("http://127.0.0.1:{}/sql", self.proxy.port)),
            ("SQL_CONNECTION_STRING", connection),
            ("CLIENT_METADATA_HOSTS", format!("http://127.0.0.1:{}", self.clients_port)),
            // Nobody is in front of it who would write the header, so whatever it says is made up.
            ("TRUSTED_PROXY_HEADER", String::new()),
            // Suites ask more in a minute than the clients of a person may.
            ("RATE_LIMIT_TIER", "1000".to_owned()),
            ("LEDGER_STORE", self.platform.default_store().to_owned()),
        ];
        let mut values = settings::derived(keys);
        values.extend(own.map(|(name, value)| (name.to_owned(), value)));
        values.extend(overrides);
        values
    }

    fn info(
        &self,
        postgres: &Postgres,
        clients: Clients,
        settings: Settings,
        folder: PathBuf,
    ) -> StackInfo {
        let value = |name: &str| settings.get(name).cloned().unwrap_or_default();
        StackInfo {
            platform: self.platform,
            base_url: self.functions.url(),
            workos_url: self.emulator.url(),
            sql_url: value("SQL_URL"),
            sql_connection_string: value("SQL_CONNECTION_STRING"),
            postgres_url: postgres.url.clone(),
            clients,
            people: workos::PEOPLE.map(str::to_owned).to_vec(),
            settings,
            folder,
        }
    }
}

type Clients = BTreeMap<String, ClientInfo>;

struct Database {
    postgres: Postgres,
    authenticator_url: String,
    clients: Clients,
}

async fn database(
    data: &Path,
    folder: &Path,
    reaper: &Arc<Reaper>,
    public_url: &str,
    keys: &Derived,
    progress: &Progress,
) -> Result<Database> {
    let log = folder.join("postgres.log");
    let postgres = timed("Postgres", progress, Postgres::start(data, &log, reaper)).await?;
    let prepared = async {
        migrate::migrate(&postgres.url).await?;
        let password = keys::secret()?;
        migrate::set_password(&postgres.url, "authenticator", &password).await?;
        let clients = clients::register(&postgres.url, public_url, keys).await?;
        Ok((postgres.url_of("authenticator", &password), clients))
    };
    let (authenticator_url, clients) = timed("migrations and seed", progress, prepared).await?;
    Ok(Database { postgres, authenticator_url, clients })
}

async fn only_if<T>(wanted: bool, part: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    if wanted { part.await.map(Some) } else { Ok(None) }
}

async fn timed<T>(
    name: &str,
    progress: &Progress,
    part: impl Future<Output = Result<T>>,
) -> Result<T> {
    let since = Instant::now();
    let done = part.await.with_context(|| format!("{name} did not start"))?;
    progress(name, since.elapsed());
    Ok(done)
}

fn gateway_port(wanted: Option<u16>) -> Result<u16> {
    match wanted {
        Some(port) if network::is_free(port) => Ok(port),
        Some(port) => Err(anyhow!("port {port} is taken; choose another with --port")),
        None => network::free_port(),
    }
}

fn pause(child: Option<&Child>, paused: bool) {
    match child {
        Some(child) if paused => child.pause(),
        Some(child) => child.resume(),
        None => {}
    }
}
