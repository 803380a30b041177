//! Starts the program and asks the component.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running host; ended when dropped.
pub(crate) struct Host {
    child: Child,
    pub(crate) address: String,
    client: reqwest::Client,
}

/// What a host is started with.
pub(crate) struct Setting {
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

impl Setting {
    /// A folder of its own with a manifest: `parts` after the head, with `FIXTURE` for the
    /// component's file.
    pub(crate) fn new(parts: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("application-{}-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let head = "spin_manifest_version = 2\napplication = { name = \"test\" }\n";
        let fixture = fixture().to_str().unwrap();
        let manifest = format!("{head}{}", parts.replace("FIXTURE", fixture));
        std::fs::write(folder.join("spin.toml"), manifest).unwrap();
        Self { folder, environment: Vec::new() }
    }

    /// With a variable in the environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a runtime configuration.
    pub(crate) fn configured(self, text: &str) -> Self {
        self.file("runtime-config.toml", text.as_bytes());
        self
    }

    /// A file beside the manifest.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.join(name), bytes).unwrap();
    }

    /// Where such a file is.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// What was written to a file below the setting's folder.
    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// Starts the host and waits until it serves.
    pub(crate) fn start(&self) -> Host {
        let mut child = self.command().stderr(self.log()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Serving ").unwrap_or_else(|| {
            panic!("it does not serve: {}", self.text("stderr.txt"));
        });
        let address = address.to_owned();
        // Nobody reads the rest, and a full pipe would stop the component.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Host { child, address, client: reqwest::Client::new() }
    }

    /// Why the host does not start.
    pub(crate) fn refused(&self) -> String {
        let output = self.command().stderr(Stdio::piped()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spin-host"));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        command
            .args(["up", "--listen", "127.0.0.1:0", "--from"])
            .arg(self.folder.join("spin.toml"));
        command.arg("--state-dir").arg(self.folder.join("state"));
        command.arg("--log-dir").arg(self.folder.join("logs"));
        command.arg("--cache-dir").arg(cache);
        let config = self.folder.join("runtime-config.toml");
        if config.exists() {
            command.arg("--runtime-config-file").arg(config);
        }
        command.env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    fn log(&self) -> Stdio {
        std::fs::File::create(self.folder.join("stderr.txt")).unwrap().into()
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

impl Host {
    /// What the component answers to a path; a body is posted.
    pub(crate) async fn ask(&self, path: &str, body: &str) -> String {
        let (status, answer) = self.answer(path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The same with the status, whatever it is.
    pub(crate) async fn answer(&self, path: &str, body: &str) -> (u16, String) {
        let request = self.client.post(format!("{}{path}", self.address)).body(body.to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Tells the host to stop, and says whether it ended well.
    pub(crate) fn stop(mut self, signal: Signal) -> bool {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
        self.child.wait().unwrap().success()
    }

    /// The authority it listens on.
    pub(crate) fn authority(&self) -> &str {
        self.address.strip_prefix("http://").unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The component's file, built once.
pub(crate) fn fixture() -> &'static Path {
    static FIXTURE: OnceLock<PathBuf> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", "spin-host-fixture", "--release"]);
        build.args(["--target", "wasm32-wasip2", "--message-format", "json-render-diagnostics"]);
        let output = build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the fixture does not build");
        let text = String::from_utf8(output.stdout).unwrap();
        let file = text.split('"').rfind(|part| part.ends_with("spin_host_fixture.wasm"));
        PathBuf::from(file.expect("the build names no component"))
    })
}

/// The component's bytes with one text in place of another of the same length.
pub(crate) fn altered(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = Vec::new();
    std::fs::File::open(fixture()).unwrap().read_to_end(&mut bytes).unwrap();
    let places =
        bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from.as_bytes());
    let places = places.map(|(place, _)| place).collect::<Vec<_>>();
    assert!(!places.is_empty(), "{from} is not in the component");
    for place in places {
        bytes[place..place + from.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}
