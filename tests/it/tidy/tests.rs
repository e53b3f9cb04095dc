//! Tests of the checker itself: each rule against what it accepts and its neighbour.

use super::source::{Function, code_of, functions, has_word};
use super::{code_map, fences, rules};

fn clean(breaches: impl IntoIterator<Item = String>) -> bool {
    breaches.into_iter().next().is_none()
}

#[test]
fn comments_and_strings_are_blanked() {
    let table = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("a \"b\\\"{\" c", "a        c"),
        ("r#\"{\"x\"#.y", "        .y"),
        ("b\"{\" br\"{\" c\"{\"", "               "),
        ("'{' '\\'' b'{' f::<'a>('b')", "              f::<'a>(   )"),
        ("for \"{\" r#fn", "for     r#fn"),
        ("a\"\n\"b", "a \n b"),
        ("é \"é\" é", "é     é"),
        ("\"never closed", "             "),
    ];
    for (text, code) in table {
        assert_eq!(code_of(text), code, "{text}");
    }
}

#[test]
fn words_are_whole() {
    assert!(has_word("use tokio::net;", "tokio"));
    assert!(has_word("tokio", "tokio"));
    for code in ["tokio_util", "mytokio", "tokios"] {
        assert!(!has_word(code, "tokio"), "{code}");
    }
}

#[test]
fn functions_are_found_with_their_lines() {
    let code = "impl A {\n  fn one(x: [u8; 2]) -> B\n  where\n    B: C,\n  {\n    {}\n  }\n\
                  fn none(&self);\n}\ntype F = fn (u8);\nconst fn two() {}\n";
    let expected =
        [Function { name: "one", line: 2, lines: 6 }, Function { name: "two", line: 11, lines: 1 }];
    assert_eq!(functions(code), expected);
}

#[test]
fn a_named_test_is_a_function_or_a_scenario() {
    let code = ["fn it_is_so_now() {\n", "it_is_so_twice => f;\n// it_is_so_said\n"];
    let missing = |text| rules::named_tests_that_are_missing("a", text, &code);
    assert!(clean(missing("`it_is_so_now` `it_is_so_twice` `a_b` `Not_a_b_c` it_is_not_so")));
    assert!(!clean(missing("`it_is_so_no`")));
    assert!(!clean(missing("`it_is_so_said`")));
}

#[test]
fn sizes_are_accepted_to_the_limit_and_rejected_past_it() {
    let lines = |count: usize| "x\n".repeat(count);
    let function = |count: usize| format!("fn f() {{\n{}}}\n", lines(count - 2));
    assert!(clean(rules::long_lines("a", &"é".repeat(100))));
    assert!(!clean(rules::long_lines("a", &"é".repeat(101))));
    assert!(clean(rules::long_file("a", &lines(400))));
    assert!(!clean(rules::long_file("a", &lines(401))));
    assert!(clean(rules::long_file("a", &["// @generated\n", &lines(401)].concat())));
    assert!(clean(rules::long_functions("a", &function(70))));
    assert!(!clean(rules::long_functions("a", &function(71))));
}

#[test]
fn unfinished_work_is_seen() {
    for text in [concat!("// TO", "DO: x"), concat!("FIX", "ME"), concat!("dbg", "!(x)")] {
        assert!(!clean(rules::unfinished("a", text)), "{text}");
    }
    assert!(clean(rules::unfinished("a", "done; debug!(x)")));
}

#[test]
fn names_that_say_nothing_are_seen() {
    for path in ["a/mod.rs", "a/util.rs", "util/a.rs", "helpers.rs"] {
        assert!(!clean(rules::vague_name(path)), "{path}");
    }
    for path in ["a/model.rs", "futility.rs", "a/util.py"] {
        assert!(clean(rules::vague_name(path)), "{path}");
    }
}

#[test]
fn machine_paths_are_seen() {
    for text in [concat!("cd /ho", "me/me"), concat!("/ro", "ot/.cargo"), "see /src/bridge/x"] {
        assert!(!clean(rules::machine_paths("a", text, "/src/bridge")), "{text}");
    }
    assert!(clean(rules::machine_paths("a", "/usr/sbin/x $HOME/y /src/other", "/src/bridge")));
    assert!(clean(rules::machine_paths("a", "host/src/x", "/src")));
}

#[test]
fn wasmtime_stays_behind_its_fence() {
    let code = "use wasmtime::Engine;";
    assert!(!clean(fences::wasmtime("host/runtime/src/tracer.rs", code)));
    assert!(!clean(fences::wasmtime("host/runtime/src/otlp/engine.rs", code)));
    assert!(clean(fences::wasmtime("host/runtime/src/engine.rs", code)));
    assert!(clean(fences::wasmtime("host/runtime/src/pool/idle.rs", code)));
    assert!(clean(fences::wasmtime("host/runtime/src/tracer.rs", "// unlike wasmtime")));
    assert!(clean(fences::wasmtime("tests/bench/src/main.rs", code)));
}

#[test]
fn the_codecs_stay_behind_their_fence() {
    for code in ["use tokio::net;", "tracing::warn!()", "async fn f() {}"] {
        assert!(!clean(fences::wire("host/wire/src/nats.rs", code)), "{code}");
        assert!(clean(fences::wire("host/gateway/src/nats.rs", code)), "{code}");
    }
    assert!(clean(fences::wire("host/wire/src/nats.rs", "let x = \"tokio\"; // tracing")));
}

#[test]
fn dependencies_point_one_way() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nmemchr = \"2\"\n# tokio = \"1\"\n";
    assert!(clean(fences::dependencies("host/wire/Cargo.toml", manifest)));
    let table = [
        ("host/wire/Cargo.toml", "[dependencies]\ntokio.workspace = true"),
        ("host/wire/Cargo.toml", "[dev-dependencies]\n\"tokio\" = \"1\""),
        ("host/wire/Cargo.toml", "[target.'cfg(unix)'.dependencies]\ntracing = \"1\""),
        ("host/wire/Cargo.toml", "[dependencies.wasmtime]\nversion = \"48\""),
        ("guest/Cargo.toml", "[dependencies]\nspanbridge = { path = \"../host/runtime\" }"),
        ("host/runtime/Cargo.toml", "[dependencies]\nspanbridge-wire.workspace = true"),
        ("host/gateway/Cargo.toml", "[dev-dependencies]\nspanbridge-tests.workspace = true"),
    ];
    for (path, manifest) in table {
        assert!(!clean(fences::dependencies(path, manifest)), "{path} {manifest}");
        assert!(clean(fences::dependencies("tests/Cargo.toml", manifest)), "{manifest}");
        assert!(clean(fences::dependencies("Cargo.toml", manifest)), "{manifest}");
    }
    let gateway = "[dependencies]\nspanbridge.workspace = true\nspanbridge-wire.workspace = true";
    assert!(clean(fences::dependencies("host/gateway/Cargo.toml", gateway)));
}

#[test]
fn the_code_map_is_compared_both_ways() {
    let map = "# A\n`x.rs`\n## Code map\n`a/src/`: what\n- `lib.rs`, `b/{c, d}.rs`: `fn` x\n\
               ### Host\n`h/` `m.rs`\n## Next\n`y.rs`\n";
    let paths = ["a/src/lib.rs", "a/src/b/c.rs", "a/src/b/d.rs", "a/src/b/tests.rs", "h/m.rs"];
    assert!(clean(code_map::differences(map, &paths)));
    assert_eq!(code_map::differences(map, &paths[1..]), ["a/src/lib.rs: named, but no file"]);
    let more = [&paths[..], &["x.rs"]].concat();
    assert_eq!(code_map::differences(map, &more), ["x.rs: not in the code map"]);
    assert_eq!(code_map::differences("", &["x.rs"]), ["x.rs: not in the code map"]);
}
