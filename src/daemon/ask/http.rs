//! One GET, and what came back: status, size, whether a text stands in the page. I/O.
//!
//! Never here: redirects, cookies, a user, a page that is kept.

use super::{connect, tls};
use crate::model::service::{Answer, Certificate, Endpoint, Failure, HttpAsk, Scheme, TextCheck};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Head of an answer.
const LONGEST_HEAD: usize = 16 * 1024;
/// Octets of a page that are read. What stands behind them is not looked at.
const LONGEST_PAGE: usize = 1024 * 1024;

/// Gets the page.
pub(super) async fn ask(ask: &HttpAsk) -> Result<Answer, Failure> {
    let tcp = connect(&ask.to).await?;
    match ask.scheme {
        Scheme::Http => get(tcp, ask, None).await,
        Scheme::Https => {
            let (stream, shown) = tls::handshake(tcp, &ask.to.host, &ask.trust).await?;
            get(stream, ask, Some(shown)).await
        }
    }
}

async fn get<S>(stream: S, ask: &HttpAsk, certificate: Option<Certificate>) -> Result<Answer, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LONGEST_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|e| explain(&e))?;
    let request = Request::get(ask.path.as_str())
        .header(header::HOST, host(&ask.to, ask.scheme))
        .header(header::USER_AGENT, concat!("hinomi/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| Failure::NotKnown(format!("the page cannot be asked for: {e}")))?;
    // The connection is driven here, not in a task of its own: it ends with us. What it ends with, the answer tells too.
    let page = async {
        let answer = sender.send_request(request).await.map_err(|e| explain(&e))?;
        read(answer, ask, certificate).await
    };
    let mut page = std::pin::pin!(page);
    tokio::select! {
        biased;
        page = &mut page => page,
        _ended = connection => page.await,
    }
}

async fn read(answer: Response<Incoming>, ask: &HttpAsk, certificate: Option<Certificate>) -> Result<Answer, Failure> {
    let status = answer.status().as_u16();
    let mut body = answer.into_body();
    let mut page: Vec<u8> = Vec::new();
    while page.len() < LONGEST_PAGE {
        let Some(frame) = body.frame().await else { break };
        if let Some(data) = frame.map_err(|e| explain(&e))?.data_ref() {
            let room = LONGEST_PAGE - page.len();
            page.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    let text = match &ask.text {
        None => TextCheck::NotAsked,
        Some(wanted) => match holds(&page, wanted.as_bytes()) {
            true => TextCheck::Found,
            false => TextCheck::Missing,
        },
    };
    Ok(Answer::Http {
        status,
        text,
        octets: page.len() as u64,
        certificate,
    })
}

fn holds(page: &[u8], wanted: &[u8]) -> bool {
    page.windows(wanted.len().max(1)).any(|part| part == wanted)
}

/// The Host header: the port only if it is not that of the scheme.
fn host(to: &Endpoint, scheme: Scheme) -> String {
    let host = match to.host.contains(':') {
        true => format!("[{}]", to.host),
        false => to.host.clone(),
    };
    match (scheme, to.port) {
        (Scheme::Http, 80) | (Scheme::Https, 443) => host,
        (_, port) => format!("{host}:{port}"),
    }
}

fn explain(error: &hyper::Error) -> Failure {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        return Failure::Malformed("what it says is not HTTP, or its head is longer than 16 kB".to_owned());
    }
    if error.is_incomplete_message() {
        return Failure::NoAnswer("the line was cut before the answer was whole".to_owned());
    }
    Failure::NoAnswer(format!("no proper HTTP answer ({error})"))
}
