//! What a route can say about its messages: the keys, and the settings they become.

use std::num::NonZeroU32;

use spanbridge::{DeliveryMode, Relation, RootSampler, RouteSettings, Trust, env};
use toml::de::DeValue;

use super::envelope::EnvelopeChoice;
use super::section::{Found, Problem, Section, Table, Value, section, show};
use super::value::{Count, Seconds, quoted, word, words};
use crate::address::Address;
use crate::scrub::Scrub;
use spanbridge::pattern::Pattern;

/// Most messages that a consumer can be said to work on at once. Brokers count what a client may
/// fetch ahead in 16 bits.
const CONCURRENCY_MAX: u64 = u16::MAX as u64;

/// Longest wait that can be stated, in seconds: a century.
const WAIT_SECONDS_MAX: u64 = 100 * 365 * 24 * 3600;

words! {
    /// How a consumer span relates to the context in its message.
    pub enum RelationWord {
        /// Child of it.
        Parent = "parent",
        /// Root, linked to it.
        Link = "link",
        /// Child of it and linked to it.
        #[default]
        ParentAndLink = "parent+link",
        /// Root, without a link.
        Root = "root",
        /// By how the message came.
        Auto = "auto",
    }
}

words! {
    /// What a consumer finds in its message.
    pub enum DeliveryWord {
        /// The context that came.
        #[default]
        Keep = "keep",
        /// The context of our process span.
        Continue = "continue",
    }
}

words! {
    /// Whether a client's context is believed.
    pub enum TrustWord {
        /// It is.
        #[default]
        Accept = "accept",
        /// A new trace starts.
        Restart = "restart",
    }
}

words! {
    /// How header names are written where there were none.
    pub enum HeaderCase {
        /// `traceparent`.
        #[default]
        Lower = "lower",
        /// `Traceparent`, as Go's `HeaderCarrier` looks for it.
        Canonical = "canonical",
    }
}

words! {
    /// When consumers settle their messages.
    pub enum Acks {
        /// Before the work where they are Celery's, else behind it.
        #[default]
        Auto = "auto",
        /// Behind the work.
        Late = "late",
        /// Before the work: what happens then is not on the wire.
        Early = "early",
    }
}

section! {
    /// The options of a route's messages.
    pub struct RouteOptions {
        /// How a consumer span relates to the context in its message: child of it, linked to it
        /// from a new trace, both, neither. `auto` starts a new trace with a link for redelivered
        /// messages, batches, subscriptions without a queue group and long waits.
        live [relation]: RelationWord = "\"parent+link\"";
        /// From this wait on, `auto` starts a new trace.
        live [relation_wait_max_seconds]: Seconds<0, WAIT_SECONDS_MAX> = "3600";
        /// What a consumer finds in its message: the context that came, or (`continue`) that of
        /// our process span, so that the worker's spans nest under it.
        live [delivery]: DeliveryWord = "\"keep\"";
        /// Whether a client's context is believed. With `restart` a new trace starts, linked to
        /// the old one, and baggage is removed.
        live [trust]: TrustWord = "\"accept\"";
        /// Whether a trace that starts here is sampled. Unset: `OTEL_TRACES_SAMPLER`.
        live [sampler]: SamplerChoice = "";
        /// Follow the sampled flag of a parent. Unset: as `OTEL_TRACES_SAMPLER` says, which is
        /// `true` unless it names a sampler without `parentbased_`.
        live [parent_based]: bool = "";
        /// Service of the publish spans. Unset: the name that the client gives its connection,
        /// else its user.
        live [producer_service]: String = "";
        /// Service of the consumer spans. Unset: likewise.
        live [consumer_service]: String = "";
        /// Emit publish spans. Context is written either way.
        live [producer_spans]: bool = "true";
        /// Emit process spans; `false` where workers are instrumented and doubles annoy.
        live [consumer_spans]: bool = "true";
        /// When consumers of AMQP, and of Celery's lists in Redis, acknowledge: behind the work
        /// (`late`), so that the process span ends with it, or before (`early`), so that the work
        /// is not on the wire and the span has no length. `auto` takes Celery's tasks for early, as
        /// Celery does it without `acks_late`, and everything else for late.
        live [acks]: Acks = "\"auto\"";
        /// Emit a span for each pull that was answered.
        live [receive_spans]: bool = "false";
        /// Emit a span of its own for the time between publish and delivery.
        live [queue_wait_spans]: bool = "false";
        /// How many messages each consumer works on at once; for a pool of processes behind one
        /// connection, their number. Then the process span of a message that a client fetched
        /// ahead begins when there was room for it, marked `spanbridge.start_estimated`. Unset:
        /// it begins with the delivery.
        live [concurrency]: Count<1, CONCURRENCY_MAX> = "";
        /// Emit `messaging.message.body.size`.
        live [body_size]: bool = "false";
        /// The shape of bodies that have a place for context (envelopes.md), on NATS and in lists
        /// and channels of Redis. Looked at where no header names a span, written to where client
        /// or broker take no headers. A body of up to 64 KiB is held until it is whole.
        live [envelope]: EnvelopeChoice = "\"none\"";
        /// How names of headers are written that were not there: `canonical` is `Traceparent`,
        /// for Go programs that look for that.
        live [header_case]: HeaderCase = "\"lower\"";
        /// Stands for the destination in span names. Unset: the pattern of the route, if it names
        /// a token with `{…}`.
        live [destination_template]: String = "";
        /// Tokens of the destination, between dots and colons, that are ids, and give way to `{id}`
        /// in span names: decimal digits, RFC 9562 UUIDs, eight or more hexadecimal digits.
        live [scrub]: ScrubRules = "[]";
        /// Trace nothing: the messages pass byte for byte.
        live [off]: bool = "false";
    }
}

/// Whether a trace that starts here is sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerChoice(pub RootSampler);

impl Value for SamplerChoice {
    fn kind() -> &'static str {
        "string or table"
    }

    fn allowed() -> String {
        "`\"always_on\"`, `\"always_off\"`, `{ ratio = 0.0 to 1.0 }`".to_owned()
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        let expected = || format!("expected {}, found {}", Self::allowed(), show(found));
        match found.get_ref() {
            DeValue::String(word) if word == "always_on" => Ok(Self(RootSampler::AlwaysOn)),
            DeValue::String(word) if word == "always_off" => Ok(Self(RootSampler::AlwaysOff)),
            DeValue::Table(table) => {
                let mut table = Table::new("", table);
                let ratio = table.find("ratio");
                table.finish().map_err(|problem| problem.what)?;
                let ratio = ratio.ok_or_else(expected)?;
                share(ratio).map(RootSampler::TraceIdRatio).map(Self)
            }
            _ => Err(expected()),
        }
    }
}

/// A number from 0 to 1.
fn share(found: Found<'_, '_>) -> Result<f64, String> {
    let number: Option<f64> = match found.get_ref() {
        DeValue::Float(number) => number.as_str().parse().ok(),
        DeValue::Integer(number) => number.as_str().parse().ok(),
        _ => None,
    };
    number
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or_else(|| format!("ratio: expected 0.0 to 1.0, found {}", show(found)))
}

/// Which tokens of a destination are ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubRules(pub Scrub);

const SCRUB_WORDS: [(&str, Scrub); 3] =
    [("uuid", Scrub::UUID), ("number", Scrub::NUMBER), ("hex", Scrub::HEX)];

impl Value for ScrubRules {
    fn kind() -> &'static str {
        "list of strings"
    }

    fn allowed() -> String {
        quoted(&SCRUB_WORDS.map(|(word, _)| word))
    }

    fn read(found: Found<'_, '_>) -> Result<Self, String> {
        let DeValue::Array(list) = found.get_ref() else {
            return Err(format!("expected a list of {}, found {}", Self::allowed(), show(found)));
        };
        let rules: Result<Vec<_>, _> = list.iter().map(|rule| word(rule, &SCRUB_WORDS)).collect();
        Ok(Self(rules?.into_iter().collect()))
    }
}

impl RouteOptions {
    /// Reads the options from a text of their own.
    ///
    /// # Errors
    ///
    /// Says what of it is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        super::file::parse(text, Self::take_whole).map_err(|p| p.place(text))
    }

    pub(super) fn take_whole(table: &mut Table<'_, '_>) -> Result<Self, Problem> {
        let options = Self::take(table)?;
        let template = table.find("destination_template");
        match (table.find("scrub"), template) {
            (Some(scrub), Some(_)) => {
                let what = "scrub: expected it without destination_template, which leaves it \
                            nothing to do";
                Err(Problem::new(scrub.span(), table.about(what)))
            }
            _ => Ok(options),
        }
    }

    /// These options over those of the listener. A template of its own, or scrub rules, take the
    /// place of both of the listener's.
    pub(crate) fn over(&self, listener: &Self, pattern: Option<&Pattern>) -> Self {
        let mut options = self.or(listener);
        let template = pattern.and_then(Pattern::template);
        let named = self.destination_template.clone().or(template.map(str::to_owned));
        if named.is_some() {
            (options.destination_template, options.scrub) = (named, None);
        } else if self.scrub.is_some() {
            options.destination_template = None;
        }
        options
    }

    /// How names of headers are written where there were none.
    pub fn header_case(&self) -> HeaderCase {
        self.header_case.unwrap_or_default()
    }

    /// When AMQP consumers acknowledge.
    pub fn acks(&self) -> Acks {
        self.acks.unwrap_or_default()
    }

    /// Which tokens of a destination are ids.
    pub fn scrub(&self) -> Scrub {
        self.scrub.unwrap_or_default().0
    }

    /// How many messages a consumer works on at once. `None`: that is not known.
    pub fn concurrency(&self) -> Option<NonZeroU32> {
        self.concurrency.and_then(|count| NonZeroU32::new(count.get() as u32))
    }

    /// The settings of a route, with what the environment says about spans in general.
    pub fn settings(&self, system: &str, broker: &Address, env: &env::Settings) -> RouteSettings {
        let defaults = RouteSettings::new(system);
        let wait = self.relation_wait_max_seconds.map(Seconds::get);
        RouteSettings {
            server_address: broker.host.clone(),
            server_port: broker.port,
            destination_template: self.destination_template.clone(),
            propagators: env.propagators.clone(),
            relation: match self.relation.unwrap_or_default() {
                RelationWord::Parent => Relation::Parent,
                RelationWord::Link => Relation::Link,
                RelationWord::ParentAndLink => Relation::ParentAndLink,
                RelationWord::Root => Relation::Root,
                RelationWord::Auto => Relation::Auto,
            },
            relation_wait_max: wait.unwrap_or(defaults.relation_wait_max),
            delivery: match self.delivery.unwrap_or_default() {
                DeliveryWord::Keep => DeliveryMode::Keep,
                DeliveryWord::Continue => DeliveryMode::Continue,
            },
            trust: match self.trust.unwrap_or_default() {
                TrustWord::Accept => Trust::Accept,
                TrustWord::Restart => Trust::Restart,
            },
            sampler: self.sampler.map_or(env.sampler.root, |choice| choice.0),
            parent_based: self.parent_based.unwrap_or(env.sampler.parent_based),
            producer_spans: self.producer_spans.unwrap_or(true),
            consumer_spans: self.consumer_spans.unwrap_or(true),
            receive_spans: self.receive_spans.unwrap_or(false),
            queue_wait_spans: self.queue_wait_spans.unwrap_or(false),
            body_size: self.body_size.unwrap_or(false),
            old_names: env.semconv_dup,
            envelope: self.envelope.clone().and_then(|choice| choice.0),
            attribute_value_length_max: env.limits.attribute_value_length.unwrap_or(0),
            attribute_count_max: env.limits.attributes,
            link_count_max: env.limits.links,
            ..defaults
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(text: &str) -> RouteSettings {
        let broker = "nats://broker:4223".parse().unwrap();
        let options = RouteOptions::parse(text).unwrap();
        options.settings("nats", &broker, &env::Settings::default())
    }

    #[test]
    fn options_become_settings() {
        let text = "relation = \"auto\"\ndelivery = \"continue\"\nconsumer_spans = false\n\
                    relation_wait_max_seconds = 7\nsampler = { ratio = 0.25 }\ntrust = \"restart\"";
        let found = settings(text);
        assert_eq!((found.relation, found.delivery), (Relation::Auto, DeliveryMode::Continue));
        assert!(found.producer_spans && !found.consumer_spans && found.parent_based);
        assert_eq!((found.server_address.as_str(), found.server_port), ("broker", 4223));
        assert_eq!(found.relation_wait_max, Duration::from_secs(7));
        assert_eq!(found.sampler, RootSampler::TraceIdRatio(0.25));
        assert_eq!(found.trust, Trust::Restart);
        assert_eq!(settings("sampler = \"always_off\"").sampler, RootSampler::AlwaysOff);
    }

    #[test]
    fn a_sampler_that_is_none_is_refused_and_what_is_allowed_is_said() {
        for (text, expected) in [
            ("sampler = \"always\"", "`\"always_on\"`"),
            ("sampler = \"ratio\"", "{ ratio = 0.0 to 1.0 }"),
            ("sampler = 0.5", "{ ratio = 0.0 to 1.0 }"),
            ("sampler = {}", "{ ratio = 0.0 to 1.0 }"),
            ("sampler = { ratio = 1.5 }", "ratio: expected 0.0 to 1.0, found 1.5"),
            ("sampler = { rato = 1.0 }", "did you mean `ratio`?"),
        ] {
            let error = RouteOptions::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_route_says_what_the_listener_does_not() {
        let listener = RouteOptions::parse("trust = \"restart\"\nscrub = [\"uuid\"]").unwrap();
        let own = RouteOptions::parse("trust = \"accept\"\nbody_size = true").unwrap();
        let both = own.over(&listener, None);
        assert_eq!((both.trust, both.body_size), (Some(TrustWord::Accept), Some(true)));
        assert_eq!(both.scrub(), Scrub::UUID);
        let pattern = Pattern::parse("orders.{id}").unwrap();
        let named = own.over(&listener, Some(&pattern));
        assert_eq!(named.destination_template.as_deref(), Some("orders.{id}"));
        assert_eq!(named.scrub(), Scrub::empty());
    }
}
