//! The clock of the deadline: a thread that moves the engine's epoch while calls run.
//!
//! ```text
//! caller   even → odd ──── call ──── odd → even        one counter for each calling thread
//! ticker   every 500 µs: did any counter move, or is one odd? → tick. Quiet for 32 ms → sleep
//! ```
//!
//! A caller writes nothing that another caller reads, so calls do not slow each other down. An idle
//! process has no timer at all: the ticker sleeps until a caller finds it asleep.
//!
//! The ticker reads no clock. How late a tick is depends on the operating system; a tick that is
//! late makes a deadline late and nothing else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle, Thread};
use std::{io, mem};

use crate::limits::{IDLE_TICKS_MAX, TICK};

/// Moves the epoch while this lives.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    asleep: AtomicBool,
    callers: Mutex<Vec<Weak<Calls>>>,
}

/// Calls begun and ended by one thread: odd while a call runs. Alone on its cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Calls(AtomicU64);

/// A thread's way of telling the ticker that a call runs.
#[derive(Debug)]
pub(crate) struct Caller {
    calls: Arc<Calls>,
    shared: Arc<Shared>,
    ticker: Thread,
}

/// A call that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Running<'c>(&'c Calls);

impl Ticker {
    /// Starts the thread. `tick` moves the epoch.
    pub(crate) fn start(tick: impl Fn() + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("spanbridge-tick".into())
            .spawn(move || of_thread.run(&tick))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Registers a calling thread.
    pub(crate) fn caller(&self) -> Option<Caller> {
        let ticker = self.thread.as_ref()?.thread().clone();
        let calls = Arc::default();
        let mut callers = self.shared.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.push(Arc::downgrade(&calls));
        drop(callers);
        Some(Caller { calls, shared: Arc::clone(&self.shared), ticker })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = mem::take(&mut self.thread) {
            thread.thread().unpark();
            // It holds no lock and calls nobody's code but `tick`; it ends within a tick.
            let _ = thread.join();
        }
    }
}

impl Caller {
    /// Says that a call begins.
    #[inline]
    pub(crate) fn begin(&self) -> Running<'_> {
        // Sequentially consistent, as is what the ticker does in the opposite order: either it
        // sees this call before it sleeps, or this sees it asleep.
        self.calls.0.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.ticker.unpark();
        }
        Running(&self.calls)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Release);
    }
}

impl Shared {
    fn run(&self, tick: &dyn Fn()) {
        let mut seen = 0;
        let mut idle = 0;
        while !self.stop.load(Ordering::SeqCst) {
            if idle >= IDLE_TICKS_MAX {
                self.asleep.store(true, Ordering::SeqCst);
                if !self.moved(&mut seen) && !self.stop.load(Ordering::SeqCst) {
                    // May return early; then it is found idle and parked again.
                    thread::park();
                }
                self.asleep.store(false, Ordering::SeqCst);
            }
            thread::sleep(TICK);
            idle = if self.moved(&mut seen) { 0 } else { idle + 1 };
            tick();
        }
    }

    /// Answers whether a call runs, or ran since the last time.
    fn moved(&self, seen: &mut u64) -> bool {
        let mut sum = 0_u64;
        let mut running = false;
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.retain(|caller| {
            let Some(calls) = caller.upgrade() else { return false };
            let calls = calls.0.load(Ordering::SeqCst);
            running |= calls % 2 == 1;
            sum = sum.wrapping_add(calls);
            true
        });
        running || mem::replace(seen, sum) != sum
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Waits until `done`, which must be soon; machines are slow.
    fn wait_until(done: impl Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < Duration::from_secs(20), "it did not happen");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn it_ticks_while_a_call_runs_and_sleeps_when_none_did_for_a_while() {
        let ticks = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&ticks);
        let ticker = Ticker::start(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
        let caller = ticker.caller().unwrap();
        let asleep = || ticker.shared.asleep.load(Ordering::SeqCst);
        wait_until(asleep);
        for _ in 0..2 {
            let before = ticks.load(Ordering::Relaxed);
            let running = caller.begin();
            wait_until(|| ticks.load(Ordering::Relaxed) > before + u64::from(IDLE_TICKS_MAX) * 2);
            assert!(!asleep());
            drop(running);
            wait_until(asleep);
        }
    }

    #[test]
    fn callers_that_are_gone_are_forgotten_and_the_thread_ends() {
        let ticker = Ticker::start(|| {}).unwrap();
        let shared = Arc::clone(&ticker.shared);
        drop(ticker.caller());
        let kept = ticker.caller();
        wait_until(|| shared.callers.lock().unwrap().len() == 1);
        drop(kept);
        drop(ticker);
        assert_eq!(Arc::strong_count(&shared), 1);
    }
}
