//! Every bound of the call path, with its reason.
//!
//! Bounds of the export queue are in [`crate::sink`], those of the resource table in
//! [`crate::resource`].

use std::time::Duration;

use crate::HAS_COMPILER;

/// Bounds that an embedder may want to change. Everything else below is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of one instance, in bytes. A component that asks for more gets none.
    pub instance_memory_bytes_max: usize,
    /// Calls after which an instance is exchanged for a fresh one.
    pub instance_calls_max: u64,
    /// Instances that stand ready, routes opened, for a thread that lost its own.
    pub spare_instances_max: usize,
    /// Routes open at the same time.
    pub routes_max: usize,
    /// Messages handed to the component in one call; more go in further calls.
    pub messages_per_call_max: usize,
    /// Bytes of names, values and bodies handed over in one call; more go in further calls. A
    /// message that alone has more goes on untraced.
    pub arena_bytes_max: usize,
    /// Messages of one batch; what is added past it goes on untraced.
    pub batch_messages_max: usize,
    /// Arena bytes of one batch; what is added past it goes on untraced.
    pub batch_bytes_max: usize,
    /// Ended spans of one batch; what is added past it is lost and counted.
    pub settlements_max: usize,
    /// Arena bytes of ended spans of one batch; what is added past it is lost and counted.
    pub settlement_bytes_max: usize,
    /// Processor time of the calls for one batch, and of each call that ends spans, counted from
    /// when a call is first seen to take long, which is 1.25 ms after its start at the latest. A
    /// call is cut off at the first tick of 250 µs after that; what the operating system takes away
    /// meanwhile is not counted. Without the feature `compiler` these times are half as long.
    pub batch_cpu_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // More than twice what the component of this package sets apart for a call (4 MiB),
            // its routes (1 MiB) and its stack (1 MiB). Only pages it touches are resident.
            instance_memory_bytes_max: GUEST_MEMORY_BYTES as usize,
            // A fresh instance costs 40 µs on another thread: nothing, spread over a million calls.
            // It bounds what a leak in a component can add up to.
            instance_calls_max: 1 << 20,
            // One thread failing is the ordinary case; the second covers the time to make a third.
            spare_instances_max: 2,
            // An open route takes 1.5 KiB of the component's 1 MiB.
            routes_max: 512,
            // The gain of batching is spent at 64 (little more than half the cost of single
            // calls); this keeps the records of a call in the first-level cache.
            messages_per_call_max: 256,
            // A read of 64 KiB from a peer, and bodies up to 256 KiB that wait to be whole.
            arena_bytes_max: 512 << 10,
            // At 0.6 µs each (see `tests/bench`) a batch takes two thirds of its deadline.
            batch_messages_max: 1024,
            // Copying 2 MiB in takes 0.2 ms, a fifth of the deadline.
            batch_bytes_max: 2 << 20,
            // The shortest acknowledgement of a protocol has some thirty bytes, so a read of 64 KiB
            // ends 2,200 spans; the rest is for those that it makes a table give up.
            settlements_max: 4096,
            // A kibibyte each, twice what an ordinary span takes.
            settlement_bytes_max: 4 << 20,
            batch_cpu_max: CALL_CPU_MAX,
        }
    }
}

/// Address space of an instance in a process that is somebody else's, and the memory it may have.
pub(crate) const GUEST_MEMORY_BYTES: u64 = 16 << 20;

/// Time between two looks at whether a call runs.
///
/// Waking up so often is most of what the deadline costs: about 10 µs each time. Half of the
/// longest time that a call may take, so that there is time left for ticks: 2 ms in our own
/// process, and 1 ms where all of somebody else's clients wait meanwhile.
pub(crate) const LOOK: Duration = Duration::from_micros(if HAS_COMPILER { 1000 } else { 500 });

/// Time between two ticks of the epoch while one call runs: when it was first seen, and each time
/// that it is asked how much CPU time it has had.
pub(crate) const TICK: Duration = Duration::from_micros(if HAS_COMPILER { 250 } else { 125 });

/// CPU time after which a call is cut off, counted from its first tick.
///
/// The first tick comes between [`TICK`] and [`LOOK`] and [`TICK`] after the call's start, and the
/// end is noticed within a tick: so a call that never ends is cut off between 1 and 2 ms of CPU
/// time, less what ticks come late; what the scheduler takes away meanwhile is not counted. It is
/// less than three ticks, which may come early. Without the compiler all of this is half as long.
pub(crate) const CALL_CPU_MAX: Duration =
    Duration::from_micros(if HAS_COMPILER { 700 } else { 350 });

/// The same for calls that no message waits for: opening routes, the probe, a new instance.
pub(crate) const CONTROL_CPU_MAX: Duration = Duration::from_millis(200);

/// Looks without a call after which the ticker goes to sleep: 32 ms. Waking it costs the next call
/// a few microseconds, so it should not happen between two messages of a slow but steady stream.
pub(crate) const IDLE_LOOKS_MAX: u32 = 32;

/// Stack of the component's code on the calling thread. Its parsers do not recurse on input; the
/// default of 512 KiB would be most of a small thread's stack.
pub(crate) const WASM_STACK_BYTES_MAX: usize = 128 << 10;

/// Bytes that one call may hand back. The component's region for a call is 4 MiB.
pub(crate) const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Bytes of edits for one message: 8 KiB of baggage and 512 bytes of tracestate in each of seven
/// formats fit, and a JSON body's splices.
pub(crate) const EDIT_BYTES_MAX: usize = 128 << 10;

/// Bytes of what an envelope calls its message. A delivery tag is a UUID of 36 characters.
pub(crate) const KEY_BYTES_MAX: usize = 1024;

/// Bytes of the beginning of an open span. The host keeps thousands of them.
pub(crate) const OPEN_BYTES_MAX: usize = 64 << 10;

/// Random bytes a component may ask for at once. Ours reads eight, once.
pub(crate) const RANDOM_BYTES_MAX: u64 = 1024;

/// Routes opened in a thread's instance while a message waits: 32 take about 0.1 ms. An instance
/// that lacks more is exchanged for a spare, which has them all.
pub(crate) const ROUTES_OPENED_PER_CALL_MAX: usize = 32;

/// Size of a component file. Ours has 0.1 MB; compiling takes time and memory by the byte.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 16 << 20;

/// Size of a file in the code cache. Native code is about three times a component's size.
pub(crate) const CACHED_CODE_BYTES_MAX: u64 = 64 << 20;

/// Failures within [`FAILURE_WINDOW`] after which a thread stops calling the component.
///
/// One bad message must not switch tracing off; five a second cost 10 ms of it at worst.
pub(crate) const FAILURES_MAX: u32 = 5;

/// Time over which failures add up.
pub(crate) const FAILURE_WINDOW: Duration = Duration::from_secs(1);

/// How long the component is bypassed at first, before one call tries again. Doubles each time.
pub(crate) const BYPASS_MIN: Duration = Duration::from_millis(100);

/// Longest bypass: a component that recovers is used again within half a minute.
pub(crate) const BYPASS_MAX: Duration = Duration::from_secs(30);

/// Time between two log lines about failed calls.
pub(crate) const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Pause of the thread that makes spare instances after it failed to make one.
pub(crate) const SPARE_RETRY: Duration = Duration::from_millis(100);

/// Instances that a propagator keeps for its next calls; one for each thread that calls it at the
/// same moment. Others are dropped after use.
pub(crate) const PROPAGATOR_INSTANCES_MAX: usize = 8;

/// Buffer space a batch keeps for reuse. One large batch must not pin its memory for good.
pub(crate) const BATCH_KEPT_BYTES_MAX: usize = 256 << 10;
