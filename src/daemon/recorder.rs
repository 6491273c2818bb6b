//! Hands the lines of a record to whoever writes them: the file of `hinomi run --record`, or a client of the control socket.
//!
//! The engine never waits for a writer: what does not find room is counted, and the record says so where it is missing.

use super::words::Word;
use crate::core::tape::Line;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};

/// Lines that may wait for a slow writer.
const ROOM: usize = 8_192;

/// The engine's end.
#[derive(Debug)]
pub(super) struct Recorder {
    sink: Sender<Line>,
    lost: u64,
}

/// Both ends of a record.
pub(super) fn pair() -> (Recorder, Receiver<Line>) {
    let (sink, source) = channel(ROOM);
    (Recorder { sink, lost: 0 }, source)
}

impl Recorder {
    /// Hands over; false if nobody writes any more.
    pub(super) fn hand_over(&mut self, lines: Vec<Line>) -> bool {
        for line in lines {
            if self.lost > 0 {
                match self.sink.try_send(Line::Lost { lines: self.lost }) {
                    Ok(()) => self.lost = 0,
                    Err(TrySendError::Full(_)) => {
                        self.lost += 1;
                        continue;
                    }
                    Err(TrySendError::Closed(_)) => return false,
                }
            }
            match self.sink.try_send(line) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => self.lost += 1,
                Err(TrySendError::Closed(_)) => return false,
            }
        }
        !self.sink.is_closed()
    }
}

/// Opens the file of a record. It names devices, addresses of people and what was mailed: only its owner may read it.
pub(super) fn create(path: &Path) -> io::Result<std::fs::File> {
    crate::files::create_private(path)
}

/// Writes until the engine has ended, on a thread of its own. A file that cannot be written any more ends the record, nothing else.
pub(super) fn write(file: std::fs::File, mut source: Receiver<Line>) {
    let mut out = BufWriter::new(file);
    while let Some(line) = source.blocking_recv() {
        let written = line_to(&mut out, &line).and_then(|()| match source.is_empty() {
            true => out.flush(),
            false => Ok(()),
        });
        if let Err(error) = written {
            Word::RecordFailed {
                error: error.to_string(),
            }
            .log();
            return;
        }
    }
}

fn line_to(out: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_writer_loses_lines_and_is_told_how_many() {
        let (mut recorder, mut source) = pair();
        let mail = |n| Line::Lost { lines: n };
        assert!(recorder.hand_over((0..ROOM as u64 + 7).map(mail).collect()));
        let first: Vec<Line> = (0..10).map(|_| source.try_recv().unwrap()).collect();
        assert_eq!(first[9], mail(9));
        assert!(recorder.hand_over(vec![mail(1)]));
        let rest: Vec<Line> = std::iter::from_fn(|| source.try_recv().ok()).collect();
        assert_eq!(
            rest[rest.len() - 2..],
            [mail(7), mail(1)],
            "seven are missing, then it goes on"
        );
        drop(source);
        assert!(!recorder.hand_over(Vec::new()), "nobody writes any more");
    }
}
