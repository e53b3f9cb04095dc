//! A component is exchanged while messages pass.

use std::path::Path;

use anyhow::{Context, Result};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::program::Ended;
use spanbridge_tests::{Flavour, NatsServer, Program, http, tool};
use tempfile::TempDir;

use super::value;
use crate::traffic;

const MESSAGES: u32 = 400;
const SWAPS: usize = 4;

fn load(file: &Path, socket: &Path) -> Result<Ended> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    Program::run(&["component", "load", &path(file), "--admin-socket", &path(socket)])
}

/// A gateway with both doors of the endpoint.
fn settings(server: &NatsServer, socket: &Path) -> Settings {
    let settings = Settings::to(&server.url()).variable("OTEL_TRACES_EXPORTER", "none");
    let settings = settings.argument("--admin").argument("127.0.0.1:0");
    settings.argument("--admin-socket").argument(socket.to_string_lossy())
}

#[test]
fn component_is_exchanged_under_load_and_no_message_is_lost() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let folder = TempDir::new()?;
    let socket = folder.path().join("admin.sock");
    let component = tool::faulty_component()?;
    let settings = settings(&server, &socket);
    let settings = settings.argument("--component").argument(component.to_string_lossy());
    let gateway = settings.start()?;
    let url = gateway.url();
    let traffic = std::thread::spawn(move || traffic::send_and_take(&url, 0..MESSAGES));
    for generation in 1..=SWAPS {
        let ended = load(&component, &socket)?;
        assert!(ended.status.success(), "{:?}", ended.errors);
        let said = ended.output.first().context("an answer")?;
        assert!(said.contains(&format!("\"generation\":{generation}")), "{said}");
    }
    traffic.join().expect("the traffic does not panic")?;
    assert_eq!(value(&gateway, &["component_swaps_total", "loaded"])?, SWAPS as f64);
    assert_eq!(value(&gateway, &["messages_untraced_total"])?, 0.0);
    let exit = gateway.stop()?;
    assert!(exit.status.success());
    assert!(!socket.exists(), "the socket goes with the gateway");
    Ok(())
}

#[test]
fn component_that_is_unfit_is_refused_with_the_reason() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let folder = TempDir::new()?;
    let socket = folder.path().join("admin.sock");
    let text = folder.path().join("text.wasm");
    std::fs::write(&text, "(component)")?;
    let gateway = settings(&server, &socket).start()?;
    let show = || {
        let socket = socket.to_string_lossy().into_owned();
        Program::run(&["component", "show", "--admin-socket", &socket])
    };
    let before = show()?.output;
    assert!(before.join("").contains("\"origin\":\"embedded\""), "{before:?}");
    for (file, reason) in [
        (text.as_path(), "expected a WebAssembly component, found something else"),
        // It asks for other headers than the embedded one, which sessions have looked up.
        (tool::faulty_component()?.as_path(), "other headers need a restart"),
    ] {
        let ended = load(file, &socket)?;
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.errors.join("\n").contains(reason), "{:?}", ended.errors);
    }
    assert_eq!(show()?.output, before);
    assert_eq!(value(&gateway, &["component_swaps_total", "refused"])?, 2.0);
    traffic::send_and_take(&gateway.url(), 0..10)?;
    let large = "POST /component HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                 Content-Length: 99999999999\r\n\r\n";
    assert_eq!(http::raw_unix(&socket, large)?.status, 413);
    assert!(gateway.stop()?.status.success());
    let gone = show()?;
    assert!(gone.errors.join("").contains("no gateway answers"), "{:?}", gone.errors);
    Ok(())
}
