//! The server: takes connections in, each a task of its own, and no more than there may be.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::connection::{Connection, farewell};
use super::own::OwnConnections;
use super::rpc::RpcError;
use super::socket::SocketPlace;
use super::state::ControlState;
use crate::metrics::{OutageLog, Words};
use crate::supervision::{ChildSpec, EndReason, report_state};

/// Pause after a connection that could not be taken, which means that files have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
#[derive(Debug, Clone)]
enum Entrance {
    Socket(Arc<SocketPlace>),
    Own(OwnConnections),
}

/// The same, open.
enum Incoming {
    Socket(UnixListener),
    Own(OwnConnections),
}

impl Entrance {
    fn open(&self) -> std::io::Result<Incoming> {
        match self {
            Self::Socket(place) => place.listener().map(Incoming::Socket),
            Self::Own(own) => Ok(Incoming::Own(own.clone())),
        }
    }
}

impl Incoming {
    async fn accept(&self) -> std::io::Result<UnixStream> {
        match self {
            Self::Socket(listener) => listener.accept().await.map(|(stream, _)| stream),
            Self::Own(own) => own.accept().await,
        }
    }
}

/// The server of a socket as a child of the engine's supervisor, on a thread of its own.
pub fn server_spec(place: Arc<SocketPlace>, control: Arc<ControlState>) -> ChildSpec {
    spec("control_server", Entrance::Socket(place), control)
}

/// The server for the process that the engine is inside of.
pub fn own_server_spec(own: OwnConnections, control: Arc<ControlState>) -> ChildSpec {
    spec("own_control_server", Entrance::Own(own), control)
}

fn spec(name: &'static str, entrance: Entrance, control: Arc<ControlState>) -> ChildSpec {
    ChildSpec::looped_apart(name, move || serve(entrance.clone(), control.clone()))
}

async fn serve(entrance: Entrance, control: Arc<ControlState>) -> EndReason {
    let (incoming, ours) = match (entrance.open(), own_uid()) {
        (Ok(incoming), Ok(ours)) => (incoming, ours),
        (Err(cause), _) | (_, Err(cause)) => {
            return EndReason::Died(format!("the control socket cannot be served: {cause}"));
        }
    };
    let watch = control.clone();
    // Neither ends by itself.
    tokio::join!(
        async move { watch.watch.run().await },
        accept(incoming, control, ours)
    );
    EndReason::Normal
}

/// How the server stands.
#[derive(Debug, Serialize)]
struct ServerState {
    connections: usize,
    connections_max: usize,
}

/// Takes connections in until it is dropped, and then ends them.
async fn accept(incoming: Incoming, control: Arc<ControlState>, ours: u32) {
    let mut connections = JoinSet::new();
    let outage = OutageLog::new(Words {
        over: "the control socket takes connections again",
        failures: "tries failed",
    });
    let max = control.limits.connections;
    loop {
        report_state(&ServerState {
            connections: connections.len(),
            connections_max: max,
        });
        tokio::select! {
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = ended && error.is_panic() {
                    // The hook has told what it was; it cost this connection and no other.
                    tracing::error!("a connection to the control socket ended by a bug");
                }
            }
            accepted = incoming.accept() => match accepted {
                Ok(stream) => {
                    outage.worked(0);
                    match greet(&stream, ours, connections.len(), max) {
                        Ok(()) => {
                            let connection = Connection::new(stream, control.clone());
                            connections.spawn_local(async move {
                                // An error here is a client that has gone.
                                let _ = connection.run().await;
                            });
                        }
                        Err(error) => send_away(stream, error),
                    }
                }
                Err(error) => {
                    let why = format!("the control socket takes nobody in just now: {error}");
                    outage.failed(0, why);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn greet(stream: &UnixStream, ours: u32, open: usize, max: usize) -> Result<(), RpcError> {
    let theirs = stream.peer_cred().map(|peer| peer.uid()).ok();
    if !may_connect(ours, theirs) {
        let why = "this engine belongs to another user";
        return Err(RpcError::new(RpcError::FORBIDDEN, why));
    }
    if open >= max {
        let why = format!("{max} connections are open, which is all there may be; close one");
        return Err(RpcError::new(RpcError::LIMIT, why));
    }
    Ok(())
}

/// The engine's own user, and root, from whom nothing can be kept anyway.
fn may_connect(ours: u32, theirs: Option<u32>) -> bool {
    theirs.is_some_and(|theirs| theirs == ours || theirs == 0)
}

/// Says why, if that needs no waiting, and closes.
fn send_away(stream: UnixStream, error: RpcError) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(&farewell(error));
    }
}

/// A pair of sockets of this process knows whose it is.
fn own_uid() -> std::io::Result<u32> {
    let (one, _other) = UnixStream::pair()?;
    Ok(one.peer_cred()?.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_user_may_not_connect_nor_one_who_is_not_known() {
        assert!(may_connect(1000, Some(1000)));
        assert!(may_connect(1000, Some(0)));
        assert!(!may_connect(1000, Some(1001)));
        assert!(!may_connect(0, Some(1000)));
        assert!(!may_connect(0, None));
    }

    #[actix::test]
    async fn our_own_user_is_found_by_the_system() {
        use std::os::unix::fs::MetadataExt;
        let ours = std::fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(own_uid().unwrap(), ours);
    }
}
