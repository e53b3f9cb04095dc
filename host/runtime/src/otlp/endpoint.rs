//! Where an OTLP exporter sends to.
//!
//! ```text
//! given as                       http/protobuf, http/json               grpc
//! base (OTEL_EXPORTER_OTLP_      http://h:4318   → …/v1/traces          scheme and authority;
//!   ENDPOINT)                    http://h/a/     → http://h/a/v1/traces   a path has no meaning
//! traces (…_TRACES_ENDPOINT)     as it is; no path → /                  the same
//! without a scheme               refused                                http if insecure, else
//!                                                                         https
//! ```
//!
//! See "OpenTelemetry Protocol Exporter", sections "Configuration Options" and "Endpoint URLs for
//! OTLP/HTTP".

use std::fmt;

use http::Uri;
use http::uri::{PathAndQuery, Scheme};

use super::target::Protocol;

/// Path of the traces signal below a base URL.
const TRACES_PATH: &str = "v1/traces";

/// A checked URL: `http` or `https`, with a host, without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Uri);

/// Why a text is not an endpoint. Never repeats the text, which may hold credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointError {
    /// It is no URL.
    Syntax,
    /// Its scheme is missing, or neither `http` nor `https`.
    Scheme,
    /// It has no host.
    Host,
    /// It holds a user name or a password.
    Credentials,
}

impl Endpoint {
    /// A traces URL, taken as it is.
    ///
    /// # Errors
    ///
    /// Fails when the text is not an `http` or `https` URL with a host, or holds credentials.
    pub fn http(url: &str) -> Result<Self, EndpointError> {
        check(url, None).map(Self)
    }

    /// A base URL, below which traces go to `v1/traces`.
    ///
    /// # Errors
    ///
    /// The same as for [`Endpoint::http`].
    pub fn http_base(url: &str) -> Result<Self, EndpointError> {
        let uri = check(url, None)?;
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let base = uri.path().trim_end_matches('/');
        Self::with_path(uri.clone(), &format!("{base}/{TRACES_PATH}{query}"))
    }

    /// A gRPC target: a URL, or `host:port`, which is plain text if `insecure` and TLS otherwise.
    /// A path is left out.
    ///
    /// # Errors
    ///
    /// Fails when the text is neither, or holds credentials.
    pub fn grpc(target: &str, insecure: bool) -> Result<Self, EndpointError> {
        let scheme = if insecure { Scheme::HTTP } else { Scheme::HTTPS };
        Self::with_path(check(target, Some(scheme))?, "/")
    }

    /// The endpoint that the specification names for a protocol: this host, unencrypted.
    pub fn default_of(protocol: Protocol) -> Self {
        Self(Uri::from_static(match protocol {
            Protocol::Grpc => "http://localhost:4317/",
            Protocol::HttpProtobuf | Protocol::HttpJson => "http://localhost:4318/v1/traces",
        }))
    }

    /// The whole URL.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }

    fn with_path(uri: Uri, path: &str) -> Result<Self, EndpointError> {
        let mut parts = uri.into_parts();
        parts.path_and_query =
            Some(PathAndQuery::try_from(path).map_err(|_| EndpointError::Syntax)?);
        Uri::from_parts(parts).map(Self).map_err(|_| EndpointError::Syntax)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Checks a URL. `default_scheme` is taken when the text has none.
fn check(text: &str, default_scheme: Option<Scheme>) -> Result<Uri, EndpointError> {
    let text = text.trim();
    let uri = match (text.contains("://"), default_scheme) {
        (true, _) => text.parse::<Uri>(),
        (false, Some(scheme)) if !text.starts_with("unix:") => format!("{scheme}://{text}").parse(),
        (false, _) => return Err(EndpointError::Scheme),
    };
    let uri = uri.map_err(|_| EndpointError::Syntax)?;
    if ![Some("http"), Some("https")].contains(&uri.scheme_str()) {
        return Err(EndpointError::Scheme);
    }
    let authority = uri.authority().ok_or(EndpointError::Host)?;
    if authority.as_str().contains('@') {
        return Err(EndpointError::Credentials);
    }
    let host = authority.host();
    if host.is_empty() {
        return Err(EndpointError::Host);
    }
    // The parser takes any text behind the colon; what is no port would silently be lost.
    let has_port = authority.as_str().len() > host.len();
    if has_port && authority.port_u16().is_none() {
        return Err(EndpointError::Syntax);
    }
    Ok(uri)
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "expected a URL",
            Self::Scheme => "expected a URL with the scheme http or https",
            Self::Host => "expected a URL with a host",
            Self::Credentials => "expected a URL without credentials; headers can carry them",
        })
    }
}

impl std::error::Error for EndpointError {}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (&'static str, Result<&'static str, EndpointError>);

    fn text(endpoint: Result<Endpoint, EndpointError>) -> Result<String, EndpointError> {
        endpoint.map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn a_base_gets_the_traces_path_appended_once() {
        let cases: [Case; 7] = [
            ("http://h:4318", Ok("http://h:4318/v1/traces")),
            ("http://h:4318/", Ok("http://h:4318/v1/traces")),
            ("https://h/otlp", Ok("https://h/otlp/v1/traces")),
            ("https://h/otlp//", Ok("https://h/otlp/v1/traces")),
            ("http://[::1]:4318", Ok("http://[::1]:4318/v1/traces")),
            ("http://h/a?key=1", Ok("http://h/a/v1/traces?key=1")),
            ("h:4318", Err(EndpointError::Scheme)),
        ];
        for (url, expected) in cases {
            assert_eq!(text(Endpoint::http_base(url)), expected.map(Into::into), "{url}");
        }
    }

    #[test]
    fn a_traces_url_is_taken_as_it_is() {
        let cases: [Case; 9] = [
            ("http://h:4318/v1/traces", Ok("http://h:4318/v1/traces")),
            ("http://h:4318", Ok("http://h:4318/")),
            ("http://h/custom/", Ok("http://h/custom/")),
            ("ftp://h/", Err(EndpointError::Scheme)),
            ("http://", Err(EndpointError::Syntax)),
            ("http://:4318/", Err(EndpointError::Host)),
            ("http://h:port/", Err(EndpointError::Syntax)),
            ("http://h:99999/", Err(EndpointError::Syntax)),
            ("http://user:secret@h/", Err(EndpointError::Credentials)),
        ];
        for (url, expected) in cases {
            assert_eq!(text(Endpoint::http(url)), expected.map(Into::into), "{url}");
        }
    }

    #[test]
    fn a_grpc_target_may_lack_a_scheme_and_insecure_decides_only_then() {
        let cases: [(&str, bool, Result<&str, EndpointError>); 8] = [
            ("http://h:4317", false, Ok("http://h:4317/")),
            ("https://h:4317", true, Ok("https://h:4317/")),
            ("h:4317", false, Ok("https://h:4317/")),
            ("h:4317", true, Ok("http://h:4317/")),
            ("[::1]:4317", true, Ok("http://[::1]:4317/")),
            ("http://h:4317/v1/traces", false, Ok("http://h:4317/")),
            ("unix:/run/otlp.sock", false, Err(EndpointError::Scheme)),
            ("user@h:4317", false, Err(EndpointError::Credentials)),
        ];
        for (target, insecure, expected) in cases {
            let found = text(Endpoint::grpc(target, insecure));
            assert_eq!(found, expected.map(Into::into), "{target}");
        }
    }
}
