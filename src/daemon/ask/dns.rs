//! One question to one name server: by UDP, and by TCP where the answer does not fit. I/O.

use super::{each_try, exchange, no_answer};
use crate::model::service::{Answer, Failure, Record, RecordKind};
use crate::text::line;
use crate::wire::dns::{self, Data, Kind, Reply};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Records that are kept, and characters of one.
const RECORDS: usize = 50;
const RECORD: usize = 300;

/// Asks for the records of a name.
pub(super) async fn ask(name: &str, kind: RecordKind, server: SocketAddr, limit: Duration) -> Result<Answer, Failure> {
    let id: u16 = rand::random();
    let asked = wire(kind);
    let question = dns::query(id, name, asked).ok_or_else(|| Failure::NotKnown(format!("{name} is no name")))?;
    let read = |message: &[u8]| dns::reply(message, id, name, asked).map_err(|e| e.to_string());
    let mut reply = exchange(server, each_try(limit), || (question.clone(), ()), |m, ()| read(m)).await?;
    if reply.truncated {
        reply = by_tcp(&question, server, read).await?;
    }
    Ok(answer(reply, kind))
}

async fn by_tcp(
    question: &[u8],
    server: SocketAddr,
    read: impl Fn(&[u8]) -> Result<Reply, String>,
) -> Result<Reply, Failure> {
    let mut stream = TcpStream::connect(server).await.map_err(|e| no_answer(&e))?;
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
    let mut message = length.to_be_bytes().to_vec();
    message.extend_from_slice(question);
    stream.write_all(&message).await.map_err(|e| no_answer(&e))?;
    let length = stream.read_u16().await.map_err(|e| no_answer(&e))?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await.map_err(|e| no_answer(&e))?;
    let reply = read(&message).map_err(|why| Failure::Malformed(format!("what came back is not believed: {why}")))?;
    match reply.truncated {
        true => Err(Failure::Malformed(
            "an answer that does not fit into TCP either".to_owned(),
        )),
        false => Ok(reply),
    }
}

fn answer(reply: Reply, kind: RecordKind) -> Answer {
    let mut records: Vec<Record> = reply
        .records
        .into_iter()
        .take(RECORDS)
        .map(|r| record(r, kind))
        .collect();
    records.sort();
    records.dedup();
    Answer::Dns {
        rcode: reply.rcode,
        records,
    }
}

fn wire(kind: RecordKind) -> Kind {
    match kind {
        RecordKind::A => Kind::A,
        RecordKind::Aaaa => Kind::Aaaa,
        RecordKind::Cname => Kind::Cname,
        RecordKind::Ns => Kind::Ns,
        RecordKind::Ptr => Kind::Ptr,
        RecordKind::Mx => Kind::Mx,
        RecordKind::Txt => Kind::Txt,
    }
}

fn record(data: Data, kind: RecordKind) -> Record {
    let short = |name: &str| line(name.as_bytes(), RECORD);
    match data {
        Data::A(address) => Record::A(address),
        Data::Aaaa(address) => Record::Aaaa(address),
        Data::Name(name) => Record::Name(kind, short(&name)),
        Data::Mx(preference, name) => Record::Mx(preference, short(&name)),
        Data::Txt(text) => Record::Txt(line(&text, RECORD)),
    }
}
