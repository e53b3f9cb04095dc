//! Files and streams.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use spanbridge::otlp::{Console, Flush, JsonLines};
use spanbridge::resource::ResourceId;

use super::rig::{Rig, names, settings};

/// A stream that a test can look into, with room for so many bytes.
#[derive(Clone)]
struct Shared {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: Arc<Mutex<usize>>,
}

impl Shared {
    fn new(room: usize) -> Self {
        Self { bytes: Arc::default(), room: Arc::new(Mutex::new(room)) }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room.lock().map_err(|_| io::ErrorKind::Other)?;
        let written = bytes.len().min(*room);
        if written == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *room -= written;
        let mut kept = self.bytes.lock().map_err(|_| io::ErrorKind::Other)?;
        kept.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_gets_one_line_a_request_and_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spans.jsonl");
    for name in ["first", "second"] {
        let rig = Rig::new(Box::new(JsonLines::append(&path).unwrap()), settings());
        rig.push(&[name, "and another"]);
        assert_eq!(rig.pipeline.shutdown(super::collector::PATIENCE), Flush::Done);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let requests: Vec<ExportTraceServiceRequest> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(text.ends_with('\n'));
    assert_eq!(requests.len(), 2);
    assert_eq!(
        names(&requests[1])[0],
        ("shop".into(), vec!["second".into(), "and another".into()])
    );
    assert!(JsonLines::append(&folder.path().join("missing/spans.jsonl")).is_err());
}

#[test]
fn a_full_disk_loses_spans_by_count_and_spoils_one_line() {
    let disk = Shared::new(100);
    let rig = Rig::new(Box::new(JsonLines::new(Box::new(disk.clone()))), settings());
    rig.push(&["lost"]);
    assert_eq!(rig.flush(), Flush::Lost { spans: 1 });
    rig.push(&["lost too"]);
    assert_eq!(rig.flush(), Flush::Lost { spans: 1 });
    assert_eq!(rig.counters.spans_dropped.non_retryable.get(), 2);
    assert_eq!(rig.counters.export_failures.io.get(), 2);
    *disk.room.lock().unwrap() = usize::MAX;
    rig.push(&["kept"]);
    assert_eq!(rig.flush(), Flush::Done);
    let text = disk.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(serde_json::from_str::<ExportTraceServiceRequest>(lines[0]).is_err());
    let request: ExportTraceServiceRequest = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(names(&request)[0].1, ["kept"]);
}

#[test]
fn a_device_without_room_is_counted_and_does_not_stop_the_pipeline() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    let rig = Rig::new(Box::new(JsonLines::append(full).unwrap()), settings());
    for _ in 0..3 {
        rig.push(&["a"]);
        assert_eq!(rig.flush(), Flush::Lost { spans: 1 });
    }
    assert_eq!(rig.counters.export_failures.io.get(), 3);
}

#[test]
fn the_console_shows_one_line_a_span() {
    let screen = Shared::new(usize::MAX);
    let rig = Rig::new(Box::new(Console::new(Box::new(screen.clone()))), settings());
    rig.push(&["publish orders", "publish bills"]);
    assert_eq!(rig.flush(), Flush::Done);
    let text = screen.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("abababababababababababababababab cdcdcdcdcdcdcdcd PRODUCER"));
    assert!(lines[1].contains("publish bills") && lines[1].contains("shop"), "{text}");
}

#[test]
fn a_span_that_is_not_protobuf_is_counted_where_it_has_to_be_decoded() {
    let rig = Rig::new(Box::new(Console::new(Box::new(Shared::new(usize::MAX)))), settings());
    // A field of wire type 7, which does not exist.
    assert!(rig.sink.push(ResourceId::DEFAULT, &[0x12, 1, 0x0f], 1));
    assert_eq!(rig.flush(), Flush::Lost { spans: 1 });
    assert_eq!(rig.counters.spans_dropped.encode.get(), 1);
}
