//! The answer of every decoder.
//!
//! Used as `Result<Step<F>, E>`, so that there are three answers: more bytes are needed, here is
//! a frame, or the bytes are not this protocol. Incomplete input is not invalid input.

/// What a decoder found at the start of the bytes it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<F> {
    /// Nothing can be said yet. Ask again with the same bytes and at least one more behind them.
    Need,
    /// A frame.
    Frame {
        /// What was found. Its extents refer to the slice that was given.
        frame: F,
        /// How many bytes of that slice the frame takes up, at its start. The next call gets the
        /// bytes behind them.
        len: usize,
    },
}

impl<F> Step<F> {
    /// Converts the frame, if there is one, and keeps the length.
    pub fn map<G>(self, convert: impl FnOnce(F) -> G) -> Step<G> {
        match self {
            Self::Need => Step::Need,
            Self::Frame { frame, len } => Step::Frame { frame: convert(frame), len },
        }
    }
}
