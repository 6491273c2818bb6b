//! The HTTP listener: `/metrics`, `/healthz`, `/readyz`, and 404 for everything else.
//!
//! A slow or silent client costs one connection for at most a minute, and less when others want its place: the header timer is set
//! (hyper has none by itself), connections are counted, and each serves one request.
//!
//! Never here: what the pages say ([`Pages`] does), a way to change anything.

mod places;

pub use places::{Places, Progress, Watched};

use crate::metrics::Text;
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{MsgFlags, recv};
use std::convert::Infallible;
use std::future::Future;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// For the request's head.
const HEAD: Duration = Duration::from_secs(10);
/// For a whole connection.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is written waits in memory of this size for a slow client.
const BUFFER: usize = 128 << 10;
/// At a time, per listener.
const CONNECTIONS: usize = 512;
/// Of them, for one address: from then on it first gives up its own that do not get on.
const OF_PEER: usize = 32;
/// Connections that the kernel keeps until they are accepted: a burst of others must not make a scrape wait for a second SYN.
const BACKLOG: i32 = 4096;

/// A future of a page.
pub type Page<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the pages say.
pub trait Pages: Send + Sync + 'static {
    /// `/metrics`; `None` while the engine does not answer.
    fn metrics(&self) -> Page<Option<Text>>;
    /// `/healthz`: the process lives; `Err` says what does not.
    fn health(&self) -> Result<(), String>;
    /// `/readyz`: everything works; `Err` lists all that does not.
    fn ready(&self) -> Page<Result<(), Vec<String>>>;
}

/// Which pages a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// All.
    All,
    /// `/healthz` and `/readyz`; `/metrics` is elsewhere.
    WithoutMetrics,
    /// `/metrics` only.
    MetricsOnly,
}

/// Serves until the runtime ends.
pub async fn serve(listener: TcpListener, pages: Arc<dyn Pages>, offer: Offer) {
    // Where the kernel refuses, the shorter queue of the start stays.
    let _ = socket2::SockRef::from(&listener).listen(BACKLOG);
    let places = Places::new(CONNECTIONS, OF_PEER);
    loop {
        match listener.accept().await {
            Ok((client, from)) => {
                let pages = Arc::clone(&pages);
                let has_asked = has_asked(&client);
                let work = |progress: Arc<Progress>| {
                    if has_asked {
                        progress.asked();
                    }
                    async move {
                        let serve = connection(Watched::new(client, Arc::clone(&progress)), pages, offer, progress);
                        let _ = tokio::time::timeout(PATIENCE, serve).await;
                    }
                };
                places.seat(Some(from.ip().to_canonical()), work).await;
            }
            // Out of file descriptors: wait for some to be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Whether a whole head waits to be read: on a busy host the one who has asked must not be taken for one who is silent.
fn has_asked(client: &TcpStream) -> bool {
    let mut head = [0; 4096];
    let peeked = recv(
        client.as_raw_fd(),
        &mut head,
        MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT,
    );
    let read = peeked.ok().and_then(|n| head.get(..n));
    read.is_some_and(|read| read.windows(4).any(|w| w == b"\r\n\r\n"))
}

async fn connection(client: Watched<TcpStream>, pages: Arc<dyn Pages>, offer: Offer, progress: Arc<Progress>) {
    let service = service_fn(move |request| {
        progress.asked();
        let pages = Arc::clone(&pages);
        async move { Ok::<_, Infallible>(answer(&request, &*pages, offer).await) }
    });
    // An error here is the client's: it went away, or spoke no HTTP.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(client), service)
        .await;
}

async fn answer(request: &Request<Incoming>, pages: &dyn Pages, offer: Offer) -> Response<Content> {
    let path = request.uri().path();
    let offered = match path {
        "/metrics" => offer != Offer::WithoutMetrics,
        "/healthz" | "/readyz" => offer != Offer::MetricsOnly,
        _ => false,
    };
    if !offered {
        return text(
            StatusCode::NOT_FOUND,
            "not found: hinomi serves /metrics, /healthz and /readyz\n",
        );
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        refused
            .headers_mut()
            .insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match path {
        "/metrics" => metrics(pages).await,
        "/healthz" => match pages.health() {
            Ok(()) => text(StatusCode::OK, "ok\n"),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
        },
        _ => match pages.ready().await {
            Ok(()) => text(StatusCode::OK, "ready\n"),
            Err(what) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{}\n", what.join("\n"))),
        },
    }
}

async fn metrics(pages: &dyn Pages) -> Response<Content> {
    match pages.metrics().await {
        Some(body) => with_type(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            Content::Metrics { body, yielded: false },
        ),
        None => text(StatusCode::SERVICE_UNAVAILABLE, "the engine does not answer\n"),
    }
}

fn text(status: StatusCode, body: &str) -> Response<Content> {
    let body = Content::Text(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    with_type(status, "text/plain; charset=utf-8", body)
}

fn with_type(status: StatusCode, kind: &'static str, body: Content) -> Response<Content> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

/// A body: a short text, or metrics made slice by slice as the client reads them.
enum Content {
    Text(Full<Bytes>),
    Metrics {
        body: Text,
        /// The worker was given to others since the last slice.
        yielded: bool,
    },
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Content::Text(body) => Pin::new(body).poll_frame(cx),
            // A million series are a good part of a second: between two slices others get the worker.
            Content::Metrics { yielded, .. } if !*yielded => {
                *yielded = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Content::Metrics { body, yielded } => {
                *yielded = false;
                Poll::Ready(body.next_slice().map(|s| Ok(Frame::data(Bytes::from(s)))))
            }
        }
    }
}
