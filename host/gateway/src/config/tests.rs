use super::*;

const ONE: &str = r#"
[[listener]]
listen = "nats://127.0.0.1:4322"
brokers = ["nats://127.0.0.1:4222", "nats://backup:4222"]
[listener.route]
relation = "auto"
delivery = "continue"
consumer_spans = false
"#;

fn with(change: impl FnOnce(&mut Config)) -> Result<(), ConfigError> {
    let mut config = Config::parse(ONE).map_err(ConfigError::Refused)?;
    change(&mut config);
    config.check()
}

#[test]
fn a_file_says_where_to_listen_and_what_its_messages_have_in_common() {
    let config = Config::parse(ONE).unwrap();
    config.check().unwrap();
    let listener = &config.listeners[0];
    assert_eq!(listener.brokers[1].to_string(), "nats://backup:4222");
    let env = env::Settings::default();
    let settings = listener.route.settings("nats", &listener.brokers[0], &env);
    assert_eq!((settings.relation, settings.delivery), (Relation::Auto, DeliveryMode::Continue));
    assert!(settings.producer_spans && !settings.consumer_spans);
    assert_eq!((settings.server_address.as_str(), settings.server_port), ("127.0.0.1", 4222));
}

#[test]
fn an_error_names_the_key_what_was_found_and_what_is_allowed() {
    let table = [
        ("wrokers = 2", vec!["wrokers", "workers"]),
        ("workers = \"two\"", vec!["workers", "string \"two\""]),
        ("[[listener]]\nlisten = \"x\"\nbrokers = []", vec!["listener 1", "listen", "found `x`"]),
        (
            "[[listener]]\nlisten = \"nats://h\"\nbrokers = [\"redis://h\"]",
            vec!["listener 1", "brokers", "found `redis://h`"],
        ),
        (
            "[[listener]]\nlisten = \"nats://h\"\nbrokers = []\nroute.relation = \"child\"",
            vec!["child", "parent+link"],
        ),
    ];
    for (text, expected) in table {
        let error = Config::parse(text).unwrap_err();
        for part in expected {
            assert!(error.contains(part), "{part} in: {error}");
        }
    }
}

#[test]
fn a_listener_needs_a_broker_and_a_configuration_a_listener() {
    assert!(with(|_| {}).is_ok());
    assert!(with(|config| config.listeners.clear()).is_err());
    assert!(with(|config| config.listeners[0].brokers.clear()).is_err());
}

#[test]
fn a_listener_says_how_its_connections_are() {
    let flat = "proxy_protocol = \"require\"\nproxy_protocol_from = [\"10.0.0.0/8\"]\n\
                send_proxy_protocol = \"v2\"\n[listener.route]";
    let tables = "[listener.tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n\
                  first = true\n[listener.broker_tls]\nca = \"a\"\nserver_name = \"n\"\n\
                  [listener.limits]\nsessions_per_source_max = 3\n";
    let with_flat = |flat: &str| ONE.replace("[listener.route]", flat);
    let config = Config::parse(&(with_flat(flat) + tables)).unwrap();
    config.check().unwrap();
    let net = &config.listeners[0].net;
    assert!(net.tls.as_ref().is_some_and(|tls| tls.first && tls.client_ca.is_some()));
    assert!(net.broker_tls.as_ref().is_some_and(|tls| !tls.first && tls.ca.is_some()));
    assert_eq!(net.proxy_protocol, ProxyProtocol::Require);
    assert_eq!(net.proxy_protocol_from[0].to_string(), "10.0.0.0/8");
    assert_eq!(net.send_proxy_protocol, SendProxyProtocol::V2);
    assert_eq!(net.limits.sessions_per_source_max, Some(3));
    assert_eq!(net.limits.handshake_timeout_seconds, 5);
    for (wrong, expected) in [
        ("proxy_protocol = \"v1\"", "accept"),
        ("proxy_protocol_from = [\"10.0.0.1/8\"]", "found `10.0.0.1/8`"),
        ("tls = { certificate = \"c\" }", "key"),
        ("limits = { session_max = 1 }", "sessions_max"),
    ] {
        let error = Config::parse(&with_flat(&format!("{wrong}\n[listener.route]"))).unwrap_err();
        assert!(error.contains(expected), "{wrong}: {error}");
    }
}

#[test]
fn an_identity_is_lent_to_others_only_when_that_is_meant() {
    let shown = |config: &mut Config, host: &str| {
        let listener = &mut config.listeners[0];
        listener.brokers.remove(0);
        listener.listen.host = host.to_owned();
        let file = || Some(PathBuf::from("f"));
        listener.net.broker_tls =
            Some(BrokerTlsOptions { certificate: file(), key: file(), ..Default::default() });
    };
    assert!(with(|config| shown(config, "127.0.0.1")).is_ok());
    let error = with(|config| shown(config, "0.0.0.0")).unwrap_err().to_string();
    assert!(error.contains("client_ca") && error.contains("--allow-remote"), "{error}");
    assert!(
        with(|config| {
            shown(config, "0.0.0.0");
            config.allow_remote = true;
        })
        .is_ok()
    );
    assert!(
        with(|config| {
            shown(config, "0.0.0.0");
            let (certificate, key) = ("c".into(), "k".into());
            let tls = TlsOptions { certificate, key, client_ca: Some("a".into()), first: false };
            config.listeners[0].net.tls = Some(tls);
        })
        .is_ok()
    );
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let error = with(|config| config.workers = 0).unwrap_err().to_string();
    assert_eq!(error, "workers: expected 1 to 256, found 0");
    assert!(with(|config| config.sessions_max = 0).is_err());
}

#[test]
fn a_broker_that_trusts_loopback_is_not_opened_to_other_machines() {
    let open = |config: &mut Config| config.listeners[0].listen.host = "0.0.0.0".to_owned();
    let error = with(open).unwrap_err().to_string();
    assert!(error.contains("--allow-remote"), "{error}");
    let allowed = with(|config| {
        open(config);
        config.allow_remote = true;
    });
    assert!(allowed.is_ok());
    let elsewhere = with(|config| {
        open(config);
        config.listeners[0].brokers.remove(0);
    });
    assert!(elsewhere.is_ok(), "that broker is not on this machine");
}
