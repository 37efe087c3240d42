//! The least that a web server can do: axum with routes that read the body and answer from memory.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use crate::peers::{Running, free_port};

/// The server in a process of its own, as those that are measured are.
pub(crate) struct Hello {
    pub(crate) running: Running,
    pub(crate) port: u16,
    pub(crate) start: Duration,
}

impl Hello {
    pub(crate) fn start(scratch: &Path) -> Result<Hello> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("hello").arg(port.to_string());
        let (running, start) = Running::start(command, port, &scratch.join("hello.log"))?;
        Ok(Hello { running, port, start })
    }
}

type Texts = Arc<Mutex<HashMap<usize, Bytes>>>;

/// What the process runs.
pub(crate) fn serve(port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = Router::new()
            .route("/bytes/{length}", get(bytes))
            .route("/", post(hello))
            .fallback(|| async { ([(CONTENT_TYPE, "application/json")], "{}") })
            .layer(DefaultBodyLimit::disable())
            .with_state(Texts::default());
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        axum::serve(
            axum::serve::ListenerExt::tap_io(listener, |stream| {
                let _ = stream.set_nodelay(true);
            }),
            router,
        )
        .await?;
        Ok(())
    })
}

async fn hello(body: Bytes) -> impl IntoResponse {
    drop(body);
    ([(CONTENT_TYPE, "application/json")], "{}")
}

/// An answer of a given length, kept from the first time that it is asked for.
async fn bytes(State(texts): State<Texts>, UrlPath(length): UrlPath<usize>) -> impl IntoResponse {
    let mut texts = texts.lock().unwrap_or_else(PoisonError::into_inner);
    let text = texts.entry(length).or_insert_with(|| Bytes::from(vec![b'x'; length])).clone();
    ([(CONTENT_TYPE, "application/json")], text)
}
