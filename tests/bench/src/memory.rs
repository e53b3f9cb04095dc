//! What an instance keeps resident, measured by the probe in a process of its own.

use anyhow::Context as _;

use crate::report::Report;
use crate::start::probe;

pub(crate) fn print(report: &mut Report) -> anyhow::Result<()> {
    let output = probe()?.arg("memory").output()?;
    let text = String::from_utf8(output.stdout)?;
    let (idle, busy) = text.trim().split_once(' ').context("expected two numbers")?;
    report.bytes("instance resident, idle", idle.parse()?, 32 * 1024)?;
    report.bytes("instance resident, after 64 messages, 8 KiB baggage", busy.parse()?, 256 * 1024)
}
