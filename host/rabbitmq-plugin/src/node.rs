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
use std::sync::{Arc, Mutex};

use spanbridge::Runtime;
use spanbridge::env::{Env, Settings};
use spanbridge::metrics::{Counter, Counters};
use spanbridge::resource::{RESOURCES_MAX, ResourceId, Resources};
use spanbridge::sink::{QUEUE_SPANS_MAX, QueueLimits};
use spanbridge_wire::amqp::destination;

use crate::call::Call;
use crate::queue::Queue;
use crate::rules::{RULES_MAX, Rule, RuleConfig, exports};
use crate::slot::{Slot, Working};

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
    /// A message is about to be routed. Answers how it is traced; `None`: not at all.
    pub fn publish(&self, exchange: &[u8], routing_key: &[u8]) -> Option<Call<'_>> {
        if destination::is_control(exchange, routing_key) {
            return None;
        }
        let slot = self.node.slot();
        let mut working = slot.take()?;
        let name = &mut working.as_mut()?.destination;
        destination::of_publish(exchange, routing_key, name);
        let rules = &self.node.rules;
        let &(number, resource) = self.rules.iter().find(|(at, _)| rules[*at].fits(name))?;
        let traced = rules[number].traced.as_ref()?;
        slot.seen.add(1);
        Some(Call { slot, working, traced, resource })
    }
}
