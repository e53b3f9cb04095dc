//! When to send a request again: the table of the OTLP specification, and the back-off.
//!
//! Pure functions of a status and of a policy. Time and randomness come in as arguments. See "OTLP
//! Specification", sections "Failures", "OTLP/gRPC Throttling", "Retryable Response Codes" and
//! "OTLP/HTTP Throttling".

use std::time::{Duration, SystemTime};

use http::StatusCode;
use tonic::Code;

use super::exporter::{FailureKind, Retry};

/// Bounds of sending again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts for one batch, the first included. Ten doublings from half a second outlast the
    /// default export timeout, so ordinarily that timeout ends the retrying.
    pub attempts_max: u32,
    /// Longest first back-off. Half a second is about a collector's shortest hiccup.
    pub backoff_first: Duration,
    /// Longest back-off. Eight seconds keep three attempts within the default export timeout.
    pub backoff_max: Duration,
    /// Longest delay believed from a receiver. A receiver that asks for more is asked again after
    /// a minute, so that one wrong answer does not silence a process for good.
    pub throttle_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 10,
            backoff_first: Duration::from_millis(500),
            backoff_max: Duration::from_secs(8),
            throttle_max: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// The wait after the failure of attempt number `attempt`, counted from 1.
    ///
    /// Doubles each time up to the maximum, then lies between half of that and all of it, by
    /// `random`, so that many processes do not come back at once.
    pub fn backoff(&self, attempt: u32, random: u32) -> Duration {
        // Past 2^16 any useful first back-off is over its maximum.
        let doublings = attempt.saturating_sub(1).min(16);
        let longest = self.backoff_first.saturating_mul(1 << doublings).min(self.backoff_max);
        let half = longest / 2;
        half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// The wait that a failure asks for, or `None` when it is not to be repeated.
    ///
    /// A receiver's own delay is honoured, but never below a first back-off: a receiver that
    /// answers `Retry-After: 0` for ever must not be called in a tight loop.
    pub fn wait(&self, retry: Retry, attempt: u32, random: u32) -> Option<Duration> {
        match retry {
            Retry::Never => None,
            Retry::Backoff => Some(self.backoff(attempt, random)),
            Retry::After(delay) => Some(delay.min(self.throttle_max).max(self.backoff(1, random))),
        }
    }
}

/// Judges a gRPC status. `retry_info` is the delay of a `RetryInfo` detail, if there was one.
pub(crate) fn judge_grpc(code: Code, retry_info: Option<Duration>) -> (FailureKind, Retry) {
    let retry = match retry_info {
        Some(delay) if !delay.is_zero() => Retry::After(delay),
        _ => Retry::Backoff,
    };
    match code {
        Code::DeadlineExceeded => (FailureKind::Timeout, retry),
        Code::Cancelled | Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::DataLoss => {
            (FailureKind::Unavailable, retry)
        }
        Code::ResourceExhausted if retry_info.is_some() => (FailureKind::Throttled, retry),
        _ => (FailureKind::Refused, Retry::Never),
    }
}

/// Judges an HTTP status outside 2xx. `delay` is a valid `Retry-After`, if there was one.
pub(crate) fn judge_http(status: StatusCode, delay: Option<Duration>) -> (FailureKind, Retry) {
    let retry = delay.map_or(Retry::Backoff, Retry::After);
    match status.as_u16() {
        429 => (FailureKind::Throttled, retry),
        502..=504 => (FailureKind::Unavailable, retry),
        _ => (FailureKind::Refused, Retry::Never),
    }
}

/// Reads a `Retry-After` value: seconds (`1*DIGIT`) or an HTTP-date, which `now` turns into a
/// delay. A date in the past is no delay; anything else is `None`.
pub(crate) fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a number of seconds: a very large one.
        return Some(Duration::from_secs(value.parse::<u32>().unwrap_or(u32::MAX).into()));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn grpc_codes_follow_the_table() {
        let retried = [1, 4, 10, 11, 14, 15];
        for code in 1..=16 {
            let (kind, retry) = judge_grpc(Code::from(code), None);
            let expected = if retried.contains(&code) { Retry::Backoff } else { Retry::Never };
            assert_eq!(retry, expected, "{code}");
            assert_eq!(kind == FailureKind::Refused, retry == Retry::Never, "{code}");
        }
    }

    #[test]
    fn resource_exhausted_is_retried_only_with_retry_info() {
        let judge = |info| judge_grpc(Code::ResourceExhausted, info);
        assert_eq!(judge(None), (FailureKind::Refused, Retry::Never));
        assert_eq!(judge(Some(SECOND)), (FailureKind::Throttled, Retry::After(SECOND)));
        assert_eq!(judge(Some(Duration::ZERO)), (FailureKind::Throttled, Retry::Backoff));
        let invalid = judge_grpc(Code::InvalidArgument, Some(SECOND));
        assert_eq!(invalid, (FailureKind::Refused, Retry::Never));
        let unavailable = judge_grpc(Code::Unavailable, Some(SECOND));
        assert_eq!(unavailable, (FailureKind::Unavailable, Retry::After(SECOND)));
    }

    #[test]
    fn http_statuses_follow_the_table() {
        let retried = [429, 502, 503, 504];
        for status in 300..600 {
            let code = StatusCode::from_u16(status).unwrap();
            let (_, retry) = judge_http(code, None);
            let expected = if retried.contains(&status) { Retry::Backoff } else { Retry::Never };
            assert_eq!(retry, expected, "{status}");
            let (_, delayed) = judge_http(code, Some(SECOND));
            assert_eq!(delayed == Retry::After(SECOND), retried.contains(&status), "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let cases = [
            ("0", Some(0)),
            ("120", Some(120)),
            ("99999999999999999999", Some(u64::from(u32::MAX))),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(30)),
            ("Sun Nov  6 08:50:07 1994", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("", None),
            ("+5", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
        ];
        for (value, seconds) in cases {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(parse_retry_after(value, now), expected, "{value:?}");
        }
    }

    #[test]
    fn the_back_off_doubles_up_to_its_maximum_and_keeps_half_of_itself() {
        let policy = RetryPolicy::default();
        let longest = [500, 1000, 2000, 4000, 8000, 8000];
        for (index, longest) in longest.into_iter().enumerate() {
            let attempt = u32::try_from(index).unwrap() + 1;
            assert_eq!(policy.backoff(attempt, u32::MAX), Duration::from_millis(longest));
            assert_eq!(policy.backoff(attempt, 0), Duration::from_millis(longest / 2));
        }
        assert_eq!(policy.backoff(u32::MAX, u32::MAX), policy.backoff_max);
    }

    #[test]
    fn a_receivers_delay_is_honoured_within_both_bounds() {
        let policy = RetryPolicy::default();
        let wait = |retry| policy.wait(retry, 5, u32::MAX);
        assert_eq!(wait(Retry::Never), None);
        assert_eq!(wait(Retry::After(3 * SECOND)), Some(3 * SECOND));
        assert_eq!(wait(Retry::After(Duration::ZERO)), Some(policy.backoff_first));
        assert_eq!(wait(Retry::After(Duration::MAX)), Some(policy.throttle_max));
    }
}
