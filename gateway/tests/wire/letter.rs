//! Letters that the server has put into files, read as their readers do.
//!
//! Not here: what they should say.

use std::path::PathBuf;

/// The newest letter to an address that says something, with its lines put together again; `None` while there is none.
/// Letters go out each by itself, so an earlier one of another matter may be the last to arrive.
pub(crate) fn newest(folders: &[PathBuf], email: &str, saying: &str) -> Option<String> {
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let files = entries.map(|entry| entry.path());
    let letters = files.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
    let to = format!("To: {email}");
    let mut found: Vec<_> = letters
        .filter_map(|path| {
            Some((path.metadata().ok()?.modified().ok()?, std::fs::read_to_string(&path).ok()?))
        })
        .filter(|(_, text)| text.lines().any(|line| line == to))
        .map(|(written, text)| (written, text.replace("=\r\n", "").replace("=3D", "=")))
        .filter(|(_, text)| text.contains(saying))
        .collect();
    found.sort();
    found.pop().map(|(_, text)| text)
}

/// What a letter's link carries.
pub(crate) fn link(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("_id=")?;
    Some(rest.chars().take_while(char::is_ascii_alphanumeric).collect())
}
