//! Running a program as a step: its output goes to a log, the terminal shows that it goes on.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::report;

/// How many lines of each kind a failure shows.
const TAIL: usize = 40;
const FAILURES: usize = 200;

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
    let told = follow(name, reader, &mut log, watch)?;
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    bail!("{name} failed ({status}):\n{}\n(all of it: {})", told.report(), path.display())
}

/// What is kept of a program's output, to say why it failed: its last lines, and what tests said that
/// failed, which those of later programs would push out.
#[derive(Default)]
struct Told {
    tail: VecDeque<String>,
    failures: Vec<String>,
    in_failures: bool,
}

impl Told {
    fn hear(&mut self, line: String) {
        // As cargo's tests report: a heading, what each said, their names, and the sum.
        self.in_failures = match line.as_str() {
            "failures:" => true,
            line if line.starts_with("test result: ") => false,
            _ => self.in_failures,
        };
        if self.in_failures && self.failures.len() < FAILURES {
            self.failures.push(line.clone());
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    fn report(&self) -> String {
        let lines = self.failures.iter().map(String::as_str);
        let lines = lines.chain((!self.failures.is_empty()).then_some("…"));
        lines.chain(self.tail.iter().map(String::as_str)).collect::<Vec<_>>().join("\n")
    }
}

/// What it said, once it has ended.
fn follow(
    name: &str,
    output: PipeReader,
    log: &mut File,
    mut watch: impl FnMut(&str),
) -> Result<Told> {
    let since = Instant::now();
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    let mut told = Told::default();
    let mut shown = Instant::now();
    loop {
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => {
                writeln!(log, "{line}")?;
                watch(&line);
                told.hear(line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(told),
        }
        if shown.elapsed() >= report::rhythm() {
            shown = Instant::now();
            report::progress(name, since.elapsed(), told.tail.back().map_or("", String::as_str));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failing_tests_said_is_kept_whatever_follows() {
        let mut told = Told::default();
        for line in ["running 2 tests", "failures:", "---- a stdout ----", "it broke"] {
            told.hear(line.to_owned());
        }
        told.hear("test result: FAILED. 1 passed; 1 failed".to_owned());
        for number in 0..TAIL {
            told.hear(format!("later {number}"));
        }
        let report = told.report();
        assert!(report.starts_with("failures:\n---- a stdout ----\nit broke\n…\nlater 0\n"));
        assert!(report.ends_with(&format!("later {}", TAIL - 1)));
    }

    #[test]
    fn a_program_without_tests_shows_its_last_lines() {
        let mut told = Told::default();
        (0..=TAIL).for_each(|number| told.hear(format!("line {number}")));
        assert!(told.report().starts_with("line 1\n"));
    }
}
