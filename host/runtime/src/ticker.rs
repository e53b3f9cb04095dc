//! The clock of the deadline: a thread that moves the engine's epoch while calls run.
//!
//! ```text
//! caller   even → odd ──── call ──── odd → even        one counter for each calling thread
//! ticker   every ms: is a counter odd?   yes → again in 250 µs: still the same? → tick, and again
//!                                        no counter has moved for 32 ms → sleep
//! ```
//!
//! So a call is ticked at only when it runs for a while, and nearly all of them are over long
//! before.
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

use crate::limits::{IDLE_LOOKS_MAX, LOOK, TICK};

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
    callers: Mutex<Vec<Watched>>,
}

/// A calling thread, as the ticker last saw it.
#[derive(Debug)]
struct Watched {
    calls: Weak<Calls>,
    seen: u64,
}

/// What the ticker saw since it last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Activity {
    /// No call.
    Idle,
    /// Calls that are over.
    Over,
    /// A call that runs.
    Running,
    /// A call that ran the last time as well.
    StillRunning,
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
        callers.push(Watched { calls: Arc::downgrade(&calls), seen: 0 });
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
        let mut idle = 0;
        let mut wait = LOOK;
        while !self.stop.load(Ordering::SeqCst) {
            if idle >= IDLE_LOOKS_MAX {
                self.asleep.store(true, Ordering::SeqCst);
                if self.look() == Activity::Idle && !self.stop.load(Ordering::SeqCst) {
                    // May return early; then it is found idle and parked again.
                    thread::park();
                }
                self.asleep.store(false, Ordering::SeqCst);
            }
            thread::sleep(wait);
            let activity = self.look();
            idle = if activity == Activity::Idle { idle + 1 } else { 0 };
            wait = if activity < Activity::Running { LOOK } else { TICK };
            if activity == Activity::StillRunning {
                tick();
            }
        }
    }

    /// Looks at every caller. Answers the most that it saw of one.
    fn look(&self) -> Activity {
        let mut most = Activity::Idle;
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.retain_mut(|caller| {
            let Some(calls) = caller.calls.upgrade() else { return false };
            let calls = calls.0.load(Ordering::SeqCst);
            let same = mem::replace(&mut caller.seen, calls) == calls;
            most = most.max(match (calls % 2 == 1, same) {
                (true, true) => Activity::StillRunning,
                (true, false) => Activity::Running,
                (false, false) => Activity::Over,
                (false, true) => Activity::Idle,
            });
            true
        });
        most
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
            wait_until(|| ticks.load(Ordering::Relaxed) > before + u64::from(IDLE_LOOKS_MAX) * 2);
            assert!(!asleep());
            drop(running);
            wait_until(asleep);
        }
    }

    #[test]
    fn only_a_call_that_runs_at_two_looks_is_still_running() {
        let shared = Shared::default();
        let caller = Arc::<Calls>::default();
        shared.callers.lock().unwrap().push(Watched { calls: Arc::downgrade(&caller), seen: 0 });
        assert_eq!(shared.look(), Activity::Idle);
        caller.0.fetch_add(1, Ordering::SeqCst);
        assert_eq!(shared.look(), Activity::Running);
        assert_eq!(shared.look(), Activity::StillRunning);
        caller.0.fetch_add(2, Ordering::SeqCst);
        assert_eq!(shared.look(), Activity::Running, "another one");
        caller.0.fetch_add(1, Ordering::SeqCst);
        assert_eq!([shared.look(), shared.look()], [Activity::Over, Activity::Idle]);
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
