//! The programs of a measurement, as child processes that do not outlive it.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use spanbridge_tests::RabbitMq;

use crate::protocol::Protocol;

const START_TIMEOUT: Duration = Duration::from_secs(15);

/// A program that listens.
pub(crate) struct Program {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    pub(crate) address: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(mut command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let out = child.stdout.take().map(BufReader::new);
        let mut program = Self { child, out, address };
        let end = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = program.child.try_wait()? {
                bail!("{name} ended with {status}");
            }
            anyhow::ensure!(Instant::now() < end, "{name} does not listen on {address}");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(program)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, and answers what it says on the way out.
    pub(crate) fn stop(mut self) -> anyhow::Result<Vec<String>> {
        let pid = self.pid().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status()?;
        anyhow::ensure!(asked.success(), "cannot stop process {pid}");
        let out = self.out.take().context("its output was read before")?;
        let lines = out.lines().collect::<Result<_, _>>()?;
        self.child.wait()?;
        Ok(lines)
    }
}

/// The current nats-server.
pub(crate) fn nats_server() -> anyhow::Result<Program> {
    let installed = root().join(".tools/venv/bin/nats-server");
    let address = free_address()?;
    let mut command = Command::new(installed);
    command.args(["-a", "127.0.0.1", "-p", &address.port().to_string()]);
    Program::start(command, address).context("`tests/tools/install.sh python` installs nats-server")
}

/// RabbitMQ of Debian.
pub(crate) fn rabbitmq() -> anyhow::Result<RabbitMq> {
    RabbitMq::start()?.context("`tests/tools/install.sh rabbitmq` installs RabbitMQ")
}

/// Redis of Debian, which keeps nothing on disk.
pub(crate) fn redis_server() -> anyhow::Result<Program> {
    redis_server_with(&[], &[])
}

/// The same with more arguments, and variables in its environment.
pub(crate) fn redis_server_with(
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<Program> {
    let address = free_address()?;
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(["--save", "", "--appendonly", "no"]).args(arguments);
    command.envs(variables.iter().copied());
    Program::start(command, address).context("`tests/tools/install.sh redis` installs redis-server")
}

/// What Redis answers to a command, by lines.
pub(crate) fn redis_says(address: SocketAddr, words: &[&str]) -> anyhow::Result<Vec<String>> {
    let port = address.port().to_string();
    let output = Command::new("redis-cli").args(["-e", "-p", &port]).args(words).output()?;
    let said = String::from_utf8(output.stdout)?;
    anyhow::ensure!(output.status.success(), "`{}`: {said}", words.join(" "));
    Ok(said.lines().map(str::to_owned).collect())
}

/// HAProxy in TCP mode with one thread, and buffers as large as ours: smaller ones flatter us.
pub(crate) fn haproxy(folder: &Path, broker: SocketAddr) -> anyhow::Result<Program> {
    let address = free_address()?;
    let path = folder.join("haproxy.cfg");
    fs::write(
        &path,
        format!(
            "global\n  nbthread 1\n  maxconn 8000\n  tune.bufsize 65536\n\
             defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
             listen load\n  bind {address}\n  server broker {broker}\n"
        ),
    )?;
    let mut command = Command::new(installed("haproxy"));
    command.arg("-db").arg("-f").arg(path);
    Program::start(command, address).context("`tests/tools/install.sh bench` installs haproxy")
}

/// nutcracker (twemproxy), with Debian's defaults.
pub(crate) fn nutcracker(folder: &Path, broker: SocketAddr) -> anyhow::Result<Program> {
    let (address, statistics) = (free_address()?, free_address()?);
    let path = folder.join("nutcracker.yml");
    fs::write(
        &path,
        format!(
            "load:\n  listen: {address}\n  redis: true\n  hash: fnv1a_64\n  \
             distribution: ketama\n  servers:\n   - {broker}:1\n"
        ),
    )?;
    let mut command = Command::new(installed("nutcracker"));
    command.arg("-c").arg(path).args(["-a", "127.0.0.1"]);
    command.args(["-s", &statistics.port().to_string()]);
    Program::start(command, address).context("`tests/tools/install.sh bench` installs nutcracker")
}

/// What a gateway does with its spans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spans {
    /// Nothing is traced.
    Off,
    /// Made, and then discarded: `OTEL_TRACES_EXPORTER=none`.
    Discarded,
    /// Exported over OTLP, this share of traces.
    Exported(f64),
}

/// The gateway, as it was built beside this program.
pub(crate) fn gateway(
    protocol: Protocol,
    folder: &Path,
    broker: SocketAddr,
    spans: Spans,
    receiver: SocketAddr,
) -> anyhow::Result<Program> {
    let program = match env::var_os("SPANBRIDGE_BIN") {
        Some(path) => path.into(),
        None => env::current_exe()?.with_file_name("spanbridge"),
    };
    let address = free_address()?;
    let off = "[listener.route]\noff = true\n";
    let routes = if spans == Spans::Off { off } else { protocol.routes() };
    let (path, scheme) = (folder.join("spanbridge.toml"), protocol.scheme());
    fs::write(
        &path,
        format!(
            "[[listener]]\nlisten = \"{scheme}://{address}\"\n\
             brokers = [\"{scheme}://{broker}\"]\n{routes}"
        ),
    )?;
    let mut command = Command::new(program);
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_"))
    {
        command.env_remove(name);
    }
    command.arg("gateway").arg("--config").arg(path);
    if let Spans::Exported(share) = spans {
        command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{receiver}"));
        // A ratio of one would write its threshold into every tracestate: a longer message.
        if share < 1.0 {
            command.env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
            command.env("OTEL_TRACES_SAMPLER_ARG", share.to_string());
        }
    } else {
        command.env("OTEL_TRACES_EXPORTER", "none");
    }
    Program::start(command, address).context("`make bench-gateway` builds spanbridge")
}

/// Where a program is that Debian keeps off the path of ordinary users.
fn installed(name: &str) -> PathBuf {
    let known = Path::new("/usr/sbin").join(name);
    if known.is_file() { known } else { name.into() }
}

/// A port that was free a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
