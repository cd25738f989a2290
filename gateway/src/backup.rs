//! `rill backup` and `rill restore`.
//!
//! A store belongs to one process. So a running server makes the copy itself: it listens on a Unix socket in its data
//! folder, which only its own user can open, and `rill backup` asks through it. Without a server the command opens the
//! store and does the same. Not here: the copy's format (the store's).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use rill_actors::blobs::{Blobs, Folder};
use rill_actors::store::embedded::{BackupError, Copied, Embedded, OpenError, RestoreError, restore};

/// The socket's name in the data folder.
const CONTROL: &str = "control";

/// How an answer begins when the copy is made; what should be known of it follows.
const DONE: &str = "ok";

/// The longest request: the longest path that the system knows.
const REQUEST_BYTES_MAX: u64 = 4_096;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The copy cannot be written.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The server that has the store cannot be asked, or said no.
    #[error("the server that uses {} made no backup: {reason}", data.display())]
    Server {
        /// The data folder.
        data: PathBuf,
        /// What was in the way.
        reason: String,
    },
    /// The file has no place.
    #[error("cannot find {}: {source}", path.display())]
    Path {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// `rill backup`: makes a copy of the store and its files in a file. Answers with what whoever keeps it should know.
pub(crate) fn back_up(data: &Path, to: &Path) -> Result<Option<String>, CopyError> {
    let to = std::path::absolute(to).map_err(|source| CopyError::Path { path: to.to_owned(), source })?;
    match open_there(data) {
        Ok(store) => {
            let unusable = |source| OpenError::Unusable { path: data.to_owned(), source };
            let blobs = Folder::open(data).map_err(unusable)?;
            Ok(note(store.backup(&to, &blobs)?))
        }
        Err(OpenError::InUse { .. }) => {
            ask(data, &to).map_err(|reason| CopyError::Server { data: data.to_owned(), reason })
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens the store of a folder that is there: a backup makes no empty store by mistake.
fn open_there(data: &Path) -> Result<Arc<Embedded>, OpenError> {
    match std::fs::read_dir(data) {
        Ok(_) => Embedded::open(data),
        Err(source) => Err(OpenError::Unusable { path: data.to_owned(), source }),
    }
}

/// What a copy lacks.
fn note(copied: Copied) -> Option<String> {
    (copied.missing > 0).then(|| {
        format!("the copy lacks {} files that messages name: their bytes are not there", copied.missing)
    })
}

fn ask(data: &Path, to: &Path) -> Result<Option<String>, String> {
    let say = |error: std::io::Error| error.to_string();
    let mut stream = UnixStream::connect(data.join(CONTROL)).map_err(say)?;
    let path = to.to_str().filter(|path| !path.contains('\n')).ok_or("the file's name is no plain text")?;
    writeln!(stream, "backup {path}").map_err(say)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(say)?;
    match answer.trim_end() {
        "" => Err("it ended before it answered".to_owned()),
        answer => match answer.strip_prefix(DONE) {
            Some(note) => Ok(Some(note.trim().to_owned()).filter(|note| !note.is_empty())),
            None => Err(answer.to_owned()),
        },
    }
}

/// `rill restore`: makes a store from a copy, in a folder that is missing or empty.
pub(crate) fn bring_back(from: &Path, data: &Path) -> Result<(), RestoreError> {
    restore(from, data)
}

/// Answers `rill backup` for as long as the process runs.
pub(crate) fn listen(data: &Path, store: &Arc<Embedded>, blobs: Arc<dyn Blobs>) -> std::io::Result<()> {
    let path = data.join(CONTROL);
    // Left over from a process that was killed: the store's lock says that there is none any more.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let store = Arc::downgrade(store);
    std::thread::Builder::new().name("control".to_owned()).spawn(move || {
        // One after the other: a second copy at the same time would only slow the first down.
        for stream in listener.incoming().flatten() {
            if let Err(error) = answer(&stream, &store, &*blobs) {
                tracing::warn!(%error, "a backup request ended early");
            }
        }
    })?;
    Ok(())
}

fn answer(stream: &UnixStream, store: &Weak<Embedded>, blobs: &dyn Blobs) -> std::io::Result<()> {
    use std::io::Read;
    let mut request = String::new();
    BufReader::new(stream.take(REQUEST_BYTES_MAX)).read_line(&mut request)?;
    let outcome = match (request.trim_end_matches('\n').strip_prefix("backup "), store.upgrade()) {
        (Some(path), Some(store)) => store.backup(Path::new(path), blobs).map_err(|error| error.to_string()),
        (Some(_), None) => Err("the server is about to stop".to_owned()),
        (None, _) => Err("unknown request".to_owned()),
    };
    let mut stream = stream;
    match outcome {
        Ok(copied) => {
            tracing::info!(files = copied.files, missing = copied.missing, "a backup was made");
            writeln!(stream, "{DONE} {}", note(copied).unwrap_or_default())
        }
        Err(reason) => writeln!(stream, "{}", reason.replace('\n', " ")),
    }
}
