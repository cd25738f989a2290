//! Letters that the server has put into files, read as their readers do.
//!
//! Not here: what they should say.

use std::path::Path;

/// The newest letter to an address, with its lines put together again; `None` while there is none.
pub(crate) fn newest(folder: &Path, email: &str) -> Option<String> {
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let letters = files.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
    let to = format!("To: {email}");
    let mut found: Vec<_> = letters
        .filter_map(|path| {
            Some((path.metadata().ok()?.modified().ok()?, std::fs::read_to_string(&path).ok()?))
        })
        .filter(|(_, text)| text.lines().any(|line| line == to))
        .collect();
    found.sort();
    found.pop().map(|(_, text)| text.replace("=\r\n", "").replace("=3D", "="))
}

/// What a letter's link carries.
pub(crate) fn link(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("_id=")?;
    Some(rest.chars().take_while(char::is_ascii_alphanumeric).collect())
}
