//! OTLP over HTTP/1.1, protobuf or JSON.
//!
//! Follows no redirect: a receiver that moves is a setting to change, and headers may hold
//! credentials. Asks for no compressed answer, so an answer cannot grow while it is read. Reads no
//! proxy variables. See "OTLP Specification", section "OTLP/HTTP".

use std::error::Error;
use std::io::Write;
use std::time::SystemTime;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prost::Message;

use super::exporter::{Batch, Delivered, ExportFuture, Exporter, Failure, FailureKind, Outcome};
use super::machine::FLIGHTS_MAX;
use super::response::{self, RESPONSE_BYTES_MAX};
use super::retry::{judge_http, parse_retry_after};
use super::target::{OtlpTarget, Protocol};
use super::tls::{self, Http, TargetError};
use super::{error_chain, json, status};

/// Who sends, in the form that the specification asks for.
pub(crate) const AGENT: &str = concat!(
    "spanbridge/",
    env!("CARGO_PKG_VERSION"),
    " OTel-OTLP-Exporter-Rust/",
    env!("CARGO_PKG_VERSION")
);

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Sends to one URL over kept connections.
#[derive(Debug)]
pub(crate) struct HttpExporter {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    json: bool,
    gzip: bool,
}

impl HttpExporter {
    pub(crate) fn new(target: &OtlpTarget) -> Result<Self, TargetError> {
        let connector = tls::connector(target, Http::One)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(FLIGHTS_MAX)
            .build(connector);
        let json = target.protocol == Protocol::HttpJson;
        let mut headers = target.headers.clone();
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        let content_type = if json { JSON } else { PROTOBUF };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if target.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let uri = target.endpoint.uri().clone();
        Ok(Self { client, uri, headers, json, gzip: target.gzip })
    }

    async fn attempt(&self, batch: Batch) -> Result<Delivered, Failure> {
        let mut request = Request::post(self.uri.clone())
            .body(Full::new(self.body(&batch)?))
            .map_err(|error| Failure::permanent(FailureKind::Encode, error.to_string()))?;
        *request.headers_mut() = self.headers.clone();
        let answer = self.client.request(request).await.map_err(|error| broken(&error))?;
        if answer.status().is_success() {
            return read_success(answer).await;
        }
        Err(read_failure(answer).await)
    }

    fn body(&self, batch: &Batch) -> Result<Bytes, Failure> {
        let plain = match self.json {
            true => json::encode(&batch.decode()?)?.into(),
            false => batch.request().clone(),
        };
        if !self.gzip {
            return Ok(plain);
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let written = encoder.write_all(&plain).and_then(|()| encoder.finish());
        written
            .map(Bytes::from)
            .map_err(|error| Failure::permanent(FailureKind::Encode, error.to_string()))
    }
}

impl Exporter for HttpExporter {
    fn export(&self, batch: Batch) -> ExportFuture<'_> {
        Box::pin(async move {
            self.attempt(batch).await.map_or_else(Outcome::Failed, Outcome::Delivered)
        })
    }

    fn concurrency(&self) -> usize {
        FLIGHTS_MAX
    }
}

/// Reads the answer to a request that was taken. One that breaks off is no answer, so the request
/// is sent again; a whole one that cannot be understood says at least that it was taken.
async fn read_success(answer: Response<Incoming>) -> Result<Delivered, Failure> {
    let is_json = is_json(answer.headers());
    let body = read_body(answer).await?;
    let delivered =
        if is_json { response::from_json(&body) } else { response::from_protobuf(&body) };
    Ok(delivered.unwrap_or_default())
}

/// Judges an answer outside 2xx. Its body is read only where it can explain a lost batch.
async fn read_failure(answer: Response<Incoming>) -> Failure {
    let status = answer.status();
    let delay = answer.headers().get(RETRY_AFTER);
    let delay = delay.and_then(|value| value.to_str().ok());
    let delay = delay.and_then(|value| parse_retry_after(value, SystemTime::now()));
    let (kind, retry) = judge_http(status, delay);
    let mut message = format!("the receiver answered {status}");
    if kind == FailureKind::Refused {
        let is_json = is_json(answer.headers());
        let body = read_body(answer).await.unwrap_or_default();
        let said = if is_json { json_message(&body) } else { protobuf_message(&body) };
        if let Some(said) = said.filter(|said| !said.is_empty()) {
            message = format!("{message}: {}", response::printable(&said));
        }
    }
    Failure { kind, retry, message }
}

async fn read_body(answer: Response<Incoming>) -> Result<Bytes, Failure> {
    match Limited::new(answer.into_body(), RESPONSE_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("the answer is larger than {RESPONSE_BYTES_MAX} bytes");
            Err(Failure::permanent(FailureKind::Response, message))
        }
        Err(error) => Err(broken(&*error)),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.starts_with(JSON))
}

fn json_message(body: &[u8]) -> Option<String> {
    let status: serde_json::Value = serde_json::from_slice(body).ok()?;
    status["message"].as_str().map(str::to_owned)
}

fn protobuf_message(body: &[u8]) -> Option<String> {
    status::Status::decode(body).ok().map(|status| status.message)
}

fn broken(error: &(dyn Error + 'static)) -> Failure {
    Failure::transient(FailureKind::Connection, error_chain(error))
}
