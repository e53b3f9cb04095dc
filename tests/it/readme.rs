//! What README.md shows is what the program does.

use anyhow::{Context, Result};
use spanbridge_tests::Program;
use spanbridge_tests::program::Dialogue;

fn readme() -> Result<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    std::fs::read_to_string(path).context("README.md")
}

/// The content of the fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Letters alone: numbers, ids and bars differ from run to run.
fn letters(text: &str) -> Vec<String> {
    let words = text.split(|character: char| !character.is_alphabetic());
    let is_unit = |word: &str| ["ms", "µs", "s"].contains(&word);
    let is_id = |word: &str| word.chars().all(|c| c.is_ascii_hexdigit());
    words.filter(|w| !w.is_empty() && !is_unit(w) && !is_id(w)).map(str::to_owned).collect()
}

#[test]
fn the_waterfall_is_the_one_of_the_demo() -> Result<()> {
    let readme = readme()?;
    let shown = blocks(&readme, "text").into_iter().find(|block| block.contains("trace "));
    let shown = shown.context("expected a waterfall in README.md")?;
    let demo = Program::run(&["demo"])?;
    assert_eq!(letters(&demo.output.join("\n")), letters(shown));
    Ok(())
}

#[test]
fn the_commands_answer_what_is_shown() -> Result<()> {
    let readme = readme()?;
    let mut ran = 0;
    for block in blocks(&readme, "console") {
        let mut lines = block.lines();
        while let Some(command) = lines.next() {
            let command = command.strip_prefix("$ echo '").context("expected `$ echo '`")?;
            let (input, program) = command.split_once("' | spanbridge ").context("a pipe")?;
            let arguments: Vec<&str> = program.split(' ').collect();
            let expected = lines.next().context("expected an answer")?;
            let answer = Dialogue::start(&arguments)?.ask(input)?;
            assert_eq!(answer, serde_json::from_str::<serde_json::Value>(expected)?);
            ran += 1;
        }
    }
    assert_eq!(ran, 2);
    Ok(())
}
