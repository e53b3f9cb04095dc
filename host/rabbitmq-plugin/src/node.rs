//! The plugin in one node: a runtime, rules, and an instance for each scheduler.
//!
//! ```text
//! publish ─▶ rule? ─▶ this scheduler's slot ─▶ component ─▶ properties ─▶ the broker's process
//!              │ none, control traffic   │ taken or stopped   spans ─▶ queue
//!              ▼                         ▼
//!              the message goes on as it came
//! ```
//!
//! Nothing here waits for anybody: a slot that is taken is not waited for.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use spanbridge::env::{Env, Settings};
use spanbridge::metrics::{Counter, Counters};
use spanbridge::resource::{RESOURCES_MAX, ResourceId, Resources};
use spanbridge::sink::{QUEUE_SPANS_MAX, QueueLimits};
use spanbridge::{
    Edits, Fields, MessageBits, Publish, PublishBatch, Runtime, Tracer, VerdictBits,
    with_header_edits,
};
use spanbridge_wire::amqp::{ContentHeader, Properties, Rewrite, destination};

use crate::message::{Amqp, Message, has_room};
use crate::queue::Queue;
use crate::rules::{RULES_MAX, Rule, RuleConfig, exports};

/// Slots at most: an Erlang machine has 1 024 schedulers at most.
const SLOTS_MAX: usize = 1024;

/// What the broker's configuration asks for.
#[derive(Debug, Default)]
pub struct NodeConfig {
    /// Variables that stand before those of the process.
    pub variables: Vec<(String, String)>,
    /// Rules, in order; none: everything is traced.
    pub rules: Vec<RuleConfig>,
    /// Normal schedulers of the machine.
    pub schedulers: usize,
}

/// One start of the plugin, until its stop.
#[derive(Debug)]
pub struct Node {
    /// Whether spans go anywhere, so that an exporter is needed.
    pub exports: bool,
    /// Spans on their way out.
    pub queue: Arc<Queue>,
    /// What was counted.
    pub counters: Arc<Counters>,
    resources: Resources,
    rules: Box<[Rule]>,
    slots: Box<[Slot]>,
}

/// What one scheduler has. Alone on its cache lines: see [`Counter`].
#[derive(Debug, Default)]
struct Slot {
    seen: Counter,
    injected: Counter,
    /// There would be no room for a context.
    skipped: Counter,
    /// A context could not be written safely.
    refused: Counter,
    /// Its headers cannot be read, or are too many.
    unreadable: Counter,
    passed_on: Counter,
    working: Mutex<Option<Working>>,
}

/// What a publish needs, for one at a time.
#[derive(Debug)]
struct Working {
    runtime: Runtime,
    tracer: Tracer,
    batch: PublishBatch,
    destination: Vec<u8>,
    /// The properties that came, as a frame, and those that go on.
    frame: Vec<u8>,
    rewritten: Vec<u8>,
}

/// The rules of one channel of the broker's.
#[derive(Debug)]
pub struct Channel {
    node: Arc<Node>,
    /// Numbers of the rules of its vhost, and whose the spans are.
    rules: Box<[(usize, ResourceId)]>,
}

impl Node {
    /// Loads the component and opens the rules.
    ///
    /// # Errors
    ///
    /// Says in one line what cannot be had, and where the configuration says so.
    pub fn start(config: NodeConfig) -> Result<Self, String> {
        let NodeConfig { variables, mut rules, schedulers } = config;
        let env = Env::from_fn(|name| {
            let own = variables.iter().find(|(own, _)| own == name);
            let process = || Some(std::env::var_os(name)?.to_string_lossy().into_owned());
            own.map_or_else(process, |(_, value)| Some(value.clone()))
        });
        // The exporter reads the same variables, and reports what is wrong with them.
        let (env, _) = Settings::read(&env).map_err(|error| error.to_string())?;
        if rules.len() > RULES_MAX {
            let found = rules.len();
            return Err(format!("destinations: {found} entries; {RULES_MAX} are allowed"));
        }
        if rules.is_empty() {
            rules.push(RuleConfig { trace: true, spans: true, ..RuleConfig::default() });
        }
        let counters = Arc::<Counters>::default();
        let spans_max = env.bsp.max_queue_size.unwrap_or(QUEUE_SPANS_MAX);
        let limits = QueueLimits { queue_spans_max: spans_max, ..QueueLimits::default() };
        let queue = Arc::new(Queue::new(limits, Arc::clone(&counters)));
        let resources = Resources::new(None, &[], RESOURCES_MAX, Arc::clone(&counters));
        queue.name(ResourceId::OVERFLOW, spanbridge::resource::OVERFLOW_SERVICE_NAME);
        let runtime = Runtime::builder()
            .sink(Arc::clone(&queue) as _)
            .counters(Arc::clone(&counters))
            .build()
            .map_err(|error| error.to_string())?;
        let open = |(index, rule): (usize, &RuleConfig)| {
            Rule::open(rule, &env, &runtime)
                .map_err(|error| format!("destinations, entry {}: {error}", index + 1))
        };
        let rules: Vec<Rule> = rules.iter().enumerate().map(open).collect::<Result<_, _>>()?;
        let slot =
            |_| Slot { working: Mutex::new(Some(Working::new(&runtime))), ..Slot::default() };
        let slots = (0..schedulers.clamp(1, SLOTS_MAX)).map(slot).collect();
        let exports = exports(&env);
        Ok(Self { exports, queue, counters, resources, rules: rules.into(), slots })
    }

    /// Gives everything up: threads end, memory is freed. Publishes go on untraced from here on.
    /// Waits for calls that run, which is a millisecond, and for the runtime's threads.
    pub fn stop(&self) {
        self.queue.close();
        for slot in &self.slots {
            let working = slot.working.lock();
            working.unwrap_or_else(std::sync::PoisonError::into_inner).take();
        }
    }

    /// The rules of a channel in a vhost, whose client is called `service`.
    pub fn channel(self: &Arc<Self>, vhost: &str, service: &str) -> Channel {
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| rule.is_of(vhost));
        let resource = |(number, rule): (usize, &Rule)| {
            let name = if rule.service_name.is_empty() { service } else { &rule.service_name };
            let id = self.resources.register(name, &[]);
            self.queue.name(id, name);
            (number, id)
        };
        Channel { node: Arc::clone(self), rules: rules.map(resource).collect() }
    }

    /// What was counted of messages, by name and reason.
    pub fn counted(&self) -> [(&'static str, &'static str, u64); 6] {
        let sum = |which: fn(&Slot) -> &Counter| self.slots.iter().map(|it| which(it).get()).sum();
        [
            ("messages_seen", "", sum(|slot| &slot.seen)),
            ("messages_unreadable", "", sum(|slot| &slot.unreadable)),
            ("contexts_written", "", sum(|slot| &slot.injected)),
            ("injections_skipped", "headers_size", sum(|slot| &slot.skipped)),
            ("injections_skipped", "refused", sum(|slot| &slot.refused)),
            ("injections_skipped", "passed_on", sum(|slot| &slot.passed_on)),
        ]
    }

    /// The slot of the calling thread. No other thread has it, if there are no more of them than
    /// slots.
    fn slot(&self) -> &Slot {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) });
        let mut number = NUMBER.get();
        if number == usize::MAX {
            number = NEXT.fetch_add(1, Ordering::Relaxed);
            NUMBER.set(number);
        }
        &self.slots[number % self.slots.len()]
    }
}

impl Channel {
    /// A message is about to be routed. `properties` are encoded, and begin with their flags; `now`
    /// is in nanoseconds since the Unix epoch. Hands the properties that it is to have to `then`,
    /// and answers what that answers; `None`: the message is left as it is.
    pub fn publish<T>(
        &self,
        exchange: &[u8],
        routing_key: &[u8],
        properties: &[u8],
        now: u64,
        then: impl FnOnce(&[u8]) -> T,
    ) -> Option<T> {
        if destination::is_control(exchange, routing_key) {
            return None;
        }
        let slot = self.node.slot();
        let mut working = slot.take()?;
        let Working { tracer, batch, destination: name, frame, rewritten, .. } =
            working.as_mut()?;
        destination::of_publish(exchange, routing_key, name);
        let rules = &self.node.rules;
        let &(number, resource) = self.rules.iter().find(|(at, _)| rules[*at].fits(name))?;
        let traced = rules[number].traced.as_ref()?;
        slot.seen.add(1);
        let found = ContentHeader::around(properties, frame)
            .and_then(|header| header.properties(frame))
            .and_then(|found| Message::read(routing_key, found));
        let Some(message) = found else {
            slot.unreadable.add(1);
            return None;
        };
        let mut bits = MessageBits::RELAYED;
        if !has_room(properties.len()) {
            slot.skipped.add(1);
            bits |= MessageBits::NO_HEADERS;
        }
        batch.clear();
        let publish = Publish {
            bits,
            id: message.id(),
            start: now,
            // Confirms are not seen here: the span is the moment at which the message came by.
            end: now,
            ..Publish::new(traced.route, resource, name)
        };
        message.add_to(&mut batch.add(&publish), &traced.fields);
        let answer = tracer.publish(batch);
        let (edits, verdict) = (answer.edits(0), answer.verdict(0));
        if verdict.bits.contains(VerdictBits::FOUND) && verdict.span_id == 0 {
            slot.passed_on.add(1);
        }
        if edits.is_empty() {
            return None;
        }
        if !rewrite(&message.properties, edits, &traced.fields, rewritten) {
            slot.refused.add(1);
            return None;
        }
        slot.injected.add(1);
        Some(then(rewritten))
    }
}

/// Puts the edited properties into `out`. Answers `false` when they stay what they are: an edit
/// that no table can hold, or none that changes anything.
fn rewrite(
    properties: &Properties<'_>,
    edits: Edits<'_>,
    fields: &Fields,
    out: &mut Vec<u8>,
) -> bool {
    let name = |field| fields.name(field).map(str::as_bytes);
    with_header_edits::<Amqp, _>(edits, name, |edits| {
        // Whether it fits frames was looked at before.
        let Ok(rewrite) = Rewrite::plan(properties, edits, 0) else { return false };
        out.clear();
        rewrite.write_properties(out);
        !rewrite.is_unchanged()
    })
}

impl Slot {
    /// `None`: another thread has it, or has panicked with it.
    fn take(&self) -> Option<MutexGuard<'_, Option<Working>>> {
        match self.working.try_lock() {
            Ok(working) => Some(working),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(poisoned)) => {
                // What was in the middle of a call is not trusted any more.
                let mut working = poisoned.into_inner();
                *working = working.take().map(|old| Working::new(&old.runtime));
                self.working.clear_poison();
                Some(working)
            }
        }
    }
}

impl Working {
    fn new(runtime: &Runtime) -> Self {
        let (tracer, batch) = (runtime.tracer(), runtime.publish_batch());
        let (destination, frame, rewritten) = <(Vec<u8>, Vec<u8>, Vec<u8>)>::default();
        Self { runtime: runtime.clone(), tracer, batch, destination, frame, rewritten }
    }
}
