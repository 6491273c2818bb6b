//! The heartbeat: one GET, so that somebody else notices when this daemon falls silent. I/O.
//!
//! Never here: when to beat (the daemon's loop), redirects (the URL is the operator's own words), a secret in an error: the
//! path of such a URL often is one, so only its host is named.

use crate::notify::channel::tls;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Around the whole request.
const DEADLINE: Duration = Duration::from_secs(10);

/// Gets the URL (`http://` or `https://`, checked by the host's own roots) within 10 s. Any 2xx is good.
///
/// The error says for people what went wrong: no address, no connection, certificate, status, no answer in time.
pub async fn beat(url: &str) -> Result<(), String> {
    beat_within(url, DEADLINE).await
}

async fn beat_within(url: &str, deadline: Duration) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| "heartbeat.url is not a URL".to_owned())?;
    let host = uri.host().ok_or("heartbeat.url names no host")?.to_owned();
    tokio::time::timeout(deadline, get(&uri, &host))
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", deadline.as_secs())))
        .map_err(|e| format!("{host}: {e}"))
}

async fn get(uri: &Uri, host: &str) -> Result<(), String> {
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("heartbeat.url must begin with http:// or https://".to_owned()),
    };
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((bare, port))
        .await
        .map_err(|e| format!("no connection ({e})"))?;
    if secure {
        request(tls::handshake(tcp, bare, None).await?, uri).await
    } else {
        request(tcp, uri).await
    }
}

async fn request<S>(stream: S, uri: &Uri) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |e: hyper::Error| format!("no proper HTTP answer ({e})");
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(16 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let request = Request::get(uri.path_and_query().map_or("/", |p| p.as_str()))
        .header(
            header::HOST,
            uri.authority()
                .map_or("", |a| a.as_str().rsplit('@').next().unwrap_or("")),
        )
        .header(header::USER_AGENT, concat!("hinomi/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|e| format!("heartbeat.url cannot be asked for ({e})"))?;
    // The connection is driven here, not in a task of its own: it ends with us.
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The other side may have answered and closed at once: the answer is there all the same.
        ended = connection => {
            ended.map_err(failed)?;
            answer.await
        }
    };
    let answer = answer.map_err(failed)?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("answered {}", answer.status()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Answers one request with these bytes, in the background; gives the URL and what was asked.
    fn server(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/ping/secret?x=1", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = [0_u8; 2048];
            let n = stream.read(&mut heard).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            if answer.is_empty() {
                // Stays silent until the other side gives up.
                let _ = stream.read(&mut [0_u8; 16]);
            }
            String::from_utf8_lossy(&heard[..n]).into_owned()
        });
        (url, thread)
    }

    fn run(url: &str, deadline: Duration) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(beat_within(url, deadline))
    }

    #[test]
    fn a_beat_is_one_get() {
        let (url, server) = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
        assert_eq!(run(&url, DEADLINE), Ok(()));
        let heard = server.join().unwrap();
        assert!(heard.starts_with("GET /ping/secret?x=1 HTTP/1.1\r\n"), "{heard}");
        assert!(heard.to_ascii_lowercase().contains("host: 127.0.0.1:"), "{heard}");
    }

    #[test]
    fn what_is_no_2xx_is_an_error_that_does_not_show_the_path() {
        for answer in [
            "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n",
            "HTTP/1.1 500 Oops\r\n\r\n",
            "SMTP\r\n\r\n",
        ] {
            let (url, server) = server(answer);
            let error = run(&url, DEADLINE).unwrap_err();
            assert!(error.starts_with("127.0.0.1: ") && !error.contains("secret"), "{error}");
            server.join().unwrap();
        }
        for url in ["ftp://127.0.0.1/", "nonsense", "https:///x", "http://127.0.0.1:1/"] {
            assert!(run(url, DEADLINE).is_err(), "{url}");
        }
    }

    #[test]
    fn silence_ends_at_the_deadline() {
        let (url, server) = server("");
        let error = run(&url, Duration::from_millis(300)).unwrap_err();
        assert!(error.contains("no answer"), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn https_to_a_plain_port_is_an_error() {
        let (url, server) = server("HTTP/1.1 200 OK\r\n\r\n");
        let error = run(&url.replace("http://", "https://"), DEADLINE).unwrap_err();
        assert!(error.contains("TLS") || error.contains("authority"), "{error}");
        drop(server);
    }
}
