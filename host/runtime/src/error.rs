//! The one error of this crate, for whoever sets a runtime up.
//!
//! Nothing that concerns a single message is an error here: it becomes a counter, and the message
//! goes on unchanged.

use std::fmt;

/// Why a runtime, a route or a propagator could not be had.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What went wrong. The texts say what was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A setting cannot be had; the text is the component's or ours.
    Config(String),
    /// The component cannot be read, is none, or is one for another version of the contract.
    Component(String),
    /// The component compiled but failed its first calls.
    Probe(String),
    /// The operating system refused a thread, or the machine cannot run compiled code.
    System(String),
}

impl Error {
    pub(crate) fn config(text: impl Into<String>) -> Self {
        ErrorKind::Config(text.into()).into()
    }

    pub(crate) fn component(text: impl Into<String>) -> Self {
        ErrorKind::Component(text.into()).into()
    }

    pub(crate) fn probe(text: impl Into<String>) -> Self {
        ErrorKind::Probe(text.into()).into()
    }

    pub(crate) fn system(text: impl Into<String>) -> Self {
        ErrorKind::System(text.into()).into()
    }

    /// The same error with what caused it.
    pub(crate) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Answers whether other settings would help.
    pub fn is_config(&self) -> bool {
        matches!(self.kind, ErrorKind::Config(_))
    }

    /// Answers whether another component would help.
    pub fn is_component(&self) -> bool {
        matches!(self.kind, ErrorKind::Component(_) | ErrorKind::Probe(_))
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ErrorKind::Config(text) => write!(f, "setting cannot be had: {text}"),
            ErrorKind::Component(text) => write!(f, "component cannot be used: {text}"),
            ErrorKind::Probe(text) => write!(f, "component failed its probe: {text}"),
            ErrorKind::System(text) => write!(f, "runtime cannot start: {text}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn each_kind_says_whose_fault_it_is() {
        let config = Error::config("sampler ratio 2 is not between 0 and 1");
        assert!(config.is_config() && !config.is_component());
        for error in [Error::component("found an empty file"), Error::probe("it trapped")] {
            assert!(error.is_component() && !error.is_config());
        }
        let system = Error::system("no thread");
        assert!(!system.is_component() && !system.is_config());
    }

    #[test]
    fn a_cause_is_kept() {
        assert!(Error::component("x").source().is_none());
        let error = Error::component("x").because("why");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("why"));
    }
}
