//! What the endpoint looks at, and what it concludes from it.
//!
//! | | healthy | ready |
//! |---|---|---|
//! | a thread that carries messages does not turn any more | no | no |
//! | the gateway drains | yes | no |
//! | no broker of a listener could be reached lately | yes | no |
//!
//! Nothing is probed: a connection of our own would show up in the broker's log and say little
//! about the next client's. What is known of brokers comes from the clients that came, and is
//! forgotten when the back-off ends. So a gateway without clients counts as ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use spanbridge::Runtime;
use spanbridge::metrics::Counters;
use spanbridge::sink::Sink;
use tokio::sync::watch;

use crate::listener::Listener;
use crate::measure::Measurements;
use crate::open_spans::OpenSpans;

/// Age at which a thread's last beat says that it hangs. It beats once a second, and nothing that
/// it does takes longer than some milliseconds.
const BEAT_AGE_MAX: Duration = Duration::from_secs(10);

/// How often a thread beats.
pub(crate) const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// The parts of a gateway that the endpoint looks at.
#[derive(Clone, Debug)]
pub struct Observed {
    pub(crate) runtime: Runtime,
    pub(crate) open_spans: Arc<OpenSpans>,
    pub(crate) measurements: Arc<Measurements>,
    pub(crate) sink: Sink,
    pub(crate) sessions: Arc<AtomicUsize>,
    pub(crate) beats: Arc<Beats>,
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Observed {
    pub(crate) fn counters(&self) -> &Counters {
        self.runtime.counters()
    }

    pub(crate) fn sessions_open(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Why the process should be started anew; nothing: it is well.
    pub(crate) fn unhealthy(&self) -> Vec<String> {
        self.beats.missing(Instant::now())
    }

    /// Why no client should be sent here; nothing: let them come.
    pub(crate) fn unready(&self) -> Vec<String> {
        let mut reasons = self.unhealthy();
        if *self.stop.borrow() {
            reasons.push("draining".to_owned());
        }
        let now = Instant::now();
        let down = self.listeners.iter().filter(|it| !it.brokers.may_be_reachable(now));
        reasons.extend(down.map(|listener| {
            let Listener { name, brokers, .. } = &**listener;
            format!("listener {name}: no broker could be reached: {brokers}")
        }));
        reasons
    }
}

/// When each of the threads that carry messages last turned.
#[derive(Debug)]
pub(crate) struct Beats {
    start: Instant,
    /// Milliseconds after `start`, or one of the two below.
    at: Box<[AtomicU64]>,
}

/// It ended as it should.
const ENDED: u64 = u64::MAX;
/// It panicked.
const PANICKED: u64 = u64::MAX - 1;

/// A thread's beat. Dropping it says that the thread ends.
#[derive(Debug)]
pub(crate) struct Beat {
    beats: Arc<Beats>,
    thread: usize,
}

impl Beats {
    /// Of so many threads, all of which beat now.
    pub(crate) fn new(threads: usize) -> Arc<Self> {
        let at = (0..threads).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { start: Instant::now(), at })
    }

    /// The beat of a thread, by its number.
    pub(crate) fn of(self: &Arc<Self>, thread: usize) -> Beat {
        Beat { beats: Arc::clone(self), thread }
    }

    fn missing(&self, now: Instant) -> Vec<String> {
        let missing = |(thread, at): (usize, &AtomicU64)| {
            let at = match at.load(Ordering::Relaxed) {
                ENDED => return None,
                PANICKED => return Some(format!("thread {thread} panicked")),
                at => self.start + Duration::from_millis(at),
            };
            let age = now.saturating_duration_since(at);
            (age > BEAT_AGE_MAX)
                .then(|| format!("thread {thread} has not turned for {} s", age.as_secs()))
        };
        self.at.iter().enumerate().filter_map(missing).collect()
    }
}

impl Beat {
    /// The thread turns.
    pub(crate) fn beat(&self) {
        // Half a billion years fit.
        self.set(self.beats.start.elapsed().as_millis() as u64);
    }

    fn set(&self, value: u64) {
        if let Some(at) = self.beats.at.get(self.thread) {
            at.store(value, Ordering::Relaxed);
        }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.set(if std::thread::panicking() { PANICKED } else { ENDED });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_or_panics_is_missed_and_one_that_ends_is_not() {
        let beats = Beats::new(4);
        let now = Instant::now();
        let later = now + BEAT_AGE_MAX + Duration::from_secs(2);
        assert_eq!(beats.missing(now), Vec::<String>::new());
        let turning = beats.of(0);
        turning.set(u64::try_from((later - now).as_millis()).unwrap());
        drop(beats.of(1));
        let panicking = beats.of(2);
        std::thread::spawn(move || {
            let _beat = panicking;
            panic!("as it should");
        })
        .join()
        .unwrap_err();
        let missing = beats.missing(later);
        assert_eq!(missing[0], "thread 2 panicked");
        assert!(missing[1].starts_with("thread 3 has not turned for 1"), "{missing:?}");
        assert_eq!(missing.len(), 2);
    }
}
