//! OTLP over gRPC.
//!
//! tonic speaks the protocol; the codec here only hands bytes through, because the request is
//! already encoded. TLS is the connector's business, so that it is the same as for HTTP and does
//! not depend on which features of tonic another crate has switched on. Compressed answers are not
//! accepted, so an answer cannot grow while it is read. See "OTLP Specification", section
//! "OTLP/gRPC".

use std::error::Error;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tower_service::Service;

use super::error_chain;
use super::exporter::{Batch, Delivered, ExportFuture, Exporter, Failure, FailureKind, Outcome};
use super::http::AGENT;
use super::machine::FLIGHTS_MAX;
use super::response::{self, RESPONSE_BYTES_MAX};
use super::retry::judge_grpc;
use super::status::Status as RpcStatus;
use super::target::OtlpTarget;
use super::tls::{self, Http, TargetError};

/// The one method that is called.
const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Bytes of an answer's headers. Status details are a few hundred bytes; hyper's default is 16 MiB.
const HEADER_BYTES_MAX: u32 = 64 * 1024;

/// How tonic's own message begins when an answer is larger than allowed. It has the code
/// `OUT_OF_RANGE`, which from a receiver would mean to try again. A test holds the two together.
const TOO_LARGE: &str = "Error, decoded message length too large";

/// Sends to one receiver over one connection, made when it is first needed and whenever it broke.
#[derive(Debug)]
pub(crate) struct GrpcExporter {
    connector: HttpsConnector<HttpConnector>,
    uri: Uri,
    metadata: MetadataMap,
    gzip: bool,
    /// Made on the pipeline's thread, because a channel spawns a task.
    channel: OnceLock<Channel>,
}

impl GrpcExporter {
    pub(crate) fn new(target: &OtlpTarget) -> Result<Self, TargetError> {
        Ok(Self {
            connector: tls::connector(target, Http::Two)?,
            uri: target.endpoint.uri().clone(),
            metadata: MetadataMap::from_headers(target.headers.clone()),
            gzip: target.gzip,
            channel: OnceLock::new(),
        })
    }

    async fn attempt(&self, batch: Batch) -> Result<Delivered, Failure> {
        let mut grpc = Grpc::new(self.channel()?).max_decoding_message_size(RESPONSE_BYTES_MAX);
        if self.gzip {
            grpc = grpc.send_compressed(CompressionEncoding::Gzip);
        }
        grpc.ready().await.map_err(|error| broken(&error))?;
        let mut request = Request::new(batch.request().clone());
        *request.metadata_mut() = self.metadata.clone();
        let answer = grpc.unary(request, PathAndQuery::from_static(METHOD), Raw).await;
        let body = answer.map_err(|status| judge(&status))?.into_inner();
        Ok(response::from_protobuf(&body).unwrap_or_default())
    }

    fn channel(&self) -> Result<Channel, Failure> {
        if let Some(channel) = self.channel.get() {
            return Ok(channel.clone());
        }
        let invalid = |error: &dyn Error| {
            Failure::permanent(FailureKind::Encode, format!("unusable endpoint: {error}"))
        };
        // The connector knows the real scheme. tonic is told `http`, or it would insist on TLS of
        // its own; the origin puts the real one into the requests.
        let mut parts = self.uri.clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        let plain = Uri::from_parts(parts).map_err(|error| invalid(&error))?;
        let endpoint = Endpoint::from(plain)
            .origin(self.uri.clone())
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .user_agent(AGENT)
            .map_err(|error| invalid(&error))?;
        let dial = Dial { connector: self.connector.clone(), uri: self.uri.clone() };
        let channel = endpoint.connect_with_connector_lazy(dial);
        Ok(self.channel.get_or_init(|| channel).clone())
    }
}

impl Exporter for GrpcExporter {
    fn export(&self, batch: Batch) -> ExportFuture<'_> {
        Box::pin(async move {
            self.attempt(batch).await.map_or_else(Outcome::Failed, Outcome::Delivered)
        })
    }

    fn concurrency(&self) -> usize {
        FLIGHTS_MAX
    }
}

/// Judges a status. One that carries a cause was made here, from a connection that failed or broke;
/// the receiver never said it.
fn judge(status: &Status) -> Failure {
    if status.source().is_some() {
        return broken(status);
    }
    let code = status.code();
    if code == Code::OutOfRange && status.message().starts_with(TOO_LARGE) {
        let message = format!("the answer is larger than {RESPONSE_BYTES_MAX} bytes");
        return Failure::permanent(FailureKind::Response, message);
    }
    let details = RpcStatus::decode(status.details()).unwrap_or_default();
    let (kind, retry) = judge_grpc(code, details.retry_delay());
    let said = response::printable(status.message());
    Failure { kind, retry, message: format!("the receiver answered {code:?}: {said}") }
}

fn broken(error: &(dyn Error + 'static)) -> Failure {
    Failure::transient(FailureKind::Connection, error_chain(error))
}

/// Connects to one URI, whichever is asked for.
#[derive(Clone)]
struct Dial {
    connector: HttpsConnector<HttpConnector>,
    uri: Uri,
}

impl Service<Uri> for Dial {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = <HttpsConnector<HttpConnector> as Service<Uri>>::Error;
    type Future = <HttpsConnector<HttpConnector> as Service<Uri>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        self.connector.call(self.uri.clone())
    }
}

/// Passes encoded messages through.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        dst.reserve(item.len());
        dst.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(src.copy_to_bytes(src.remaining())))
    }
}
