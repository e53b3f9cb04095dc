//! The configuration file: routes before real brokers, check-config, and reload while sessions run.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::gateway::{Gateway, Settings};
use spanbridge_tests::process::{Process, Stream};
use spanbridge_tests::program::{Ended, Program};
use spanbridge_tests::receiver::{Receiver, Tap};
use spanbridge_tests::{BOUND, Flavour, NatsServer, RawNats, Span, tool};
use tempfile::TempDir;

/// CONNECT of a client that knows headers.
const CONNECT: &str = r#"{"verbose":false,"headers":true,"name":"raw"}"#;

/// A broker, and a gateway whose configuration is a file.
struct Configured {
    gateway: Gateway,
    _server: NatsServer,
    tap: Tap,
    file: PathBuf,
    head: String,
    _folder: TempDir,
}

impl Configured {
    /// Starts both, with these lines behind those of the listener.
    fn start(text: &str) -> Result<Option<Self>> {
        let Some(receiver) = Receiver::shared()? else { return Ok(None) };
        let Some(server) = NatsServer::start(Flavour::Current)? else { return Ok(None) };
        let folder = TempDir::new()?;
        let file = folder.path().join("spanbridge.toml");
        let url = server.url();
        let head = format!(
            "[[listener]]\nname = \"front\"\nlisten = \"nats://127.0.0.1:0\"\nbrokers = [{url:?}]\n"
        );
        fs::write(&file, format!("{head}{text}"))?;
        let tap = receiver.tap();
        let path = file.to_str().context("a path in UTF-8")?;
        let settings = Settings::of(&["--config", path]).variables(tap.grpc());
        let gateway = settings.start()?;
        Ok(Some(Self { gateway, _server: server, tap, file, head, _folder: folder }))
    }

    /// Writes the file again.
    fn write(&self, text: &str) -> Result<()> {
        Ok(fs::write(&self.file, format!("{}{text}", self.head))?)
    }

    fn connect(&self) -> Result<RawNats> {
        RawNats::open(self.gateway.address(), CONNECT)
    }
}

fn names(spans: &[Span]) -> BTreeSet<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

#[test]
fn sessions_live_through_reloads_and_take_the_new_routes() -> Result<()> {
    let Some(mut bed) = Configured::start("[[route]]\ndestination_template = \"first\"\n")? else {
        return Ok(());
    };
    let mut client = bed.connect()?;
    client.send(b"SUB jobs 1\r\n")?;
    let mut send = || {
        client.publish("jobs", b"body")?;
        client.message()
    };
    send()?;
    bed.write("[[route]]\ndestination = \"jobs\"\ndestination_template = \"second\"\n")?;
    assert_eq!(bed.gateway.reload(1)?, "reloaded: 0 changes wait for a restart");
    assert!(send()?.header("traceparent").is_some());

    bed.write("[[route]]\nrelaton = \"link\"\n")?;
    let refused = bed.gateway.reload(2)?;
    let expected = "line 6, column 1: unknown key `relaton` in [[route]] 1; \
                    did you mean `relation`?";
    assert!(refused.starts_with("not reloaded: ") && refused.ends_with(expected), "{refused}");
    send()?;

    bed.write("[[route]]\noff = true\n")?;
    fs::write(&bed.file, format!("workers = 2\n{}", fs::read_to_string(&bed.file)?))?;
    assert_eq!(bed.gateway.reload(3)?, "reloaded: 1 changes wait for a restart");
    assert!(send()?.header("traceparent").is_none(), "nothing is traced any more");
    bed.gateway.logged("workers")?;

    let exit = bed.gateway.stop()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert_eq!(exit.counted(&["reloads", "ok"]), 2.0, "{:?}", exit.summary);
    assert_eq!(exit.counted(&["reloads", "failed"]), 1.0);
    assert_eq!(exit.counted(&["sessions_opened"]), 1.0, "one session all the time");
    let spans = bed.tap.spans()?;
    let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
    let counts = ["publish first", "process first", "publish second", "process second"].map(count);
    assert_eq!((counts, spans.len()), ([1, 1, 2, 2], 6), "{:?}", names(&spans));
    Ok(())
}

#[test]
fn memory_does_not_grow_with_subjects_and_their_ids_are_in_no_name() -> Result<()> {
    const SUBJECTS: usize = 10_000;
    let text = "[[route]]\ndestination = \"users.{id}.>\"\n[[route]]\nscrub = [\"number\"]\n";
    let Some(bed) = Configured::start(text)? else { return Ok(()) };
    let send = |from: usize| -> Result<()> {
        let mut client = bed.connect()?;
        for number in (from..from + SUBJECTS).step_by(2) {
            // A server pings who stays for longer, and this client would not understand.
            if number % (SUBJECTS / 10) == 0 {
                client = bed.connect()?;
                client.send(b"SUB orders.> 1\r\nSUB users.> 2\r\n")?;
            }
            client.publish(&format!("orders.{number}.new"), b"x")?;
            client.publish(&format!("users.{number}.seen"), b"x")?;
            assert_eq!(client.message()?.payload, b"x");
            assert_eq!(client.message()?.payload, b"x");
        }
        Ok(())
    };
    // The first ones fill what is of constant size: the export queue, instances, buffers.
    send(0)?;
    let before = bed.gateway.resident_kib()?;
    send(SUBJECTS)?;
    let grown = bed.gateway.resident_kib()?.saturating_sub(before);
    eprintln!("{grown} KiB more than {before} KiB");
    assert!(grown < 8 * 1024, "{grown} KiB more after {SUBJECTS} subjects more");

    let exit = bed.gateway.stop()?;
    assert_eq!(exit.counted(&["spans_dropped"]), 0.0, "{:?}", exit.summary);
    let spans = bed.tap.spans()?;
    // A connection that is being closed may get a message as well, so deliveries may be more.
    let published = spans.iter().filter(|span| span.name.starts_with("publish ")).count();
    assert_eq!(published, 2 * SUBJECTS);
    let expected = [
        "process orders.{id}.new",
        "process users.{id}.>",
        "publish orders.{id}.new",
        "publish users.{id}.>",
    ];
    assert_eq!(names(&spans), BTreeSet::from(expected));
    let subjects: BTreeSet<_> =
        spans.iter().map(|span| span.text("messaging.destination.name")).collect();
    assert_eq!(subjects.len(), 2 * SUBJECTS);
    Ok(())
}

/// Runs check-config on this text, with these variables.
fn check(text: &str, more: &[&str], variables: &[(&str, &str)]) -> Result<Ended> {
    let folder = TempDir::new()?;
    let file = folder.path().join("spanbridge.toml");
    fs::write(&file, text)?;
    let file = file.to_str().context("a path in UTF-8")?;
    let mut command = Program::command(&[&["check-config", "--config", file], more].concat())?;
    command.envs(variables.iter().copied());
    let mut process = Process::spawn("check-config", &mut command)?;
    process.close_stdin();
    let status = process.wait(BOUND)?;
    let (output, errors) = (process.lines(Stream::Out), process.lines(Stream::Err));
    Ok(Ended { status, output, errors })
}

const GOOD: &str = "[[listener]]\nname = \"a\"\nlisten = \"nats://127.0.0.1:1\"\n\
                    brokers = [\"nats://b\"]\n[[route]]\nlistener = \"a\"\n";
const ODD: (&str, &str) = ("OTEL_TRACES_SAMPLER", "sometimes");

#[test]
fn a_usable_configuration_is_summarised_and_odd_variables_fail_when_strict() -> Result<()> {
    let ended = check(GOOD, &[], &[])?;
    let expected = ["usable", "listener a: nats://127.0.0.1:1 for nats://b:4222", "routes: 1"];
    assert!(ended.status.success() && ended.output == expected, "{ended:?}");
    let ended = check(GOOD, &[], &[ODD])?;
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.output[3].starts_with("warning: OTEL_TRACES_SAMPLER is `sometimes`"));
    let ended = check(GOOD, &["--strict"], &[ODD])?;
    assert_eq!(ended.status.code(), Some(2), "{:?}", ended.errors);
    assert_eq!(check(GOOD, &["--strict"], &[])?.status.code(), Some(0));
    Ok(())
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_for_machines() -> Result<()> {
    let bad = GOOD.replace("listener = \"a\"", "destinaton = \"x\"");
    let ended = check(&bad, &[], &[])?;
    assert_eq!((ended.status.code(), ended.output.len()), (Some(2), 0));
    let hint = "line 6, column 1: unknown key `destinaton` in [[route]] 1; \
                did you mean `destination`?";
    assert!(ended.errors.concat().contains(hint), "{:?}", ended.errors);
    let ended = check(&bad, &["--json"], &[ODD])?;
    let said: Value = serde_json::from_str(&ended.output.concat())?;
    assert_eq!((ended.status.code(), &said["usable"]), (Some(2), &Value::Bool(false)));
    assert!(said["error"].as_str().is_some_and(|error| error.contains(hint)), "{said}");
    assert_eq!(said["warnings"][0]["variable"], "OTEL_TRACES_SAMPLER");
    let ended = check(GOOD, &["--json"], &[])?;
    let said: Value = serde_json::from_str(&ended.output.concat())?;
    assert_eq!((&said["usable"], &said["listeners"][0]["name"]), (&true.into(), &"a".into()));

    // What only a start would find.
    let missing = format!("component = \"/nowhere.wasm\"\n{GOOD}");
    let open = GOOD.replace("127.0.0.1", "0.0.0.0").replace("//b", "//localhost");
    for text in [&missing, "", &open] {
        assert_eq!(check(text, &[], &[])?.status.code(), Some(2), "{text}");
    }
    Ok(())
}

#[test]
fn the_example_of_the_documentation_is_usable_and_the_page_is_the_programs() -> Result<()> {
    let docs = tool::root().join("host/gateway/docs");
    let page = fs::read_to_string(docs.join("gateway.md"))?;
    let (_, rest) = page.split_once("```toml\n").context("an example")?;
    let (example, _) = rest.split_once("```").context("its end")?;
    let ended = check(example, &[], &[])?;
    assert_eq!(ended.status.code(), Some(0), "{:?}", ended.errors);
    let reference = Program::run(&["check-config", "--reference"])?.output.join("\n");
    assert_eq!(reference.trim(), fs::read_to_string(docs.join("configuration.md"))?.trim());
    Ok(())
}
