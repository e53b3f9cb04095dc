//! The reference page of the configuration file, from the keys themselves.

use super::file::{ListenerKeys, Top};
use super::net_options::{BrokerTlsKeys, LimitKeys, ProxyKeys, TlsKeys};
use super::route_match::RouteMatch;
use super::route_options::RouteOptions;
use super::section::{Key, Section};

const HEAD: &str = "\
# Configuration reference

Made by `spanbridge check-config --reference`; a test fails when it differs from the program.

`spanbridge gateway --config FILE` reads one TOML file. Unknown keys are errors. OpenTelemetry as a
whole (exporter, propagators, sampler, limits, resource) is configured by the `OTEL_*` variables,
which are read once, at the start. `spanbridge check-config --config FILE` tries a file without
starting anything.

SIGHUP reads the file again. Keys marked *live* are taken over, sessions go on; a change of another
key is reported and waits for a restart. Certificates are read again from the files that the key
named at the start. A file that cannot be used, this one or one of those, changes nothing.
";

/// The page, as it stands in `docs/configuration.md`.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    let mut part = |title: &str, about: &str, keys: Vec<Key>| {
        page.push_str(&format!("\n## {title}\n\n{about}\n\n"));
        page.push_str("| key | type | default | allowed | reload | meaning |\n");
        page.push_str("|---|---|---|---|---|---|\n");
        for key in keys {
            page.push_str(&row(&key));
        }
    };
    part("Top of the file", "Before the first table.", Top::keys());
    let listener = [ListenerKeys::keys(), ProxyKeys::keys()].concat();
    part("`[[listener]]`", "One place to listen; at least one.", listener);
    part("`[listener.tls]`", "TLS towards clients; none without this table.", TlsKeys::keys());
    part(
        "`[listener.broker_tls]`",
        "TLS towards brokers; none without this table.",
        BrokerTlsKeys::keys(),
    );
    part("`[listener.limits]`", "Bounds of a listener's connections.", LimitKeys::keys());
    part(
        "`[[route]]`: which messages",
        "Routes are tried in the order of the file, and the first whose conditions all hold says \
         how a message\nis traced. A publish and its delivery are looked up separately, each by \
         its own client's user.",
        RouteMatch::keys(),
    );
    part(
        "`[[route]]` and `[listener.route]`: how",
        "A key that a route does not set is the listener's. A message that no route fits is traced \
         as\n`[listener.route]` says.",
        RouteOptions::keys(),
    );
    page
}

fn row(key: &Key) -> String {
    let or_none = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    let default = match key.default {
        "" => "–".to_owned(),
        default => format!("`{default}`"),
    };
    format!(
        "| `{}` | {} | {default} | {} | {} | {} |\n",
        key.name,
        key.kind,
        or_none(&key.allowed),
        if key.live { "live" } else { "restart" },
        key.meaning,
    )
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use crate::net::options::{BrokerTlsOptions, NetOptions};

    #[test]
    fn the_page_is_that_of_the_program() {
        let page = include_str!("../../docs/configuration.md");
        assert!(page == reference(), "run `spanbridge check-config --reference` into the page");
    }

    #[test]
    fn every_key_says_what_it_means_and_its_default_is_what_its_absence_means() {
        let line = |key: &Key| match key.default {
            "" => String::new(),
            default => format!("{} = {default}\n", key.name),
        };
        let lines = |keys: Vec<Key>| keys.iter().map(line).collect::<String>();
        let options = RouteOptions::parse(&lines(RouteOptions::keys())).unwrap();
        let (broker, env) = ("nats://b".parse().unwrap(), spanbridge::env::Settings::default());
        let settings = |options: &RouteOptions| options.settings("nats", &broker, &env);
        assert_eq!(settings(&options), settings(&RouteOptions::default()));
        assert_eq!(options.scrub(), RouteOptions::default().scrub());
        assert_eq!(options.header_case(), RouteOptions::default().header_case());
        let top = Config::parse(&lines(Top::keys())).unwrap();
        assert_eq!(top, Config::default());
        let listener = format!(
            "[[listener]]\nlisten = \"nats://h\"\nbrokers = [\"nats://b\"]\n{}[listener.limits]\n{}\
             [listener.broker_tls]\n{}",
            lines(ProxyKeys::keys()),
            lines(LimitKeys::keys()),
            lines(BrokerTlsKeys::keys()),
        );
        let net = Config::parse(&listener).unwrap().listeners.remove(0).net;
        let broker_tls = Some(BrokerTlsOptions::default());
        assert_eq!(net, NetOptions { broker_tls, ..NetOptions::default() });
        let net_keys =
            [ProxyKeys::keys(), TlsKeys::keys(), BrokerTlsKeys::keys(), LimitKeys::keys()];
        let keys = [Top::keys(), ListenerKeys::keys(), RouteMatch::keys(), RouteOptions::keys()];
        for key in [net_keys, keys].into_iter().flatten().flatten() {
            assert!(key.meaning.ends_with('.'), "{}", key.name);
        }
    }
}
