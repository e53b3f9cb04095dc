//! A child process whose output is kept, and which does not outlive its owner.
//!
//! Signals go to the child's own process id only. What it said is printed on drop.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::wait::{BOUND, eventually};

/// Most lines that are kept of one child. More is read, so that the child never blocks, and
/// forgotten. A noisy broker says some thousands in a test.
const LINES_MAX: usize = 100_000;

/// Most lines printed on drop: enough to see how it ended.
const LINES_SHOWN: usize = 200;

/// Which of the child's streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    log: Arc<Log>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Log {
    heard: Mutex<Heard>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Heard {
    lines: Vec<(Stream, String)>,
    streams_open: u8,
}

impl Process {
    /// Starts a program with all three streams held by the harness.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let log = Arc::new(Log::default());
        log.heard().streams_open = 2;
        let mut readers = Vec::new();
        if let Some(stream) = child.stdout.take() {
            readers.push(log.clone().read(Stream::Out, stream));
        }
        if let Some(stream) = child.stderr.take() {
            readers.push(log.clone().read(Stream::Err, stream));
        }
        let stdin = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, stdin, log, readers })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to the child's standard input, at once.
    ///
    /// # Errors
    /// When the child has closed it.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("standard input is closed")?;
        stdin.write_all(format!("{line}\n").as_bytes())?;
        Ok(stdin.flush()?)
    }

    /// Ends the child's standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for a line of which `read` makes something, from the first line on.
    ///
    /// # Errors
    /// When `bound` passes, or when the child ends without having said it.
    pub fn wait_for_line<T>(
        &self,
        what: &str,
        bound: Duration,
        mut read: impl FnMut(Stream, &str) -> Option<T>,
    ) -> Result<T> {
        let found = self.log.wait(Instant::now() + bound, &mut read);
        found.ok_or_else(|| anyhow!("{} did not say {what}:\n{}", self.name, self.log.tail()))
    }

    /// What a stream has said so far, from its line number `first` on.
    pub fn lines_from(&self, stream: Stream, first: usize) -> Vec<String> {
        let heard = self.log.heard();
        let lines = heard.lines.iter().filter(|(from, _)| *from == stream);
        lines.skip(first).map(|(_, text)| text.clone()).collect()
    }

    /// What a stream has said so far.
    pub fn lines(&self, stream: Stream) -> Vec<String> {
        self.lines_from(stream, 0)
    }

    /// Asks the child to end (SIGTERM), if it still runs.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn terminate(&mut self) -> Result<()> {
        self.signal("TERM")
    }

    /// Sends a signal by its name, without `SIG`, if the child still runs.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn signal(&mut self, name: &str) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        // The shell's own `kill`: the standard library has only SIGKILL.
        let script = "kill -s \"$1\" \"$0\"";
        let child = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", script, &child, name]).status()?;
        if !sent.success() {
            bail!("cannot send SIG{name} to {}", self.name);
        }
        Ok(())
    }

    /// Memory of the child that is resident, in KiB, as the system sees it.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no VmRSS")?.parse()?)
    }

    /// Whether the child still runs.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for the child's end; everything it said is kept by then.
    ///
    /// # Errors
    /// When `bound` passes first.
    pub fn wait(&mut self, bound: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        let child = &mut self.child;
        let status = eventually(&what, bound, || Ok(child.try_wait()?))?;
        for reader in self.readers.drain(..) {
            // A reader only ends early by a panic, which has been printed.
            drop(reader.join());
        }
        Ok(status)
    }

    /// Ends the child at once (SIGKILL) and waits for its end.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        self.wait(BOUND)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.kill());
        eprintln!("--- {} said:\n{}", self.name, self.log.tail());
    }
}

impl Log {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a stream's lines until its end, on a thread of its own.
    fn read(self: Arc<Self>, from: Stream, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                let mut heard = self.heard();
                if heard.lines.len() < LINES_MAX {
                    heard.lines.push((from, text));
                }
                self.grown.notify_all();
            }
            self.heard().streams_open -= 1;
            self.grown.notify_all();
        })
    }

    fn wait<T>(
        &self,
        deadline: Instant,
        read: &mut impl FnMut(Stream, &str) -> Option<T>,
    ) -> Option<T> {
        let mut seen = 0;
        let mut heard = self.heard();
        loop {
            for (from, text) in &heard.lines[seen..] {
                if let Some(found) = read(*from, text) {
                    return Some(found);
                }
            }
            seen = heard.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if heard.streams_open == 0 || left.is_zero() {
                return None;
            }
            let waited = self.grown.wait_timeout(heard, left);
            heard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn tail(&self) -> String {
        let heard = self.heard();
        let first = heard.lines.len().saturating_sub(LINES_SHOWN);
        let lines = heard.lines[first..].iter().map(|(from, text)| format!("{from:?} {text}\n"));
        lines.collect()
    }
}
