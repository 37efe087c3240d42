//! Connections: taken up to a number, over TLS if asked, and closed in good order.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt};

use crate::login::Peer;

/// How many connections there may be, and how long they may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Further ones wait until another ends.
    pub(crate) connections: usize,
    /// For a TLS handshake, and for the head of a request from when the connection is free for it. A connection that
    /// is idle for so long is closed.
    pub(crate) idle: Duration,
    /// For what is under way when the server is told to stop.
    pub(crate) grace: Duration,
}

/// Answers until `stop` is done, and then until what is under way is finished, or the time for that is over.
pub(crate) async fn serve<S>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: S,
    limits: Limits,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (told, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, peer, slot) = tokio::select! {
            taken = take(&listener, &slots) => taken,
            () = &mut stop => break,
        };
        let connection =
            Connection { tls: tls.clone(), peer, idle: limits.idle, stopping: stopping.clone(), _slot: slot };
        connections.spawn(connection.run(stream, service.clone()));
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = told.send(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.grace, all_ended).await.is_err() {
        tracing::warn!(connections = connections.len(), "stopping although requests are under way");
    }
}

/// The next connection, once there is room for it. Those that wait do so with the system, which bounds them.
async fn take(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, Peer, OwnedSemaphorePermit) {
    loop {
        let slot = Arc::clone(slots).acquire_owned().await.expect("nobody closes the semaphore");
        match listener.accept().await {
            Ok((stream, address)) => return (stream, Peer(address.ip().to_canonical()), slot),
            // The client has gone away already.
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Most likely there are too many open files; some will be closed.
                tracing::error!(%error, "no connection can be taken");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Connection {
    tls: Option<TlsAcceptor>,
    peer: Peer,
    idle: Duration,
    stopping: watch::Receiver<bool>,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn run<S>(mut self, stream: TcpStream, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let _open = crate::observe::connection();
        // Small answers must not wait for more data to fill a packet.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection stays without TCP_NODELAY");
        }
        let Some(tls) = self.tls.take() else { return self.answer(stream, service).await };
        match tokio::time::timeout(self.idle, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.answer(stream, service).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn answer<S>(mut self, stream: impl AsyncRead + AsyncWrite + Unpin, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let peer = self.peer;
        let service = TowerToHyperService::new(service.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.map(Body::new)
        }));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.idle)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let told_to_stop = async { drop(self.stopping.wait_for(|stopping| *stopping).await) };
        let outcome = tokio::select! {
            outcome = &mut connection => outcome,
            () = told_to_stop => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
