//! The module at work: from a command to its changed arguments and a span.
//!
//! ```text
//! XADD        fields are headers              LPUSH RPUSH LPUSHX RPUSHX   each value is a body
//! in scripts  by its pattern as well          PUBLISH SPUBLISH            in scripts: nothing
//! EVAL EVALSHA that create a job of BullMQ: two arguments together are the body
//! ```
//!
//! The span ends when the command is handed on: a filter sees no reply. Whether Redis then runs it,
//! or refuses it, or whether its transaction is discarded, is not seen and not said.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use spanbridge::metrics::Counters;
use spanbridge::otlp::{Flush, Pipeline};
use spanbridge::resource::{ResourceId, Resources};
use spanbridge::sink::Sink;
use spanbridge::{MessageBits, Publish, PublishBatch, Runtime, Tracer, VerdictBits, env};

use crate::arguments::{change_body, change_fields};
use crate::changes::Changes;
use crate::ffi::{self, Filter, Level};
use crate::job::Creation;
use crate::pattern::{Kind, Pattern};
use crate::rules::{Rules, queue};
use crate::xadd::Xadd;
use crate::{info, log, variable};

/// Arguments of a command that is looked into. An entry has a handful of fields.
const ARGUMENTS_MAX: usize = 1024;

/// Bytes of the bodies of one command: those of this size take the component a third of its
/// deadline.
const BODY_BYTES_MAX: usize = 64 << 10;

/// How long a shutdown of the server waits for spans to be sent.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// Everything that the module has.
pub(crate) struct Module {
    runtime: Runtime,
    tracer: Tracer,
    settings: env::Settings,
    rules: Rules,
    batch: PublishBatch,
    changes: Changes,
    /// The body of a job.
    body: Vec<u8>,
    pipeline: Option<Pipeline>,
    counters: Arc<Counters>,
    tally: Tally,
}

/// What became of messages, as the component said.
#[derive(Debug, Default)]
struct Tally {
    injected: u64,
    found: u64,
}

impl Tally {
    fn count(&mut self, bits: VerdictBits, counters: &Counters) {
        self.injected += u64::from(bits.contains(VerdictBits::INJECTED));
        self.found += u64::from(bits.contains(VerdictBits::FOUND));
        if bits.contains(VerdictBits::BODY_LEFT_ALONE) {
            counters.bodies_left_alone.content.add(1);
        }
    }
}

impl Module {
    /// Starts the runtime, and the threads that keep its deadline and send spans.
    ///
    /// # Errors
    ///
    /// Says what cannot be had.
    pub(crate) fn start(
        patterns: &[Pattern],
        settings: env::Settings,
        warnings: &[env::Warning],
    ) -> Result<Self, String> {
        if spanbridge::HAS_COMPILER {
            return Err("this file was built with a compiler in it; `make redis-module` builds \
                        the one to load"
                .to_owned());
        }
        log::start();
        let counters = Arc::new(Counters::default());
        env::Warning::report(warnings, &counters);
        let name = settings.service_name.as_deref().or_else(|| {
            let named = settings.resource_attributes.iter().any(|(key, _)| key == "service.name");
            (!named).then_some(variable::SERVICE_NAME)
        });
        let attributes = &settings.resource_attributes;
        let resources = Resources::new(name, attributes, 2, Arc::clone(&counters));
        // Signals are the server's: threads that start here inherit that none is theirs.
        let started = ffi::without_signals(|| {
            let pipeline = Pipeline::from_settings(&settings, resources, Arc::clone(&counters))
                .map_err(|error| error.to_string())?;
            let sink = pipeline.as_ref().map_or_else(Sink::discarding, Pipeline::sink);
            let runtime = Runtime::builder().sink(Arc::new(sink)).counters(Arc::clone(&counters));
            let runtime = runtime.build().map_err(|error| because(&error))?;
            Ok::<_, String>((pipeline, runtime))
        });
        let (pipeline, runtime) = started?;
        let mut rules = Rules::default();
        rules.change(patterns, &runtime, &settings)?;
        Ok(Self {
            tracer: runtime.tracer(),
            batch: runtime.publish_batch(),
            runtime,
            settings,
            rules,
            changes: Changes::default(),
            body: Vec::new(),
            pipeline,
            counters,
            tally: Tally::default(),
        })
    }

    /// What is said in the log when all of it has started.
    pub(crate) fn greeting(&self) -> String {
        let component = self.runtime.component();
        let sha256 = component.sha256.get(..12).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        let to = match variable::endpoint(&self.settings) {
            url if url.is_empty() => String::new(),
            url => format!(", spans go to {url}"),
        };
        format!("spanbridge {version} traces, component {sha256}{to}")
    }

    /// Traces what these patterns match, from the next command on.
    ///
    /// # Errors
    ///
    /// Says what the component refuses. Then what was traced is traced.
    pub(crate) fn trace(&mut self, patterns: &[Pattern]) -> Result<(), String> {
        self.rules.change(patterns, &self.runtime, &self.settings)
    }

    /// Looks at a command, and changes it if it is one of ours.
    pub(crate) fn filter(&mut self, filter: Filter<'_>) {
        let Some(kind) = kind(filter.get(0)) else { return };
        self.batch.clear();
        self.changes.clear();
        match kind {
            Kind::Stream => self.entry(filter),
            Kind::List | Kind::Channel => self.bodies(kind, filter),
            Kind::Queue => self.job(filter),
        }
        if !self.changes.is_empty() {
            self.changes.apply(filter);
        }
    }

    fn entry(&mut self, filter: Filter<'_>) {
        let (count, key) = (filter.count(), filter.get(1));
        let Some(rule) = self.rules.find(Kind::Stream, key) else { return };
        if count > ARGUMENTS_MAX {
            self.counters.injections_skipped.refused.add(1);
            return;
        }
        let Some(xadd) = Xadd::of(count, |at| filter.get(at)) else { return };
        let mut bits = MessageBits::RELAYED;
        if xadd.by_fields || ffi::cannot_grow() {
            bits |= MessageBits::READ_ONLY;
            self.counters.injections_skipped.refused.add(1);
        }
        let now = now();
        let size = (xadd.fields_at..count).map(|at| filter.get(at).len() as u64).sum();
        let publish = Publish::new(rule.route, ResourceId::DEFAULT, key);
        let publish = Publish { bits, body_size: size, start: now, end: now, ..publish };
        let mut parts = self.batch.add(&publish);
        for at in (xadd.fields_at..count).step_by(2) {
            if let Some(field) = rule.fields.find(filter.get(at)) {
                parts.header(field.number, field.key, filter.get(at + 1));
            }
        }
        drop(parts);
        self.counters.messages_seen.published.add(1);
        let answer = self.tracer.publish(&mut self.batch);
        self.tally.count(answer.verdict(0).bits, &self.counters);
        let (edits, fields) = (answer.edits(0), &rule.fields);
        change_fields(filter, xadd.fields_at, edits, fields, &mut self.changes);
    }

    fn bodies(&mut self, kind: Kind, filter: Filter<'_>) {
        let (count, name) = (filter.count(), queue(filter.get(1)));
        let Some(rule) = self.rules.find(kind, name) else { return };
        let is_whole = count >= 3 && (kind == Kind::List || count == 3);
        // What a script puts into a list is as often an id as a message.
        if !is_whole || ffi::in_script() {
            return;
        }
        let bytes: usize = (2..count).map(|at| filter.get(at).len()).sum();
        if count > ARGUMENTS_MAX || bytes > BODY_BYTES_MAX {
            self.counters.bodies_left_alone.bytes.add(count as u64 - 2);
            return;
        }
        let now = now();
        for at in 2..count {
            let body = filter.get(at);
            drop(self.batch.add(&Publish {
                bits: MessageBits::NO_HEADERS | MessageBits::RELAYED,
                body,
                body_size: body.len() as u64,
                start: now,
                end: now,
                ..Publish::new(rule.route, ResourceId::DEFAULT, name)
            }));
        }
        self.counters.messages_seen.published.add(count as u64 - 2);
        let answer = self.tracer.publish(&mut self.batch);
        for at in 2..count {
            self.tally.count(answer.verdict(at - 2).bits, &self.counters);
            change_body(filter, (at, 0), answer.edits(at - 2), &mut self.changes);
        }
    }

    fn job(&mut self, filter: Filter<'_>) {
        if !self.rules.have(Kind::Queue) {
            return;
        }
        let Some(job) = Creation::of(filter.count(), |at| filter.get(at)) else { return };
        let by_base = || self.rules.find(Kind::Queue, job.base);
        let Some(rule) = self.rules.find(Kind::Queue, job.queue()).or_else(by_base) else { return };
        let [head, data, options] = [0, 1, 2].map(|behind| filter.get(job.head_at + behind));
        if head.len() + options.len() > BODY_BYTES_MAX {
            self.counters.bodies_left_alone.bytes.add(1);
            return;
        }
        self.body.clear();
        self.body.extend_from_slice(head);
        self.body.extend_from_slice(options);
        let now = now();
        drop(self.batch.add(&Publish {
            bits: MessageBits::NO_HEADERS | MessageBits::RELAYED,
            body: &self.body,
            body_size: data.len() as u64,
            start: now,
            end: now,
            ..Publish::new(rule.route, ResourceId::DEFAULT, job.queue())
        }));
        self.counters.messages_seen.published.add(1);
        let answer = self.tracer.publish(&mut self.batch);
        self.tally.count(answer.verdict(0).bits, &self.counters);
        let place = (job.head_at + 2, head.len());
        change_body(filter, place, answer.edits(0), &mut self.changes);
    }

    /// Sends what is queued, within [`FLUSH_MAX`].
    pub(crate) fn shutdown(&mut self) {
        let Some(pipeline) = self.pipeline.take() else { return };
        match pipeline.shutdown(FLUSH_MAX) {
            Flush::Done => {}
            lost => {
                ffi::log(Level::Warning, &format!("spanbridge lost spans at the end: {lost:?}"))
            }
        }
    }

    /// The text of `SPANBRIDGE.INFO`.
    pub(crate) fn info(&self, is_enabled: bool, is_replica: bool) -> String {
        info::text(&self.runtime.component(), is_enabled, is_replica, |visit| self.numbers(visit))
    }

    /// Every number that can move in this process.
    pub(crate) fn numbers(&self, mut visit: impl FnMut(&str, u64)) {
        visit("contexts_injected", self.tally.injected);
        visit("contexts_found", self.tally.found);
        info::counters(&self.counters, visit);
    }
}

/// What a command puts its messages into. `None`: it is none of those.
fn kind(name: &[u8]) -> Option<Kind> {
    // Most commands are let go by their length.
    if !(4..=8).contains(&name.len()) {
        return None;
    }
    let is = |known: &&[u8]| name.eq_ignore_ascii_case(known);
    if is(&&b"XADD"[..]) {
        Some(Kind::Stream)
    } else if [&b"LPUSH"[..], b"RPUSH", b"LPUSHX", b"RPUSHX"].iter().any(is) {
        Some(Kind::List)
    } else if [&b"PUBLISH"[..], b"SPUBLISH"].iter().any(is) {
        Some(Kind::Channel)
    } else if [&b"EVAL"[..], b"EVALSHA"].iter().any(is) {
        Some(Kind::Queue)
    } else {
        None
    }
}

/// Nanoseconds since the Unix epoch.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Realtime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// An error with everything that caused it.
fn because(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_that_publish_are_looked_at() {
        for (name, expected) in [
            ("xadd", Some(Kind::Stream)),
            ("LPush", Some(Kind::List)),
            ("RPUSHX", Some(Kind::List)),
            ("SPUBLISH", Some(Kind::Channel)),
            ("evalsha", Some(Kind::Queue)),
            ("EVAL_RO", None),
            ("XACK", None),
            ("LPUSHXX", None),
            ("", None),
            ("SUBSCRIBE", None),
        ] {
            assert_eq!(kind(name.as_bytes()), expected, "{name}");
        }
    }
}
