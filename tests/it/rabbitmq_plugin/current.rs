//! The same in RabbitMQ 4.3.

use anyhow::Result;
use spanbridge_tests::{PluginBed, Release};

use super::{clients, context, faults, lifecycle, send_and_take, settings};

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
