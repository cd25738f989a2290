//! `rill serve`: opens the store, starts the owners' threads and the workers, and serves until it is told to stop.
//!
//! Not here: what is served (`routes`, `socket`), and how it ends (`shutdown`).

use std::io::Write;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_rt::Arbiter;
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::middleware::NormalizePath;
use rill_actors::blobs::Folder;
use rill_actors::conversation::audience::Site;
use rill_actors::hub::Inboxes;
use rill_actors::link::LinkError;
use rill_actors::node::{Node, Settings};
use rill_actors::outside::Outside;
use rill_actors::store::StoreFault;
use socket2::{Domain, Protocol, Socket, Type};
use tracing_subscriber::EnvFilter;

use crate::cluster::Cluster;
use crate::config::{Config, cores};
use crate::fetch::Fetcher;
use crate::mail::{MailError, Sender};
use crate::notify::Supervisor;
use crate::password::Hasher;
use crate::shutdown::{self, CALLS_WAIT, STORE_WAIT, Signals};
use crate::socket;
use crate::store::{Opened, StoreError};
use crate::worker::{Shared, Stage, Worker};
use crate::{backup, collect, routes};

/// Connections that the kernel holds while the workers are busy: what arrives in a second when ten thousand clients come
/// back after a restart, within what kernels allow.
const BACKLOG: i32 = 4_096;

/// How long an idle HTTP connection stays. Longer than the pause between two polls, and than what usual load balancers
/// keep, which must not send a call into a connection that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(90);

/// How often a starting node looks whether it has joined the others.
const JOINED_LOOK: Duration = Duration::from_millis(50);

/// How long a client may take to send the head of a request.
const REQUEST_HEAD_WAIT: Duration = Duration::from_secs(10);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] StoreError),
    /// The folder for files cannot be used.
    #[error("cannot use {}: {source}", data.display())]
    Files {
        /// The data folder.
        data: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another server serves from the same store now.
    #[error("another server has taken the store over")]
    Superseded,
    /// The other nodes took this one for dead.
    #[error("the other nodes have put this one out")]
    PutOut,
    /// The other nodes cannot be spoken to.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The control socket cannot be made.
    #[error("cannot make the control socket in {}: {source}", data.display())]
    Control {
        /// The data folder.
        data: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Mail cannot be sent as the settings say.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// Passwords cannot be hashed on this system.
    #[error("cannot hash passwords: {0}")]
    Hash(argon2::password_hash::Error),
    /// What an earlier run did not settle cannot be read.
    #[error("cannot read the store: {0}")]
    Resume(#[from] StoreFault),
    /// The setting for the log is no filter.
    #[error("setting log: {0}")]
    Log(#[from] tracing_subscriber::filter::ParseError),
    /// The system gives no threads, or no signals.
    #[error("cannot start: {0}")]
    System(std::io::Error),
}

/// Serves until a signal comes.
pub(crate) fn serve(mut config: Config) -> Result<(), ServeError> {
    // The socket codec calls it an error when a client breaks the protocol; that is the client's, and it is closed for it.
    let filter = EnvFilter::try_new(format!("actix_server=warn,actix_http::ws=off,{}", config.log))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // The address first: a second server must not make a store before it finds that it cannot serve.
    let socket = bind_any(&config.listen)?;
    let store = Opened::open(&config)?;
    let data = config.data.clone();
    let blobs = if config.files_folder.as_os_str().is_empty() {
        Folder::open(&data).map_err(|source| ServeError::Files { data: data.clone(), source })
    } else {
        let folder = config.files_folder.clone();
        Folder::open_shared(&folder).map_err(|source| ServeError::Files { data: folder, source })
    };
    let blobs = Arc::new(blobs?);
    let listener = listen(socket, &config.listen)?;
    config.listen = reached_at(config.listen, &listener)?;
    if let Opened::Embedded(store) = &store {
        backup::listen(&data, store, Arc::clone(&blobs) as _)
            .map_err(|source| ServeError::Control { data, source })?;
        collect::start(store, Arc::clone(&blobs) as _, Duration::from_millis(config.file_collect_ms))
            .map_err(ServeError::System)?;
    }
    let hasher = Hasher::new().map_err(ServeError::Hash)?;
    let outside = outside(&config, &hasher, blobs)?;
    let ended = actix_rt::System::new().block_on(run(config, &store, outside, listener, hasher));
    if !matches!(ended, Err(ServeError::PutOut)) {
        store.close(STORE_WAIT);
        tracing::info!("stopped");
    }
    ended
}

/// What the owners need and cannot do themselves.
fn outside(config: &Config, hasher: &Hasher, blobs: Arc<Folder>) -> Result<Outside, ServeError> {
    let networks = config.fetch_networks.clone();
    let fetch = Fetcher::start(Arc::clone(&blobs) as _, networks, config.file_bytes_max);
    let fetch = Arc::new(fetch.map_err(ServeError::System)?);
    let mail = Arc::new(Sender::new(config)?);
    Ok(Outside { passwords: Arc::new(hasher.clone()), mail, blobs, fetch })
}

async fn run(
    config: Config,
    store: &Opened,
    outside: Outside,
    listener: TcpListener,
    hasher: Hasher,
) -> Result<(), ServeError> {
    let mut signals = Signals::catch().map_err(ServeError::System)?;
    let owners: Vec<Arbiter> = (0..cores()).map(|_| Arbiter::new()).collect();
    let inboxes = Inboxes::new(config.worker_threads());
    let site = Site { public_url: config.public_url(), mail_host: config.mail_host() };
    let settings = Settings {
        idle: Duration::from_millis(config.idle_ms),
        storage_quota: config.storage_quota_bytes,
        tasks_max: config.board_tasks_max,
        files_kept: Duration::from_secs(config.files_kept_s),
        open_registration: config.open_registration,
    };
    let handles = owners.iter().map(Arbiter::handle).collect();
    let node = Node::new(store.shared(), inboxes, site, settings, outside, handles);
    let cluster = Cluster::join(&config, &node).await?;
    node.resume().await?;
    let address = listener.local_addr().map_err(ServeError::System)?;
    let link = cluster.as_ref().map(|cluster| Arc::clone(&cluster.link));
    let shared = Shared::new(node, config, hasher, link);
    let server = server(&shared, listener, address).map_err(ServeError::System)?;
    let handle = server.handle();
    let serving = actix_rt::spawn(server);
    announce(&shared, address);
    let supervisor =
        Supervisor::start(owners.iter().map(Arbiter::handle).collect(), joined(Arc::clone(&shared.node)));
    let is_superseded = tokio::select! {
        () = signals.wait() => false,
        () = store.superseded() => true,
        () = fenced(cluster.as_ref()) => true,
    };
    // One that was superseded ends by its own account, with a status at which a manager starts it again.
    if !is_superseded {
        supervisor.stopping();
    }
    shutdown::end_within(Duration::from_millis(u64::from(shared.config.drain_ms)) + CALLS_WAIT + STORE_WAIT);
    if is_superseded && cluster.is_some() {
        // Whoever asked it to end meanwhile does not want that it begins again.
        let is_asked = shutdown::break_off(&shared, &handle, &mut signals).await;
        return if is_asked { Ok(()) } else { Err(ServeError::PutOut) };
    }
    shutdown::drain(&shared, &handle, signals, cluster.as_ref()).await;
    ended(serving, owners).await;
    if is_superseded { Err(ServeError::Superseded) } else { Ok(()) }
}

/// Waits until this node has joined the others, where there are any.
async fn joined(node: Arc<Node>) {
    while !node.is_open() {
        actix_rt::time::sleep(JOINED_LOOK).await;
    }
}

/// Waits until the other nodes have put this one out.
async fn fenced(cluster: Option<&Cluster>) {
    match cluster {
        None => std::future::pending().await,
        Some(cluster) => cluster.fenced().await,
    }
}

/// Waits for the workers, then stops the owners: nobody is left who could ask them.
async fn ended(serving: actix_rt::task::JoinHandle<std::io::Result<()>>, owners: Vec<Arbiter>) {
    match serving.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the server ended with an error"),
        Err(error) => tracing::error!(%error, "the server's task failed"),
    }
    for owner in &owners {
        owner.stop();
    }
    for owner in owners {
        if owner.join().is_err() {
            tracing::error!("an owners' thread had panicked");
        }
    }
}

/// Takes the first of the addresses that a name stands for and that can be had.
fn bind_any(address: &str) -> Result<Socket, ServeError> {
    let fails = |source| ServeError::Listen { address: address.to_owned(), source };
    let mut last = std::io::Error::other("the name has no address");
    for one in address.to_socket_addrs().map_err(fails)? {
        match bind(one) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(fails(last))
}

fn bind(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that is started again must not wait until the last connections of the one before are forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(socket: Socket, address: &str) -> Result<TcpListener, ServeError> {
    let listening = socket.listen(BACKLOG).map(|()| socket.into());
    listening.map_err(|source| ServeError::Listen { address: address.to_owned(), source })
}

/// The address with the port that the system chose, where the setting leaves it the choice: links are made of it.
fn reached_at(address: String, listener: &TcpListener) -> Result<String, ServeError> {
    let Some(host) = address.strip_suffix(":0") else {
        return Ok(address);
    };
    Ok(format!("{host}:{}", listener.local_addr().map_err(ServeError::System)?.port()))
}

fn server(shared: &Arc<Shared>, listener: TcpListener, address: SocketAddr) -> std::io::Result<Server> {
    let builder: ServerBuilder = Server::build()
        .workers(usize::from(shared.config.worker_threads()))
        .disable_signals()
        .shutdown_timeout(CALLS_WAIT.as_secs());
    let shared = Arc::clone(shared);
    let builder = builder.listen("rill", listener, move || {
        let (http, sockets, ending) = (Arc::clone(&shared), Arc::clone(&shared), Arc::clone(&shared));
        let worker = Worker::here(&http);
        let app = App::new().wrap(NormalizePath::trim()).configure(routes::all);
        let app = match worker {
            Some(worker) => app.app_data(worker),
            None => app,
        };
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(REQUEST_HEAD_WAIT)
            .tcp_nodelay(true)
            .local_addr(address)
            .graceful_shutdown_signal(move || ending.reached(Stage::Stopping))
            .upgrade(fn_service(move |(request, framed)| {
                socket::serve(Arc::clone(&sockets), request, framed)
            }))
            .finish(map_config(app, |()| AppConfig::default()))
            .tcp()
    })?;
    Ok(builder.run())
}

/// One line for programs on standard output; what a person may want to know on standard error.
fn announce(shared: &Shared, address: SocketAddr) {
    let say = |out: &mut dyn Write, line: &str| {
        // Whoever closed the stream does not want to know.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    let url = format!("http://{address}");
    say(&mut std::io::stdout(), &format!("listening on {url}"));
    let mut err = std::io::stderr();
    say(&mut err, &format!("Open {url}/ in a browser, or type in two other terminals:"));
    // As it was called itself: what was built just now is on nobody's path.
    let program = std::env::args().next().unwrap_or_else(|| "rill".to_owned());
    for (name, email) in [("Ada", "ada@example.org"), ("Bob", "bob@example.org")] {
        say(&mut err, &format!("  {program} chat --url {url} --register --email {email} --name {name}"));
    }
    if shared.config.open_registration {
        say(&mut err, "Anybody who reaches this address may register; --open-registration false ends that.");
    }
}
