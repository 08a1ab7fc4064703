//! The console: a socket in the data directory, through which the machine's own commands (`perchd user`) ask the running daemon
//! with the owner's rights. Without a daemon, a command calls the site's use cases itself.

use super::caller::Peer;
use super::router::Answers;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// The socket's name in the data directory.
pub const SOCKET: &str = "control.sock";
/// Commands served at once; people type them one at a time.
const AT_ONCE: usize = 8;
/// Time for a command's request to arrive.
const HEAD: Duration = Duration::from_secs(5);

/// The console's socket; removed when dropped.
pub(super) struct Listening {
    listener: UnixListener,
    path: PathBuf,
}

/// Opens the socket. The caller has the store open and so is the only daemon of this data directory: an existing socket
/// is a leftover.
pub(super) fn listen(data_dir: &Path) -> io::Result<Listening> {
    let path = data_dir.join(SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Listening { listener, path })
}

impl Listening {
    /// Answers commands until it is dropped.
    pub(super) async fn serve(self, answers: Answers) {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(turn) = turns.clone().acquire_owned().await else { return };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "a command disconnected before its request was read");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if !is_ours(&stream) {
                continue;
            }
            let answers = answers.clone();
            tokio::spawn(async move {
                let answer = service_fn(|request: Request<Incoming>| async {
                    Ok::<_, Infallible>(answers.answer(Peer::Console, request).await)
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD)
                    .serve_connection(TokioIo::new(stream), answer);
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a command's connection ended");
                }
                drop(turn);
            });
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // A leftover socket is removed by the next run.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// True if the peer runs as our user. The file's permissions ensure this, except in the moment before they are set.
fn is_ours(stream: &UnixStream) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == ours || peer.uid() == 0)
}

/// The body of the daemon's response to a command.
pub type ConsoleBody = Incoming;

/// Sends one request to the daemon at the other end of its console socket.
///
/// # Errors
///
/// Those of the connection.
pub async fn ask_console(
    stream: UnixStream,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, hyper::Error> {
    let (mut daemon, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    daemon.send_request(request).await
}
