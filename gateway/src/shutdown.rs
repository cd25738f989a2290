//! How a server ends (design: drain): from the signal to the last append.
//!
//! In order: it says so (`/readyz` fails, no new socket), closes sessions with 1012 and answers polls, waits for clients
//! to go, gives what it owns to the other nodes where there are any, lets calls that are under way finish, stops the owners, and closes the store when what waits is on disk.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_server::ServerHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cluster::Cluster;
use crate::worker::{Shared, Stage};

/// How long calls that are under way may take once clients had their time: an append waits for one fsync, and a slow
/// disk takes seconds for it.
pub(crate) const CALLS_WAIT: Duration = Duration::from_secs(5);

/// How long the store gets to write what waits, after everything else has ended.
pub(crate) const STORE_WAIT: Duration = Duration::from_secs(10);

/// How long goodbyes get to be written where nothing else is waited for.
const GOODBYES_WAIT: Duration = Duration::from_millis(200);

/// How often it is looked whether clients have gone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The signals that end a server.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the signals do not kill.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Sends clients away and stops serving.
pub(crate) async fn drain(
    shared: &Arc<Shared>,
    server: &ServerHandle,
    mut signals: Signals,
    cluster: Option<&Cluster>,
) {
    let drain = Duration::from_millis(u64::from(shared.config.drain_ms));
    tracing::info!(sockets = shared.seats.taken(), "stopping");
    shared.enter(Stage::Draining);
    let begun = Instant::now();
    let gone = async {
        while shared.seats.taken() > 0 && begun.elapsed() < drain {
            actix_rt::time::sleep(LOOK_AGAIN).await;
        }
        if let Some(cluster) = cluster {
            cluster.leave().await;
        }
        shared.enter(Stage::Stopping);
        server.stop(true).await;
    };
    tokio::select! {
        () = gone => {}
        () = signals.wait() => {
            // Asked twice: nobody is waited for. What was answered is on disk in any case.
            tracing::warn!("stopping at once");
            server.stop(false).await;
        }
    }
}

/// Sends clients away and stops serving without waiting for anybody: nothing that this server could still do would last. Answers whether
/// it was asked to end before that was done.
pub(crate) async fn break_off(shared: &Arc<Shared>, server: &ServerHandle, signals: &mut Signals) -> bool {
    tracing::info!(sockets = shared.seats.taken(), "breaking off");
    shared.enter(Stage::Draining);
    actix_rt::time::sleep(GOODBYES_WAIT).await;
    shared.enter(Stage::Stopping);
    server.stop(false).await;
    actix_rt::time::timeout(Duration::ZERO, signals.wait()).await.is_ok()
}

/// Ends the process with success when the given time has passed, whatever still runs: every answered event is on disk,
/// and an operator counts on the end.
pub(crate) fn end_within(limit: Duration) {
    let watch = move || {
        std::thread::sleep(limit);
        // Standard error may be gone; then there is nobody to tell.
        let _ = writeln!(
            std::io::stderr(),
            "rill: stopping took too long; what had not been answered is not kept"
        );
        std::process::exit(0);
    };
    if let Err(error) = std::thread::Builder::new().name("end".to_owned()).spawn(watch) {
        tracing::warn!(%error, "the end of this process is not watched");
    }
}
