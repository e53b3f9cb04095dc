//! How far one read was understood.

/// How far one read was understood. `S` says why a session is not read any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<S> {
    /// So many bytes go on now; the rest is held.
    pub(super) done: usize,
    /// With fewer bytes than these, the rest cannot be read any further.
    pub(super) needed: usize,
    /// The rest is held until what goes on has been written: there are more messages than one call
    /// of the component takes.
    pub(super) full: bool,
    /// From there on, nothing of the session is read any more.
    pub(super) stop: Option<S>,
}

impl<S> Walk<S> {
    /// The rest is held until more of it comes.
    pub(super) const fn until(done: usize) -> Self {
        Self { done, needed: 0, full: false, stop: None }
    }

    /// The rest is held until so many bytes of it are there.
    pub(super) const fn until_there_are(needed: usize, done: usize) -> Self {
        Self { done, needed, full: false, stop: None }
    }

    /// The rest is held until this much has been written.
    pub(super) const fn full(done: usize) -> Self {
        Self { done, needed: 0, full: true, stop: None }
    }

    /// Everything goes on, and nothing is read any more.
    pub(super) fn stopped(input: &[u8], stop: impl Into<S>) -> Self {
        Self { done: input.len(), needed: 0, full: false, stop: Some(stop.into()) }
    }
}
