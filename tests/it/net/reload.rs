//! SIGHUP and check-config where a listener has certificates: what is read again, what waits.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use spanbridge_tests::gateway::{Gateway, Settings};
use spanbridge_tests::program::Program;
use spanbridge_tests::{Authority, Client, Flavour, NatsServer, tool};
use tempfile::TempDir;

/// The lines of a listener before this broker.
fn listener(listen: &str, broker: &str) -> String {
    format!("[[listener]]\nname = \"a\"\nlisten = {listen:?}\nbrokers = [{broker:?}]\n")
}

/// The same, with the certificate of an authority.
fn with_tls(broker: &str, authority: &Authority) -> String {
    let (certificate, key) = (authority.path("server.pem"), authority.path("server.key"));
    let listener = listener("nats://127.0.0.1:0", broker);
    format!("{listener}[listener.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n")
}

fn start(file: &Path) -> Result<Gateway> {
    let settings = Settings::of(&["--config", file.to_str().context("a path in UTF-8")?]);
    settings.variable("OTEL_TRACES_EXPORTER", "none").start()
}

/// Copies a file of one authority over that of another.
fn put(from: &Authority, to: &Authority, name: &str) -> Result<()> {
    fs::copy(from.path(name), to.path(name))?;
    Ok(())
}

#[test]
fn a_signal_takes_renewed_certificates_into_use_and_keeps_the_old_before_bad_ones() -> Result<()> {
    if tool::python()?.is_none() {
        return Ok(());
    }
    let Some(server) = NatsServer::start(Flavour::Current)? else { return Ok(()) };
    let (used, renewed) = (Authority::new()?, Authority::new()?);
    let folder = TempDir::new()?;
    let file = folder.path().join("spanbridge.toml");
    fs::write(&file, with_tls(&server.url(), &used))?;
    let mut gateway = start(&file)?;
    let url = gateway.url();
    let trusts =
        |ca: &str| Client::run("nats_secure.py", &["--server", &url, "--ca", ca]).map(drop);
    trusts(&used.text("ca.pem"))?;

    put(&renewed, &used, "server.pem")?;
    let refused = gateway.reload(1)?;
    assert!(refused.starts_with("not reloaded: listener nats://127.0.0.1:"), "{refused}");
    assert!(refused.contains(&used.text("server.key")), "{refused}");
    trusts(&used.text("ca.pem"))?;

    put(&renewed, &used, "server.key")?;
    assert_eq!(gateway.reload(2)?, "reloaded: 0 changes wait for a restart");
    trusts(&renewed.text("ca.pem"))?;
    assert!(trusts(&used.text("ca.pem")).is_err());

    let tls = with_tls(&server.url(), &used);
    fs::write(&file, format!("{tls}[listener.limits]\nsessions_max = 1\n"))?;
    assert_eq!(gateway.reload(3)?, "reloaded: 1 changes wait for a restart");
    gateway.logged("listener a: limits")?;
    let exit = gateway.stop()?;
    assert_eq!(exit.counted(&["reloads", "failed"]), 1.0, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn a_reload_is_checked_with_what_stays_in_force_until_a_restart() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("spanbridge.toml");
    let broker = "nats://127.0.0.1:4222";
    let open = listener("nats://0.0.0.0:0", broker);
    fs::write(&file, format!("allow_remote = true\n{open}"))?;
    let mut gateway = start(&file)?;
    // Fit for a start; but until then the broker in force is the former one.
    fs::write(&file, listener("nats://0.0.0.0:0", "nats://192.0.2.1:4222"))?;
    let refused = gateway.reload(1)?;
    assert!(refused.contains(broker) && refused.contains("allow_remote"), "{refused}");
    fs::write(&file, format!("allow_remote = true\nsessions_max = 9\n{open}"))?;
    assert_eq!(gateway.reload(2)?, "reloaded: 0 changes wait for a restart");
    gateway.stop()?;
    Ok(())
}

#[test]
fn check_config_finds_a_key_that_is_missing_or_belongs_to_another_certificate() -> Result<()> {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let folder = TempDir::new()?;
    let file = folder.path().join("spanbridge.toml");
    fs::write(&file, with_tls("nats://b", &authority))?;
    let file = file.to_str().context("a path in UTF-8")?;
    let check = || Program::run(&["check-config", "--config", file]);
    let ended = check()?;
    assert_eq!(ended.status.code(), Some(0), "{:?}", ended.errors);

    put(&other, &authority, "server.key")?;
    let ended = check()?;
    let said = ended.errors.concat();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains(&authority.text("server.key")), "{said}");

    fs::remove_file(authority.path("server.key"))?;
    let ended = check()?;
    let said = ended.errors.concat();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot read") && said.contains("server.key"), "{said}");
    Ok(())
}
