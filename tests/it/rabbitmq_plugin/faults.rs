//! Components that trap, loop or eat memory inside the broker: it lives, and messages go on as they
//! came.

use anyhow::Result;
use spanbridge_tests::{PluginBed, Release};

use super::{context, send_and_take};

/// Messages to each destination: more than the breaker needs to open.
const MESSAGES: usize = 100;

#[test]
fn faulty_component_harms_neither_the_broker_nor_a_message() -> Result<()> {
    does_no_harm(Release::Installed)
}

/// Has the component do all its harm, and looks at messages and at the broker.
pub(super) fn does_no_harm(release: Release) -> Result<()> {
    let Some(bed) = PluginBed::start(release, true, "[]")? else { return Ok(()) };
    bed.enable()?;
    let pid = bed.server.pid()?;
    // The component does harm where a destination is called like the fault.
    for fault in ["trap", "loop", "memory", "stack", "edit", "run", "pointer"] {
        let before = bed.counted("component_failures")?;
        let messages = send_and_take("amqp_pika.py", &bed.url("/"), fault, MESSAGES)?;
        assert_eq!(messages.len(), MESSAGES);
        for (number, message) in messages.iter().enumerate() {
            assert_eq!(message["payload"], format!("order {number}"));
            assert_eq!(message["headers"]["Color"], "red", "{message}");
            assert_eq!(context(message), None, "{message}");
        }
        // Each thread's breaker may be open still, but one of five seconds' calls was made.
        let failures = bed.counted("component_failures")? + bed.counted("component_bypasses")?;
        assert!(failures > before, "{fault} did no harm");
        assert_eq!(bed.server.pid()?, pid);
        assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "{fault} ended the node");
    }
    assert!(bed.counted("messages_untraced")? > 0);
    bed.disable()
}
