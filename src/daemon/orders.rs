//! Orders of an operator between "taken" and "done": answered when the ledger holds them, or when it is known that it does not.
//!
//! Never here: what an order does (that is the core), words for people (that is `control`).

use crate::model::Mono;
use std::time::Duration;
use tokio::sync::oneshot;

/// What became of an operator's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ordered {
    /// Taken, and in the ledger: no crash undoes it.
    Recorded,
    /// Taken and in force, but not in the ledger: a restart may undo it. The ledger's words.
    NotRecorded(String),
    /// Not taken, and why.
    Refused(String),
}

/// Where the answer goes.
pub(crate) type Reply = oneshot::Sender<Ordered>;

/// An order whose batch has no answer of the ledger yet.
#[derive(Debug)]
struct Waiting {
    batch: u64,
    since: Mono,
    reply: Reply,
}

/// Orders that wait for the ledger.
#[derive(Debug, Default)]
pub(super) struct Orders(Vec<Waiting>);

impl Orders {
    /// An order was taken, or refused; `batch` will hold it.
    pub(super) fn taken(&mut self, result: Result<(), String>, batch: u64, reply: Reply, now: Mono) {
        match result {
            Ok(()) => self.0.push(Waiting {
                batch,
                since: now,
                reply,
            }),
            // Whoever asked may have gone away, here and below.
            Err(why) => drop(reply.send(Ordered::Refused(why))),
        }
    }

    /// The ledger has answered for a batch; true if an order was in it.
    pub(super) fn committed(&mut self, batch: u64, error: Option<&str>) -> bool {
        let before = self.0.len();
        for order in self.0.extract_if(.., |o| o.batch <= batch) {
            let ordered = match error {
                None => Ordered::Recorded,
                Some(why) => Ordered::NotRecorded(why.to_owned()),
            };
            let _ = order.reply.send(ordered);
        }
        self.0.len() < before
    }

    /// Nobody waits longer than `deadline`. `hangs`: the ledger is known not to answer, so that nobody need wait at all.
    pub(super) fn late(&mut self, hangs: bool, deadline: Duration, now: Mono) {
        for order in self.0.extract_if(.., |o| hangs || now.since(o.since) > deadline) {
            let why = format!("it has not answered within {} s", deadline.as_secs());
            let _ = order.reply.send(Ordered::NotRecorded(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    fn order(orders: &mut Orders, result: Result<(), String>, batch: u64) -> oneshot::Receiver<Ordered> {
        let (reply, answer) = oneshot::channel();
        orders.taken(result, batch, reply, Mono(0));
        answer
    }

    #[test]
    fn an_order_is_answered_by_its_own_batch_and_not_before() {
        let mut orders = Orders::default();
        let (mut early, mut late) = (order(&mut orders, Ok(()), 4), order(&mut orders, Ok(()), 5));
        assert!(early.try_recv().is_err() && late.try_recv().is_err());
        orders.committed(4, None);
        assert_eq!(early.try_recv(), Ok(Ordered::Recorded));
        assert!(late.try_recv().is_err(), "its batch is not written");
        orders.committed(5, Some("disk full"));
        assert_eq!(late.try_recv(), Ok(Ordered::NotRecorded("disk full".to_owned())));
    }

    #[test]
    fn nobody_waits_longer_than_the_deadline_nor_for_a_ledger_that_hangs() {
        let mut orders = Orders::default();
        let mut answer = order(&mut orders, Ok(()), 1);
        orders.late(false, DEADLINE, Mono(0) + DEADLINE);
        assert!(answer.try_recv().is_err());
        orders.late(false, DEADLINE, Mono(1) + DEADLINE);
        assert!(matches!(answer.try_recv(), Ok(Ordered::NotRecorded(_))));
        let mut answer = order(&mut orders, Ok(()), 1);
        orders.late(true, DEADLINE, Mono(1));
        assert!(matches!(answer.try_recv(), Ok(Ordered::NotRecorded(_))));
    }

    #[test]
    fn a_refusal_waits_for_nothing() {
        let mut answer = order(&mut Orders::default(), Err("no".to_owned()), 1);
        assert_eq!(answer.try_recv(), Ok(Ordered::Refused("no".to_owned())));
    }
}
