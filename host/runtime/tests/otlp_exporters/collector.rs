//! A receiver that answers by script and remembers what it was sent.
//!
//! HTTP/1.1 and HTTP/2 on raw hyper, so that a gRPC answer can be wrong in every way that matters.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use spanbridge::otlp::{Endpoint, OtlpTarget, Protocol};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Longest time a test waits for something that ordinarily takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// As it should.
    Whole,
    /// The connection or stream breaks after the part that was sent.
    Broken,
    /// Nothing more comes.
    Hangs,
}

/// One scripted answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(&'static str, String)>,
    pub(crate) end: End,
    /// Close the connection without an answer.
    pub(crate) close: bool,
}

impl Answer {
    pub(crate) fn http(status: u16) -> Self {
        let (headers, body, trailers) = (Vec::new(), Vec::new(), Vec::new());
        Self { status, headers, body, trailers, end: End::Whole, close: false }
    }

    /// A gRPC answer with a message and a status, or without a message when it is an error.
    pub(crate) fn grpc(code: u32, message: &[u8]) -> Self {
        let mut body = Vec::new();
        if code == 0 {
            body.push(0);
            body.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            body.extend_from_slice(message);
        }
        let trailers = vec![("grpc-status", code.to_string())];
        Self { body, trailers, ..Self::http(200) }.header("content-type", "application/grpc")
    }

    pub(crate) fn close() -> Self {
        Self { close: true, ..Self::http(200) }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn trailer(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.trailers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// Without gRPC's prefix, unpacked.
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn decode(&self) -> ExportTraceServiceRequest {
        match self.headers["content-type"].to_str().unwrap() {
            "application/json" => serde_json::from_slice(&self.body).unwrap(),
            _ => ExportTraceServiceRequest::decode(&*self.body).unwrap(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Answer>,
    received: Vec<Received>,
}

#[derive(Debug)]
struct Shared {
    protocol: Protocol,
    state: Mutex<State>,
    changed: Condvar,
}

/// A running receiver. Its thread ends with the process.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Collector {
    /// Starts one that gives these answers and then only good ones.
    pub(crate) fn start(protocol: Protocol, script: Vec<Answer>, tls: Option<TlsAcceptor>) -> Self {
        let state = State { script: script.into(), received: Vec::new() };
        let shared = Shared { protocol, state: Mutex::new(state), changed: Condvar::new() };
        let shared = Arc::new(shared);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(connection(stream, tls.clone(), Arc::clone(&served)));
                }
            });
        });
        Self { address, shared }
    }

    /// A target that sends here.
    pub(crate) fn target(&self) -> OtlpTarget {
        let protocol = self.shared.protocol;
        let url = format!("http://{}", self.address);
        OtlpTarget::new(protocol, endpoint(protocol, &url))
    }

    /// Waits for so many requests, then answers all there are.
    pub(crate) fn wait(&self, requests: usize) -> Vec<Received> {
        let state = self.shared.state.lock().unwrap();
        let waiting = |state: &mut State| state.received.len() < requests;
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, waiting).unwrap();
        assert!(!waited.1.timed_out(), "fewer than {requests} requests came");
        waited.0.received.clone()
    }
}

pub(crate) fn endpoint(protocol: Protocol, url: &str) -> Endpoint {
    match protocol {
        Protocol::Grpc => Endpoint::grpc(url, false),
        _ => Endpoint::http_base(url),
    }
    .unwrap()
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    match tls {
        None => serve(stream, shared).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, shared).await;
            }
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let io = TokioIo::new(stream);
    let grpc = shared.protocol == Protocol::Grpc;
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    // An error is what the script asked for.
    if grpc {
        let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await;
    } else {
        let _ = http1::Builder::new().serve_connection(io, service).await;
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Script>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let body = unpack(&parts.headers, &body);
    let path = parts.uri.path().to_owned();
    let received = Received { at: Instant::now(), path, headers: parts.headers, body };
    let answer = {
        let mut state = shared.state.lock().unwrap();
        state.received.push(received);
        shared.changed.notify_all();
        state.script.pop_front()
    };
    let answer = answer.unwrap_or_else(|| match shared.protocol {
        Protocol::Grpc => Answer::grpc(0, b""),
        _ => Answer::http(200),
    });
    if answer.close {
        return Err(io::Error::other("scripted"));
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    Ok(response.body(Script::new(answer)).unwrap())
}

/// Takes off gRPC's prefix and gzip.
fn unpack(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let grpc = headers["content-type"] == "application/grpc";
    let (packed, body) = match grpc {
        true => (body[0] == 1, &body[5..]),
        false => (headers.get("content-encoding").is_some_and(|value| value == "gzip"), body),
    };
    let mut plain = Vec::new();
    if packed {
        flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    } else {
        plain.extend_from_slice(body);
    }
    plain
}

/// The body of a scripted answer.
struct Script {
    frames: VecDeque<Frame<Bytes>>,
    end: End,
    /// What was sent before a break has been flushed.
    flushed: bool,
}

impl Script {
    fn new(answer: Answer) -> Self {
        let mut frames = VecDeque::new();
        if !answer.body.is_empty() {
            frames.push_back(Frame::data(answer.body.into()));
        }
        if answer.end == End::Whole && !answer.trailers.is_empty() {
            let mut trailers = HeaderMap::new();
            for (name, value) in answer.trailers {
                let value = HeaderValue::from_str(&value).unwrap();
                trailers.insert(HeaderName::from_static(name), value);
            }
            frames.push_back(Frame::trailers(trailers));
        }
        Self { frames, end: answer.end, flushed: false }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match (self.frames.pop_front(), self.end) {
            (Some(frame), _) => Poll::Ready(Some(Ok(frame))),
            (None, End::Whole) => Poll::Ready(None),
            (None, End::Broken) if !self.flushed => {
                // hyper writes out what it has when a body is not ready.
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            (None, End::Broken) => Poll::Ready(Some(Err(io::Error::other("scripted")))),
            (None, End::Hangs) => Poll::Pending,
        }
    }
}
