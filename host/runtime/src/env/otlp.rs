//! `OTEL_EXPORTER_OTLP_*` and `OTEL_EXPORTER_OTLP_TRACES_*`.
//!
//! The traces variable comes before the general one. One that is invalid counts as unset, so the
//! general one is taken then. See "OpenTelemetry Protocol Exporter", section "Configuration
//! Options".

use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::list;
use super::reader::Reader;
use crate::otlp::{
    ClientIdentity, Endpoint, EndpointError, OTLP_TIMEOUT, OtlpTarget, Protocol, TlsFiles,
};

/// Names of one option: for traces, and for all signals.
type Names = [&'static str; 2];

macro_rules! names {
    ($option:literal) => {
        [concat!("OTEL_EXPORTER_OTLP_TRACES_", $option), concat!("OTEL_EXPORTER_OTLP_", $option)]
    };
}

const ENDPOINT: Names = names!("ENDPOINT");
const PROTOCOL: Names = names!("PROTOCOL");
const HEADERS: Names = names!("HEADERS");
const COMPRESSION: Names = names!("COMPRESSION");
const TIMEOUT: Names = names!("TIMEOUT");
const CERTIFICATE: Names = names!("CERTIFICATE");
const CLIENT_KEY: Names = names!("CLIENT_KEY");
const CLIENT_CERTIFICATE: Names = names!("CLIENT_CERTIFICATE");
const INSECURE: Names = names!("INSECURE");

const PROTOCOLS: [(&str, Protocol); 3] = [
    ("http/protobuf", Protocol::HttpProtobuf),
    ("grpc", Protocol::Grpc),
    ("http/json", Protocol::HttpJson),
];

/// Shown in place of a value that may be secret.
const HIDDEN: &str = "(not shown)";

/// The target when nothing is set.
pub(super) fn default_target() -> OtlpTarget {
    OtlpTarget::new(Protocol::default(), Endpoint::default_of(Protocol::default()))
}

pub(super) fn read(reader: &mut Reader<'_>) -> OtlpTarget {
    let protocol = first(PROTOCOL, |name| reader.word(name, &PROTOCOLS))
        .map_or_else(Protocol::default, |(_, p)| p);
    let endpoint = endpoint(reader, protocol);
    let compressions = [("gzip", true), ("none", false)];
    let gzip = first(COMPRESSION, |name| reader.word(name, &compressions));
    let timeout = first(TIMEOUT, |name| reader.timeout(name));
    let tls = tls(reader, &endpoint);
    OtlpTarget {
        protocol,
        endpoint,
        headers: headers(reader),
        gzip: gzip.is_some_and(|(_, gzip)| gzip),
        timeout: timeout.map_or(OTLP_TIMEOUT, |(_, timeout)| timeout),
        tls,
    }
}

/// The first of an option's variables that has a valid value.
fn first<T>(
    names: Names,
    mut read: impl FnMut(&'static str) -> Option<T>,
) -> Option<(&'static str, T)> {
    names.into_iter().find_map(|name| read(name).map(|value| (name, value)))
}

fn endpoint(reader: &mut Reader<'_>, protocol: Protocol) -> Endpoint {
    let insecure = first(INSECURE, |name| reader.boolean(name));
    let [traces, _] = ENDPOINT;
    let found = first(ENDPOINT, |name| {
        let text = reader.get(name)?;
        let endpoint = match protocol {
            Protocol::Grpc => Endpoint::grpc(&text, insecure.is_some_and(|(_, insecure)| insecure)),
            _ if name == traces => Endpoint::http(&text),
            _ => Endpoint::http_base(&text),
        };
        endpoint.map_err(|error| warn_endpoint(reader, name, &text, error)).ok()
    });
    let endpoint = found.map_or_else(|| Endpoint::default_of(protocol), |(_, endpoint)| endpoint);
    if let Some((name, true)) = insecure {
        if protocol != Protocol::Grpc {
            reader.warn(name, "true", "ignored; over HTTP the scheme of the endpoint decides");
        } else if endpoint.is_tls() {
            reader.warn(name, "true", "ignored; the endpoint's scheme https comes first");
        }
    }
    endpoint
}

fn warn_endpoint(reader: &mut Reader<'_>, name: &'static str, text: &str, error: EndpointError) {
    // A URL may hold a password, and what is no URL may do so as well.
    let found = if text.contains('@') { HIDDEN } else { text };
    reader.warn(name, found, format!("ignored; {error}"));
}

/// Reads the headers. A member that is wrong is left out; values never reach a warning.
fn headers(reader: &mut Reader<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some((name, value)) = first(HEADERS, |name| reader.get(name)) else { return headers };
    for (index, pair) in list::pairs(&value).enumerate() {
        let header = pair.map_err(list::PairError::text).and_then(|(key, value)| {
            let key = HeaderName::from_bytes(&key).map_err(|_| "expected a header name")?;
            let value = HeaderValue::from_bytes(&value).map_err(|_| "expected a header value")?;
            Ok((key, value))
        });
        match header {
            Ok((key, mut value)) => {
                value.set_sensitive(true);
                headers.insert(key, value);
            }
            Err(error) => {
                let done = format!("member {} ignored; {error}", index + 1);
                reader.warn(name, HIDDEN, done);
            }
        }
    }
    headers
}

fn tls(reader: &mut Reader<'_>, endpoint: &Endpoint) -> TlsFiles {
    let file = |names| first(names, |name| reader.get(name).map(PathBuf::from));
    let (trusted, key, shown) = (file(CERTIFICATE), file(CLIENT_KEY), file(CLIENT_CERTIFICATE));
    if !endpoint.is_tls() {
        for (name, path) in [trusted, key, shown].into_iter().flatten() {
            let done = "ignored; the endpoint is not https";
            reader.warn(name, &path.to_string_lossy(), done);
        }
        return TlsFiles::default();
    }
    let client = match (key, shown) {
        (Some((_, key)), Some((_, certificate))) => Some(ClientIdentity { certificate, key }),
        (Some((name, path)), None) | (None, Some((name, path))) => {
            let done = "ignored; a client key and a client certificate go together";
            reader.warn(name, &path.to_string_lossy(), done);
            None
        }
        (None, None) => None,
    };
    TlsFiles { certificate: trusted.map(|(_, path)| path), client }
}
