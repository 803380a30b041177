//! Child processes that never outlive their owner. Each is the head of a process group of its own,
//! so that Ctrl-C in a terminal reaches only the owner and a stop reaches the whole family. A small
//! shell watches a pipe from the owner and ends what is left when the owner is killed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How long a child may take to end after it was asked to.
const PATIENCE: Duration = Duration::from_secs(4);

/// The last line read names who is alive as `SIGNAL:PID`; `$1` is a folder to remove at the end.
const WATCH: &str = r#"
while read -r line; do alive=$line; done
for child in $alive; do kill -s "${child%%:*}" -- "-${child#*:}"; done
if [ -n "$alive" ]; then sleep 2; fi
for child in $alive; do kill -s KILL -- "-${child#*:}"; done
rm -rf -- "$1"
"#;

/// The shell that cleans up after an owner that was killed. Dropping it removes the folder.
pub struct Reaper {
    shell: Mutex<std::process::Child>,
    alive: Mutex<BTreeMap<u32, Signal>>,
}

impl Reaper {
    /// Start it.
    ///
    /// # Errors
    /// If there is no shell.
    pub fn start(folder: &Path) -> Result<Arc<Self>> {
        let shell = Command::new("sh")
            .args(["-c", WATCH, "reaper"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        Ok(Arc::new(Self { shell: Mutex::new(shell), alive: Mutex::default() }))
    }

    fn update(&self, change: impl FnOnce(&mut BTreeMap<u32, Signal>)) {
        let mut alive = lock(&self.alive);
        change(&mut alive);
        let line: Vec<_> = alive
            .iter()
            .map(|(pid, signal)| format!("{}:{pid}", signal.as_str().trim_start_matches("SIG")))
            .collect();
        if let Some(pipe) = lock(&self.shell).stdin.as_mut() {
            // Without the shell, the owner's own clean-up remains.
            let _ = writeln!(pipe, "{}", line.join(" "));
        }
    }

    /// Let the shell do its work: its pipe ends, as it does when the owner dies.
    fn release(&self) {
        let mut shell = lock(&self.shell);
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.release();
    }
}

/// A running child. Dropping it stops it.
pub struct Child {
    name: &'static str,
    process: std::process::Child,
    log: PathBuf,
    stop: Signal,
    reaper: Arc<Reaper>,
}

impl Child {
    /// Start a program whose output is appended to a log file. `stop` is the signal that asks it to
    /// end.
    ///
    /// # Errors
    /// If the program cannot be started or the log not be opened.
    pub fn spawn(
        name: &'static str,
        command: &mut Command,
        log: &Path,
        stop: Signal,
        reaper: &Arc<Reaper>,
    ) -> Result<Self> {
        let output = open_log(log)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} ({:?})", command.get_program()))?;
        reaper.update(|alive| {
            alive.insert(process.id(), stop);
        });
        Ok(Self { name, process, log: log.to_path_buf(), stop, reaper: Arc::clone(reaper) })
    }

    /// What it is, for messages.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its process id, which is also that of its group.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(25)..].join("\n");
        format!("{tail}\n(all of it: {})", self.log.display())
    }

    /// Fails if it has ended by itself.
    ///
    /// # Errors
    /// With its status and the end of its log.
    pub fn check(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            Some(status) => {
                bail!("{} ended ({status}); its log ends:\n{}", self.name, self.log_tail())
            }
            None => Ok(()),
        }
    }

    /// Stop its clock: connections are still accepted, but nothing answers.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Go on after [`Child::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// End it and its family at once, as a crash would.
    pub fn kill(mut self) {
        self.end_now();
    }

    fn signal(&self, signal: Signal) {
        // The group may have ended already.
        let _ = killpg(group(self.id()), signal);
    }

    fn end_now(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.process.wait();
    }

    fn end(&mut self) {
        self.signal(self.stop);
        self.signal(Signal::SIGCONT);
        let since = Instant::now();
        while since.elapsed() < PATIENCE && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.end_now();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
        let id = self.id();
        self.reaper.update(|alive| {
            alive.remove(&id);
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn group(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap_or(i32::MAX))
}

/// Open a log for appending.
pub(crate) fn open_log(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path, reaper: &Arc<Reaper>) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & sleep 60"]);
        Child::spawn("sleeper", &mut command, &folder.join("log"), Signal::SIGTERM, reaper).unwrap()
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Whether a process runs: one that ended and was not collected does not.
    fn is_running(id: u32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat"));
        status.is_ok_and(|text| !text.contains(") Z "))
    }

    #[test]
    fn dropping_a_child_ends_it_and_the_folder_goes_last() {
        let folder = folder("stack-drop");
        let reaper = Reaper::start(&folder).unwrap();
        let child = sleeper(&folder, &reaper);
        let id = child.id();
        assert!(is_running(id));
        drop(child);
        assert!(!is_running(id));
        drop(reaper);
        assert!(!folder.exists());
    }

    #[test]
    fn the_reaper_ends_what_its_owner_left() {
        let folder = folder("stack-leak");
        let reaper = Reaper::start(&folder).unwrap();
        let child = std::mem::ManuallyDrop::new(sleeper(&folder, &reaper));
        assert!(is_running(child.id()));
        reaper.release();
        assert!(!is_running(child.id()));
        assert!(!folder.exists());
    }
}
