//! The known word that is nearest to an unknown one.

/// Longest word that is compared. Longer ones are no slip of the finger, and the work grows with
/// the product of both lengths.
const WORD_CHARS_MAX: usize = 64;

/// Finds the known word that `word` was most likely meant to be: at most a third of its letters
/// have to be added, dropped, changed, or swapped with the next.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    if word.len() > WORD_CHARS_MAX {
        return None;
    }
    let steps_max = (word.len() / 3).max(1);
    let steps = known.iter().map(|known| (distance(&word, known), *known));
    let (steps, nearest) = steps.min_by_key(|(steps, _)| *steps)?;
    (steps <= steps_max).then_some(nearest)
}

/// Edits between two words; two neighbours that swap places are one (optimal string alignment).
fn distance(word: &[char], known: &str) -> usize {
    let known: Vec<char> = known.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=known.len()).collect();
    for (i, letter) in word.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in known.iter().enumerate() {
            let change = above[j] + usize::from(letter != other);
            let mut steps = change.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == known[j - 1] && word[i - 1] == *other {
                steps = steps.min(before[j - 1] + 1);
            }
            row.push(steps);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word_and_another_word_none() {
        let known = ["relation", "delivery", "trust", "scrub", "off"];
        for (word, expected) in [
            ("relaton", Some("relation")),
            ("relatoin", Some("relation")),
            ("Delivery", Some("delivery")),
            ("of", Some("off")),
            ("srcub", Some("scrub")),
            ("relay", None),
            ("x", None),
            ("", None),
            ("sampler", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
        assert_eq!(nearest("a", &[]), None);
        assert_eq!(nearest(&"relation".repeat(100), &known), None);
    }
}
