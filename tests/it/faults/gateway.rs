//! The gateway itself ends, politely or not, and what it refuses to start with.

use std::fs;

use anyhow::Result;
use spanbridge_tests::gateway::{Gateway, Settings};
use spanbridge_tests::process::Stream;
use spanbridge_tests::{BOUND, Flavour, NatsServer, port};
use tempfile::TempDir;

use crate::traffic;

/// So many that the gateway ends while most of them are still to come: each is acknowledged
/// before the next is sent.
const MESSAGES: u32 = 2000;

#[test]
fn gateway_that_ends_politely_mid_stream_loses_nothing_acknowledged() -> Result<()> {
    replaced_mid_stream(|gateway| {
        let exit = gateway.stop()?;
        assert!(exit.status.success(), "{:?}", exit.status);
        assert!(!exit.summary.is_empty(), "a summary at the end");
        Ok(())
    })
}

#[test]
fn gateway_that_is_killed_mid_stream_loses_nothing_acknowledged() -> Result<()> {
    replaced_mid_stream(Gateway::kill)
}

/// Ends a gateway while a client publishes through it, and puts another in its place.
fn replaced_mid_stream(end: impl FnOnce(Gateway) -> Result<()>) -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let listen = format!("nats://127.0.0.1:{}", port::free()?);
    let settings = Settings::of(&["--listen", &listen, "--broker", &server.url()]);
    let settings = settings.variable("OTEL_TRACES_EXPORTER", "none");
    let first = settings.start()?;
    // Before both clients look for it: of two that create it at once, one may be refused.
    traffic::run(async {
        let client = traffic::connect(&server.url(), "observer").await?;
        traffic::jetstream(&client).await.map(drop)
    })?;
    let publisher = std::thread::spawn({
        let listen = listen.clone();
        move || {
            traffic::run(async {
                let client = traffic::connect(&listen, "publisher").await?;
                let context = traffic::jetstream(&client).await?;
                traffic::publish(&context, 0..MESSAGES).await
            })
        }
    });
    // Some are through, some are not: a second client sees the first arrive.
    traffic::run(async {
        let client = traffic::connect(&server.url(), "observer").await?;
        let context = traffic::jetstream(&client).await?;
        traffic::take(&context, 0..20).await.map(drop)
    })?;
    end(first)?;
    let second = settings.start()?;
    publisher.join().expect("the publisher does not panic")?;
    // Everything was acknowledged by now, so everything is there.
    traffic::run(async {
        let client = traffic::connect(&server.url(), "observer").await?;
        let mut stream = traffic::jetstream(&client).await?.get_stream(traffic::STREAM).await?;
        let stored = stream.info().await?.state.messages;
        assert!(stored >= u64::from(MESSAGES), "{stored} messages are stored");
        Ok(())
    })?;
    second.kill()
}

/// Starts a gateway that must refuse, and answers what it said.
fn refusal(settings: &Settings) -> Result<String> {
    let mut process = settings.spawn()?;
    let status = process.wait(BOUND)?;
    assert!(!status.success(), "it started");
    assert_eq!(process.lines(Stream::Out), Vec::<String>::new(), "it never listened");
    Ok(process.lines(Stream::Err).join("\n"))
}

#[test]
fn unknown_key_of_the_configuration_is_refused_by_name() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("spanbridge.toml");
    fs::write(&file, "lissten = \"nats://127.0.0.1:0\"\n")?;
    let said = refusal(&Settings::of(&["--config", &file.to_string_lossy()]))?;
    assert!(said.contains("lissten"), "{said}");
    Ok(())
}

#[test]
fn configuration_that_is_missing_or_no_toml_is_refused() -> Result<()> {
    let folder = TempDir::new()?;
    let missing = folder.path().join("missing.toml");
    let said = refusal(&Settings::of(&["--config", &missing.to_string_lossy()]))?;
    assert!(said.contains("missing.toml"), "{said}");
    let broken = folder.path().join("broken.toml");
    fs::write(&broken, "= [\n")?;
    let said = refusal(&Settings::of(&["--config", &broken.to_string_lossy()]))?;
    assert!(said.contains("broken.toml"), "{said}");
    Ok(())
}

#[test]
fn argument_that_makes_no_sense_is_refused() -> Result<()> {
    const BROKER: &str = "nats://127.0.0.1:4222";
    let refused: [&[&str]; 5] = [
        &["--listen", "gopher://127.0.0.1:0", "--broker", BROKER],
        &["--listen", "nats://127.0.0.1:99999", "--broker", BROKER],
        &["--listen", "nats://127.0.0.1:0"],
        &["--listen", "nats://127.0.0.1:0", "--broker", BROKER, "--component", "/nowhere.wasm"],
        // Behind it the broker would believe everybody to be local.
        &["--listen", "nats://0.0.0.0:0", "--broker", BROKER],
    ];
    for arguments in refused {
        let said = refusal(&Settings::of(arguments))?;
        assert!(!said.is_empty(), "{arguments:?} was refused without a word");
    }
    Ok(())
}

#[test]
fn address_in_use_is_refused_by_name() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let said = refusal(&Settings::of(&["--listen", &server.url(), "--broker", &server.url()]))?;
    assert!(said.contains(&server.port().to_string()), "{said}");
    Ok(())
}
