//! The plugin in one node: a runtime, rules, and an instance for each scheduler.
//!
//! ```text
//! publish ─▶ rule? ─▶ this scheduler's slot ─▶ component ─▶ edits ─▶ the broker's process
//!              │ none, control traffic   │ taken or stopped        spans ─▶ queue
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
use spanbridge::{Edit, Fields, MessageBits, Publish, PublishBatch, Runtime, Tracer, VerdictBits};
use spanbridge_wire::amqp::destination;

use crate::message::{Message, has_room};
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
    skipped: Counter,
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
    pub fn counted(&self) -> [(&'static str, &'static str, u64); 4] {
        let sum = |which: fn(&Slot) -> &Counter| self.slots.iter().map(|it| which(it).get()).sum();
        [
            ("messages_seen", "", sum(|slot| &slot.seen)),
            ("contexts_written", "", sum(|slot| &slot.injected)),
            ("injections_skipped", "headers_size", sum(|slot| &slot.skipped)),
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
    /// A message is about to be routed. `now` is in nanoseconds since the Unix epoch. Hands each
    /// edit to `apply`, with the name of the header; none: the message is left as it is.
    pub fn publish<'a>(
        &self,
        message: &Message<'a, impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone>,
        now: u64,
        apply: impl FnMut(&str, Edit<'_>),
    ) {
        let (exchange, key) = (message.exchange, message.routing_key);
        if destination::is_control(exchange, key) {
            return;
        }
        let slot = self.node.slot();
        let Some(mut working) = slot.take() else { return };
        let Some(working) = working.as_mut() else { return };
        let name = &mut working.destination;
        destination::of_publish(exchange, key, name);
        let rules = &self.node.rules;
        let Some(&(number, resource)) = self.rules.iter().find(|(at, _)| rules[*at].fits(name))
        else {
            return;
        };
        let Some(traced) = &rules[number].traced else { return };
        slot.seen.add(1);
        let Some(job) = message.job() else {
            slot.skipped.add(1);
            return;
        };
        let mut bits = MessageBits::RELAYED;
        if !has_room(message.properties_size) {
            slot.skipped.add(1);
            bits |= MessageBits::NO_HEADERS;
        }
        let Working { tracer, batch, destination: name, .. } = working;
        batch.clear();
        let publish = Publish {
            bits,
            id: message.id(job),
            start: now,
            // Confirms are not seen here: the span is the moment at which the message came by.
            end: now,
            ..Publish::new(traced.route, resource, name)
        };
        message.add_to(&mut batch.add(&publish), &traced.fields, job);
        let answer = tracer.publish(batch);
        let (edits, verdict) = (answer.edits(0), answer.verdict(0));
        if verdict.bits.contains(VerdictBits::FOUND) && verdict.span_id == 0 {
            slot.passed_on.add(1);
        }
        if !edits.is_empty() {
            slot.injected.add(1);
            name_edits(edits, &traced.fields, apply);
        }
    }
}

/// Finds the names of headers for edits.
fn name_edits<'a>(
    edits: impl Iterator<Item = Edit<'a>>,
    fields: &Fields,
    mut apply: impl FnMut(&str, Edit<'a>),
) {
    for edit in edits {
        let (Edit::SetHeader { field, key, .. } | Edit::RemoveHeader { field, key }) = edit else {
            continue; // No route has an envelope.
        };
        // Both were checked when the answer came.
        let (Some(name), Ok(key)) = (fields.name(field), std::str::from_utf8(key)) else {
            continue;
        };
        if key.is_empty() {
            apply(name, edit);
        } else {
            apply(&format!("{name}{key}"), edit);
        }
    }
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
        Self { runtime: runtime.clone(), tracer, batch, destination: Vec::new() }
    }
}
