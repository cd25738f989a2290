//! What lies between a process and a server that it speaks to, and can be closed: then nothing passes and nothing says so, as when a
//! cable is pulled. Opened again, what waited passes.
//!
//! Not here: what is said.

use crate::failure::Failure;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How much passes at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A way that can be closed. Connections that were made through it live until one of their ends goes, or this process does.
#[derive(Debug)]
pub struct Valve {
    gate: Arc<Gate>,
    port: u16,
}

#[derive(Debug, Default)]
struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self) {
        drop(self.opened.wait_while(self.lock(), |is_closed| *is_closed));
    }

    fn set(&self, is_closed: bool) {
        *self.lock() = is_closed;
        self.opened.notify_all();
    }
}

/// One end of a connection.
trait Line: Read + Write + Sized + Send + 'static {
    fn other_handle(&self) -> io::Result<Self>;
    fn end(&self);
}

impl Line for TcpStream {
    fn other_handle(&self) -> io::Result<Self> {
        self.set_nodelay(true)?;
        self.try_clone()
    }

    fn end(&self) {
        // The other end may have gone already.
        let _gone = self.shutdown(Shutdown::Both);
    }
}

impl Line for UnixStream {
    fn other_handle(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn end(&self) {
        // As above.
        let _gone = self.shutdown(Shutdown::Both);
    }
}

impl Valve {
    /// The way from an address of this machine to one of its ports, open.
    pub fn to_port(from: IpAddr, upstream: u16) -> Result<Self, Failure> {
        Self::begin(from, move || TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)))
    }

    /// The way from an address of this machine to a Unix socket, open.
    pub fn to_socket(from: IpAddr, upstream: PathBuf) -> Result<Self, Failure> {
        Self::begin(from, move || UnixStream::connect(&upstream))
    }

    fn begin<F: Line>(
        from: IpAddr,
        connect: impl Fn() -> io::Result<F> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let listener = TcpListener::bind((from, 0))?;
        let port = listener.local_addr()?.port();
        Ok(Self { gate: serve(listener, connect)?, port })
    }

    /// The port where the way begins.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Nothing passes any more.
    pub fn close(&self) {
        self.gate.set(true);
    }

    /// Everything passes.
    pub fn open(&self) {
        self.gate.set(false);
    }
}

impl Drop for Valve {
    fn drop(&mut self) {
        self.open();
    }
}

/// Takes connections and carries on what they say.
fn serve<F: Line>(
    listener: TcpListener,
    connect: impl Fn() -> io::Result<F> + Send + Sync + 'static,
) -> Result<Arc<Gate>, Failure> {
    let gate = Arc::new(Gate::default());
    let (shared, connect) = (Arc::clone(&gate), Arc::new(connect));
    std::thread::Builder::new().name("valve".to_owned()).spawn(move || {
        while let Ok((near, _)) = listener.accept() {
            let (gate, connect) = (Arc::clone(&shared), Arc::clone(&connect));
            std::thread::spawn(move || {
                gate.wait();
                // Whoever does not get through finds the connection ended.
                let _ended = connect().and_then(|far| carry_both(near, far, &gate));
            });
        }
    })?;
    Ok(gate)
}

fn carry_both<N: Line, F: Line>(near: N, far: F, gate: &Arc<Gate>) -> io::Result<()> {
    let (near_again, far_again, back) = (near.other_handle()?, far.other_handle()?, Arc::clone(gate));
    std::thread::spawn(move || carry(far_again, near_again, &back));
    carry(near, far, gate);
    Ok(())
}

/// Carries on what one end says, its end included.
fn carry<F: Line, T: Line>(mut from: F, mut to: T, gate: &Gate) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = from.read(&mut piece).unwrap_or(0);
        gate.wait();
        if read == 0 || to.write_all(&piece[..read]).is_err() {
            from.end();
            return to.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn nothing_passes_a_closed_valve_and_what_waited_passes_an_open_one() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let valve = Valve::to_port(Ipv4Addr::LOCALHOST.into(), server.local_addr().unwrap().port()).unwrap();
        let mut near = TcpStream::connect(("127.0.0.1", valve.port())).unwrap();
        let (mut far, _) = server.accept().unwrap();
        near.write_all(b"one").unwrap();
        let mut heard = [0; 3];
        far.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"one");

        valve.close();
        near.write_all(b"two").unwrap();
        far.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(far.read_exact(&mut heard).is_err(), "nothing passes");
        valve.open();
        far.set_read_timeout(None).unwrap();
        far.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"two");

        drop(near);
        assert_eq!(far.read(&mut heard).unwrap(), 0, "the end passes as well");
    }
}
