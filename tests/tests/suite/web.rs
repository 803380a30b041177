//! The host of clients: an HTTP server at the address at which the stack lets documents and keys be.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::World;
use e2e::world::unique;
use serde_json::Value;

/// What a page says.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) status: &'static str,
    pub(crate) headers: String,
    pub(crate) body: String,
    /// It says nothing for so long.
    pub(crate) after: Duration,
}

impl Page {
    pub(crate) fn json(value: &Value) -> Self {
        Self::of("application/json", &value.to_string())
    }

    pub(crate) fn of(media: &str, body: &str) -> Self {
        Self {
            status: "200 OK",
            headers: format!("content-type: {media}\r\n"),
            body: body.to_owned(),
            after: Duration::ZERO,
        }
    }
}

#[derive(Default)]
struct Pages {
    pages: BTreeMap<String, Page>,
    asked: BTreeMap<String, u32>,
}

/// It lives as long as the tests.
pub(crate) struct Web {
    origin: String,
    pages: Arc<Mutex<Pages>>,
}

impl Web {
    /// The one that the stack asks.
    pub(crate) fn of(world: &World) -> Result<&'static Self> {
        static WEB: OnceLock<Web> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(web) = WEB.get() {
            return Ok(web);
        }
        let origin = world.info.settings.get("CLIENT_METADATA_HOSTS");
        let origin = origin.context("the stack lets documents be nowhere")?;
        let web = Self::start(origin.strip_prefix("http://").context("plain HTTP only")?)?;
        Ok(WEB.get_or_init(|| web))
    }

    /// One that the stack must not ask.
    pub(crate) fn elsewhere() -> Result<Self> {
        Self::start("127.0.0.1:0")
    }

    fn start(address: &str) -> Result<Self> {
        let listener =
            TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        let origin = format!("http://{}", listener.local_addr()?);
        let pages = Arc::<Mutex<Pages>>::default();
        let known = Arc::clone(&pages);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let known = Arc::clone(&known);
                // Whether whoever asked is still there does not matter.
                thread::spawn(move || drop(answer(stream, &known)));
            }
        });
        Ok(Self { origin, pages })
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> &str {
        self.origin.rsplit(':').next().unwrap_or_default()
    }

    /// An address that nobody knew before.
    pub(crate) fn address(&self) -> String {
        format!("{}/{}/client.json", self.origin, unique())
    }

    /// From now on the page is there.
    pub(crate) fn show(&self, url: &str, page: Page) {
        let path = url.strip_prefix(&self.origin).unwrap_or_default().to_owned();
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).pages.insert(path, page);
    }

    /// A new page; answers its address.
    pub(crate) fn publish(&self, page: Page) -> String {
        let url = self.address();
        self.show(&url, page);
        url
    }

    /// How often somebody has asked for a page.
    pub(crate) fn asked(&self, url: &str) -> u32 {
        let path = url.strip_prefix(&self.origin).unwrap_or_default();
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.asked.get(path).copied().unwrap_or(0)
    }

    /// How often somebody has asked for anything.
    pub(crate) fn asked_at_all(&self) -> u32 {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).asked.values().sum()
    }
}

fn answer(mut stream: TcpStream, known: &Mutex<Pages>) -> Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => break,
            count => head.extend_from_slice(&buffer[..count]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let page = {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        *known.asked.entry(path.clone()).or_default() += 1;
        known.pages.get(&path).cloned()
    };
    let missing = Page { status: "404 Not Found", ..Page::of("text/plain", "") };
    let Page { status, headers, body, after } = page.unwrap_or(missing);
    thread::sleep(after);
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )?;
    Ok(())
}
