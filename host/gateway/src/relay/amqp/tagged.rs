//! Things with ascending numbers, as publishes and deliveries of a channel have them.
//!
//! ```text
//! 4 5 ─ 7 ─ ─ 10      taken out of the middle: an empty place, until all before it is gone
//! ```
//!
//! Mostly they go in the order in which they came, one by one or all up to a number; then every
//! operation is a step at the front.

use std::collections::VecDeque;

/// Things with ascending numbers.
///
/// INVARIANT: the numbers ascend; the first place is not empty.
#[derive(Debug)]
pub(super) struct Tagged<T> {
    places: VecDeque<(u64, Option<T>)>,
}

impl<T> Default for Tagged<T> {
    fn default() -> Self {
        Self { places: VecDeque::new() }
    }
}

impl<T> Tagged<T> {
    /// Adds a thing behind all others. Answers it when its number is not above theirs.
    pub(super) fn push(&mut self, number: u64, thing: T) -> Result<(), T> {
        if self.places.back().is_some_and(|(last, _)| *last >= number) {
            return Err(thing);
        }
        self.places.push_back((number, Some(thing)));
        Ok(())
    }

    /// Places, the empty ones among them included: what it takes in memory.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// The number of the first thing.
    pub(super) fn first(&self) -> Option<u64> {
        self.places.front().map(|(number, _)| *number)
    }

    /// Changes the thing with this number.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.places.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.places.get_mut(at)?.1.as_mut()
    }

    /// Takes the thing with this number out.
    pub(super) fn take(&mut self, number: u64) -> Option<T> {
        let at = self.places.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.take_at(at)
    }

    /// Takes the first thing out, with its number, if that is not above `last`.
    pub(super) fn pop_through(&mut self, last: u64) -> Option<(u64, T)> {
        let &(number, _) = self.places.front()?;
        if number > last {
            return None;
        }
        self.take_at(0).map(|thing| (number, thing))
    }

    /// Takes the first thing out that fits, if it is in one of the first `places`.
    pub(super) fn take_first(&mut self, places: usize, fits: impl Fn(&T) -> bool) -> Option<T> {
        let mut places = self.places.iter().take(places);
        let at = places.position(|(_, thing)| thing.as_ref().is_some_and(&fits))?;
        self.take_at(at)
    }

    fn take_at(&mut self, at: usize) -> Option<T> {
        let thing = self.places.get_mut(at)?.1.take();
        while self.places.front().is_some_and(|(_, thing)| thing.is_none()) {
            self.places.pop_front();
        }
        if self.places.is_empty() {
            // A burst leaves no memory behind.
            self.places = VecDeque::new();
        }
        thing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(numbers: &[u64]) -> Tagged<u64> {
        let mut tagged = Tagged::default();
        for number in numbers {
            assert_eq!(tagged.push(*number, number * 10), Ok(()));
        }
        tagged
    }

    #[test]
    fn things_are_taken_one_by_one_and_up_to_a_number() {
        let mut tagged = tagged(&[1, 2, 3, 5, 8]);
        assert_eq!(tagged.take(3), Some(30));
        assert_eq!((tagged.take(3), tagged.take(4), tagged.take(9)), (None, None, None));
        assert_eq!(tagged.get_mut(5).copied(), Some(50));
        let taken: Vec<_> = std::iter::from_fn(|| tagged.pop_through(5)).collect();
        assert_eq!(taken, [(1, 10), (2, 20), (5, 50)]);
        assert_eq!((tagged.places(), tagged.pop_through(u64::MAX)), (1, Some((8, 80))));
        assert_eq!((tagged.places(), tagged.pop_through(u64::MAX)), (0, None));
    }

    #[test]
    fn a_number_that_does_not_ascend_is_refused() {
        let mut tagged = tagged(&[7]);
        assert_eq!(
            (tagged.push(7, 1), tagged.push(6, 2), tagged.push(8, 3)),
            (Err(1), Err(2), Ok(()))
        );
    }

    #[test]
    fn the_first_that_fits_is_found_among_as_many_as_are_looked_at() {
        let mut tagged = tagged(&[1, 2, 3, 4]);
        assert_eq!(tagged.take_first(2, |thing| *thing > 20), None);
        assert_eq!(tagged.take_first(3, |thing| *thing > 20), Some(30));
        assert_eq!(tagged.take_first(4, |thing| *thing > 20), Some(40));
        assert_eq!(tagged.places(), 4, "holes stay while something is before them");
        tagged.take(1);
        assert_eq!(tagged.pop_through(9), Some((2, 20)));
        assert_eq!(tagged.places(), 0);
    }
}
