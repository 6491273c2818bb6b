//! Places for connections, and who gives one up when there is none left for the next client.
//!
//! A client that holds a place for nothing is told from a good one by its progress and its age, not by its address alone: behind one
//! address (127.0.0.1, a proxy) may stand both.
//!
//! Never here: what is asked and answered.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// A client that has not asked by then gives its place up where one is needed. A request comes in one or two packets.
const TO_ASK: Duration = Duration::from_millis(200);
/// A client that takes nothing of its answer for so long gives its place up where one is needed.
const TO_TAKE: Duration = Duration::from_secs(1);
/// A client whose address holds more than its share gives its place up after so long, however it gets on.
const TO_END: Duration = Duration::from_secs(10);
/// While nobody may be sent away, it is looked again so soon.
const AGAIN: Duration = Duration::from_millis(10);

/// How a client gets on.
#[derive(Debug)]
pub struct Progress {
    since: Instant,
    asked: AtomicBool,
    /// Milliseconds after `since` at which it stopped taking its answer, and one; 0 while it takes it.
    stopped: AtomicU64,
}

impl Progress {
    fn new() -> Progress {
        Progress {
            since: Instant::now(),
            asked: AtomicBool::new(false),
            stopped: AtomicU64::new(0),
        }
    }

    /// Its request has come in whole.
    pub fn asked(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        self.since.elapsed()
    }

    fn takes(&self) {
        self.stopped.store(0, Ordering::Relaxed);
    }

    fn takes_nothing(&self) {
        if self.stopped.load(Ordering::Relaxed) == 0 {
            let ms = u64::try_from(self.age().as_millis()).unwrap_or(u64::MAX - 1);
            self.stopped.store(ms + 1, Ordering::Relaxed);
        }
    }

    /// For how long it has taken nothing; zero while it takes its answer.
    fn stopped_for(&self) -> Duration {
        match self.stopped.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            ms => self.age().saturating_sub(Duration::from_millis(ms - 1)),
        }
    }
}

#[derive(Debug)]
struct Held {
    peer: Option<IpAddr>,
    progress: Arc<Progress>,
    task: AbortHandle,
}

type Table = BTreeMap<u64, Held>;

/// The places of a listener.
#[derive(Debug)]
pub struct Places {
    most: usize,
    of_peer: usize,
    /// By order of coming.
    held: Mutex<(u64, Table)>,
    freed: Notify,
}

/// Gives the place back, however its work ends.
struct Place {
    places: Arc<Places>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().1.remove(&self.number);
        self.places.freed.notify_one();
    }
}

impl Places {
    /// `most` in all; an address with `of_peer` of them first gives up its own.
    pub fn new(most: usize, of_peer: usize) -> Arc<Places> {
        Arc::new(Places {
            most,
            of_peer,
            held: Mutex::default(),
            freed: Notify::new(),
        })
    }

    fn table(&self) -> MutexGuard<'_, (u64, Table)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a client a place and lets `work` go on by itself; sends somebody away, or waits, if there is none.
    pub async fn seat<F, W>(self: &Arc<Places>, peer: Option<IpAddr>, work: F)
    where
        F: FnOnce(Arc<Progress>) -> W,
        W: Future<Output = ()> + Send + 'static,
    {
        while !self.make_room(peer) {
            let _ = tokio::time::timeout(AGAIN, self.freed.notified()).await;
        }
        let progress = Arc::new(Progress::new());
        let work = work(Arc::clone(&progress));
        // Held until it is in the table: work that ends at once must find itself there.
        let mut table = self.table();
        table.0 += 1;
        let number = table.0;
        let place = Place {
            places: Arc::clone(self),
            number,
        };
        let task = tokio::spawn(async move {
            let _place = place;
            work.await;
        });
        let task = task.abort_handle();
        table.1.insert(number, Held { peer, progress, task });
    }

    /// Whether there is a place for a client of this address, after somebody was sent away for it if need be.
    fn make_room(&self, peer: Option<IpAddr>) -> bool {
        let mut table = self.table();
        let is_full = table.1.len() >= self.most;
        let over = peer.filter(|peer| share(&table.1, *peer) >= self.of_peer);
        if !is_full && over.is_none() {
            return true;
        }
        let gone = self
            .who_goes(&table.1, over)
            .or_else(|| self.who_goes(&table.1, None).filter(|_| is_full));
        let gone = gone.and_then(|number| table.1.remove(&number));
        drop(table);
        match gone {
            Some(held) => {
                held.task.abort();
                true
            }
            None => !is_full,
        }
    }

    /// Who gives a place up, of one address or of all: the oldest who has not asked, who has taken nothing for longest, the oldest of an
    /// address with more than its share.
    fn who_goes(&self, table: &Table, of: Option<IpAddr>) -> Option<u64> {
        let all = || table.iter().filter(|(_, h)| of.is_none() || h.peer == of);
        let silent = all().find(|(_, h)| !h.progress.asked.load(Ordering::Relaxed) && h.progress.age() >= TO_ASK);
        let stopped = || {
            let stopped = all().map(|(n, h)| (h.progress.stopped_for(), n));
            stopped.filter(|(time, _)| *time >= TO_TAKE).max()
        };
        let slow = || {
            all().find(|(_, h)| {
                h.progress.age() >= TO_END && h.peer.is_some_and(|peer| share(table, peer) >= self.of_peer)
            })
        };
        let silent = silent.map(|(n, _)| *n);
        silent
            .or_else(|| stopped().map(|(_, n)| *n))
            .or_else(|| slow().map(|(n, _)| *n))
    }
}

fn share(table: &Table, peer: IpAddr) -> usize {
    table.values().filter(|h| h.peer == Some(peer)).count()
}

/// A stream that notes whether its peer takes what is written.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    progress: Arc<Progress>,
}

impl<S> Watched<S> {
    /// Notes it in `progress`.
    pub fn new(stream: S, progress: Arc<Progress>) -> Watched<S> {
        Watched { stream, progress }
    }

    fn note<T>(&self, poll: Poll<T>) -> Poll<T> {
        match &poll {
            Poll::Pending => self.progress.takes_nothing(),
            Poll::Ready(_) => self.progress.takes(),
        }
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.note(poll)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.note(poll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const B: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

    /// Numbers of those who hold a place.
    fn held(places: &Places) -> Vec<u64> {
        places.table().1.keys().copied().collect()
    }

    async fn seat(places: &Arc<Places>, peer: Option<IpAddr>, asked: bool) -> Arc<Progress> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let work = |progress: Arc<Progress>| {
            if asked {
                progress.asked();
            }
            let _ = tell.send(progress);
            std::future::pending()
        };
        places.seat(peer, work).await;
        told.await.expect("the work was begun")
    }

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("a runtime")
    }

    async fn pass(time: Duration) {
        tokio::time::sleep(time).await;
    }

    #[test]
    fn the_oldest_who_has_not_asked_goes_first_and_whoever_has_asked_stays() {
        runtime().block_on(async {
            let places = Places::new(3, 100);
            seat(&places, A, true).await;
            seat(&places, A, false).await;
            seat(&places, A, false).await;
            pass(TO_ASK).await;
            seat(&places, B, true).await;
            assert_eq!(held(&places), [1, 3, 4]);
        });
    }

    #[test]
    fn without_anybody_to_send_away_the_next_waits_until_somebody_has_had_time_to_ask() {
        runtime().block_on(async {
            let places = Places::new(1, 100);
            seat(&places, A, false).await;
            let began = Instant::now();
            seat(&places, B, true).await;
            assert!(began.elapsed() >= TO_ASK - Duration::from_millis(5));
            assert_eq!(held(&places), [2]);
        });
    }

    #[test]
    fn who_takes_nothing_of_the_answer_goes_and_who_takes_it_stays() {
        runtime().block_on(async {
            let places = Places::new(2, 100);
            let (_good, stopped) = (seat(&places, A, true).await, seat(&places, A, true).await);
            stopped.takes_nothing();
            pass(TO_TAKE).await;
            seat(&places, B, true).await;
            assert_eq!(held(&places), [1, 3]);
        });
    }

    #[test]
    fn an_address_with_its_share_gives_up_its_own_and_still_gets_in() {
        runtime().block_on(async {
            let places = Places::new(100, 2);
            seat(&places, B, false).await;
            seat(&places, A, false).await;
            seat(&places, A, false).await;
            seat(&places, A, false).await;
            assert_eq!(held(&places), [1, 2, 3, 4], "nobody has had time to ask");
            pass(TO_ASK).await;
            seat(&places, A, true).await;
            assert_eq!(held(&places), [1, 3, 4, 5], "its own oldest, not the other's");
        });
    }

    #[test]
    fn work_that_ends_gives_its_place_back() {
        runtime().block_on(async {
            let places = Places::new(1, 1);
            for _ in 0..3 {
                places.seat(A, |_| async {}).await;
            }
            pass(Duration::from_millis(5)).await;
            assert_eq!(held(&places), [0; 0]);
        });
    }
}
