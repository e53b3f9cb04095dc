//! An OTLP receiver that shares no code with this project (`clients/otlp_receiver.py`).
//!
//! One receiver serves all tests of a run that do not need it to fail; a [`Tap`] tells their
//! spans apart by a header that its gateway sends (`OTEL_EXPORTER_OTLP_HEADERS`).

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{Process, Stream};
use crate::span::Span;
use crate::wait::{BOUND, eventually};
use crate::{port, tool};

/// The header that names the test a request belongs to.
const TEST_HEADER: &str = "x-spanbridge-test";

/// How the receiver answers; see `clients/otlp_receiver.py`.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    /// HTTP status, or the gRPC code that OTLP pairs with it.
    pub status: Option<u16>,
    /// For that many requests; `None`: until another fault is set.
    pub times: Option<u32>,
    /// How long it thinks before it answers.
    pub delay: Option<Duration>,
    /// Partial success: so many spans were refused.
    pub rejected: Option<u32>,
    /// HTTP only: half of an answer, then the end of the connection.
    pub half: bool,
    /// The HTTP header `retry-after`, in seconds.
    pub retry_after: Option<u32>,
}

/// One export request, whatever it was answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// `grpc` or `http`.
    pub transport: String,
    /// Its headers, names in lower case.
    pub headers: Value,
    /// What it was answered, as an HTTP status.
    pub status: u64,
    /// What was in it.
    pub spans: Vec<Span>,
}

/// A receiver on loopback, for HTTP and (if asked for) gRPC.
#[derive(Debug)]
pub struct Receiver {
    grpc: bool,
    http_port: u16,
    grpc_port: u16,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    process: Option<Process>,
    lines_read: usize,
    syncs: u64,
    requests: Vec<Request>,
}

/// The spans of one gateway.
#[derive(Clone, Debug)]
pub struct Tap {
    receiver: Arc<Receiver>,
    test: String,
}

impl Receiver {
    /// Starts one for HTTP/protobuf alone; `None` when Python is missing and may be.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn http() -> Result<Option<Arc<Self>>> {
        Self::start(false)
    }

    /// Starts one for HTTP/protobuf and gRPC.
    ///
    /// # Errors
    /// As [`Self::http`].
    pub fn grpc() -> Result<Option<Arc<Self>>> {
        Self::start(true)
    }

    /// The receiver that all tests of this run share, for gRPC and HTTP. Do not make it fail.
    ///
    /// # Errors
    /// As [`Self::http`].
    pub fn shared() -> Result<Option<Arc<Self>>> {
        static SHARED: Mutex<Option<Arc<Receiver>>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.is_none() {
            *shared = Self::grpc()?;
        }
        Ok(shared.clone())
    }

    /// Where HTTP requests go.
    pub fn http_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// Where gRPC requests go.
    pub fn grpc_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc_port)
    }

    /// A tap for one more gateway.
    pub fn tap(self: &Arc<Self>) -> Tap {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let test = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Tap { receiver: Arc::clone(self), test }
    }

    /// Answers coming requests badly; `None`: well again.
    ///
    /// # Errors
    /// When the receiver is stopped.
    pub fn set_fault(&self, fault: Option<&Fault>) -> Result<()> {
        let mut inner = self.inner();
        inner.command(&json!({ "fault": fault.map(Fault::script) }))?;
        inner.sync()
    }

    /// Ends it at once, as a crash would. What it received is kept.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn stop(&self) -> Result<()> {
        let mut inner = self.inner();
        if let Some(mut process) = inner.process.take() {
            process.kill()?;
            inner.read(&process)?;
            inner.lines_read = 0;
        }
        Ok(())
    }

    /// Starts it again on the same ports, without a fault.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        let grpc_port = self.grpc.then_some(self.grpc_port);
        let (process, _, _) = spawn(self.http_port, grpc_port)?.context("Python has gone")?;
        self.inner().process = Some(process);
        Ok(())
    }

    /// Everything received so far.
    ///
    /// # Errors
    /// When the receiver died or what it said cannot be read.
    pub fn requests(&self) -> Result<Vec<Request>> {
        let mut inner = self.inner();
        inner.sync()?;
        Ok(inner.requests.clone())
    }

    fn start(grpc: bool) -> Result<Option<Arc<Self>>> {
        let grpc_port = if grpc { Some(port::free()?) } else { None };
        let Some((process, http_port, grpc_port)) = spawn(port::free()?, grpc_port)? else {
            return Ok(None);
        };
        let inner = Mutex::new(Inner { process: Some(process), ..Inner::default() });
        Ok(Some(Arc::new(Self { grpc, http_port, grpc_port, inner })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap {
    /// The variables that make a gateway export here over gRPC.
    pub fn grpc(&self) -> Vec<(String, String)> {
        self.variables(&self.receiver.grpc_endpoint(), "grpc")
    }

    /// The variables that make a gateway export here over HTTP/protobuf.
    pub fn http(&self) -> Vec<(String, String)> {
        self.variables(&self.receiver.http_endpoint(), "http/protobuf")
    }

    /// The receiver behind it.
    pub fn receiver(&self) -> &Arc<Receiver> {
        &self.receiver
    }

    /// The spans that were received and not refused so far, in the order of their coming.
    ///
    /// # Errors
    /// As [`Receiver::requests`].
    pub fn spans(&self) -> Result<Vec<Span>> {
        let requests = self.receiver.requests()?.into_iter();
        let own = requests.filter(|request| request.headers[TEST_HEADER] == self.test.as_str());
        Ok(own.filter(|request| request.status == 200).flat_map(|request| request.spans).collect())
    }

    /// Waits until the spans are as wanted, and answers them.
    ///
    /// # Errors
    /// When they are not within [`BOUND`]; the error shows them.
    pub fn wait_for_spans(
        &self,
        what: &str,
        wanted: impl Fn(&[Span]) -> bool,
    ) -> Result<Vec<Span>> {
        let mut last = Vec::new();
        let found = eventually(what, BOUND, || {
            last = self.spans()?;
            Ok(wanted(&last).then(|| last.clone()))
        });
        found.with_context(|| format!("received: {last:#?}"))
    }

    fn variables(&self, endpoint: &str, protocol: &str) -> Vec<(String, String)> {
        let pairs = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
            ("OTEL_EXPORTER_OTLP_HEADERS", format!("{TEST_HEADER}={}", self.test)),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Inner {
    fn command(&mut self, command: &Value) -> Result<()> {
        let process = self.process.as_mut().context("the receiver is stopped")?;
        process.say(&command.to_string())
    }

    /// Reads everything that the receiver has said before now.
    fn sync(&mut self) -> Result<()> {
        if self.process.is_none() {
            return Ok(());
        }
        self.syncs += 1;
        // As Python's json module spells it.
        let mark = format!("{{\"synced\": {}}}", self.syncs);
        self.command(&json!({ "sync": self.syncs }))?;
        let Some(process) = self.process.take() else { return Ok(()) };
        let said = process.wait_for_line("that it is in step", BOUND, |stream, line| {
            (stream == Stream::Out && line == mark).then_some(())
        });
        let read = said.and_then(|()| self.read(&process));
        self.process = Some(process);
        read
    }

    fn read(&mut self, process: &Process) -> Result<()> {
        let lines = process.lines_from(Stream::Out, self.lines_read);
        self.lines_read += lines.len();
        for line in lines {
            let said: Value = serde_json::from_str(&line)?;
            if let Some(request) = said.get("request") {
                self.requests.push(Request::read(request)?);
            }
        }
        Ok(())
    }
}

impl Request {
    fn read(value: &Value) -> Result<Self> {
        let spans = value["spans"].as_array().context("request without spans")?;
        Ok(Self {
            transport: value["transport"].as_str().unwrap_or_default().to_owned(),
            headers: value["headers"].clone(),
            status: value["status"].as_u64().context("request without status")?,
            spans: spans.iter().map(Span::read).collect::<Result<_>>()?,
        })
    }
}

impl Fault {
    fn script(&self) -> Value {
        let seconds = self.delay.map(|delay| delay.as_secs_f64());
        let members = [
            ("status", self.status.map(Value::from)),
            ("times", self.times.map(Value::from)),
            ("delay", seconds.map(Value::from)),
            ("rejected", self.rejected.map(Value::from)),
            ("half", self.half.then_some(Value::Bool(true))),
            ("retry_after", self.retry_after.map(Value::from)),
        ];
        let set = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(set.collect())
    }
}

/// Starts the program and answers its ports.
fn spawn(http_port: u16, grpc_port: Option<u16>) -> Result<Option<(Process, u16, u16)>> {
    let Some(python) = tool::python()? else { return Ok(None) };
    let mut command = Command::new(python);
    command.arg(tool::root().join("tests/clients/otlp_receiver.py"));
    command.args(["--http-port", &http_port.to_string()]);
    if let Some(port) = grpc_port {
        command.args(["--grpc-port", &port.to_string()]);
    }
    let process = Process::spawn("otlp_receiver.py", &mut command)?;
    let ready = process.wait_for_line("where it listens", BOUND, |stream, line| {
        let said: Value = serde_json::from_str(line).ok().filter(|_| stream == Stream::Out)?;
        said.get("ready").cloned()
    })?;
    let port = |name: &str| ready[name].as_u64().and_then(|port| u16::try_from(port).ok());
    let Some(http) = port("http") else { bail!("the receiver did not say its port: {ready}") };
    Ok(Some((process, http, port("grpc").unwrap_or_default())))
}
