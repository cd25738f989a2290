//! The bodies of messages that files are attached to.
//!
//! Not here: the markup itself (proto has it).

use rill_proto::markup::{self, FileRef, Rendered};

use super::File;

/// A typed text as a body with these files.
#[must_use]
pub fn render(text: &str, files: &[File]) -> Rendered {
    show(files, |files| markup::render(text, files))
}

/// A body with other files.
#[must_use]
pub fn with_files(xml: &str, files: &[File]) -> String {
    show(files, |files| markup::with_files(xml, files))
}

/// A body that was copied together with its files: each former one is shown as gone, and its copy behind it.
#[must_use]
pub fn with_copied(xml: &str, former: &[File], copies: &[File]) -> String {
    let former = former.iter().filter(|file| !file.is_deleted);
    let keys: Vec<[String; 2]> = former.zip(copies).map(|(file, copy)| [file.key(), copy.key()]).collect();
    let refs: Vec<FileRef<'_>> = copies
        .iter()
        .zip(&keys)
        .flat_map(|(copy, [former, key])| {
            [
                FileRef { key: former, name: &copy.name, is_deleted: true },
                FileRef { key, name: &copy.name, is_deleted: false },
            ]
        })
        .collect();
    markup::with_files(xml, &refs)
}

/// A file that somebody took out by itself is still shown, as one that is gone.
fn show<T>(files: &[File], with: impl FnOnce(&[FileRef<'_>]) -> T) -> T {
    let shown = || files.iter().filter(|file| !file.is_deleted || file.deleter_id.is_some());
    let keys: Vec<String> = shown().map(File::key).collect();
    let refs: Vec<FileRef<'_>> = shown()
        .zip(&keys)
        .map(|(file, key)| FileRef { key, name: &file.name, is_deleted: file.is_deleted })
        .collect();
    with(&refs)
}
