use super::*;
use crate::net::options::{BrokerTlsOptions, ProxyProtocol, SendProxyProtocol, TlsOptions};

const ONE: &str = r#"
[[listener]]
name = "front"
listen = "nats://127.0.0.1:4322"
brokers = ["nats://127.0.0.1:4222", "nats://backup:4222"]
[listener.route]
relation = "auto"

[[route]]
listener = "front"
user = "app"
destination = "orders.{id}.>"
off = true

[[route]]
scrub = ["uuid", "number"]
"#;

fn with(change: impl FnOnce(&mut Config)) -> Result<(), ConfigError> {
    let mut config = Config::parse(ONE).map_err(ConfigError::Refused)?;
    change(&mut config);
    config.check()
}

#[test]
fn a_file_says_where_to_listen_and_how_messages_are_traced() {
    let config = Config::parse(ONE).unwrap();
    config.check().unwrap();
    let listener = &config.listeners[0];
    assert_eq!((listener.name(), listener.listen.port), ("front".to_owned(), 4322));
    assert_eq!(listener.brokers[1].to_string(), "nats://backup:4222");
    assert_eq!(listener.route.relation, Some(RelationWord::Auto));
    let [first, second] = &config.routes[..] else { panic!("two routes") };
    assert_eq!((first.listener.as_deref(), first.user.as_deref()), (Some("front"), Some("app")));
    assert_eq!(first.destination.as_ref().unwrap().to_string(), "orders.{id}.>");
    assert_eq!((first.options.off, second.options.off), (Some(true), None));
    assert_eq!((&second.listener, &second.user, &second.destination), (&None, &None, &None));
}

#[test]
fn an_unknown_key_is_an_error_that_names_the_nearest_and_the_line() {
    const LISTENER: &str = "[[listener]]\nlisten = \"nats://h\"\nbrokers = [\"nats://b\"]\n";
    for (text, expected) in [
        ("wrokers = 2", "line 1, column 1: unknown key `wrokers`; did you mean `workers`?"),
        ("[[listner]]\n", "line 1, column 3: unknown key `listner`; did you mean `listener`?"),
        (
            "[[route]]\n[[route]]\n relaton = \"link\"",
            "line 3, column 2: unknown key `relaton` in [[route]] 2; did you mean `relation`?",
        ),
        (
            &format!("{LISTENER}[listener.route]\ndelivry = \"keep\""),
            "line 5, column 1: unknown key `delivry` in [[listener]] 1 route; \
             did you mean `delivery`?",
        ),
        (
            "[[listener]]\nlistn = \"nats://h\"",
            "line 2, column 1: unknown key `listn` in [[listener]] 1; did you mean `listen`?",
        ),
        (
            &format!("{LISTENER}colour = 1"),
            "line 4, column 1: unknown key `colour` in [[listener]] 1; \
             known: name, listen, brokers, cluster, proxy_protocol, proxy_protocol_from, \
             send_proxy_protocol, limits, tls, broker_tls, route",
        ),
        // What only a route of the file can say.
        (
            &format!("{LISTENER}[listener.route]\nuser = \"x\""),
            "line 5, column 1: unknown key `user` in [[listener]] 1 route; known: ",
        ),
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn a_value_that_cannot_be_used_is_shown_with_what_is_allowed() {
    const LISTENER: &str = "[[listener]]\nlisten = \"nats://h\"\nbrokers = [\"nats://b\"]\n";
    for (text, expected) in [
        ("workers = \"two\"", "line 1, column 11: workers: expected 1 to 256, found `two`"),
        ("workers = 0", "workers: expected 1 to 256, found 0"),
        ("workers = -1", "workers: expected 1 to 256, found -1"),
        ("workers = 1.5", "workers: expected 1 to 256, found 1.5"),
        ("allow_remote = 1", "allow_remote: expected true or false, found 1"),
        ("[[listener]]\nlisten = \"x\"", "[[listener]] 1: listen: expected an address like"),
        (
            "[[listener]]\nbrokers = [\"kafka://h\"]",
            "line 2, column 11: [[listener]] 1: brokers: expected an address like",
        ),
        ("[[listener]]\nbrokers = []", "brokers: expected 1 to 64 of `nats://HOST:PORT`, `amqp://"),
        ("[[listener]]\nlisten = \"nats://h\"", "[[listener]] 1: brokers: expected, not found"),
        (
            "[[route]]\nrelation = \"child\"",
            "relation: expected `parent`, `link`, `parent+link`, `root`, `auto`, found `child`",
        ),
        ("[[route]]\nrelation = \"parents\"", "found `parents`; did you mean `parent`?"),
        ("[[route]]\nscrub = [\"uid\"]", "found `uid`; did you mean `uuid`?"),
        ("[[route]]\ndestination = \"a..b\"", "destination: expected tokens between dots"),
        (
            &format!("{LISTENER}name = \"front\"\n[[route]]\nlistener = \"frnt\""),
            "listener: expected one of front, found `frnt`; did you mean `front`?",
        ),
        (
            "[[route]]\ndestination_template = \"a\"\nscrub = [\"hex\"]",
            "line 3, column 9: [[route]] 1: scrub: expected it without destination_template",
        ),
        ("route = 7", "route: expected [[route]] tables"),
        ("workers = ", "line 1, column 11: "),
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn routes_are_bounded() {
    let max = crate::routing::ROUTES_MAX;
    assert!(Config::parse(&"[[route]]\n".repeat(max)).is_ok());
    let error = Config::parse(&"[[route]]\n".repeat(max + 1)).unwrap_err();
    assert!(error.contains(&format!("[[route]]: expected at most {max}, found")), "{error}");
}

#[test]
fn a_listener_needs_a_broker_and_a_name_of_its_own_and_a_configuration_a_listener() {
    assert!(with(|_| {}).is_ok());
    assert!(with(|config| config.listeners.clear()).is_err());
    assert!(with(|config| config.listeners[0].brokers.clear()).is_err());
    let twice = |config: &mut Config| config.listeners.push(config.listeners[0].clone());
    assert!(with(twice).unwrap_err().to_string().contains("front"));
    let free_ports = with(|config| {
        (config.listeners[0].name, config.listeners[0].listen.port) = (None, 0);
        twice(config);
    });
    assert!(free_ports.is_ok());
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
    assert_eq!(net.limits.handshake_timeout, Duration::from_secs(5));
    for (wrong, expected) in [
        (
            "proxy_protocol = \"v1\"",
            "proxy_protocol: expected `off`, `accept`, `require`, found `v1`",
        ),
        ("send_proxy_protocol = \"v1\"", "expected `off`, `v2`, found `v1`; did you mean `v2`?"),
        (
            "proxy_protocol_from = [\"10.0.0.1/8\"]",
            "line 6, column 23: [[listener]] 1: proxy_protocol_from: expected a network like \
             10.0.0.0/8 or an address, found `10.0.0.1/8`",
        ),
        (
            "tls = { certificate = \"c\" }",
            "line 6, column 7: [[listener]] 1: tls.key: expected, not found",
        ),
        ("tls = { key = \"k\" }", "[[listener]] 1: tls.certificate: expected, not found"),
        (
            "limits = { session_max = 1 }",
            "line 6, column 12: unknown key `session_max` in [[listener]] 1 limits; \
             did you mean `sessions_max`?",
        ),
        ("limits = { sessions_max = 0 }", "[[listener]] 1 limits: sessions_max: expected 1 to "),
        ("limits = { keepalive_seconds = 32768 }", "expected 0 to 32767, found 32768"),
        ("broker_tls = { server = \"n\" }", "known: ca, certificate, key, server_name, first"),
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

#[test]
fn addresses_and_tls_of_a_listener_have_to_go_together() {
    let tls = "tls = { certificate = \"c\", key = \"k\" }";
    for (listen, brokers, more, expected) in [
        ("amqp://h", "amqp://b", "", None),
        ("amqps://h", "amqps://b", tls, None),
        ("amqp://h", "amqps://b", "broker_tls = { ca = \"c\" }", None),
        ("nats://h", "nats://b", tls, None),
        (
            "nats://h",
            "amqp://b",
            "",
            Some("expected addresses of NATS brokers, found amqp://b:5672"),
        ),
        (
            "amqp://h",
            "nats://b",
            "",
            Some("expected addresses of AMQP brokers, found nats://b:4222"),
        ),
        ("amqps://h", "amqp://b", "", Some("tls: expected certificate and key, for amqps")),
        ("amqp://h", "amqp://b", tls, Some("tls: expected it with listen = \"amqps://…\"")),
        ("amqp://h", "amqp://b", "broker_tls = {}", Some("broker_tls: expected it with a broker")),
        // What the broker trusts this machine for, it would trust everybody for.
        ("amqp://0.0.0.0", "amqp://127.0.0.1", "", Some("--allow-remote")),
    ] {
        let text =
            format!("[[listener]]\nlisten = \"{listen}\"\nbrokers = [\"{brokers}\"]\n{more}");
        let mut config = Config::parse(&text).unwrap();
        config.allow_remote = !listen.contains("0.0.0.0");
        let error = config.check().err().map(|error| error.to_string());
        match (expected, error) {
            (None, None) => {}
            (Some(expected), Some(error)) if error.contains(expected) => {}
            (expected, error) => panic!("{text}: {expected:?}, {error:?}"),
        }
    }
}

#[test]
fn tls_of_amqp_comes_first_and_needs_no_table_towards_brokers() {
    let text = "[[listener]]\nlisten = \"amqp://h\"\nbrokers = [\"amqp://a\", \"amqps://b\"]";
    let net = Config::parse(text).unwrap().listeners[0].net_in_force();
    assert_eq!((net.tls, net.broker_tls.map(|tls| tls.first)), (None, Some(true)));
    let text = text.replace("amqps", "amqp");
    let net = Config::parse(&text).unwrap().listeners[0].net_in_force();
    assert_eq!((net.tls, net.broker_tls), (None, None));
}

#[test]
fn a_virtual_host_can_be_asked_for_where_a_listener_has_them() {
    const NATS: &str =
        "[[listener]]\nname = \"n\"\nlisten = \"nats://h\"\nbrokers = [\"nats://b\"]\n";
    const AMQP: &str =
        "[[listener]]\nname = \"a\"\nlisten = \"amqp://h\"\nbrokers = [\"amqp://b\"]\n";
    let parse = |route: &str| Config::parse(&format!("{NATS}{AMQP}[[route]]\n{route}"));
    let config = parse("vhost = \"/\"").unwrap();
    assert_eq!(config.routes[0].vhost.as_deref(), Some("/"));
    assert!(parse("listener = \"a\"\nvhost = \"/\"").is_ok());
    let error = parse("listener = \"n\"\nvhost = \"/\"").unwrap_err();
    assert!(error.contains("vhost: expected a listener of AMQP that it holds for"), "{error}");
}

#[test]
fn a_database_can_be_asked_for_where_a_listener_has_them() {
    const NATS: &str =
        "[[listener]]\nname = \"n\"\nlisten = \"nats://h\"\nbrokers = [\"nats://b\"]\n";
    const REDIS: &str =
        "[[listener]]\nname = \"r\"\nlisten = \"redis://h\"\nbrokers = [\"redis://b\"]\n";
    let parse = |route: &str| Config::parse(&format!("{NATS}{REDIS}[[route]]\n{route}"));
    for (text, databases) in [("3", &[3][..]), ("[0, 2147483647]", &[0, 2_147_483_647])] {
        let config = parse(&format!("database = {text}")).unwrap();
        let found = config.routes[0].database.as_ref().unwrap();
        assert!(databases.iter().all(|database| found.contain(*database)), "{text}");
        assert!(!found.contain(1), "{text}");
    }
    assert!(parse("listener = \"r\"\ndatabase = 0").is_ok());
    for (text, expected) in [
        ("listener = \"n\"\ndatabase = 0", "database: expected a listener of Redis that it"),
        ("database = -1", "database: expected 0 to 2147483647, found -1"),
        ("database = 2147483648", "database: expected 0 to 2147483647"),
        ("database = \"0\"", "database: expected 0 to 2147483647"),
        ("database = []", "found 0 entries"),
        ("database = [0, \"a\"]", "database: expected 0 to 2147483647"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn what_becomes_of_clusters_is_asked_on_listeners_of_redis_alone() {
    let parse = |scheme: &str, line: &str| {
        let text = format!(
            "[[listener]]\nlisten = \"{scheme}://h\"\nbrokers = [\"{scheme}://b\"]\n{line}\n"
        );
        Config::parse(&text).map(|config| config.listeners[0].cluster)
    };
    assert_eq!(parse("redis", "").unwrap(), Cluster::Refuse);
    assert_eq!(parse("redis", "cluster = \"announced\"").unwrap(), Cluster::Announced);
    for (scheme, line, expected) in [
        ("nats", "cluster = \"refuse\"", "cluster: expected a listener of Redis, found another"),
        ("redis", "cluster = \"yes\"", "expected `refuse`, `announced`"),
    ] {
        let error = parse(scheme, line).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
