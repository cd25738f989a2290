//! What a request carries to say who sends it: token, origin, HTTP Basic; and the cookie that login sets.
//!
//! Pure. Whether a token is worth anything is the account's to say.

use actix_web::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, ORIGIN};
use uuid::Uuid;

/// The cookie that carries the token.
const COOKIE_NAME: &str = "token_id";

/// How long a remembered login lasts in a browser: 400 days, the most that browsers keep a cookie.
const REMEMBERED_S: u64 = 400 * 24 * 60 * 60;

/// The token of a request: from the cookie, or from `Authorization: Bearer` for clients without a cookie jar.
pub(crate) fn token(headers: &HeaderMap) -> Option<Uuid> {
    bearer(headers).or_else(|| cookie(headers)).and_then(|text| Uuid::try_parse(text).ok())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    scheme(headers, "bearer")
}

fn scheme<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim() == COOKIE_NAME)
        .map(|(_, value)| value.trim().trim_matches('"'))
}

/// The `Set-Cookie` of a login. Clients cut the token out by its position: it begins with the name (protocol.md §1.1).
pub(crate) fn set_cookie(token_id: Uuid, is_remembered: bool, is_secure: bool) -> String {
    let mut value = format!("{COOKIE_NAME}={token_id}; HttpOnly; SameSite=Lax; Path=/");
    if is_remembered {
        value.push_str(&format!("; Max-Age={REMEMBERED_S}"));
    }
    if is_secure {
        value.push_str("; Secure");
    }
    value
}

/// Whether a socket may be opened from the page that asks: no browser, the server's own page, or one of the list.
pub(crate) fn is_origin_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if allowed.iter().any(|known| known.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    match (origin.split_once("://"), host) {
        (Some((scheme, from)), Some(host)) => {
            without_port(scheme, from).eq_ignore_ascii_case(without_port(scheme, host))
        }
        (None, _) | (_, None) => false,
    }
}

/// Browsers leave the usual port out; a `Host` header may have it.
fn without_port<'a>(scheme: &str, host: &'a str) -> &'a str {
    let usual = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    host.strip_suffix(usual).unwrap_or(host)
}

/// User and password of HTTP Basic.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let decoded = base64(scheme(headers, "basic")?)?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Decodes base64 with its usual alphabet; `None` when a character is none of it.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6 | u32::from(value)) & 0xFFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(held >> bits & 0xFF).unwrap_or_default());
        }
    }
    Some(out)
}

/// Encodes with the usual alphabet of base64, padded.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let held =
            chunk.iter().fold(0_u32, |held, byte| held << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = held >> (18 - 6 * place) & 0x3F;
            let letter = ALPHABET.get(digit as usize).filter(|_| place <= chunk.len());
            text.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    text
}

/// Whether two secrets are the same, in a time that does not tell how much of them is.
pub(crate) fn is_same_secret(given: &str, secret: &str) -> bool {
    use sha2::{Digest, Sha256};
    // Comparing digests: what the time of the comparison tells is worth nothing.
    Sha256::digest(given) == Sha256::digest(secret)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
    use uuid::Uuid;

    use super::{base64, basic, is_origin_allowed, set_cookie, to_base64, token};

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name.clone(), HeaderValue::from_static(value));
        }
        map
    }

    const TOKEN: &str = "6b9f3f4e-1d1c-4f7e-9d53-0e6f0e4f7a10";

    #[test]
    fn a_token_comes_in_a_cookie_or_as_a_bearer() {
        let wanted = Uuid::try_parse(TOKEN).ok();
        let cookie = headers(&[(COOKIE, "a=b; token_id=6b9f3f4e-1d1c-4f7e-9d53-0e6f0e4f7a10; c=d")]);
        assert_eq!(token(&cookie), wanted);
        let bearer = headers(&[(AUTHORIZATION, "bearer 6b9f3f4e-1d1c-4f7e-9d53-0e6f0e4f7a10")]);
        assert_eq!(token(&bearer), wanted);
        assert_eq!(token(&headers(&[(COOKIE, "token_id=nonsense")])), None);
        assert_eq!(token(&headers(&[(COOKIE, "xtoken_id=6b9f3f4e-1d1c-4f7e-9d53-0e6f0e4f7a10")])), None);
    }

    #[test]
    fn the_cookie_begins_with_the_token() {
        let token_id = Uuid::try_parse(TOKEN).unwrap();
        assert_eq!(
            set_cookie(token_id, false, false),
            format!("token_id={TOKEN}; HttpOnly; SameSite=Lax; Path=/")
        );
        let long = set_cookie(token_id, true, true);
        assert!(long.contains("; Max-Age=") && long.ends_with("; Secure"));
    }

    #[test]
    fn pages_from_elsewhere_are_kept_out() {
        let own = headers(&[(HOST, "chat.example.org"), (ORIGIN, "https://chat.example.org")]);
        assert!(is_origin_allowed(&own, &[]));
        let usual_port = headers(&[(HOST, "chat.example.org:443"), (ORIGIN, "https://chat.example.org")]);
        assert!(is_origin_allowed(&usual_port, &[]));
        let other_port = headers(&[(HOST, "localhost:8080"), (ORIGIN, "http://localhost:3000")]);
        assert!(!is_origin_allowed(&other_port, &[]));
        assert!(is_origin_allowed(&other_port, &["http://localhost:3000".to_owned()]));
        assert!(is_origin_allowed(&headers(&[(HOST, "x")]), &[]));
        assert!(!is_origin_allowed(&headers(&[(HOST, "x"), (ORIGIN, "null")]), &[]));
    }

    #[test]
    fn basic_is_split_at_the_first_colon() {
        let given = headers(&[(AUTHORIZATION, "Basic b3BzOnBhOnNz")]);
        assert_eq!(basic(&given), Some(("ops".to_owned(), "pa:ss".to_owned())));
        assert_eq!(basic(&headers(&[(AUTHORIZATION, "Basic %%%")])), None);
        assert_eq!(base64("YQ==").as_deref(), Some(b"a".as_slice()));
        for text in ["", "a", "ab", "abc", "abcd"] {
            assert_eq!(base64(&to_base64(text.as_bytes())).as_deref(), Some(text.as_bytes()));
        }
        assert_eq!(to_base64(b"ab"), "YWI=");
    }
}
