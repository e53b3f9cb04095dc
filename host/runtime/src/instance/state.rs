//! What the host keeps for an instance: its bounds, and its randomness.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{ResourceLimiter, Store, Trap, UpdateDeadline};

use crate::bindings::spanbridge::tracing::types;
use crate::bindings::wasi::random::random;
use crate::limits::{ANSWER_BYTES_MAX, RANDOM_BYTES_MAX};
use crate::seed::Random;

/// What the host keeps for an instance.
pub(crate) struct State {
    memory: Memory,
    random: Random,
    budget: Budget,
}

struct Memory {
    bytes_max: usize,
    /// Memory was asked for and not given.
    refused: bool,
}

/// CPU time of the calls made for one batch.
#[derive(Default)]
struct Budget {
    cpu_max: Duration,
    /// CPU time of the thread at the first tick.
    since: Option<Duration>,
}

impl State {
    pub(crate) fn new(random: Random, memory_bytes_max: usize) -> Self {
        let memory = Memory { bytes_max: memory_bytes_max, refused: false };
        Self { memory, random, budget: Budget::default() }
    }

    /// A store of this state, within whose calls the budget is kept.
    pub(crate) fn into_store(self, engine: &wasmtime::Engine, cpu_max: Duration) -> Store<Self> {
        let mut store = Store::new(engine, self);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(ANSWER_BYTES_MAX);
        store.epoch_deadline_callback(|mut cx| Ok(cx.data_mut().budget.at_tick()));
        store.data_mut().begin(cpu_max);
        store.set_epoch_deadline(1);
        store
    }

    /// Begins a batch: the calls until the next one share this much CPU time.
    pub(crate) fn begin(&mut self, cpu_max: Duration) {
        self.budget = Budget { cpu_max, since: None };
    }

    /// Answers whether the component asked for memory that it did not get.
    pub(crate) fn memory_refused(&self) -> bool {
        self.memory.refused
    }
}

impl Budget {
    /// Decides, at a tick during a call, whether the call goes on.
    ///
    /// Only time on the CPU counts: a thread that was merely not running keeps its call.
    fn at_tick(&mut self) -> UpdateDeadline {
        let now = thread_cpu_time();
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) >= self.cpu_max {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Continue(1)
        }
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // The clock starts with the thread, so neither part is negative.
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, _: usize, new: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = new <= self.bytes_max;
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, new: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        // A table holds the component's own functions, and there are fewer than it has bytes.
        Ok(new <= self.bytes_max / 1024)
    }
}

impl types::Host for State {}

impl random::Host for State {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > RANDOM_BYTES_MAX {
            // The component is not ours; it is treated as if it had trapped.
            return Err(Trap::UnreachableCodeReached.into());
        }
        let mut bytes = vec![0; length as usize];
        self.random.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin(time: Duration) {
        let start = thread_cpu_time();
        while thread_cpu_time().saturating_sub(start) < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn only_time_on_the_cpu_counts_from_the_first_tick_on() {
        let goes_on = |budget: &mut Budget| matches!(budget.at_tick(), UpdateDeadline::Continue(1));
        let cpu_max = Duration::from_millis(20);
        let mut budget = Budget { cpu_max, since: None };
        spin(2 * cpu_max);
        assert!(goes_on(&mut budget), "the first tick only looks at the clock");
        std::thread::sleep(2 * cpu_max);
        assert!(goes_on(&mut budget), "sleep is not work");
        spin(cpu_max);
        assert!(!goes_on(&mut budget));
    }

    #[test]
    fn memory_is_given_up_to_the_bound_and_a_refusal_is_remembered() {
        let mut memory = Memory { bytes_max: 100, refused: false };
        assert!(memory.memory_growing(0, 100, None).unwrap());
        assert!(!memory.refused);
        assert!(!memory.memory_growing(100, 101, None).unwrap());
        assert!(memory.memory_growing(0, 100, None).unwrap());
        assert!(memory.refused);
    }
}
