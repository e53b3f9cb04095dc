//! Requests of a channel that wait for their answers, which come in the order of the requests.

use std::collections::VecDeque;

use spanbridge::metrics::Counters;

use super::limits::ASKED_MAX;

/// Requests of one kind.
#[derive(Debug)]
pub(super) struct Asked<T> {
    known: VecDeque<T>,
    /// Requests behind the known ones, past the bound: that they were made is all that is known.
    others: u64,
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self { known: VecDeque::new(), others: 0 }
    }
}

impl<T> Asked<T> {
    /// A request is made.
    pub(super) fn push(&mut self, request: T, counters: &Counters) {
        if self.others > 0 || self.known.len() >= ASKED_MAX {
            self.others += 1;
            return counters.requests_untracked.add(1);
        }
        self.known.push_back(request);
    }

    /// An answer comes. `None`: to what, is not known.
    pub(super) fn pop(&mut self) -> Option<T> {
        let request = self.known.pop_front();
        if request.is_none() {
            self.others = self.others.saturating_sub(1);
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_belong_to_requests_in_their_order_also_past_the_bound() {
        let (mut asked, counters) = (Asked::default(), Counters::default());
        for number in 0..ASKED_MAX + 2 {
            asked.push(number, &counters);
        }
        assert_eq!(counters.requests_untracked.get(), 2);
        assert_eq!(asked.pop(), Some(0));
        // Behind those that are not known.
        asked.push(1000, &counters);
        assert!((1..ASKED_MAX).all(|number| asked.pop() == Some(number)));
        assert_eq!([asked.pop(), asked.pop(), asked.pop()], [None; 3]);
        asked.push(2000, &counters);
        assert_eq!((asked.pop(), counters.requests_untracked.get()), (Some(2000), 3));
    }
}
