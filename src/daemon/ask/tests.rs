//! Fake servers on loopback: good, wrong, silent, slow and hostile ones.

use super::*;
use crate::model::service::{ChainCheck, DnsExpect, HttpAsk, NameCheck, Record, RecordKind, Scheme, TextCheck, Trust};
use crate::model::{Name, Service};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream, UdpSocket as StdUdp};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

const SHORT: Duration = Duration::from_millis(900);

fn asked(ask: Ask, timeout: Duration, plugins: &PluginSettings) -> (Duration, Result<Answer, Failure>) {
    let job = AskJob {
        token: 1,
        device: Name::from("edge"),
        watch: Name::from("w"),
        service: Arc::new(Service {
            ask,
            interval: Duration::from_secs(60),
            timeout,
            number: None,
            within: None,
            failed: Default::default(),
        }),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(super::ask(&job, plugins))
}

fn result(ask: Ask) -> Result<Answer, Failure> {
    asked(ask, SHORT, &PluginSettings::default()).1
}

/// Serves connections in the background; gives the port.
fn tcp(serve: impl FnMut(StdStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    port
}

/// Answers each datagram with others, in the background.
fn udp(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = StdUdp::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut heard = [0; 2048];
        while let Ok((n, from)) = socket.recv_from(&mut heard) {
            for datagram in answer(&heard[..n]) {
                let _ = socket.send_to(&datagram, from);
            }
        }
    });
    at
}

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint {
        host: host.to_owned(),
        port,
        address: Some(Ipv4Addr::LOCALHOST.into()),
    }
}

fn is_no_answer(result: &Result<Answer, Failure>) -> bool {
    matches!(result, Err(Failure::NoAnswer(_)))
}

fn is_malformed(result: &Result<Answer, Failure>) -> bool {
    matches!(result, Err(Failure::Malformed(_)))
}

// ---- HTTP

fn page(port: u16, text: Option<&str>) -> Ask {
    Ask::Http(HttpAsk {
        scheme: Scheme::Http,
        to: endpoint("portal.example.net", port),
        path: "/health?x=1".to_owned(),
        trust: Trust::Any,
        status: Vec::new(),
        text: text.map(str::to_owned),
    })
}

fn web(answer: Vec<u8>) -> u16 {
    tcp(move |mut stream| {
        let mut heard = [0; 2048];
        let n = stream.read(&mut heard).unwrap_or(0);
        let heard = String::from_utf8_lossy(&heard[..n]).to_ascii_lowercase();
        assert!(heard.starts_with("get /health?x=1 http/1.1\r\n"), "{heard}");
        assert!(heard.contains("host: portal.example.net:"), "{heard}");
        let _ = stream.write_all(&answer);
    })
}

#[test]
fn a_page_is_read_with_its_status_and_its_text() {
    let port = web(b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nready".to_vec());
    let found = |text, octets| {
        Ok(Answer::Http {
            status: 503,
            text,
            octets,
            certificate: None,
        })
    };
    assert_eq!(result(page(port, None)), found(TextCheck::NotAsked, 5));
    assert_eq!(result(page(port, Some("ead"))), found(TextCheck::Found, 5));
    assert_eq!(result(page(port, Some("down"))), found(TextCheck::Missing, 5));
}

#[test]
fn a_page_that_never_comes_or_never_ends_costs_no_more_than_its_bounds() {
    let silent = tcp(|stream| {
        thread::sleep(Duration::from_secs(5) + Duration::from_millis(u64::from(stream.ttl().unwrap_or(0))))
    });
    let (took, none) = asked(
        page(silent, None),
        Duration::from_millis(300),
        &PluginSettings::default(),
    );
    assert!(
        is_no_answer(&none) && took < Duration::from_secs(2),
        "{none:?} {took:?}"
    );
    let endless = tcp(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    let first_mib = Ok(Answer::Http {
        status: 200,
        text: TextCheck::NotAsked,
        octets: 1 << 20,
        certificate: None,
    });
    let (_, found) = asked(page(endless, None), Duration::from_secs(20), &PluginSettings::default());
    assert_eq!(found, first_mib);
    let drip = tcp(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert!(is_no_answer(
        &asked(page(drip, None), Duration::from_millis(400), &PluginSettings::default()).1
    ));
}

#[test]
fn what_is_no_http_is_said_to_be_so() {
    assert!(is_malformed(&result(page(
        web(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        None
    ))));
    let head = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; 100_000]].concat();
    assert!(is_malformed(&result(page(web(head), None))));
    assert!(is_no_answer(&result(page(web(Vec::new()), None))), "cut");
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    assert_eq!(
        result(page(closed, None)),
        Err(Failure::NoAnswer("Connection refused".to_owned()))
    );
}

// ---- TLS

struct Served {
    port: u16,
    /// Its certificate, as a PEM file that may be trusted.
    pem: PathBuf,
}

fn tls_server(names: &[&str], from: (i32, u8, u8), until: (i32, u8, u8)) -> Served {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let port = tcp(move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        let mut heard = [0; 1024];
        if stream.read(&mut heard).is_ok_and(|n| n > 0) {
            let _ = stream.write_all(b"HTTP/1.1 204 Fine\r\n\r\n");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    let pem = std::env::temp_dir().join(format!("hinomi-watch-{}-{port}.pem", std::process::id()));
    std::fs::write(&pem, certificate.pem()).unwrap();
    Served { port, pem }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.pem);
    }
}

fn shown(host: &str, port: u16, trust: Trust) -> Result<crate::model::service::Certificate, Failure> {
    let ask = Ask::Tls {
        to: endpoint(host, port),
        trust,
    };
    result(ask).map(|answer| match answer {
        Answer::Tls(certificate) => certificate,
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_certificate_is_looked_at_whether_it_is_good_or_not() {
    let server = tls_server(&["console.example.net"], (2020, 1, 1), (2090, 1, 1));
    let good = shown("console.example.net", server.port, Trust::Authority(server.pem.clone())).unwrap();
    assert_eq!((good.name, good.chain), (NameCheck::Fits, ChainCheck::Trusted));
    assert_eq!(good.not_after.0, 3_786_912_000_000);
    let other = shown("portal.example.net", server.port, Trust::Any).unwrap();
    assert_eq!(other.name, NameCheck::Differs(vec!["console.example.net".to_owned()]));
    assert_eq!(other.chain, ChainCheck::NotAsked);
    let stranger = tls_server(&["console.example.net"], (2020, 1, 1), (2090, 1, 1));
    let untrusted = shown(
        "console.example.net",
        server.port,
        Trust::Authority(stranger.pem.clone()),
    )
    .unwrap();
    assert!(matches!(untrusted.chain, ChainCheck::Untrusted(_)), "{untrusted:?}");
}

#[test]
fn a_certificate_that_expired_is_still_looked_at() {
    let server = tls_server(&["console.example.net"], (2020, 1, 1), (2020, 2, 1));
    let old = shown("console.example.net", server.port, Trust::Authority(server.pem.clone())).unwrap();
    assert_eq!(old.not_after.0, 1_580_515_200_000);
    assert_eq!(old.chain, ChainCheck::Trusted, "its dates are told by themselves");
}

#[test]
fn a_page_over_tls_comes_with_its_certificate() {
    let server = tls_server(&["portal.example.net"], (2020, 1, 1), (2090, 1, 1));
    let ask = HttpAsk {
        scheme: Scheme::Https,
        to: endpoint("portal.example.net", server.port),
        path: "/".to_owned(),
        trust: Trust::Authority(server.pem.clone()),
        status: Vec::new(),
        text: None,
    };
    match result(Ask::Http(ask)) {
        Ok(Answer::Http {
            status: 204,
            certificate: Some(shown),
            ..
        }) => assert_eq!(shown.chain, ChainCheck::Trusted),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_tls_is_said_to_be_so() {
    let plain = tcp(|mut stream| drop(stream.write_all(b"220 mail.example.net ESMTP\r\n")));
    assert!(matches!(
        shown("a.example", plain, Trust::Any),
        Err(Failure::Malformed(_))
    ));
    let silent = tcp(|stream| {
        thread::sleep(Duration::from_secs(3));
        drop(stream);
    });
    assert!(matches!(
        shown("a.example", silent, Trust::Any),
        Err(Failure::NoAnswer(_))
    ));
    let noise = tcp(|mut stream| while stream.write_all(&[0x16; 4096]).is_ok() {});
    assert!(shown("a.example", noise, Trust::Any).is_err());
    let absent = Trust::Authority(PathBuf::from("/nonexistent/ca.pem"));
    assert!(matches!(shown("a.example", plain, absent), Err(Failure::NotKnown(_))));
}

// ---- DNS

fn name(server: SocketAddr) -> Ask {
    Ask::Dns {
        name: "ehr.example.jp".to_owned(),
        kind: RecordKind::A,
        server,
        expect: DnsExpect::Some,
    }
}

/// The question with an answer of one address, or of none with this code.
fn dns_answer(question: &[u8], rcode: u8, addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    answer[3] = 0x80 | rcode;
    answer[7] = u8::try_from(addresses.len()).unwrap();
    for address in addresses {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend_from_slice(address);
    }
    answer
}

#[test]
fn a_name_server_is_asked_for_a_name() {
    let server = udp(|q| vec![dns_answer(q, 0, &[[192, 0, 2, 80], [192, 0, 2, 7]])]);
    let records = [7, 80].map(|n| Record::A(Ipv4Addr::new(192, 0, 2, n))).to_vec();
    assert_eq!(result(name(server)), Ok(Answer::Dns { rcode: 0, records }));
    let server = udp(|q| vec![dns_answer(q, 3, &[])]);
    let none = Ok(Answer::Dns {
        rcode: 3,
        records: Vec::new(),
    });
    assert_eq!(result(name(server)), none);
}

#[test]
fn an_answer_that_was_cut_is_fetched_by_tcp() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let datagrams = StdUdp::bind(at).unwrap();
    thread::spawn(move || {
        let mut heard = [0; 2048];
        while let Ok((n, from)) = datagrams.recv_from(&mut heard) {
            let mut cut = dns_answer(&heard[..n], 0, &[]);
            cut[2] |= 0x02;
            let _ = datagrams.send_to(&cut, from);
        }
    });
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question).unwrap();
            let answer = dns_answer(&question, 0, &[[192, 0, 2, 1]; 3]);
            let _ = stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes());
            let _ = stream.write_all(&answer);
        }
    });
    let records = vec![Record::A(Ipv4Addr::new(192, 0, 2, 1))];
    assert_eq!(result(name(at)), Ok(Answer::Dns { rcode: 0, records }));
}

#[test]
fn a_name_server_that_lies_or_is_silent_is_no_answer() {
    let silent = udp(|_| Vec::new());
    assert!(is_no_answer(&result(name(silent))));
    // A flood of answers to other questions, then the right one.
    let liar = udp(|q| {
        let mut other = dns_answer(q, 0, &[[6, 6, 6, 6]]);
        other[0] ^= 0xff;
        let mut all = vec![other; 50];
        all.push(vec![0xff; 2000]);
        all.push(Vec::new());
        all.push(dns_answer(q, 0, &[[192, 0, 2, 80]]));
        all
    });
    let records = vec![Record::A(Ipv4Addr::new(192, 0, 2, 80))];
    assert_eq!(result(name(liar)), Ok(Answer::Dns { rcode: 0, records }));
    let garbage = udp(|_| vec![vec![0xff; 600]]);
    assert!(is_malformed(&result(name(garbage))));
    let closed = StdUdp::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    assert_eq!(
        result(name(closed)),
        Err(Failure::NoAnswer("Connection refused".to_owned()))
    );
}

// ---- NTP

fn ntp_answer(question: &[u8], ahead_us: i64, stratum: u8) -> Vec<u8> {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let now = crate::wire::ntp::Stamp::from_unix_us(t.tv_sec * 1_000_000 + t.tv_nsec / 1000 + ahead_us);
    let mut packet = vec![0; 48];
    (packet[0], packet[1]) = (0x24, stratum);
    packet[24..32].copy_from_slice(&question[40..48]);
    packet[32..40].copy_from_slice(&now.0.to_be_bytes());
    packet[40..48].copy_from_slice(&now.0.to_be_bytes());
    packet
}

#[test]
fn a_clock_is_compared_with_ours() {
    let server = udp(|q| vec![ntp_answer(q, 2_000_000, 3)]);
    match result(Ask::Ntp { server }) {
        Ok(Answer::Ntp(clock)) => {
            assert!((1_500_000..=2_500_000).contains(&clock.offset_us), "{clock:?}");
            assert_eq!((clock.stratum, clock.leap, clock.kiss), (3, 0, None));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_clock_that_answers_another_question_is_not_believed() {
    let forger = udp(|q| {
        let mut forged = ntp_answer(q, 60_000_000, 1);
        forged[24] ^= 1;
        vec![forged, vec![0x24; 20], vec![0xff; 3000]]
    });
    assert!(is_malformed(&result(Ask::Ntp { server: forger })));
    let silent = udp(|_| Vec::new());
    assert!(is_no_answer(&result(Ask::Ntp { server: silent })));
}

// ---- Plugins

#[test]
fn without_a_helper_nothing_is_known_of_a_plugin() {
    let plugins = PluginSettings {
        socket: PathBuf::from("/nonexistent/socket"),
        at_once: 1,
    };
    let argv = vec!["/bin/true".to_owned()];
    let (_, found) = asked(Ask::Command { argv }, SHORT, &plugins);
    match found {
        Err(Failure::NotKnown(why)) => assert!(why.contains("hinomi-plugins"), "{why}"),
        other => panic!("{other:?}"),
    }
}
