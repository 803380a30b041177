//! `cargo xtask dev`: from a fresh clone to the whole product at work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use stack::{Platform, Stack, StackInfo, StackOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::{build, prerequisites, report, spin, tools};

/// How `dev` runs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// End after the main job, with its status
    #[arg(long)]
    once: bool,
    /// The port to serve on [default: 8787, or a free one with --once]
    #[arg(long)]
    port: Option<u16>,
    /// What runs the functions: `workers` or `spin`
    #[arg(long, default_value_t = Platform::Workers)]
    platform: Platform,
}

impl Arguments {
    fn port(&self) -> Option<u16> {
        self.port.or(if self.once { None } else { Some(8787) })
    }
}

/// The command.
///
/// # Errors
/// If something is missing, does not build, does not start, or the main job fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let since = Instant::now();
    prepare(arguments.platform)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut interrupts = Interrupts::new()?;
        tokio::select! {
            outcome = serve(arguments, since) => outcome,
            () = interrupts.next() => {
                report::line("  stopped");
                Ok(())
            }
        }
    })
}

/// Everything that must be there before a stack can start.
///
/// # Errors
/// If something is missing or does not build.
pub(crate) fn prepare(platform: Platform) -> Result<()> {
    prerequisites::check()?;
    match platform {
        Platform::Workers => {
            tools::install_for_builds()?;
            build::functions()?;
        }
        Platform::Spin => {
            tools::install_for_stacks()?;
            spin::components()?;
            spin::host()?;
        }
    }
    build::native()
}

/// Start a stack, with a line for every part.
///
/// # Errors
/// If a part does not start.
pub(crate) async fn start(
    platform: Platform,
    port: Option<u16>,
    settings: &[(&str, &str)],
) -> Result<Stack> {
    let progress: stack::Progress = Arc::new(|part: &str, took: Duration| report::done(part, took));
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let options = StackOptions {
        platform: Some(platform),
        port,
        progress: Some(progress),
        settings: settings.collect(),
        ..StackOptions::default()
    };
    let stack = Stack::start(options).await?;
    stack.info().save()?;
    Ok(stack)
}

/// Ends only by failing, with `--once`, or by being dropped.
async fn serve(arguments: &Arguments, since: Instant) -> Result<()> {
    let mut stack =
        start(arguments.platform, arguments.port(), &[("RATE_LIMIT_TIER", "1")]).await?;
    e2e::main_job::run(stack.info()).await.with_context(|| {
        format!("the main job failed; the logs are in {}", stack.info().folder.display())
    })?;
    if arguments.once {
        return Ok(());
    }
    invite(stack.info(), since.elapsed());
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stack.check()?;
    }
}

/// What to do with a stack that serves.
fn invite(info: &StackInfo, took: Duration) {
    let (url, workos) = (&info.base_url, &info.workos_url);
    let read = "node -pe 'JSON.parse(require(\"fs\").readFileSync(0)).access_token'";
    println!(
        r#"
Atoms Edge serves on {url} (after {seconds} s); logs in {folder}

For MCP clients   {url}/mcp   (docs/connect-a-client.md)
For a browser     {url}/account

Five commands to paste:

curl {url}/health/ready

CODE=$(curl -s -o /dev/null -w '%{{redirect_url}}' "{workos}/user_management/authorize?client_id=client_atoms&response_type=code&provider=authkit&login_hint=ada@example.test&redirect_uri=http://127.0.0.1/callback" | sed 's/.*code=//')

AUTHKIT=$(curl -s {workos}/user_management/authenticate -H 'content-type: application/json' -d '{{"grant_type":"authorization_code","client_id":"client_atoms","client_secret":"sk_test_default","code":"'$CODE'"}}' | {read})

TOKEN=$(curl -s {url}/oauth/token -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange -d client_id=atoms-web -d subject_token_type=urn:ietf:params:oauth:token-type:access_token -d subject_token=$AUTHKIT | {read})

curl {url}/mcp -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"workspace","arguments":{{"operation":"list_workspaces"}}}}}}'

Ctrl-C ends it."#,
        seconds = took.as_secs(),
        folder = info.folder.display(),
    );
}

/// The ways in which one is asked to end.
struct Interrupts([tokio::signal::unix::Signal; 3]);

impl Interrupts {
    fn new() -> Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self([signal(SignalKind::interrupt())?, terminate, signal(SignalKind::hangup())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
