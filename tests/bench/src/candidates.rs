//! The list of candidates.

use crate::fast::Fastrace;
use crate::message::Context;
use crate::native::Native;
use crate::otel::{Processor, Sdk};
use crate::ours::Ours;

/// One way to do the work.
pub(crate) trait Candidate {
    fn name(&self) -> &'static str;
    /// Handles this many messages.
    fn run(&mut self, messages: usize);
    /// Not timed: empties queues.
    fn settle_down(&mut self) {}
}

/// Rows of the table, by name; the budgets refer to them.
pub(crate) const OURS: &str = "spanbridge: create";
pub(crate) const OURS_FOREIGN: &str = "spanbridge: continue";
pub(crate) const OURS_UNSAMPLED: &str = "spanbridge: unsampled";
pub(crate) const NATIVE: &str = "component's logic, native: create";
pub(crate) const SDK: &str = "opentelemetry, batch: create";
pub(crate) const SDK_FOREIGN: &str = "opentelemetry, batch: continue";
pub(crate) const SDK_NULL: &str = "opentelemetry, null: create";
pub(crate) const FAST: &str = "fastrace: create";

pub(crate) fn all(batch: usize) -> anyhow::Result<Vec<Box<dyn Candidate>>> {
    Ok(vec![
        Box::new(Ours::new(OURS, Context::None, batch)?),
        Box::new(Ours::new(OURS_FOREIGN, Context::Foreign, batch)?),
        Box::new(Ours::new(OURS_UNSAMPLED, Context::Unsampled, batch)?),
        Box::new(Native::new(NATIVE, Context::None, batch)?),
        Box::new(Sdk::new(SDK, Context::None, Processor::Batch)),
        Box::new(Sdk::new(SDK_FOREIGN, Context::Foreign, Processor::Batch)),
        Box::new(Sdk::new(SDK_NULL, Context::None, Processor::Null)),
        Box::new(Fastrace::new(FAST, Context::None)),
    ])
}
