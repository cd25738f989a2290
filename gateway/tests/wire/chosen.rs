//! Which tests of a `main` of our own the command line asks for.
//!
//! Not here: the tests.

/// As the standard test harness: the words that are no flags choose, `--skip` drops.
pub(crate) fn is_wanted(name: &str) -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut chosen, mut skipped) = (Vec::new(), Vec::new());
    let mut at = arguments.iter();
    while let Some(argument) = at.next() {
        match argument.as_str() {
            "--skip" => skipped.extend(at.next()),
            "--test-threads" | "--format" | "--color" | "--logfile" | "-Z" | "--nodes" => drop(at.next()),
            flag if flag.starts_with('-') => {}
            _ => chosen.push(argument),
        }
    }
    let is_in = |words: &[&String]| words.iter().any(|word| name.contains(word.as_str()));
    (chosen.is_empty() || is_in(&chosen)) && !is_in(&skipped)
}
