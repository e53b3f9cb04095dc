//! What each path of the endpoint answers.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use spanbridge::{ComponentInfo, ComponentSource};
use tracing::{info, warn};

use super::exposition::Format;
use super::observed::Observed;
use super::page;

/// Time in which a component has to arrive. It comes from the same machine.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether who asks may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Answers a request.
pub(super) async fn respond<B>(
    request: Request<B>,
    access: Access,
    observed: Arc<Observed>,
) -> Response<Full<Bytes>>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync + 'static>,
{
    let path = request.uri().path();
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    let as_json = request.uri().query().is_some_and(|query| query.split('&').any(|w| w == "json"));
    let response = match path {
        "/metrics" if read => {
            let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
            let format = Format::of_accept(accept.unwrap_or_default());
            response(StatusCode::OK, format.content_type(), page::page(&observed, format))
        }
        "/healthz" if read => state(&observed.unhealthy(), as_json),
        "/readyz" if read => state(&observed.unready(), as_json),
        "/component" if read => shown(&observed.runtime.component()),
        "/component" if request.method() == Method::POST && access == Access::Write => {
            load(request.into_body(), Arc::clone(&observed)).await
        }
        "/component" if request.method() == Method::POST => {
            text(StatusCode::FORBIDDEN, "a component is loaded through admin_socket only")
        }
        "/metrics" | "/healthz" | "/readyz" | "/component" => {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "expected GET");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            refusal
        }
        _ => text(StatusCode::NOT_FOUND, "expected /metrics, /healthz, /readyz or /component"),
    };
    let requests = &observed.counters().admin_requests;
    // A bad state is an answer as well.
    match response.status() {
        StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => requests.answered.add(1),
        _ => requests.refused.add(1),
    }
    response
}

/// `ok`, or each reason on a line.
fn state(reasons: &[String], as_json: bool) -> Response<Full<Bytes>> {
    let (status, word) = match reasons {
        [] => (StatusCode::OK, "ok"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    if as_json {
        let body = json!({ "status": word, "reasons": reasons });
        return response(status, "application/json", format!("{body}\n"));
    }
    let lines = if reasons.is_empty() { word.to_owned() } else { reasons.join("\n") };
    text(status, &lines)
}

fn shown(component: &ComponentInfo) -> Response<Full<Bytes>> {
    let body = json!({
        "sha256": component.sha256,
        "bytes": component.bytes,
        "origin": component.origin,
        "generation": component.generation,
    });
    response(StatusCode::OK, "application/json", format!("{body}\n"))
}

/// Loads the component that the body is.
async fn load<B>(body: B, observed: Arc<Observed>) -> Response<Full<Bytes>>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync + 'static>,
{
    let bytes_max = usize::try_from(ComponentSource::BYTES_MAX).unwrap_or(usize::MAX);
    let too_large = || {
        let what = format!("expected a component of at most {bytes_max} bytes, found more");
        text(StatusCode::PAYLOAD_TOO_LARGE, &what)
    };
    // A size that is announced need not be waited for.
    if body.size_hint().lower() > ComponentSource::BYTES_MAX {
        return too_large();
    }
    let whole = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, bytes_max).collect()).await;
    let bytes = match whole {
        Ok(Ok(bytes)) => bytes.to_bytes().to_vec(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return too_large(),
        Ok(Err(error)) => return text(StatusCode::BAD_REQUEST, &error.to_string()),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the component did not arrive in time"),
    };
    let runtime = observed.runtime.clone();
    let load = move || runtime.load_component(&ComponentSource::Bytes(bytes));
    match tokio::task::spawn_blocking(load).await {
        Ok(Ok(component)) => {
            let ComponentInfo { sha256, generation, .. } = &component;
            info!(sha256, generation, "component loaded");
            shown(&component)
        }
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            let what = format!("{error}{}", cause.unwrap_or_default());
            warn!(error = what, "component refused; the loaded one stays");
            text(StatusCode::UNPROCESSABLE_ENTITY, &what)
        }
        Err(error) => {
            warn!(%error, "component refused; the loaded one stays");
            text(StatusCode::INTERNAL_SERVER_ERROR, "loading it ended in a panic")
        }
    }
}

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
