//! What a service manager is told of this process, by the protocol of `sd_notify(3)`: ready, alive, on its way out.
//!
//! Nobody listens where `NOTIFY_SOCKET` is not set, and nothing is done. Not here: when a server is ready, and what ends it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::rc::Rc;
use std::time::Duration;

use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;

/// How long a manager that does not read may hold this process up. It reads at once, or it is in trouble itself.
const TELL_WAIT: Duration = Duration::from_secs(1);

/// How many times within the manager's patience it is told that this process lives: as `sd_watchdog_enabled(3)` asks.
const ALIVE_TIMES: u32 = 2;

/// Whoever started this process and wants to hear of it; may be nobody.
pub(crate) struct Supervisor(Option<Rc<Listener>>);

/// The socket on which a service manager listens.
struct Listener {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Supervisor {
    /// From now on it is told that this process lives, for as long as every owners' thread gets its turn; and that the server
    /// is ready, once it is.
    pub(crate) fn start(owners: Vec<ArbiterHandle>, ready: impl Future<Output = ()> + 'static) -> Self {
        let listener = std::env::var_os("NOTIFY_SOCKET").and_then(|name| {
            let listener = Listener::at(&name);
            listener.inspect_err(|error| tracing::warn!(%error, "NOTIFY_SOCKET cannot be used")).ok()
        });
        let listener = listener.map(Rc::new);
        if let Some(listener) = &listener {
            let set = |name: &str| std::env::var(name).ok();
            let every = alive_every(set("WATCHDOG_USEC"), set("WATCHDOG_PID"), std::process::id());
            if let Some(every) = every {
                actix_rt::spawn(Rc::clone(listener).keep_telling(every, owners));
            }
            let listener = Rc::clone(listener);
            actix_rt::spawn(async move {
                ready.await;
                listener.tell("READY=1");
            });
        }
        Self(listener)
    }

    /// It is told that the server is on its way out, for good.
    pub(crate) fn stopping(&self) {
        if let Some(listener) = &self.0 {
            listener.tell("STOPPING=1");
        }
    }
}

impl Listener {
    /// By its path, or by an abstract name that begins with `@`.
    fn at(name: &OsStr) -> std::io::Result<Self> {
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => abstract_address(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(TELL_WAIT))?;
        Ok(Self { socket, address })
    }

    fn tell(&self, what: &str) {
        if let Err(error) = self.socket.send_to_addr(what.as_bytes(), &self.address) {
            tracing::warn!(%error, what, "the service manager cannot be told");
        }
    }

    async fn keep_telling(self: Rc<Self>, every: Duration, owners: Vec<ArbiterHandle>) {
        let mut interval = actix_rt::time::interval(every);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            turn_of_each(&owners).await;
            self.tell("WATCHDOG=1");
        }
    }
}

/// Ends when every thread has had its turn: one that hangs is not heard of.
async fn turn_of_each(threads: &[ArbiterHandle]) {
    for thread in threads {
        let (had, turn) = oneshot::channel::<()>();
        // Dropping it says as much; and a thread that has ended drops it at once, since the server is ending.
        thread.spawn(async move { drop(had) });
        let _ended = turn.await;
    }
}

/// How often the manager wants to be told that process `own_id` lives; `None` where it does not.
fn alive_every(usec: Option<String>, id: Option<String>, own_id: u32) -> Option<Duration> {
    let is_meant = id.is_none_or(|id| id.parse() == Ok(own_id));
    let patience = Duration::from_micros(usec?.parse().ok()?);
    (is_meant && !patience.is_zero()).then_some(patience / ALIVE_TIMES)
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> std::io::Result<SocketAddr> {
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_name: &[u8]) -> std::io::Result<SocketAddr> {
    Err(std::io::Error::other("only Linux has sockets without a path"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::net::UnixDatagram;
    use std::sync::mpsc;
    use std::time::Duration;

    use actix_rt::{Arbiter, System};

    use super::{Listener, abstract_address, alive_every, turn_of_each};

    fn hears(listener: &UnixDatagram) -> String {
        listener.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut bytes = [0; 64];
        let size = listener.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..size].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_listens_at_a_path_or_under_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        Listener::at(path.as_os_str()).unwrap().tell("READY=1");
        assert_eq!(hears(&by_path), "READY=1");
        let name = format!("rill-notify-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&abstract_address(name.as_bytes()).unwrap()).unwrap();
        Listener::at(OsStr::new(&format!("@{name}"))).unwrap().tell("STOPPING=1");
        assert_eq!(hears(&by_name), "STOPPING=1");
    }

    #[test]
    fn an_address_that_is_none_is_an_error_and_nobody_at_it_is_none() {
        assert!(Listener::at(OsStr::new(&"x".repeat(200))).is_err(), "longer than a socket's path can be");
        Listener::at(OsStr::new("/nowhere/notify")).unwrap().tell("READY=1");
    }

    #[test]
    fn signs_of_life_come_twice_within_the_patience_of_who_wants_them() {
        let every =
            |usec: &str, id: Option<&str>| alive_every(Some(usec.to_owned()), id.map(str::to_owned), 7);
        assert_eq!(every("30000000", None), Some(Duration::from_secs(15)));
        assert_eq!(every("30000000", Some("7")), Some(Duration::from_secs(15)));
        assert_eq!(every("30000000", Some("8")), None, "another process is meant");
        assert_eq!(every("0", None), None);
        assert_eq!(every("soon", None), None);
        assert_eq!(alive_every(None, None, 7), None);
    }

    #[test]
    fn a_thread_that_hangs_gets_no_turn() {
        System::new().block_on(async {
            let threads = [Arbiter::new(), Arbiter::new()];
            let handles = threads.each_ref().map(Arbiter::handle);
            turn_of_each(&handles).await;
            let (go_on, hangs) = mpsc::channel::<()>();
            threads[1].spawn_fn(move || {
                let _sender_gone = hangs.recv();
            });
            let mut turn = Box::pin(turn_of_each(&handles));
            let wait = Duration::from_millis(200);
            assert!(actix_rt::time::timeout(wait, &mut turn).await.is_err(), "one thread hangs");
            go_on.send(()).unwrap();
            turn.await;
            threads.iter().for_each(|thread| assert!(thread.stop()));
            // One that has ended keeps nobody waiting.
            for thread in threads {
                thread.join().unwrap();
            }
            turn_of_each(&handles).await;
        });
    }
}
