//! Every variable: what honours it, and what is warned about.

use std::time::Duration;

use super::*;
use crate::otlp::{OtlpTarget, Protocol, SCHEDULE_DELAY_MIN};

fn read(pairs: &[(&str, &str)]) -> (Settings, Vec<Warning>) {
    Settings::read(&Env::from_pairs(pairs.iter().copied())).unwrap()
}

/// Settings that must come without a warning.
fn clean(pairs: &[(&str, &str)]) -> Settings {
    let (settings, warnings) = read(pairs);
    assert_eq!(warnings, [], "{pairs:?}");
    settings
}

/// Settings that must come with one warning, about `variable`.
fn warned(variable: &str, pairs: &[(&str, &str)]) -> Settings {
    let (settings, warnings) = read(pairs);
    let variables: Vec<_> = warnings.iter().map(|warning| warning.variable).collect();
    assert_eq!(variables, [variable], "{warnings:?}");
    settings
}

fn target(settings: Settings) -> OtlpTarget {
    match settings.exporter {
        TracesExporter::Otlp(target) => *target,
        other => panic!("expected OTLP, found {other:?}"),
    }
}

#[test]
fn nothing_set_and_everything_empty_are_the_defaults() {
    let settings = clean(&[]);
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.propagators, [Propagator::TraceContext, Propagator::Baggage]);
    assert_eq!(settings.sampler, Sampler::default());
    assert_eq!(settings.bsp, Bsp::default());
    assert_eq!(settings.limits, SpanLimits::default());
    assert!(!settings.sdk_disabled && !settings.semconv_dup);
    let empty = [
        "OTEL_SDK_DISABLED",
        "OTEL_PROPAGATORS",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_EXPORTER",
        "OTEL_CONFIG_FILE",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ];
    assert_eq!(clean(&empty.map(|name| (name, ""))), settings);
    assert_eq!(clean(&empty.map(|name| (name, "  "))), settings);
    let target = target(settings);
    assert_eq!(target.protocol, Protocol::HttpProtobuf);
    assert_eq!(target.endpoint.to_string(), "http://localhost:4318/v1/traces");
    assert_eq!(target.timeout, Duration::from_secs(10));
}

#[test]
fn a_boolean_is_true_only_as_true() {
    const NAME: &str = "OTEL_SDK_DISABLED";
    for (value, expected) in [("true", true), ("TRUE", true), ("False", false)] {
        assert_eq!(clean(&[(NAME, value)]).sdk_disabled, expected, "{value}");
    }
    for value in ["1", "yes", "tru"] {
        assert!(!warned(NAME, &[(NAME, value)]).sdk_disabled, "{value}");
    }
}

#[test]
fn propagators_are_kept_in_order_once_each() {
    const NAME: &str = "OTEL_PROPAGATORS";
    use Propagator::*;
    let cases = [
        ("b3, tracecontext ,b3", vec![B3, TraceContext]),
        ("B3Multi,Jaeger,xray,ottrace,baggage", vec![B3Multi, Jaeger, XRay, OtTrace, Baggage]),
        ("none", vec![]),
    ];
    for (value, expected) in cases {
        assert_eq!(clean(&[(NAME, value)]).propagators, expected, "{value}");
    }
    assert_eq!(warned(NAME, &[(NAME, "b3,zipkin")]).propagators, [B3]);
    assert_eq!(warned(NAME, &[(NAME, "none,b3")]).propagators, [B3]);
    assert_eq!(warned(NAME, &[(NAME, "w3c")]).propagators, [TraceContext, Baggage]);
}

#[test]
fn samplers_are_honoured_and_remote_ones_fall_back() {
    const NAME: &str = "OTEL_TRACES_SAMPLER";
    const ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
    use RootSampler::*;
    let cases = [
        ("always_on", false, AlwaysOn),
        ("always_off", false, AlwaysOff),
        ("traceidratio", false, TraceIdRatio(1.0)),
        ("parentbased_always_on", true, AlwaysOn),
        ("parentbased_always_off", true, AlwaysOff),
        ("parentbased_traceidratio", true, TraceIdRatio(1.0)),
    ];
    for (value, parent_based, root) in cases {
        assert_eq!(clean(&[(NAME, value)]).sampler, Sampler { parent_based, root }, "{value}");
    }
    for (arg, ratio) in [("0.25", 0.25), ("0", 0.0), ("1", 1.0), ("1e-3", 0.001)] {
        let sampler = clean(&[(NAME, "traceidratio"), (ARG, arg)]).sampler;
        assert_eq!(sampler.root, TraceIdRatio(ratio), "{arg}");
    }
    for arg in ["1.5", "-0.1", "half", "NaN", "inf"] {
        let sampler = warned(ARG, &[(NAME, "traceidratio"), (ARG, arg)]).sampler;
        assert_eq!(sampler.root, TraceIdRatio(1.0), "{arg}");
    }
    for value in ["jaeger_remote", "parentbased_jaeger_remote", "xray", "sometimes"] {
        let pairs = [(NAME, value), (ARG, "endpoint=http://h")];
        assert_eq!(warned(NAME, &pairs).sampler, Sampler::default(), "{value}");
    }
    warned(ARG, &[(NAME, "always_on"), (ARG, "0.5")]);
}

#[test]
fn resource_attributes_are_decoded_or_discarded_as_a_whole() {
    const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let settings = clean(&[(NAME, "a=1,b=x%2Cy"), ("OTEL_SERVICE_NAME", "shop")]);
    let expected = [("a".to_owned(), "1".to_owned()), ("b".into(), "x,y".into())];
    assert_eq!(settings.resource_attributes, expected);
    assert_eq!(settings.service_name.as_deref(), Some("shop"));
    for value in ["a=1,b", "a=%zz", "a=%ff", "=1"] {
        assert!(warned(NAME, &[(NAME, value)]).resource_attributes.is_empty(), "{value}");
    }
    warned("OTEL_ENTITIES", &[("OTEL_ENTITIES", "service{service.name=a}")]);
}

#[test]
fn a_number_is_digits_within_its_range() {
    let bsp = clean(&[
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "2000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "64"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64"),
    ])
    .bsp;
    let expected = Bsp {
        schedule_delay: Duration::from_millis(100),
        export_timeout: Duration::from_secs(2),
        max_queue_size: Some(64),
        max_export_batch_size: 64,
    };
    assert_eq!(bsp, expected);
    for value in ["-1", "+1", "0", "1.5", "many", "2147483648", "99999999999999999999"] {
        let name = "OTEL_BSP_MAX_QUEUE_SIZE";
        assert_eq!(warned(name, &[(name, value)]).bsp, Bsp::default(), "{value}");
    }
}

#[test]
fn a_number_that_makes_no_sense_is_moved_and_a_timeout_of_zero_is_no_limit() {
    const BATCH: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
    let small = ("OTEL_BSP_MAX_QUEUE_SIZE", "10");
    assert_eq!(clean(&[small]).bsp.max_export_batch_size, 10);
    assert_eq!(warned(BATCH, &[small, (BATCH, "11")]).bsp.max_export_batch_size, 10);
    const DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";
    assert_eq!(clean(&[(DELAY, "10")]).bsp.schedule_delay, SCHEDULE_DELAY_MIN);
    assert_eq!(warned(DELAY, &[(DELAY, "9")]).bsp.schedule_delay, SCHEDULE_DELAY_MIN);
    let timeout = clean(&[("OTEL_BSP_EXPORT_TIMEOUT", "0")]).bsp.export_timeout;
    assert!(timeout > Duration::from_secs(24 * 60 * 60));
}

#[test]
fn a_spans_own_limit_comes_before_the_general_one() {
    let general =
        [("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100"), ("OTEL_ATTRIBUTE_COUNT_LIMIT", "10")];
    let limits = clean(&general).limits;
    assert_eq!((limits.attribute_value_length, limits.attributes), (Some(100), 10));
    assert_eq!((limits.links, limits.event_attributes), (128, 128));
    let own = [
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "0"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "5"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "2"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "3"),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "4"),
    ];
    let expected = SpanLimits {
        attribute_value_length: Some(0),
        attributes: 5,
        events: 1,
        links: 2,
        event_attributes: 3,
        link_attributes: 4,
    };
    assert_eq!(clean(&[&general[..], &own[..]].concat()).limits, expected);
}

#[test]
fn exporters_are_chosen_by_word() {
    const NAME: &str = "OTEL_TRACES_EXPORTER";
    let cases = [
        ("console", TracesExporter::Console),
        ("none", TracesExporter::None),
        ("otlp/stdout", TracesExporter::OtlpStdout),
        ("OTLP", TracesExporter::default()),
    ];
    for (value, expected) in cases {
        assert_eq!(clean(&[(NAME, value)]).exporter, expected, "{value}");
    }
    for value in ["zipkin", "logging"] {
        let exporter = warned(NAME, &[(NAME, value)]).exporter;
        assert_eq!(exporter, TracesExporter::default(), "{value}");
    }
    let several = warned(NAME, &[(NAME, "console,otlp")]).exporter;
    assert_eq!(several, TracesExporter::Console);
}

#[test]
fn the_endpoint_follows_protocol_and_signal() {
    const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
    let grpc = (PROTOCOL, "grpc");
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[(BASE, "http://c:4318")], "http://c:4318/v1/traces"),
        (&[(TRACES, "http://c:4318")], "http://c:4318/"),
        (&[(BASE, "http://a"), (TRACES, "http://b/x")], "http://b/x"),
        (&[(PROTOCOL, "http/json")], "http://localhost:4318/v1/traces"),
        (&[grpc], "http://localhost:4317/"),
        (&[grpc, (BASE, "collector:4317")], "https://collector:4317/"),
        (
            &[grpc, (BASE, "collector:4317"), ("OTEL_EXPORTER_OTLP_INSECURE", "true")],
            "http://collector:4317/",
        ),
    ];
    for (pairs, expected) in cases {
        assert_eq!(target(clean(pairs)).endpoint.to_string(), expected, "{pairs:?}");
    }
    let bad = warned(TRACES, &[(TRACES, "nonsense"), (BASE, "http://c")]);
    assert_eq!(target(bad).endpoint.to_string(), "http://c/v1/traces");
    let insecure = "OTEL_EXPORTER_OTLP_INSECURE";
    warned(insecure, &[(insecure, "true")]);
    warned(insecure, &[grpc, (BASE, "https://c:4317"), (insecure, "true")]);
}

#[test]
fn options_of_the_traces_signal_come_first_and_an_invalid_one_counts_as_unset() {
    let target = target(warned(
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ],
    ));
    assert!(!target.gzip);
    assert_eq!(target.timeout, Duration::from_millis(500));
    assert_eq!(target.protocol, Protocol::HttpJson);
    for (name, value) in [("COMPRESSION", "zstd"), ("PROTOCOL", "http")] {
        let name = format!("OTEL_EXPORTER_OTLP_{name}");
        warned(&name, &[(&name, value)]);
    }
}

#[test]
fn headers_are_decoded_and_never_shown() {
    const NAME: &str = "OTEL_EXPORTER_OTLP_HEADERS";
    let headers = "authorization=Basic%20c2VjcmV0,X-Tenant=a=b";
    let found = target(clean(&[(NAME, headers)]));
    assert_eq!(found.headers["authorization"], "Basic c2VjcmV0");
    assert_eq!(found.headers["x-tenant"], "a=b");
    assert!(!format!("{found:?}").contains("c2VjcmV0"));
    for bad in ["api key=c2VjcmV0", "c2VjcmV0", "key=c2VjcmV0%", "key=c2VjcmV0%0a"] {
        let (settings, warnings) = read(&[(NAME, &format!("{bad},good=1"))]);
        assert_eq!(warnings.len(), 1, "{bad}");
        assert!(!warnings[0].to_string().contains("c2VjcmV0"), "{bad}");
        assert_eq!(target(settings).headers.len(), 1, "{bad}");
    }
    let url = "http://user:c2VjcmV0@h";
    let check = Env::from_pairs([("OTEL_EXPORTER_OTLP_ENDPOINT", url)]).check();
    assert!(check.len() == 1 && !check[0].contains("c2VjcmV0"), "{check:?}");
}

#[test]
fn tls_files_belong_to_https_and_a_key_to_its_certificate() {
    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c");
    const CA: (&str, &str) = ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem");
    const KEY: (&str, &str) = ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key.pem");
    const CERT: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "/cert.pem");
    let tls = target(clean(&[ENDPOINT, CA, KEY, CERT])).tls;
    assert_eq!(tls.certificate.unwrap().to_str(), Some("/ca.pem"));
    let client = tls.client.unwrap();
    assert_eq!(client.certificate.to_str(), Some("/cert.pem"));
    assert_eq!(client.key.to_str(), Some("/key.pem"));
    assert_eq!(target(warned(KEY.0, &[ENDPOINT, KEY])).tls.client, None);
    assert_eq!(target(warned(CERT.0, &[ENDPOINT, CERT])).tls.client, None);
    assert_eq!(target(warned(CA.0, &[CA])).tls.certificate, None);
}

#[test]
fn the_opt_in_is_shared_and_only_messaging_is_judged() {
    const NAME: &str = "OTEL_SEMCONV_STABILITY_OPT_IN";
    for (value, dup) in
        [("messaging", false), ("http,messaging/dup", true), ("messaging,messaging/dup", true)]
    {
        assert_eq!(clean(&[(NAME, value)]).semconv_dup, dup, "{value}");
    }
    assert!(!clean(&[(NAME, "http/dup,database")]).semconv_dup);
    assert!(!warned(NAME, &[(NAME, "messaging/both")]).semconv_dup);
}

#[test]
fn log_levels_are_words() {
    assert_eq!(clean(&[("OTEL_LOG_LEVEL", "DEBUG")]).log_level, LogLevel::Debug);
    let name = "OTEL_LOG_LEVEL";
    assert_eq!(warned(name, &[(name, "loud")]).log_level, LogLevel::Info);
}

#[test]
fn a_configuration_file_is_an_error_and_not_silently_left_out() {
    for name in CONFIG_FILES {
        let env = Env::from_pairs([(name, "/etc/otel.yaml")]);
        assert_eq!(Settings::read(&env), Err(ConfigFileError { variable: name }));
        assert!(env.check()[0].starts_with(name));
    }
}

#[test]
fn a_check_lists_every_warning_and_reporting_counts_them() {
    let pairs = [("OTEL_LOG_LEVEL", "loud\n"), ("OTEL_TRACES_EXPORTER", "zipkin")];
    let env = Env::from_pairs(pairs);
    let lines = env.check();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("OTEL_LOG_LEVEL is `loud`: ignored; expected none, error"));
    let counters = Counters::default();
    Warning::report(&read(&pairs).1, &counters);
    assert_eq!(counters.env_warnings.get(), 2);
    assert!(Env::from_pairs([("OTEL_LOG_LEVEL", "warn")]).check().is_empty());
}
