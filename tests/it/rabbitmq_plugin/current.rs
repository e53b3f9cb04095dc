//! The same in RabbitMQ 4.3, and what that has besides: AMQP 1.0 and MQTT 5.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde_json::Value;
use spanbridge_tests::{Client, Kind, PluginBed, Release, tool};

use super::{clients, context, faults, lifecycle, send_and_take, settings};

const COUNT: usize = 3;
const RHEA: &str = "amqp10_rhea.js";
const PAHO: &str = "mqtt_paho.py";
const PIKA: &str = "amqp_pika.py";

#[test]
fn plugin_traces_pika_in_4_3() -> Result<()> {
    clients::traces(Release::Forky, PIKA)
}

#[test]
fn plugin_leaves_all_other_properties_as_they_were_in_4_3() -> Result<()> {
    clients::leaves_the_rest(Release::Forky)
}

#[test]
fn context_of_an_instrumented_sender_stays_in_4_3() -> Result<()> {
    clients::keeps_a_context(Release::Forky)
}

#[test]
fn plugin_is_switched_on_off_and_on_in_4_3() -> Result<()> {
    lifecycle::is_switched(Release::Forky)
}

#[test]
fn channel_that_stays_open_is_served_in_4_3() -> Result<()> {
    lifecycle::serves_open_channels(Release::Forky)
}

#[test]
fn faulty_component_harms_neither_the_broker_nor_a_message_in_4_3() -> Result<()> {
    faults::does_no_harm(Release::Forky)
}

#[test]
fn faulty_component_under_load_changes_nothing_of_anybody_in_4_3() -> Result<()> {
    faults::changes_nothing_under_load(Release::Forky)
}

#[test]
fn wrong_settings_are_said_in_4_3() -> Result<()> {
    let Some(bed) = PluginBed::start(Release::Forky, false, "[]")? else { return Ok(()) };
    for wrong in &settings::WRONG[..2] {
        let said = settings::says_what_is_wrong(&bed, wrong)?;
        assert!(!said.contains("CaseClauseError"), "{said}");
    }
    Ok(())
}

#[test]
fn broker_with_wrong_settings_starts_in_4_3() -> Result<()> {
    settings::starts_all_the_same(Release::Forky)
}

/// Declares a durable queue, which clients of AMQP 1.0 expect to be there.
fn declare(url: &str, queue: &str, kind: &str) -> Result<()> {
    let nothing = ["produce", "--url", url, "--queue", queue, "--type", kind, "--count", "0"];
    Client::run(PIKA, &nothing).map(drop)
}

/// A shared bed, and a vhost of it; `None` when Node.js or the broker is missing and may be.
fn bed() -> Result<Option<(Arc<PluginBed>, String)>> {
    if tool::node()?.is_none() {
        return Ok(None);
    }
    let Some(bed) = PluginBed::shared(Release::Forky)? else { return Ok(None) };
    let url = bed.url(&bed.server.vhost()?);
    Ok(Some((bed, url)))
}

#[test]
fn publish_of_amqp_1_0_gets_a_context_and_a_span() -> Result<()> {
    let Some((bed, url)) = bed()? else { return Ok(()) };
    declare(&url, "tasks", "quorum")?;
    let messages = send_and_take(RHEA, &url, "tasks", COUNT)?;
    assert_eq!(messages.len(), COUNT);
    for (number, message) in messages.iter().enumerate() {
        let (trace, span) = context(message).with_context(|| format!("untraced: {message}"))?;
        let spans = bed.tap.wait_for_spans("the publish span", |spans| {
            spans.iter().any(|found| found.span_id == span)
        })?;
        let of_trace: Vec<_> = spans.iter().filter(|found| found.trace_id == trace).collect();
        assert_eq!(of_trace.len(), 1, "{of_trace:#?}");
        assert_eq!((&*of_trace[0].name, of_trace[0].kind), ("publish tasks", Kind::Producer));
        assert_eq!(of_trace[0].service, "guest", "the user");
        assert_eq!(message["payload"], format!("order {number}"));
        assert_eq!(message["headers"]["Color"], "red", "{message}");
        assert_eq!(message["headers"]["number"], number, "{message}");
    }
    Ok(())
}

#[test]
fn context_that_a_publish_of_amqp_1_0_brings_stays() -> Result<()> {
    let Some((bed, url)) = bed()? else { return Ok(()) };
    declare(&url, "brought", "classic")?;
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let traceparent = format!("00-{trace}-{parent}-01");
    let properties = format!("{{\"Traceparent\":\"{traceparent}\"}}");
    let common = ["--url", &url, "--queue", "brought"];
    let produce = [&["produce", "--properties", &properties], &common[..]].concat();
    Client::run(RHEA, &produce)?;
    let said = Client::run(RHEA, &[&["work"], &common[..]].concat())?;
    assert_eq!(said[0]["headers"]["Traceparent"], traceparent, "{said:?}");
    assert_eq!(context(&said[0]), None, "no second one");
    let spans = bed.tap.wait_for_spans("the span beside", |spans| {
        spans.iter().any(|span| span.trace_id == trace)
    })?;
    let beside = spans.iter().find(|span| span.trace_id == trace).context("no span")?;
    assert_eq!((beside.kind, &*beside.parent), (Kind::Client, parent));
    Ok(())
}

#[test]
fn our_stale_context_is_replaced_in_a_publish_of_amqp_1_0() -> Result<()> {
    let Some((_, url)) = bed()? else { return Ok(()) };
    declare(&url, "stale", "classic")?;
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319d", "b7ad6b7169203332");
    let properties = format!(
        "{{\"a\":\"b\",\"TraceParent\":\"00-{trace}-{parent}-01\",\
         \"tracestate\":\"spanbridge=p:{parent};t:1700000000000\",\"z\":\"y\"}}"
    );
    let common = ["--url", &url, "--queue", "stale"];
    let produce = [&["produce", "--properties", &properties], &common[..]].concat();
    Client::run(RHEA, &produce)?;
    let said = Client::run(RHEA, &[&["work"], &common[..]].concat())?;
    let headers = said[0]["headers"].as_object().context("no properties")?;
    let names: Vec<_> = headers.keys().map(String::as_str).collect();
    // Each keeps its place and its casing. (The parser of this test sorts them.)
    assert_eq!(names, ["Color", "TraceParent", "a", "number", "tracestate", "z"], "{said:?}");
    let traceparent = headers["TraceParent"].as_str().context("no text")?;
    assert!(!traceparent.contains(parent), "{said:?}");
    let state = headers["tracestate"].as_str().context("no text")?;
    assert!(state.contains(&traceparent[36..52]) && !state.contains(parent), "{said:?}");
    Ok(())
}

#[test]
fn all_else_in_a_message_of_amqp_1_0_is_as_it_was() -> Result<()> {
    let Some((bed, url)) = bed()? else { return Ok(()) };
    let before = bed.counted("injections_skipped")?;
    let mut all = Vec::new();
    // Each keeps messages in another way.
    for kind in ["classic", "quorum", "stream"] {
        declare(&url, kind, kind)?;
        let said = Client::run(RHEA, &["same", "--url", &url, "--queue", kind])?;
        assert_eq!(said.len(), 7);
        all.extend(said);
    }
    for got in &all {
        assert!(got["difference"].is_null(), "{got}");
        let mut added: Vec<_> = got["added"].as_object().context("no object")?.keys().collect();
        added.sort();
        let expected: &[&str] =
            if got["name"] == "footer" { &[] } else { &["traceparent", "tracestate"] };
        assert_eq!(added, expected, "{got}");
    }
    assert_eq!(bed.counted("injections_skipped")?, before + 3, "those with a footer");
    Ok(())
}

#[test]
fn context_crosses_from_either_protocol_into_the_other() -> Result<()> {
    let Some((bed, url)) = bed()? else { return Ok(()) };
    for (from, to, queue) in [(RHEA, PIKA, "across"), (PIKA, RHEA, "back")] {
        declare(&url, queue, "classic")?;
        let common = ["--url", &url, "--queue", queue];
        Client::run(from, &[&["produce"], &common[..]].concat())?;
        let mut said = Client::run(to, &[&["work"], &common[..]].concat())?;
        said.retain(|said| said["event"] == "message");
        let (trace, span) = context(&said[0]).with_context(|| format!("untraced: {said:?}"))?;
        let spans = bed
            .tap
            .wait_for_spans("its span", |spans| spans.iter().any(|found| found.span_id == span))?;
        let of_trace = spans.iter().filter(|found| found.trace_id == trace).count();
        assert_eq!(of_trace, 1, "one publish, one span: {spans:#?}");
    }
    Ok(())
}

#[test]
fn publish_of_mqtt_5_gets_a_context_where_settings_ask_for_it() -> Result<()> {
    let settings = "[{protocols, [amqp091, mqtt50]}]";
    let Some(bed) = PluginBed::start(Release::Forky, false, settings)? else { return Ok(()) };
    let (is_good, said) = bed.server.tool("rabbitmq-plugins", &["enable", "rabbitmq_mqtt"])?;
    assert!(is_good, "{said:?}");
    bed.enable()?;
    let unasked = "{ok, #{protocols := [amqp091]}} = rabbit_spanbridge_config:read([]).";
    bed.server.control(&["eval", unasked])?;
    // MQTT 3.1.1 has no place for it.
    for (version, expected) in [("5", true), ("3", false)] {
        let said = over_mqtt(&bed, version)?;
        assert_eq!(said["payload"], "order 0");
        assert_eq!(context(&said).is_some(), expected, "{version} {said:?}");
        if version == "5" {
            assert_eq!(said["headers"]["Color"], "red", "{said:?}");
        }
        if let Some((trace, _)) = context(&said) {
            let spans = bed.tap.wait_for_spans("its span", |spans| !spans.is_empty())?;
            assert_eq!(spans.len(), 1, "{spans:#?}");
            let (found, name) = (&*spans[0].trace_id, &*spans[0].name);
            assert_eq!((found, name), (trace, "publish amq.topic:sensors.1"));
        }
    }
    bed.disable()?;
    assert_eq!(context(&over_mqtt(&bed, "5")?), None, "what was registered is gone");
    Ok(())
}

/// What a subscriber gets of a publish.
pub(super) fn over_mqtt(bed: &PluginBed, version: &str) -> Result<Value> {
    let url = format!("mqtt://guest:guest@{}/%2f", bed.server.mqtt_address());
    let common = ["--url", &url, "--queue", "sensors/1", "--version", version];
    let worker = Client::start(PAHO, &[&["work"], &common[..]].concat())?;
    worker.wait_for("ready")?;
    Client::run(PAHO, &[&["produce"], &common[..]].concat())?;
    let mut said = worker.finish()?;
    said.retain(|said| said["event"] == "message");
    said.pop().context("nothing came")
}

/// Containers whose content is not what the plugin knows: too short, too long, of another broker's
/// making, with lengths that are not there, and descriptors without an end.
const STRANGE: &str = "
    Content = fun(Bare, BodyAt) ->
        {msg_body_encoded, undefined, [], undefined, [], Bare, [], BodyAt, 117}
    end,
    Mc = fun(Kind, Data) -> {mc, Kind, Data, #{x => <<>>, rk => [<<\"strange\">>]}} end,
    Strange = [Mc(mc_amqp, Content(<<0, 16#53>>, 0)),
               Mc(mc_amqp, Content(binary:copy(<<0>>, 100000), 0)),
               Mc(mc_amqp, Content(<<0, 16#53, 16#75, 16#b0, 255, 255, 255, 255, 1>>, 0)),
               Mc(mc_amqp, Content(<<>>, 7)),
               Mc(mc_amqp, erlang:append_element(Content(<<>>, 0), new)),
               Mc(mc_mqtt, {mqtt_msg, false, 0}),
               Mc(mc_other, Content(<<>>, 0)),
               {mc, mc_amqp}],
    Context = #{protocol => amqp10, vhost => <<\"/\">>, username => <<\"guest\">>,
                connection_name => <<>>},
    Intercept = fun(Message) ->
        rabbit_spanbridge_message:intercept(Message, Context, incoming, #{protocol => amqp10})
    end,
    [Message = Intercept(Message) || Message <- Strange],
    Many = Mc(mc_amqp, Content(binary:copy(<<0, 16#53, 16#75, 16#a0, 0>>, 65), 0)),
    Many = Intercept(Many),
    length(Strange).";

#[test]
fn message_of_another_shape_goes_on_as_it_came() -> Result<()> {
    let settings = "[{protocols, [amqp091, amqp10]}]";
    let Some(bed) = PluginBed::start(Release::Forky, false, settings)? else { return Ok(()) };
    bed.enable()?;
    assert_eq!(bed.server.control(&["eval", STRANGE])?, ["8"]);
    assert_eq!(bed.counted("messages_untraced")?, 8);
    assert_eq!(bed.counted("injections_skipped")?, 1, "more sections than are looked through");
    Ok(())
}

/// An interceptor of the same method that lets everything pass.
const OTHER: &str = "
    Forms = [begin
                 {ok, Tokens, _} = erl_scan:string(Text),
                 {ok, Form} = erl_parse:parse_form(Tokens),
                 Form
             end || Text <- [\"-module(other_interceptor).\",
                             \"-behaviour(rabbit_channel_interceptor).\",
                             \"-export([init/1, intercept/3, applies_to/0]).\",
                             \"init(_) -> none.\",
                             \"intercept(Method, Content, _) -> {Method, Content}.\",
                             \"applies_to() -> ['basic.publish'].\"]],
    {ok, Module, Binary} = compile:forms(Forms),
    {module, Module} = code:load_binary(Module, \"other\", Binary),
    rabbit_registry:register(channel_interceptor, <<\"other\">>, Module).";

#[test]
fn another_interceptor_of_another_priority_is_no_conflict_in_4_3() -> Result<()> {
    let Some(bed) = PluginBed::start(Release::Forky, false, "[]")? else { return Ok(()) };
    bed.server.control(&["eval", OTHER])?;
    let (is_good, said) = bed.try_enable()?;
    let said = said.join(" ");
    assert!(!is_good && said.contains("channel_interceptor_priorities"), "{said}");
    // A reason alone, not one inside an error of the tool's own.
    assert!(!said.contains("CaseClauseError"), "{said}");
    bed.disable()?;
    let priority = "application:set_env(rabbit, channel_interceptor_priorities,
                                        [{rabbit_spanbridge_interceptor, 1}]).";
    bed.server.control(&["eval", priority])?;
    bed.enable()?;
    let messages = send_and_take(PIKA, &bed.url("/"), "both", 1)?;
    assert!(context(&messages[0]).is_some(), "{messages:?}");
    Ok(())
}
