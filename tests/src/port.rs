//! Free loopback ports for programs that cannot pick one themselves.

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};

/// Below the range that Linux takes the ports of outgoing connections from (32768 and up), so
/// that a port stays free between a broker's end and its restart.
const FIRST: u32 = 16_384;
const COUNT: u32 = 16_384;

/// Ports that one run can give out before it could meet those of another.
const PORTS_PER_RUN: u32 = 512;

/// Answers a port that nothing listens on. No two calls of one test run answer the same.
///
/// # Errors
/// When none of the ports of this run is free.
pub fn free() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Runs at the same time begin at different places.
    let base = process::id().wrapping_mul(PORTS_PER_RUN);
    for _ in 0..PORTS_PER_RUN {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + base.wrapping_add(step) % COUNT;
        let port = u16::try_from(port)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free loopback port among {PORTS_PER_RUN}")
}
