//! Traffic that is nobody's message: redis-benchmark runs as it does without a gateway.

use std::process::Command;

use anyhow::Result;
use spanbridge_tests::process::{Process, Stream};
use spanbridge_tests::{BOUND, RedisBed, tool};

use super::check_exit;

/// What it measures: all that it can, but for what needs minutes in an unoptimised build.
const TESTS: &str = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,mset";

#[test]
fn redis_benchmark_finds_no_error_and_leaves_no_span() -> Result<()> {
    let Some(program) = tool::redis_benchmark()? else { return Ok(()) };
    for version_3 in [false, true] {
        let Some(bed) = RedisBed::start("")? else { return Ok(()) };
        let port = bed.gateway.address().port().to_string();
        let mut command = Command::new(&program);
        command.args(["-p", &port, "-t", TESTS, "-P", "16", "-n", "20000", "--csv"]);
        if version_3 {
            command.arg("-3");
        }
        let mut process = Process::spawn("redis-benchmark", &mut command)?;
        let status = process.wait(4 * BOUND)?;
        let (out, err) = (process.lines(Stream::Out), process.lines(Stream::Err));
        assert!(status.success(), "{status}: {out:#?} {err:#?}");
        let is_bad = |line: &&String| line.to_lowercase().contains("error");
        assert_eq!(out.iter().chain(&err).find(is_bad), None, "{out:#?} {err:#?}");
        // One line a test behind the head; PING is measured in both spellings.
        assert_eq!(out.len(), TESTS.split(',').count() + 2, "{out:#?}");
        let (exit, spans) = bed.finish()?;
        assert_eq!(spans, []);
        check_exit(&exit)?;
        assert_eq!(exit.counted(&["messages_seen"]), 0.0, "{:#?}", exit.summary);
        assert_eq!(exit.counted(&["sessions_failed"]), 0.0, "{:#?}", exit.summary);
    }
    Ok(())
}
