//! Which addresses are fetched from: those of the public internet, and what the operator allows beside it.
//!
//! The guard stands where names become addresses. What it lets through is what is connected to, without another look-up,
//! so that a name cannot answer differently a moment later. Addresses that are written in the url pass it as well, and
//! so does every redirect.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::config::Networks;

/// Resolves as another one does, and refuses names of which any address is not public.
#[derive(Debug)]
pub(super) struct Guard<R> {
    resolver: R,
    networks: Networks,
}

/// An address is not for fetching.
#[derive(Debug, thiserror::Error)]
#[error("this address is not fetched from")]
struct NotPublic;

impl<R> Guard<R> {
    pub(super) fn new(resolver: R, networks: Networks) -> Self {
        Self { resolver, networks }
    }

    fn lets_through(&self, address: IpAddr) -> bool {
        self.networks.contain(address) || is_public(address)
    }
}

impl<R: Resolver> Resolver for Guard<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.resolver.resolve(uri, config, timeout)?;
        // One that is not public among others is no accident.
        match found.iter().all(|address| self.lets_through(address.ip())) {
            true => Ok(found),
            false => Err(io::Error::new(io::ErrorKind::PermissionDenied, NotPublic).into()),
        }
    }
}

/// Whether an error is the guard's.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NotPublic>())
}

/// Whether an address belongs to somebody on the public internet (the special-purpose registries of IANA).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        // "This network", private, loopback, multicast, reserved, broadcast.
        (0 | 10 | 127 | 224..=255, ..)
        // Shared by a provider's customers; link-local, where clouds keep their secrets; private.
        | (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _)
        // Protocol assignments, documentation, 6to4 relays, benchmarks.
        | (192, 0, 0 | 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is given out. Outside of it lie loopback, mapped and translated IPv4, unique local, link-local and
    // multicast addresses. Inside of it some are not public: protocol assignments with Teredo, documentation, and 6to4,
    // which carries an IPv4 address that would have to be judged too.
    (0x2000..=0x3fff).contains(&a)
        && !(a == 0x2001 && (b < 0x0200 || b == 0x0db8))
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_the_public_internet_is_reached() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "2003::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    /// Answers with the next of its lists each time, as a name of an attacker's does.
    #[derive(Debug)]
    struct Changing {
        answers: Vec<Vec<SocketAddr>>,
        asked: AtomicUsize,
    }

    impl Resolver for Changing {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            self.answers[asked].iter().for_each(|address| found.push(*address));
            Ok(found)
        }
    }

    fn agent(answers: &[&[&str]], networks: &str) -> ureq::Agent {
        let parse = |list: &&[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
        let answers = answers.iter().map(parse).collect();
        let guard = Guard::new(Changing { answers, asked: AtomicUsize::new(0) }, networks.parse().unwrap());
        let config = ureq::Agent::config_builder().proxy(None).max_idle_connections(0).build();
        ureq::Agent::with_parts(config, ureq::unversioned::transport::TcpConnector::default(), guard)
    }

    fn is_refused(outcome: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> bool {
        matches!(outcome, Err(ureq::Error::Io(error)) if is_refusal(&error))
    }

    /// Answers each connection with the next of these responses, on an address of the loopback network.
    fn server(address: &str, responses: Vec<String>) -> SocketAddr {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind((address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for response in responses {
                let (mut line, _) = listener.accept().unwrap();
                let _request = line.read(&mut [0; 1024]).unwrap();
                line.write_all(response.as_bytes()).unwrap();
            }
        });
        address
    }

    #[test]
    fn a_name_that_changes_its_mind_is_judged_anew_and_one_private_address_is_enough() {
        let there = server("127.0.0.1", vec!["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned(); 2]);
        let here = there.to_string();
        let agent = agent(
            &[&[&here], &["10.0.0.1:80"], &["8.8.8.8:80", "169.254.169.254:80"], &[&here]],
            "127.0.0.1",
        );
        let ask = || agent.get("http://rebinding.example/").call();
        assert_eq!(ask().unwrap().body_mut().read_to_string().unwrap(), "hi");
        assert!(is_refused(ask()), "the name has moved into a private network");
        assert!(is_refused(ask()), "one of its addresses is not public");
        assert!(ask().is_ok(), "each time it is judged for itself");
    }

    #[test]
    fn a_redirect_is_judged_as_the_first_address_was() {
        let redirect =
            |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        let there = server(
            "127.0.0.1",
            vec![redirect("http://metadata.example/"), redirect("http://other.example/")],
        );
        let here = there.to_string();
        let agent = agent(&[&[&here], &["169.254.169.254:80"], &[&here], &["[::1]:80"]], "127.0.0.1/32");
        assert!(is_refused(agent.get("http://public.example/").call()));
        assert!(is_refused(agent.get("http://public.example/").call()));
    }
}
