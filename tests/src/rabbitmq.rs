//! A real RabbitMQ of Debian, as a child process.
//!
//! It takes five seconds to start, so most tests share one server and take a vhost of it each.
//! Nothing is installed or configured outside its temporary folder, and the service of the Debian
//! package is left alone.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;
use tempfile::TempDir;

use crate::authority::Authority;
use crate::broker::{Broker, Release};
use crate::port;
use crate::process::{Process, Stream};
use crate::wait::{BOUND, eventually};

/// Vhosts that the shared server has from the start. Making one later takes a second and the tool
/// of the broker; at the start a hundred take no time that can be measured.
const VHOSTS: usize = 128;

/// Longest that it may take to come up: five seconds on a machine that has nothing else to do.
const START_BOUND: Duration = Duration::from_secs(120);

/// Longest that its tool may take, which starts an Erlang machine each time.
const CONTROL_BOUND: Duration = Duration::from_secs(60);

/// What a client says first, and RabbitMQ answers.
const PROTOCOL_HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// `guest`, salted and hashed as RabbitMQ wants it; a server that is given definitions makes no
/// user by itself.
const PASSWORD_HASH: &str = "c3BhbmNaQQH5OyLqmlzwsjOhRrljUTpPg5sgCL53/0UicZO8";

/// What ends a server whose owner has ended without a word: its standard input ends with the
/// owner, however that ended. Nothing is ever written to it. The arguments are the folder and what
/// to end.
const LEASH: &str = "read -r line; folder=$1; shift; kill -9 \"$@\"; rm -rf \"$folder\"";

/// A server.
#[derive(Debug)]
pub struct RabbitMq {
    broker: Broker,
    folder: TempDir,
    authority: Authority,
    port: u16,
    tls_port: u16,
    mqtt_port: u16,
    distribution_port: u16,
    mapper_port: u16,
    vhosts: usize,
    /// In the environment of the server and of its tools, besides its own.
    variables: Vec<(String, String)>,
    next_vhost: AtomicUsize,
    running: Option<Running>,
}

/// The processes of a server; dropped in this order.
#[derive(Debug)]
struct Running {
    server: Process,
    /// Erlang's port mapper. The server would leave one behind that nobody owns.
    mapper: Process,
    leash: Process,
}

impl RabbitMq {
    /// The server that all tests of this run share; `None` when it is missing and may be. Do not
    /// make it fail.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn shared() -> Result<Option<Arc<Self>>> {
        static SHARED: Mutex<Option<Arc<RabbitMq>>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.is_none() {
            *shared = Self::installed(VHOSTS)?.map(Arc::new);
        }
        Ok(shared.clone())
    }

    /// Starts a server of its own for one test, with the vhost `/` alone: after a crash each would
    /// take its time.
    ///
    /// # Errors
    /// When it does not come up, or is missing where it must not be.
    pub fn start() -> Result<Option<Self>> {
        Self::installed(0)
    }

    fn installed(vhosts: usize) -> Result<Option<Self>> {
        let broker = Broker::of(Release::Installed)?;
        broker.map(|broker| Self::start_with(broker, vhosts, Vec::new())).transpose()
    }

    /// Starts a server of its own with so many vhosts, and variables in its environment.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(
        broker: Broker,
        vhosts: usize,
        variables: Vec<(String, String)>,
    ) -> Result<Self> {
        let mut server = Self {
            broker,
            folder: TempDir::new()?,
            authority: Authority::new()?,
            port: port::free()?,
            tls_port: port::free()?,
            mqtt_port: port::free()?,
            distribution_port: port::free()?,
            mapper_port: port::free()?,
            vhosts,
            variables,
            next_vhost: AtomicUsize::new(1),
            running: None,
        };
        server.configure()?;
        server.restart()?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where it listens for TLS.
    pub fn tls_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.tls_port))
    }

    /// Where it listens for MQTT, once its plugin for that is enabled.
    pub fn mqtt_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.mqtt_port))
    }

    /// Where it listens, as a gateway wants it.
    pub fn url(&self) -> String {
        format!("amqp://{}", self.address())
    }

    /// The process id of its Erlang machine.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.running.as_ref().context("the server was killed")?.server.id())
    }

    /// Who signed its certificate for TLS.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The name of a vhost that no other test uses.
    ///
    /// # Errors
    /// When there is none left.
    pub fn vhost(&self) -> Result<String> {
        let number = self.next_vhost.fetch_add(1, Ordering::Relaxed);
        ensure!(number <= self.vhosts, "all {} vhosts of the server are taken", self.vhosts);
        Ok(format!("v{number}"))
    }

    /// Runs the broker's own tool, `rabbitmqctl`, and answers what it said.
    ///
    /// # Errors
    /// When it fails.
    pub fn control(&self, arguments: &[&str]) -> Result<Vec<String>> {
        let (is_good, said) = self.tool("rabbitmqctl", arguments)?;
        ensure!(is_good, "rabbitmqctl {arguments:?} failed: {said:?}");
        Ok(said)
    }

    /// Runs a tool of the broker's, and answers whether it ended well and what it said: if not, on
    /// standard error too.
    ///
    /// # Errors
    /// When it does not end.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> Result<(bool, Vec<String>)> {
        let mut command = self.command(name);
        let mut process = Process::spawn(name, command.arg("--quiet").args(arguments))?;
        let status = process.wait(CONTROL_BOUND)?;
        let mut said = process.lines(Stream::Out);
        if !status.success() {
            said.extend(process.lines(Stream::Err));
        }
        Ok((status.success(), said))
    }

    /// Has the declarations so far written to disk: a crash within seconds of one may lose it, and
    /// its messages with it.
    ///
    /// # Errors
    /// As [`Self::control`].
    pub fn write_declarations(&self) -> Result<()> {
        self.control(&["eval", "ok = mnesia:sync_log()."]).map(drop)
    }

    /// Ends it at once, as a crash would. Its data stays.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut running) = self.running.take() {
            running.server.kill()?;
            running.mapper.kill()?;
            running.leash.kill()?;
        }
        Ok(())
    }

    /// Starts it again, on the same ports and data. A server that still runs is killed first.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn restart(&mut self) -> Result<()> {
        self.kill()?;
        // In the foreground, so that it is ours; the server finds it and starts none.
        let mapper_port = self.mapper_port.to_string();
        let arguments = ["-address", "127.0.0.1", "-port", &mapper_port];
        let mapper = Process::spawn("epmd", Command::new("epmd").args(arguments))?;
        let address = SocketAddr::from(([127, 0, 0, 1], self.mapper_port));
        eventually("the port mapper to listen", BOUND, || {
            Ok(TcpStream::connect(address).ok().map(drop))
        })?;
        let mut server = Process::spawn("rabbitmq-server", &mut self.command("rabbitmq-server"))?;
        let ids = [server.id().to_string(), mapper.id().to_string()];
        let mut leash = Command::new("sh");
        leash.args(["-c", LEASH, "leash"]).arg(self.folder.path()).args(ids);
        let leash = Process::spawn("leash", &mut leash)?;
        eventually("RabbitMQ to answer", START_BOUND, || {
            if !server.is_running()? {
                let status = server.wait(BOUND)?;
                return Err(anyhow!("rabbitmq-server ended with {status}"));
            }
            Ok(answers(self.address()).then_some(()))
        })
        .context("rabbitmq-server did not come up")?;
        self.running = Some(Running { server, mapper, leash });
        Ok(())
    }

    /// Writes what it reads at its start.
    fn configure(&self) -> Result<()> {
        let folder = self.folder.path();
        let definitions = folder.join("definitions.json");
        let text = format!(
            "listeners.tcp.default = 127.0.0.1:{}\n\
             listeners.ssl.default = 127.0.0.1:{}\n\
             mqtt.listeners.tcp.default = 127.0.0.1:{}\n\
             ssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
             ssl_options.verify = verify_none\n\
             loopback_users.guest = true\ndisk_free_limit.absolute = 50MB\n\
             log.console = true\nlog.console.level = warning\nlog.file = false\n\
             load_definitions = {}\n",
            self.port,
            self.tls_port,
            self.mqtt_port,
            self.authority.text("ca.pem"),
            self.authority.text("server.pem"),
            self.authority.text("server.key"),
            definitions.display()
        );
        fs::write(folder.join("rabbit.conf"), text)?;
        fs::write(folder.join("plugins"), "[].")?;
        let names = (1..=self.vhosts).map(|number| format!("v{number}"));
        let names: Vec<String> = ["/".to_owned()].into_iter().chain(names).collect();
        let permission = |vhost: &String| {
            json!({ "user": "guest", "vhost": vhost,
            "configure": ".*", "write": ".*", "read": ".*" })
        };
        let all = json!({
            "users": [{ "name": "guest", "password_hash": PASSWORD_HASH, "tags": "administrator",
                "hashing_algorithm": "rabbit_password_hashing_sha256" }],
            "vhosts": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
            "permissions": names.iter().map(permission).collect::<Vec<_>>(),
        });
        Ok(fs::write(definitions, all.to_string())?)
    }

    /// A command of the package that knows nothing of the machine's own RabbitMQ.
    fn command(&self, program: &str) -> Command {
        let folder = self.folder.path();
        let mut command = self.broker.command(program);
        // Its scripts become the Erlang machine then, instead of waiting for it.
        command.env("RUNNING_UNDER_SYSTEMD", "true").env_remove("NOTIFY_SOCKET");
        // Erlang keeps its cookie at home.
        command.env("HOME", folder).env("RABBITMQ_CONF_ENV_FILE", "/dev/null");
        command.env("RABBITMQ_NODENAME", "spanbridge@localhost");
        command.env("RABBITMQ_DIST_PORT", self.distribution_port.to_string());
        command.env("ERL_EPMD_PORT", self.mapper_port.to_string());
        command.env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command.env("RABBITMQ_MNESIA_BASE", folder.join("data"));
        command.env("RABBITMQ_LOG_BASE", folder.join("log"));
        command.env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"));
        command.env("RABBITMQ_CONFIG_FILE", folder.join("rabbit"));
        command.env("RABBITMQ_PID_FILE", folder.join("pid"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Whether it answers a client.
fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut first = [0];
    stream.set_read_timeout(Some(BOUND)).is_ok()
        && stream.write_all(PROTOCOL_HEADER).is_ok()
        && stream.read_exact(&mut first).is_ok()
}
