//! Media types: which one a file has, and which may be shown inside of a page.
//!
//! Pictures are known by their first bytes; everything else by the ending of its name. What a client says of its file is
//! not believed: a browser acts on the type that we answer with.

/// Endings of names and what they mean. Whatever is not here is only a row of bytes.
const BY_ENDING: &[(&str, &str)] = &[
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("avi", "video/x-msvideo"),
    ("bmp", "image/bmp"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eml", "message/rfc822"),
    ("flac", "audio/flac"),
    ("gz", "application/gzip"),
    ("heic", "image/heic"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/x-icon"),
    ("ics", "text/calendar"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("log", "text/plain"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("rtf", "application/rtf"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

/// Whatever nothing more is known of.
const BYTES: &str = "application/octet-stream";

/// The type of a file by its name.
#[must_use]
pub fn kind_of(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    let known = BY_ENDING.binary_search_by_key(&ending.as_str(), |(known, _)| known);
    known.map_or(BYTES, |at| BY_ENDING[at].1)
}

/// Whether a browser may show a file of this type in place of saving it: pictures of the kinds that hold nothing but a
/// picture, and that only their first bytes can make a file of (SVG is a program).
#[must_use]
pub fn is_shown_inline(file_type: &str) -> bool {
    matches!(file_type, "image/png" | "image/jpeg" | "image/gif" | "image/webp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_name_says_the_type() {
        assert!(BY_ENDING.is_sorted_by_key(|(ending, _)| *ending), "it is searched by halves");
        assert_eq!(kind_of("Plan.PDF"), "application/pdf");
        assert_eq!(kind_of("a.tar.gz"), "application/gzip");
        for unknown in ["", "README", "a.exe", "photo.png", ".", "pdf"] {
            assert_eq!(kind_of(unknown), BYTES, "{unknown}");
        }
        assert!(BY_ENDING.iter().all(|(_, kind)| !is_shown_inline(kind)), "these are known by their bytes");
    }
}
