//! The engine's inbox and its bell.
//!
//! The engine sleeps on its sockets; a channel cannot be slept on together with them. Whoever sends a message therefore also rings the
//! bell, an eventfd(2) that the engine sleeps on beside the sockets.
//!
//! Never here: what a message means.

use super::messages::ToEngine;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Duration;

/// The sending end.
#[derive(Clone, Debug)]
pub(crate) struct EngineSender {
    queue: SyncSender<ToEngine>,
    bell: Arc<OwnedFd>,
}

/// The engine's end.
#[derive(Debug)]
pub(crate) struct EngineInbox {
    queue: Receiver<ToEngine>,
    bell: Arc<OwnedFd>,
}

/// An inbox with room for so many messages.
///
/// # Errors
/// The system has no file descriptor left.
pub(crate) fn engine_inbox(room: usize) -> io::Result<(EngineSender, EngineInbox)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (sender, queue) = sync_channel(room);
    let sender = EngineSender {
        queue: sender,
        bell: Arc::clone(&bell),
    };
    Ok((sender, EngineInbox { queue, bell }))
}

impl EngineSender {
    /// Waits while the inbox is full.
    pub(crate) fn send(&self, message: ToEngine) -> Result<(), SendError<ToEngine>> {
        // A full inbox means that the engine has not looked yet: rung before as well, so that it does.
        self.ring();
        self.queue.send(message)?;
        self.ring();
        Ok(())
    }

    /// Gives the message back while the inbox is full.
    #[allow(
        clippy::result_large_err,
        reason = "the message is given back whole, as the channel does"
    )]
    pub(crate) fn try_send(&self, message: ToEngine) -> Result<(), TrySendError<ToEngine>> {
        let sent = self.queue.try_send(message);
        self.ring();
        sent
    }

    fn ring(&self) {
        // The counter can only be full if the engine has not looked for 2^64 messages: then the bell rings already.
        let _ = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
    }
}

impl EngineInbox {
    /// What to sleep on: readable once a message was sent since [`EngineInbox::silence`].
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Stops the bell; messages that were sent before are in the queue.
    pub(crate) fn silence(&self) {
        // Not ringing: there is nothing to read.
        let _ = rustix::io::read(&*self.bell, &mut [0; 8]);
    }

    /// The next message, if one is there.
    pub(crate) fn try_recv(&self) -> Result<ToEngine, TryRecvError> {
        self.queue.try_recv()
    }

    /// The next message, waited for so long.
    pub(crate) fn recv_timeout(&self, longest: Duration) -> Result<ToEngine, RecvTimeoutError> {
        self.queue.recv_timeout(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    fn rings(inbox: &EngineInbox) -> bool {
        let mut asked = [PollFd::new(inbox.bell(), PollFlags::POLLIN)];
        poll(&mut asked, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn every_message_rings_until_the_bell_is_silenced() {
        let (sender, inbox) = engine_inbox(2).unwrap();
        assert!(!rings(&inbox));
        sender.send(ToEngine::Stop).unwrap();
        sender.try_send(ToEngine::Stop).unwrap();
        assert!(rings(&inbox));
        inbox.silence();
        assert!(!rings(&inbox) && inbox.try_recv().is_ok() && inbox.try_recv().is_ok());
        inbox.silence();
        sender.clone().try_send(ToEngine::Stop).unwrap();
        assert!(rings(&inbox), "a copy of the sender rings the same bell");
    }
}
