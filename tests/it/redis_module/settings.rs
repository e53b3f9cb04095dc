//! What `CONFIG` shows of the module, and what may be changed while the server runs.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use spanbridge_tests::process::Process;
use spanbridge_tests::{BOUND, Make, RedisClient, RedisModule, Reply, Setup, port, tool};

use super::{field, start, with_each_server};

with_each_server!(
    what_is_in_force_is_shown,
    patterns_are_changed_while_the_server_runs,
    a_wrong_value_is_refused_and_leaves_what_was_in_force,
    what_a_file_says_goes_over_arguments_and_what_was_set_is_written_there,
    a_wrong_setting_in_a_file_keeps_the_server_from_starting,
    settings_may_change_any_number_of_times,
);

/// All that is shown of the module.
fn shown(client: &mut RedisClient) -> Result<BTreeMap<String, String>> {
    let reply = client.say("CONFIG GET spanbridge.*")?;
    let (words, []) = reply.list().as_chunks() else { anyhow::bail!("{reply:?}") };
    let pairs = words.iter().map(|[name, value]| {
        (name.text().trim_start_matches("spanbridge.").to_owned(), value.text().to_owned())
    });
    Ok(pairs.collect())
}

/// Answers whether an entry that is added to a stream gets a context.
fn is_traced(client: &mut RedisClient, stream: &str) -> Result<bool> {
    client.call(&["XADD", stream, "*", "a", "1"])?;
    let entries = client.entries(stream)?;
    let last = entries.last().context("no entry")?;
    Ok(field(last, "traceparent").is_some())
}

fn what_is_in_force_is_shown(make: Make) -> Result<()> {
    let words = "streams orders:* streams audit lists celery* envelope kombu \
                 channels news envelope json field trace service-name shop sampler traceidratio";
    let setup = Setup {
        make,
        words,
        variables: &[("OTEL_PROPAGATORS", "b3"), ("OTEL_TRACES_SAMPLER_ARG", "0.5")],
        ..Setup::default()
    };
    let Some(mut module) = RedisModule::start(&setup)? else { return Ok(()) };
    let (_, endpoint) =
        module.tap.http().into_iter().find(|(name, _)| name.ends_with("ENDPOINT")).context("it")?;
    let shown = shown(&mut module.server.client()?)?;
    for (name, expected) in [
        ("enabled", "yes"),
        ("streams", "orders:*, audit"),
        ("lists", "celery* envelope kombu"),
        ("channels", "news envelope json field trace"),
        ("queues", ""),
        ("service-name", "shop"),
        ("endpoint", ""),
        ("protocol", "http/protobuf"),
        ("propagators", "b3"),
        ("sampler", "traceidratio"),
        ("sampler-arg", "0.5"),
    ] {
        assert_eq!(shown.get(name).map(String::as_str), Some(expected), "{name}");
    }
    assert_eq!(shown.len(), 11, "{shown:?}");
    // The endpoint that the environment says depends on the protocol, so it is not a setting's.
    let said = format!("spans go to {endpoint}/v1/traces");
    module
        .server
        .process()?
        .wait_for_line("where spans go", BOUND, |_, line| line.contains(&said).then_some(()))
}

fn patterns_are_changed_while_the_server_runs(make: Make) -> Result<()> {
    let module = start!(make, "streams a");
    let mut client = module.server.client()?;
    assert!(is_traced(&mut client, "a")? && !is_traced(&mut client, "b")?);
    let change = |client: &mut RedisClient, words: &[&str]| -> Result<Reply> {
        client.call(&[&["CONFIG", "SET"], words].concat())
    };
    let ok = Reply::Text("OK".to_owned());
    assert_eq!(change(&mut client, &["spanbridge.streams", "b,  c*"])?, ok);
    let traced = |client: &mut RedisClient| -> Result<Vec<bool>> {
        ["a", "b", "c1"].into_iter().map(|stream| is_traced(client, stream)).collect()
    };
    assert_eq!(traced(&mut client)?, [false, true, true]);
    assert_eq!(shown(&mut client)?["streams"], "b, c*");
    // All at once, though each alone would leave nothing.
    let words =
        ["spanbridge.streams", "", "spanbridge.lists", "jobs envelope json field traceparent"];
    assert_eq!(change(&mut client, &words)?, ok);
    assert_eq!(traced(&mut client)?, [false; 3]);
    client.call(&["LPUSH", "jobs", r#"{"a":1}"#])?;
    let jobs = client.say("LRANGE jobs 0 -1")?;
    assert!(jobs.list()[0].text().contains("traceparent"), "{jobs:?}");
    // From a script and in a transaction as from anywhere.
    let script = "return redis.call('CONFIG', 'SET', 'spanbridge.streams', 'a')";
    client.call(&["EVAL", script, "0"])?;
    client.say("MULTI")?;
    client.say("CONFIG SET spanbridge.streams a")?;
    client.say("XADD a * in transaction")?;
    client.say("EXEC")?;
    assert_eq!(traced(&mut client)?, [true, false, false]);
    assert_eq!(module.number("panics")?, 0);
    Ok(())
}

fn a_wrong_value_is_refused_and_leaves_what_was_in_force(make: Make) -> Result<()> {
    let module = start!(make, "streams a lists jobs envelope json");
    let mut client = module.server.client()?;
    let before = shown(&mut client)?;
    let many = vec!["x"; 64].join(",");
    let long = "x".repeat(257);
    for (words, expected) in [
        (&["streams", "a b"][..], "streams: expected `,` or the end behind `a`, found `b`"),
        (&["streams", "b,"], "streams: expected a pattern, found the end"),
        (&["streams", &long], "expected a pattern of 1 to 256 bytes, found 257 bytes"),
        (&["streams", &many], "expected at most 64 patterns in all, found 65"),
        (&["lists", "other"], "lists: expected `envelope` and its kind"),
        (&["lists", "other envelope nonsense"], "lists: `other envelope nonsense`: "),
        (&["streams", "", "lists", ""], "expected a pattern in one of them, found none"),
        (&["streams", "b", "channels", "news"], "channels: expected `envelope`"),
        (&["streams", "b", "queues", "q", "lists", "x envelope y"], "lists: `x envelope y`: "),
        (&["service-name", "other"], "can't set immutable config"),
        (&["endpoint", "http://127.0.0.1:1"], "can't set immutable config"),
    ] {
        let (pairs, []) = words.as_chunks() else { anyhow::bail!("{words:?}") };
        let mut command = vec!["CONFIG".to_owned(), "SET".to_owned()];
        for [name, value] in pairs {
            command.extend([format!("spanbridge.{name}"), (*value).to_owned()]);
        }
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        let reply = client.call(&command)?;
        assert!(matches!(&reply, Reply::Error(text) if text.contains(expected)), "{reply:?}");
        assert_eq!(shown(&mut client)?, before, "{words:?}");
        assert!(is_traced(&mut client, "a")? && !is_traced(&mut client, "b")?, "{words:?}");
    }
    assert_eq!(module.number("panics")?, 0);
    Ok(())
}

fn what_a_file_says_goes_over_arguments_and_what_was_set_is_written_there(
    make: Make,
) -> Result<()> {
    let setup = Setup {
        make,
        words: "streams a service-name argument sampler always_on",
        // Words without quotes, as in every line of such a file.
        lines: "spanbridge.streams b, c\nspanbridge.service-name file",
        ..Setup::default()
    };
    let Some(mut module) = RedisModule::start(&setup)? else { return Ok(()) };
    let mut client = module.server.client()?;
    assert!(!is_traced(&mut client, "a")? && is_traced(&mut client, "c")?);
    client.call(&["CONFIG", "SET", "spanbridge.streams", "d, e", "spanbridge.enabled", "no"])?;
    assert_eq!(client.say("CONFIG REWRITE")?, Reply::Text("OK".to_owned()));
    let file = std::fs::read_to_string(module.server.file())?;
    let ours: Vec<_> = file.lines().filter(|line| line.starts_with("spanbridge.")).collect();
    let expected = [
        r#"spanbridge.streams "d, e""#,
        r#"spanbridge.service-name "file""#,
        "spanbridge.enabled no",
    ];
    assert!(expected.iter().all(|line| ours.contains(line)), "{ours:?}");
    assert_eq!(ours.len(), 3, "what was not set is not written: {ours:?}");
    module.server.restart()?;
    let mut client = module.server.client()?;
    assert!(!is_traced(&mut client, "d")?, "it starts switched off");
    client.say("CONFIG SET spanbridge.enabled yes")?;
    assert!(!is_traced(&mut client, "b")? && is_traced(&mut client, "d")?);
    assert_eq!(shown(&mut client)?["sampler"], "always_on", "an argument that nothing goes over");
    let spans = module.finish()?;
    assert!(spans.iter().all(|span| span.service == "file"), "{spans:#?}");
    assert!(spans.iter().any(|span| span.name == "publish d"), "{spans:#?}");
    Ok(())
}

fn a_wrong_setting_in_a_file_keeps_the_server_from_starting(make: Make) -> Result<()> {
    let (Some(server), Some(module)) = (make.program()?, tool::redis_module("default")?) else {
        return Ok(());
    };
    for (name, value, expected) in [
        ("lists", "jobs", "lists: expected `envelope` and its kind"),
        ("streams", "", "streams, lists, channels, queues: expected a pattern in one of them"),
        ("protocol", "udp", "protocol: expected http/protobuf, grpc, http/json, found `udp`"),
        ("sampler-arg", "2", "sampler-arg: "),
        // The server's own words; which one it was it does not say.
        ("stream", "a", "Module Configuration detected without loadmodule directive"),
    ] {
        let mut command = std::process::Command::new(&server);
        command.args(["--port", &port::free()?.to_string(), "--save", "", "--loadmodule"]);
        command.arg(&module).args(["streams", "a", "sampler", "traceidratio"]);
        command.args([&format!("--spanbridge.{name}"), value]);
        let mut process = Process::spawn("the server", &mut command)?;
        assert!(!process.wait(BOUND)?.success(), "{name}");
        process.wait_for_line(expected, BOUND, |_, line| line.contains(expected).then_some(()))?;
    }
    Ok(())
}

fn settings_may_change_any_number_of_times(make: Make) -> Result<()> {
    let module = start!(make, "streams a");
    let mut client = module.server.client()?;
    // More than there may be routes at once.
    for number in 0..600 {
        let reply = client.say(&format!("CONFIG SET spanbridge.streams s{number}"))?;
        assert_eq!(reply, Reply::Text("OK".to_owned()), "{number}");
        assert!(is_traced(&mut client, &format!("s{number}"))?, "{number}");
    }
    assert_eq!(module.number("component_failures_trap")?, 0);
    assert_eq!(module.number("contexts_injected")?, 600);
    Ok(())
}
