//! What the head of a file says: whether it is a picture of a kind that browsers show, and how large.
//!
//! Reads the first bytes only and decodes no pixel. Not here: making smaller pictures.

use super::{Content, Digest, Picture, kind_of};

/// How much of a file's beginning is looked at: a JPEG may carry two profiles and a preview before it says its size.
pub const HEAD_BYTES: usize = 256 * 1024;

/// What is known of a file with this name that begins like this.
#[must_use]
pub fn inspect(sha256: Digest, size: u64, name: &str, head: &[u8]) -> Content {
    let found = png(head).map(|picture| ("image/png", picture));
    let found = found.or_else(|| jpeg(head).map(|picture| ("image/jpeg", picture)));
    let found = found.or_else(|| gif(head).map(|picture| ("image/gif", picture)));
    let found = found.or_else(|| webp(head).map(|picture| ("image/webp", picture)));
    let found = found.filter(|(_, picture)| picture.width > 0 && picture.height > 0);
    let file_type = found.map_or_else(|| kind_of(name), |(kind, _)| kind);
    Content { sha256, size, file_type: file_type.to_owned(), picture: found.map(|(_, picture)| picture) }
}

fn picture(width: u32, height: u32) -> Picture {
    Picture { width, height, is_animated: false, orientation: None }
}

/// A reader of numbers that ends where the bytes end.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn big(&mut self, count: usize) -> Option<u32> {
        Some(self.take(count)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn little(&mut self, count: usize) -> Option<u32> {
        Some(self.take(count)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }
}

/// PNG: the size stands in the first chunk; one with an `acTL` chunk before its pixels is animated.
fn png(head: &[u8]) -> Option<Picture> {
    let mut bytes = Bytes(head.strip_prefix(b"\x89PNG\r\n\x1a\n")?);
    bytes.take(4)?;
    (bytes.take(4)? == b"IHDR").then_some(())?;
    let mut found = picture(bytes.big(4)?, bytes.big(4)?);
    bytes.take(5 + 4)?;
    while let (Some(length), Some(kind)) = (bytes.big(4), bytes.take(4)) {
        match kind {
            b"acTL" => found.is_animated = true,
            b"IDAT" => break,
            _ => {}
        }
        let Some(length) = usize::try_from(length).ok().and_then(|length| length.checked_add(4)) else {
            break;
        };
        if bytes.take(length).is_none() {
            break;
        }
    }
    Some(found)
}

/// JPEG: segments until the one that says the size.
fn jpeg(head: &[u8]) -> Option<Picture> {
    let mut bytes = Bytes(head.strip_prefix(b"\xff\xd8")?);
    let mut orientation = None;
    loop {
        (bytes.take(1)? == b"\xff").then_some(())?;
        let mut marker = bytes.big(1)?;
        while marker == 0xFF {
            marker = bytes.big(1)?;
        }
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            continue;
        }
        let length = usize::try_from(bytes.big(2)?).ok()?.checked_sub(2)?;
        let mut segment = Bytes(bytes.take(length)?);
        match marker {
            // Start of frame, in any coding but the three numbers that mean something else.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                segment.take(1)?;
                let (height, width) = (segment.big(2)?, segment.big(2)?);
                return Some(Picture { orientation, ..picture(width, height) });
            }
            0xE1 => orientation = orientation.or_else(|| exif(segment.0)),
            // Pixels, or the end, before any size.
            0xD9 | 0xDA => return None,
            _ => {}
        }
    }
}

/// The orientation of an EXIF segment: entry 0x0112 of the first directory.
fn exif(segment: &[u8]) -> Option<u8> {
    let tiff = segment.strip_prefix(b"Exif\0\0")?;
    let is_little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let number =
        |bytes: &mut Bytes<'_>, count| if is_little { bytes.little(count) } else { bytes.big(count) };
    let mut offset = Bytes(tiff.get(4..)?);
    let mut directory = Bytes(tiff.get(usize::try_from(number(&mut offset, 4)?).ok()?..)?);
    for _ in 0..number(&mut directory, 2)? {
        let mut entry = Bytes(directory.take(12)?);
        let (tag, _kind, _count) = (number(&mut entry, 2)?, number(&mut entry, 2)?, number(&mut entry, 4)?);
        if tag == 0x0112 {
            let value = u8::try_from(number(&mut entry, 2)?).ok()?;
            return (1..=8).contains(&value).then_some(value);
        }
    }
    None
}

/// GIF: it moves when a second frame follows the first; that is looked for in the head alone.
fn gif(head: &[u8]) -> Option<Picture> {
    let rest = head.strip_prefix(b"GIF87a").or_else(|| head.strip_prefix(b"GIF89a"))?;
    let mut bytes = Bytes(rest);
    let mut found = picture(bytes.little(2)?, bytes.little(2)?);
    let flags = bytes.little(1)?;
    bytes.take(2)?;
    skip_colours(&mut bytes, flags);
    let mut frames = 0;
    while let Some(block) = bytes.little(1) {
        match block {
            0x21 => {
                bytes.take(1);
            }
            0x2C => {
                frames += 1;
                let Some(flags) = bytes.take(8).and_then(|_| bytes.little(1)) else { break };
                skip_colours(&mut bytes, flags);
                bytes.take(1);
            }
            _ => break,
        }
        skip_blocks(&mut bytes);
    }
    found.is_animated = frames > 1;
    Some(found)
}

fn skip_colours(bytes: &mut Bytes<'_>, flags: u32) {
    if flags & 0x80 != 0 {
        bytes.take(3 << ((flags & 7) + 1));
    }
}

fn skip_blocks(bytes: &mut Bytes<'_>) {
    while let Some(length) = bytes.little(1).filter(|length| *length > 0) {
        if bytes.take(usize::try_from(length).unwrap_or(usize::MAX)).is_none() {
            bytes.0 = &[];
        }
    }
}

/// WebP in its three forms: lossy, lossless, extended.
fn webp(head: &[u8]) -> Option<Picture> {
    let mut bytes = Bytes(head.strip_prefix(b"RIFF")?);
    bytes.take(4)?;
    (bytes.take(4)? == b"WEBP").then_some(())?;
    let kind = bytes.take(4)?;
    bytes.take(4)?;
    match kind {
        b"VP8 " => {
            bytes.take(3)?;
            (bytes.take(3)? == b"\x9d\x01\x2a").then_some(())?;
            Some(picture(bytes.little(2)? & 0x3FFF, bytes.little(2)? & 0x3FFF))
        }
        b"VP8L" => {
            (bytes.take(1)? == b"\x2f").then_some(())?;
            let bits = bytes.little(4)?;
            Some(picture((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
        }
        b"VP8X" => {
            let flags = bytes.little(1)?;
            bytes.take(3)?;
            let found = picture(bytes.little(3)? + 1, bytes.little(3)? + 1);
            Some(Picture { is_animated: flags & 0x02 != 0, ..found })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The type, and width, height, animation and orientation.
    type Seen = (String, Option<(u32, u32, bool, Option<u8>)>);

    fn seen(name: &str, head: &[u8]) -> Seen {
        let content = inspect(Digest([0; 32]), head.len() as u64, name, head);
        let picture = content.picture;
        let picture = picture.map(|it| (it.width, it.height, it.is_animated, it.orientation));
        (content.file_type, picture)
    }

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], kind, data, &[0; 4]].concat()
    }

    fn a_png(extra: &[u8]) -> Vec<u8> {
        let size = [&400_u32.to_be_bytes()[..], &300_u32.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
        let pixels = chunk(b"IDAT", &[1, 2, 3]);
        [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR", &size)[..], extra, &pixels].concat()
    }

    fn a_jpeg(little: bool) -> Vec<u8> {
        let tiff: &[u8] = if little {
            b"II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\0\0\0\0\0\0\0\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
        } else {
            b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
        };
        let exif = [b"Exif\0\0", tiff].concat();
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let frame = b"\xff\xff\xc2\0\x0b\x08\x03\x36\x02\x36\x01\x01\x11\0";
        [b"\xff\xd8\xff\xe1", &length[..], &exif, frame].concat()
    }

    fn a_gif(frames: usize) -> Vec<u8> {
        let frame = b"\x21\xf9\x04\0\0\0\0\0\x2c\0\0\0\0\x02\0\x03\0\0\x02\x02\x44\x01\0";
        [b"GIF89a\x02\0\x03\0\x80\0\0\0\0\0\xff\xff\xff", &frame.repeat(frames)[..], b"\x3b"].concat()
    }

    #[test]
    fn a_picture_says_its_size_whatever_it_is_called() {
        assert_eq!(seen("a.txt", &a_png(b"")), ("image/png".into(), Some((400, 300, false, None))));
        let moving = a_png(&chunk(b"acTL", &[0; 8]));
        assert_eq!(seen("a.png", &moving).1, Some((400, 300, true, None)));
        for little in [true, false] {
            let expected = ("image/jpeg".into(), Some((566, 822, false, Some(6))));
            assert_eq!(seen("a", &a_jpeg(little)), expected);
        }
        assert_eq!(seen("a", &a_gif(1)), ("image/gif".into(), Some((2, 3, false, None))));
        assert_eq!(seen("a", &a_gif(2)).1, Some((2, 3, true, None)));
        let webp = |kind: &[u8; 4], data: &[u8]| [b"RIFF\0\0\0\0WEBP", &kind[..], &[0; 4], data].concat();
        let lossy = webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a\x02\x40\x03\0");
        assert_eq!(seen("a", &lossy), ("image/webp".into(), Some((2, 3, false, None))));
        let lossless = webp(b"VP8L", &[0x2f, 1 | 0x80, 0, 0, 0]);
        assert_eq!(seen("a", &lossless).1, Some((130, 1, false, None)));
        let extended = webp(b"VP8X", &[2, 0, 0, 0, 1, 0, 0, 2, 0, 0]);
        assert_eq!(seen("a", &extended).1, Some((2, 3, true, None)));
    }

    #[test]
    fn what_is_no_picture_has_the_type_of_its_name() {
        assert_eq!(seen("a.pdf", b"%PDF-1.4"), ("application/pdf".into(), None));
        assert_eq!(seen("a.png", b"<script>"), ("application/octet-stream".into(), None));
        assert_eq!(seen("a.bin", b"\x89PNG\r\n\x1a\n"), ("application/octet-stream".into(), None));
    }

    proptest! {
        #[test]
        fn a_mangled_head_is_read_without_a_panic(
            which in 0..4_usize, cut in 0..80_usize, place in 0..80_usize, byte: u8,
        ) {
            let mut head = [a_png(&chunk(b"acTL", &[0; 8])), a_jpeg(true), a_jpeg(false), a_gif(3)][which].clone();
            head.truncate(cut);
            if let Some(at) = head.get_mut(place) {
                *at = byte;
            }
            seen("a", &head);
        }
    }
}
