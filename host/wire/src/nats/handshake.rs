//! What the two sides say about themselves: `INFO` and `CONNECT`.
//!
//! Credentials (`pass`, `auth_token`, `jwt`, `sig`, `nkey`) are not read: what is not held cannot
//! leak into a log.

use crate::json::{self, Value};

/// What a broker says about itself. It may say it again at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info<'a> {
    /// The largest message that it takes, header block included, in bytes.
    pub max_payload: Option<u64>,
    /// Whether it takes header blocks.
    pub headers: bool,
    /// Whether JetStream is enabled.
    pub jetstream: bool,
    /// Whether a TLS handshake has to follow. Nothing behind it can be read.
    pub tls_required: bool,
    /// Whether a client may start a TLS handshake.
    pub tls_available: bool,
    /// Whether a client has to show a certificate in that handshake.
    pub tls_verify: bool,
    /// Whether it wants a nonce to be signed.
    pub nonce: bool,
    /// Whether it is about to shut down and asks clients to go elsewhere.
    pub lame_duck: bool,
    /// Its version, a string.
    pub version: Option<Value<'a>>,
    /// Its name, a string.
    pub server_name: Option<Value<'a>>,
    /// Addresses of the cluster, an array of strings. A client that goes to one of them by itself
    /// leaves the intermediary.
    pub connect_urls: Option<Value<'a>>,
}

/// What a client says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Whether it takes header blocks. A broker refuses `HPUB` from a client that does not.
    pub headers: bool,
    /// Whether it wants to hear that nobody listens to a request.
    pub no_responders: bool,
    /// Whether it wants an answer (`+OK`) to each of its frames.
    pub verbose: bool,
    /// Whether its own messages come back to its own subscriptions. The default is yes.
    pub echo: bool,
    /// The name of the program, a string.
    pub name: Option<Value<'a>>,
    /// The user, a string.
    pub user: Option<Value<'a>>,
    /// The language of the client library, a string.
    pub lang: Option<Value<'a>>,
    /// The version of the client library, a string.
    pub version: Option<Value<'a>>,
}

impl<'a> Info<'a> {
    /// Reads the JSON of an `INFO`. Answers `None` when it is no JSON object.
    ///
    /// A flag that is absent, or is no boolean, is `false`.
    pub fn parse(json: &'a [u8]) -> Option<Self> {
        let [max_payload, headers, jetstream, nonce, ldm, version, rest @ ..] = json::find(
            json,
            [
                b"max_payload",
                b"headers",
                b"jetstream",
                b"nonce",
                b"ldm",
                b"version",
                b"server_name",
                b"connect_urls",
                b"tls_required",
                b"tls_available",
                b"tls_verify",
            ],
        )?;
        let [server_name, connect_urls, tls_required, tls_available, tls_verify] = rest;
        Some(Self {
            max_payload: max_payload.and_then(Value::as_u64),
            headers: is_true(headers),
            jetstream: is_true(jetstream),
            tls_required: is_true(tls_required),
            tls_available: is_true(tls_available),
            tls_verify: is_true(tls_verify),
            nonce: nonce.is_some_and(|nonce| !nonce.is_blank()),
            lame_duck: is_true(ldm),
            version,
            server_name,
            connect_urls: connect_urls.filter(|urls| !urls.is_blank()),
        })
    }
}

impl<'a> Connect<'a> {
    /// Reads the JSON of a `CONNECT`. Answers `None` when it is no JSON object.
    ///
    /// A flag that is absent, or is no boolean, has nats-server's default.
    pub fn parse(json: &'a [u8]) -> Option<Self> {
        let [headers, no_responders, verbose, echo, name, user, lang, version] = json::find(
            json,
            [
                b"headers",
                b"no_responders",
                b"verbose",
                b"echo",
                b"name",
                b"user",
                b"lang",
                b"version",
            ],
        )?;
        Some(Self {
            headers: is_true(headers),
            no_responders: is_true(no_responders),
            // The server is verbose unless it is told not to be.
            verbose: verbose.and_then(Value::as_bool).unwrap_or(true),
            echo: echo.and_then(Value::as_bool).unwrap_or(true),
            name: name.filter(|name| !name.is_blank()),
            user: user.filter(|user| !user.is_blank()),
            lang,
            version,
        })
    }
}

fn is_true(value: Option<Value<'_>>) -> bool {
    value.and_then(Value::as_bool).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Option<Value<'_>>) -> Option<String> {
        value?.as_text(256).map(Into::into)
    }

    #[test]
    fn info_of_a_broker_is_read() {
        let json = br#"{"server_id":"NB","server_name":"n1","version":"2.9.10","proto":1,
            "headers":true,"max_payload":1048576,"jetstream":true,"tls_required":true,
            "nonce":"abc","connect_urls":["10.0.0.1:4222"],"xkey":{"headers":false}}"#;
        let info = Info::parse(json).unwrap();
        assert_eq!(info.max_payload, Some(1_048_576));
        assert!(info.headers && info.jetstream && info.tls_required && info.nonce);
        assert!(!info.tls_available && !info.tls_verify && !info.lame_duck);
        assert_eq!(text(info.version).as_deref(), Some("2.9.10"));
        assert_eq!(text(info.server_name).as_deref(), Some("n1"));
        assert_eq!(info.connect_urls.unwrap().raw(), br#"["10.0.0.1:4222"]"#);
    }

    #[test]
    fn info_that_says_little_promises_nothing() {
        let info = Info::parse(br#"{"headers":"true","nonce":"","connect_urls":[]}"#).unwrap();
        assert_eq!(info.max_payload, None);
        assert!(!info.headers && !info.nonce && info.connect_urls.is_none());
        assert_eq!(Info::parse(b"{\"headers\":true"), None);
    }

    #[test]
    fn connect_of_a_client_is_read() {
        let json = br#"{"echo":true,"headers":true,"no_responders":true,"verbose":false,
            "lang":"python3","version":"2.16.0","name":"orders \u00e9","user":"u","pass":"p"}"#;
        let connect = Connect::parse(json).unwrap();
        assert!(connect.headers && connect.no_responders && connect.echo && !connect.verbose);
        assert_eq!(text(connect.name).as_deref(), Some("orders é"));
        assert_eq!(text(connect.user).as_deref(), Some("u"));
        assert_eq!(text(connect.lang).as_deref(), Some("python3"));
        assert_eq!(text(connect.version).as_deref(), Some("2.16.0"));
    }

    #[test]
    fn connect_that_says_nothing_has_the_defaults_of_the_server() {
        let connect = Connect::parse(br#"{"name":""}"#).unwrap();
        assert!(!connect.headers && !connect.no_responders && connect.verbose && connect.echo);
        assert_eq!(connect.name, None);
        assert_eq!(Connect::parse(b"[]"), None);
    }
}
