//! When to stop calling a component that keeps failing, and when to try again.
//!
//! ```text
//! closed ──5 failures within 1 s──▶ open ──100 ms, 200 ms … 30 s──▶ trial ──success──▶ closed
//!                                    ▲                                │
//!                                    └───────────── failure ──────────┘
//! ```
//!
//! Time is passed in. A closed breaker needs none, so an ordinary call reads no clock.

use std::time::{Duration, Instant};

use crate::limits::{BYPASS_MAX, BYPASS_MIN, FAILURE_WINDOW, FAILURES_MAX};

/// One thread's breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breaker {
    state: State,
    /// How long the next bypass lasts.
    bypass: Duration,
    last_failure: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32, since: Option<Instant> },
    Open { until: Instant },
    Trial,
}

const CLOSED: State = State::Closed { failures: 0, since: None };

impl Default for Breaker {
    fn default() -> Self {
        Self { state: CLOSED, bypass: BYPASS_MIN, last_failure: None }
    }
}

impl Breaker {
    /// Answers whether calls go through as usual.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Answers whether a call may be made now. Where an open breaker has waited long enough, this
    /// is the trial.
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        if let State::Open { until } = self.state {
            if now < until {
                return false;
            }
            self.state = State::Trial;
        }
        true
    }

    /// A call went well.
    pub(crate) fn succeeded(&mut self) {
        if self.state == State::Trial {
            self.state = CLOSED;
        }
    }

    /// A call failed. Answers whether this opened the breaker.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        let quiet = self.last_failure.is_some_and(|last| now.duration_since(last) > BYPASS_MAX);
        if quiet {
            self.bypass = BYPASS_MIN;
        }
        self.last_failure = Some(now);
        if let State::Closed { failures, since } = &mut self.state {
            if since.is_none_or(|since| now.duration_since(since) > FAILURE_WINDOW) {
                *since = Some(now);
                *failures = 0;
            }
            *failures += 1;
            if *failures < FAILURES_MAX {
                return false;
            }
        }
        self.state = State::Open { until: now + self.bypass };
        self.bypass = (self.bypass * 2).min(BYPASS_MAX);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn fail_until_open(breaker: &mut Breaker, now: Instant) {
        for _ in 1..FAILURES_MAX {
            assert!(!breaker.failed(now));
            assert!(breaker.is_closed() && breaker.allows(now));
        }
        assert!(breaker.failed(now));
    }

    #[test]
    fn it_opens_tries_once_and_closes() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        fail_until_open(&mut breaker, now);
        assert!(!breaker.is_closed() && !breaker.allows(now + BYPASS_MIN - MS));
        assert!(breaker.allows(now + BYPASS_MIN));
        breaker.succeeded();
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_failed_trial_doubles_the_wait_up_to_a_limit() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        fail_until_open(&mut breaker, now);
        let mut wait = BYPASS_MIN;
        for _ in 0..12 {
            now += wait;
            assert!(breaker.allows(now));
            assert!(breaker.failed(now));
            wait = (wait * 2).min(BYPASS_MAX);
            assert!(!breaker.allows(now + wait - MS), "{wait:?}");
        }
        assert_eq!(wait, BYPASS_MAX);
        now += 3 * BYPASS_MAX;
        assert!(breaker.allows(now));
        breaker.succeeded();
        fail_until_open(&mut breaker, now);
        assert!(breaker.allows(now + BYPASS_MIN), "the wait did not start over");
    }

    #[test]
    fn failures_that_are_far_apart_do_not_add_up() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        for _ in 0..10 * FAILURES_MAX {
            now += FAILURE_WINDOW / 2;
            assert!(!breaker.failed(now));
        }
        breaker.succeeded();
        assert!(breaker.is_closed());
    }
}
