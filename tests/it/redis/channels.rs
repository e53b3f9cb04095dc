//! Pub/Sub with redis-py, in both versions of the protocol.

use anyhow::Result;
use spanbridge_tests::{Client, RedisBed};

use super::check_exit;
use crate::nats::named;

#[test]
fn each_subscriber_of_a_message_is_a_part_of_its_trace() -> Result<()> {
    for protocol in ["2", "3"] {
        let lines = "[listener.route]\nenvelope = \"json\"\n";
        let Some(bed) = RedisBed::start(lines)? else { return Ok(()) };
        let arguments = ["--url", &bed.gateway.url(), "--protocol", protocol];
        let said = Client::run("redis_pubsub.py", &arguments)?;
        let (exit, spans) = bed.finish()?;
        check_exit(&exit)?;
        let of = |event: &str| said.iter().filter(|said| said["event"] == event).count();
        // Each message comes for the channel and for the pattern.
        assert_eq!((of("published"), of("got")), (4, 6), "{said:#?}");
        let publishes = named(&spans, "publish orders");
        let processes = named(&spans, "process orders");
        assert_eq!((publishes.len(), processes.len(), spans.len()), (3, 6, 10), "{spans:#?}");
        for publish in publishes.iter().chain(&named(&spans, "publish nobody")) {
            assert_eq!(publish.text("spanbridge.outcome"), Some("confirmed"), "{publish:#?}");
            assert_eq!(publish.service, "shop");
        }
        for publish in &publishes {
            let of_it = processes.iter().filter(|process| process.is_child_of(publish));
            assert_eq!(of_it.count(), 2, "{spans:#?}");
        }
        for process in processes {
            assert_eq!((process.service.as_str(), process.start), ("billing", process.end));
            assert_eq!(process.text("spanbridge.execution"), Some("unseen"));
        }
        let got = said.iter().filter(|said| said["event"] == "got");
        assert!(got.clone().all(|it| it["data"]["_otel"]["traceparent"].is_string()), "{said:#?}");
    }
    Ok(())
}
