//! Running a program as a step: its output goes to a log, the terminal shows that it goes on.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::report;

/// Run a program as a step. On failure the end of its output and the path of all of it are shown.
pub(crate) fn step(name: &str, command: &mut Command) -> Result<()> {
    watched(name, command, |_| {})
}

/// Like [`step`], and every line of output is seen by `watch`.
pub(crate) fn watched(name: &str, command: &mut Command, watch: impl FnMut(&str)) -> Result<()> {
    let since = Instant::now();
    let outcome = logged(name, command, watch);
    match &outcome {
        Ok(()) => report::done(name, since.elapsed()),
        Err(_) => report::failed(name, since.elapsed()),
    }
    outcome
}

/// Run a program without a line of its own.
pub(crate) fn logged(name: &str, command: &mut Command, watch: impl FnMut(&str)) -> Result<()> {
    let folder = stack::layout::target().join("logs");
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.log", name.replace([' ', '/'], "-")));
    let mut log =
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let (reader, writer) = std::io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    // The command holds the writing ends too; without them the output ends with the child.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let tail = follow(name, reader, &mut log, watch)?;
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    bail!("{name} failed ({status}):\n{}\n(all of it: {})", tail.join("\n"), path.display())
}

/// The output's last lines, once it has ended.
fn follow(
    name: &str,
    output: PipeReader,
    log: &mut File,
    mut watch: impl FnMut(&str),
) -> Result<Vec<String>> {
    let since = Instant::now();
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    let mut tail: Vec<String> = Vec::new();
    let mut shown = Instant::now();
    loop {
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => {
                writeln!(log, "{line}")?;
                watch(&line);
                if tail.len() == 40 {
                    tail.remove(0);
                }
                tail.push(line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(tail),
        }
        if shown.elapsed() >= report::rhythm() {
            shown = Instant::now();
            report::progress(name, since.elapsed(), tail.last().map_or("", String::as_str));
        }
    }
}
