//! The house rules that a compiler does not check: sizes, words, and who may know whom.
//!
//! The rules are pure functions of a file's text, in [`rules`] and [`fences`]; this file walks the
//! project and reports every breach of one rule at once. It knows no Rust grammar: [`source`]
//! blanks comments and strings and counts braces, which is enough.

use std::fs;
use std::path::{Path, PathBuf};

mod code_map;
mod fences;
mod rules;
mod source;
#[cfg(test)]
mod tests;

/// Directories that hold nothing anybody wrote: what is built, and what fuzzing finds.
const NOT_OURS: [&str; 5] = ["target", "corpus", "artifacts", "__pycache__", "node_modules"];

/// Endings of the files that are text and written by hand.
const TEXT: [&str; 10] = ["rs", "toml", "md", "sh", "py", "wit", "json", "txt", "yml", "sha256"];

/// A file of the project.
struct File {
    /// Its path from the root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests are a folder of the project").to_owned()
}

/// Every text file of the project, sorted by path.
fn files() -> Vec<File> {
    let root = root();
    let mut files = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the project") {
            let entry = entry.expect("an entry of a directory");
            let name = entry.file_name().into_string().expect("a name in UTF-8");
            let kind = entry.file_type().expect("the type of an entry");
            if kind.is_dir() && is_ours(&name) {
                open.push(entry.path());
            } else if kind.is_file() && is_text(&name) {
                let path = entry.path();
                let text = fs::read_to_string(&path).expect("text in UTF-8");
                let path = path.strip_prefix(&root).expect("a path below the root");
                files.push(File { path: path.to_str().expect("UTF-8").replace('\\', "/"), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 20, "the walk has lost its way: {} files", files.len());
    files
}

fn is_ours(directory: &str) -> bool {
    (directory == ".ci" || !directory.starts_with('.')) && !NOT_OURS.contains(&directory)
}

fn is_text(name: &str) -> bool {
    matches!(name, "Makefile" | "LICENSE" | "run")
        || name.rsplit_once('.').is_some_and(|(_, ending)| TEXT.contains(&ending))
}

/// Fails with every breach, one a line.
fn assert_tidy(breaches: impl IntoIterator<Item = String>) {
    let breaches: Vec<_> = breaches.into_iter().collect();
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

/// Applies a rule to each Rust file.
fn each_rust(rule: impl Fn(&str, &str) -> Vec<String>) {
    let rust = files().into_iter().filter(File::is_rust);
    assert_tidy(rust.flat_map(|file| rule(&file.path, &file.text)));
}

#[test]
fn lines_are_at_most_100_columns() {
    each_rust(rules::long_lines);
}

#[test]
fn files_are_at_most_400_lines() {
    each_rust(rules::long_file);
}

#[test]
fn functions_are_at_most_70_lines() {
    each_rust(rules::long_functions);
}

#[test]
fn nothing_is_left_for_later() {
    assert_tidy(files().iter().flat_map(|file| rules::unfinished(&file.path, &file.text)));
}

#[test]
fn files_are_named_for_what_they_do() {
    assert_tidy(files().iter().filter_map(|file| rules::vague_name(&file.path)));
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let root = root();
    let checkout = root.to_str().expect("UTF-8");
    assert_tidy(
        files().iter().flat_map(|file| rules::machine_paths(&file.path, &file.text, checkout)),
    );
}

#[test]
fn only_the_files_that_may_know_wasmtime_do() {
    each_rust(fences::wasmtime);
}

#[test]
fn the_codecs_know_no_runtime() {
    each_rust(fences::wire);
}

#[test]
fn crates_depend_in_one_direction() {
    let files = files();
    let manifests = files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    assert_tidy(manifests.flat_map(|file| fences::dependencies(&file.path, &file.text)));
}

#[test]
fn the_code_map_names_every_file_and_no_other() {
    let files = files();
    let paths: Vec<_> =
        files.iter().filter(|file| file.is_rust()).map(|file| file.path.as_str()).collect();
    let architecture = files.iter().find(|file| file.path == "ARCHITECTURE.md");
    let text = architecture.map_or("", |file| file.text.as_str());
    assert_tidy(code_map::differences(text, &paths));
}

#[test]
fn each_test_that_security_md_names_exists() {
    let files = files();
    let text = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        &file.expect("a document of the project").text
    };
    let code: Vec<&str> =
        files.iter().filter(|file| file.is_rust()).map(|file| file.text.as_str()).collect();
    assert_tidy(rules::named_tests_that_are_missing("SECURITY.md", text("SECURITY.md"), &code));
}
