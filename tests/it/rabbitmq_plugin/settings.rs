//! What the plugin's settings do, and what is said of wrong ones.

use anyhow::Result;
use spanbridge_tests::{PluginBed, Release};

use super::{context, send_and_take};

const PIKA: &str = "amqp_pika.py";

/// Another plugin's interceptor of the same method, as RabbitMQ's registry wants one.
const OTHER: &str = "
    Forms = [{attribute, 1, module, other_interceptor},
             {attribute, 1, behaviour, rabbit_channel_interceptor},
             {attribute, 1, export, [{applies_to, 0}]},
             {function, 1, applies_to, 0,
              [{clause, 1, [], [], [{cons, 1, {atom, 1, 'basic.publish'}, {nil, 1}}]}]}],
    {ok, Module, Binary} = compile:forms(Forms),
    {module, Module} = code:load_binary(Module, \"other\", Binary),
    rabbit_registry:register(channel_interceptor, <<\"other\">>, Module).";

/// Settings that must be refused, and what has to be said of them.
pub(super) const WRONG: [(&str, &[&str]); 7] = [
    ("[{samler, always_on}]", &["samler", "sampler"]),
    ("[{otlp, [{endpoint, \\\"ftp://here\\\"}]}]", &["OTEL_EXPORTER_OTLP_ENDPOINT", "ftp"]),
    ("[{relation, sideways}]", &["relation", "sideways", "parent+link"]),
    ("[{protocols, [stomp]}]", &["protocols", "stomp", "amqp091"]),
    ("[{destinations, [[{patern, \\\"a\\\"}]]}]", &["entry 1", "patern", "pattern"]),
    ("[{destinations, [[{pattern, \\\"a..b\\\"}]]}]", &["entry 1", "pattern", "a..b"]),
    ("[{otlp, [{protocol, carrier_pigeon}]}]", &["otlp.protocol", "carrier_pigeon", "grpc"]),
];

#[test]
fn wrong_settings_and_conflicts_are_said_when_the_plugin_is_enabled() -> Result<()> {
    let Some(bed) = PluginBed::start(Release::Installed, false, "[]")? else { return Ok(()) };
    for wrong in &WRONG {
        says_what_is_wrong(&bed, wrong)?;
    }
    let newer = "[{protocols, [amqp091, mqtt50]}]";
    says_what_is_wrong(&bed, &(newer, &["protocols", "mqtt50", "RabbitMQ 4.2"]))?;
    bed.server.control(&["eval", OTHER])?;
    let said = refused(&bed, "[]")?;
    assert!(said.contains("other_interceptor") && said.contains("basic.publish"), "{said}");
    Ok(())
}

/// Tries to enable it with wrong settings. Answers what the broker's tool says, which was looked
/// through.
pub(super) fn says_what_is_wrong(
    bed: &PluginBed,
    (settings, expected): &(&str, &[&str]),
) -> Result<String> {
    let said = refused(bed, settings)?;
    for part in *expected {
        assert!(said.contains(part), "{settings}: no {part} in {said}");
    }
    // It is as if it had not been tried.
    assert_eq!(send_and_take(PIKA, &bed.url("/"), "orders", 1)?.len(), 1);
    bed.disable()?;
    Ok(said)
}

/// Tries to enable the plugin with settings that it must refuse; answers what was said.
fn refused(bed: &PluginBed, settings: &str) -> Result<String> {
    let set = format!(
        "[application:unset_env(rabbitmq_spanbridge, Key)
          || {{Key, _}} <- application:get_all_env(rabbitmq_spanbridge)],
         {{ok, Tokens, _}} = erl_scan:string(\"{settings}.\"),
         {{ok, Settings}} = erl_parse:parse_term(Tokens),
         [application:set_env(rabbitmq_spanbridge, Key, Value, [{{persistent, true}}])
          || {{Key, Value}} <- Settings]."
    );
    bed.server.control(&["eval", &set])?;
    let (is_good, said) = bed.try_enable()?;
    let said = said.join(" ");
    assert!(!is_good, "{settings} was taken: {said}");
    Ok(said)
}

#[test]
fn destinations_say_what_is_traced() -> Result<()> {
    let settings = "[{destinations, [
        [{pattern, \"orders.secret\"}, {trace, false}],
        [{vhost, \"v1\"}, {pattern, \"orders.>\"}, {service_name, \"shop\"}],
        [{pattern, \"jobs\"}, {spans, false}]]}]";
    let Some(bed) = PluginBed::start(Release::Installed, false, settings)? else { return Ok(()) };
    bed.enable()?;
    for (vhost, queue, expected) in [
        ("v1", "orders.new", true),
        ("v2", "orders.new", false),
        ("v1", "orders.secret", false),
        ("v1", "jobs", true),
        ("v1", "other", false),
    ] {
        let messages = send_and_take(PIKA, &bed.url(vhost), queue, 1)?;
        assert_eq!(context(&messages[0]).is_some(), expected, "{vhost} {queue}");
    }
    bed.disable()?;
    let spans = bed.tap.wait_for_spans("the span", |spans| !spans.is_empty())?;
    let names: Vec<_> = spans.iter().map(|span| (&*span.service, &*span.name)).collect();
    assert_eq!(names, [("shop", "publish orders.new")]);
    Ok(())
}

#[test]
fn broker_with_wrong_settings_starts_and_traces_nothing() -> Result<()> {
    starts_all_the_same(Release::Installed)
}

/// Starts a node that has the plugin enabled and wrong settings.
pub(super) fn starts_all_the_same(release: Release) -> Result<()> {
    let settings = "[{samler, always_on}]";
    let Some(mut bed) = PluginBed::start(release, false, settings)? else { return Ok(()) };
    assert!(!bed.try_enable()?.0);
    bed.server.restart()?;
    assert_eq!(bed.status("state")?, "stopped");
    let messages = send_and_take(PIKA, &bed.url("/"), "orders", 1)?;
    assert_eq!(context(&messages[0]), None);
    Ok(())
}
