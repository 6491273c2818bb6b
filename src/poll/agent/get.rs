//! A GET on its way: a template, what of it is left out, and the pieces it is asked in where the whole was not answered.
//!
//! An agent that refuses a request, or keeps silent to it, has trouble with one object of it, or with its size. Which of the two it is
//! shows in pieces: the request is halved until the pieces are answered or one object is left alone.
//!
//! Never here: when to try again, what is remembered of an agent.

use super::template::Template;
use crate::poll::unread::NotRead;
use crate::wire::snmp::{Names, Value, ValueView, VarBindView, ber};
use std::sync::Arc;

/// So often the agent's word for which object it refuses is taken in one request; whoever is wrong is wrong each time.
const POINTERS: usize = 2;

/// Why a request is halved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halved {
    /// The agent says that it is too large.
    TooBig,
    /// The agent seems to find that it is too large.
    TooLarge,
    /// The agent refuses an object of it.
    Refused,
}

/// What the answer to a piece leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Another piece is to be asked.
    More,
    /// All of the template is done.
    Done,
}

/// A template on its way.
#[derive(Debug)]
pub(super) struct Get {
    pub(super) template: Arc<Template>,
    /// Positions left out, sorted.
    out: Vec<u16>,
    /// What is asked now, if that is not the whole template.
    rest: Option<Names>,
    pieces: Option<Box<Pieces>>,
    /// Left out on the agent's word alone.
    pointed: Vec<u16>,
    /// Its word has proven wrong.
    pointer_lies: bool,
    /// Found to be what the agent has trouble with.
    culprits: Vec<(u16, NotRead)>,
}

#[derive(Debug, Default)]
struct Pieces {
    /// Positions of the present request.
    now: Vec<u16>,
    /// Those of the following ones; the next is the last.
    then: Vec<Vec<u16>>,
    came: Vec<Came>,
    /// A request was lost or too big.
    too_large: bool,
    /// The agent itself has said so.
    too_big: bool,
    /// Positions of the largest piece that was answered since.
    largest: Vec<u16>,
    /// Nothing answers to this position. Whether the agent lives at all is being asked.
    doubted: Option<(u16, NotRead)>,
}

/// A value that came in an earlier piece.
#[derive(Debug)]
struct Came {
    position: u16,
    value: Value,
    /// Contents of an object identifier.
    oid: Box<[u8]>,
}

impl Came {
    fn view(&self) -> ValueView<'_> {
        match &self.value {
            Value::Null => ValueView::Null,
            Value::Integer(v) => ValueView::Integer(*v),
            Value::OctetString(v) => ValueView::OctetString(v),
            Value::Oid(_) => ValueView::Oid(&self.oid),
            Value::IpAddress(v) => ValueView::IpAddress(*v),
            Value::Counter32(v) => ValueView::Counter32(*v),
            Value::Gauge32(v) => ValueView::Gauge32(*v),
            Value::TimeTicks(v) => ValueView::TimeTicks(*v),
            Value::Opaque(v) => ValueView::Opaque(v),
            Value::Counter64(v) => ValueView::Counter64(*v),
            Value::NoSuchObject => ValueView::NoSuchObject,
            Value::NoSuchInstance => ValueView::NoSuchInstance,
            Value::EndOfMibView => ValueView::EndOfMibView,
            Value::Unreadable { tag, contents, why } => ValueView::Unreadable {
                tag: *tag,
                contents,
                why: *why,
            },
        }
    }
}

impl Get {
    pub(super) fn new(template: Arc<Template>) -> Get {
        Get {
            template,
            out: Vec::new(),
            rest: None,
            pieces: None,
            pointed: Vec::new(),
            pointer_lies: false,
            culprits: Vec::new(),
        }
    }

    /// What is asked.
    pub(super) fn names(&self) -> &Names {
        self.rest.as_ref().unwrap_or(&self.template.names)
    }

    /// Leaves out objects that the agent is known not to give; asking would cost a refusal of the whole request.
    pub(super) fn leave_out(&mut self, known: impl Fn(&[u8]) -> bool) {
        let known = |i: &u16| self.name(*i).is_some_and(&known);
        self.out = (1..self.count()).filter(known).collect();
        self.renew();
    }

    /// Asks in pieces of so many objects and octets of answer, if the whole is larger.
    pub(super) fn keep_within(&mut self, most: usize, room: usize) {
        let whole = self.positions();
        if whole.len() <= most.max(1) && (self.template.size <= room || whole.len() < 2) {
            return;
        }
        let mut then: Vec<Vec<u16>> = Vec::new();
        let mut left = 0;
        for position in whole {
            let size = self.template.size_at(usize::from(position));
            match then.last_mut().filter(|piece| piece.len() < most && left >= size) {
                Some(piece) => piece.push(position),
                None => {
                    then.push(vec![position]);
                    left = room;
                }
            }
            left = left.saturating_sub(size);
        }
        then.reverse();
        let now = then.pop().unwrap_or_default();
        self.pieces = Some(Box::new(Pieces {
            now,
            then,
            ..Pieces::default()
        }));
        self.renew();
    }

    /// The agent refuses the varbind of this error-index: gives its object, and asks no more for it. `None` if there is none such, or the
    /// index has been wrong before. `always`: v1 says so of every object that is not there.
    pub(super) fn refuse(&mut self, error_index: u32, always: bool) -> Option<Box<[u8]>> {
        let index = usize::try_from(error_index).ok()?.checked_sub(1)?;
        let position = *self.positions().get(index)?;
        if !always && (self.pointer_lies || self.pointed.len() >= POINTERS) {
            self.distrust();
            return None;
        }
        let name = self.name(position)?.into();
        if !always {
            self.pointed.push(position);
        }
        self.drop_position(position);
        Some(name)
    }

    /// What was left out on the agent's word is asked again.
    fn distrust(&mut self) {
        self.pointer_lies = true;
        let pointed = std::mem::take(&mut self.pointed);
        self.out.retain(|p| !pointed.contains(p));
        if let Some(pieces) = &mut self.pieces {
            pieces.now.extend(pointed);
            pieces.now.sort_unstable();
        }
        self.renew();
    }

    /// Asks for half as much at once. False if one object is left.
    pub(super) fn halve(&mut self, why: Halved) -> bool {
        let positions = self.positions();
        if positions.len() < 2 {
            return false;
        }
        let (first, second) = positions.split_at(positions.len().div_ceil(2));
        let pieces = self.pieces.get_or_insert_default();
        pieces.too_big |= why == Halved::TooBig;
        if why != Halved::Refused {
            pieces.too_large = true;
            pieces.largest.clear();
        }
        pieces.now = first.to_vec();
        pieces.then.push(second.to_vec());
        self.renew();
        true
    }

    /// Asks for sysUpTime alone, then for the rest in halves: whoever keeps silent to a large request may answer a small one.
    pub(super) fn first_alone(&mut self) {
        let positions = self.positions();
        let Some((first, rest)) = positions.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            return;
        };
        let (second, third) = rest.split_at(rest.len().div_ceil(2));
        let pieces = self.pieces.get_or_insert_default();
        pieces.too_large = true;
        pieces.largest.clear();
        let then = [third, second].into_iter().filter(|p| !p.is_empty());
        pieces.then.extend(then.map(<[u16]>::to_vec));
        pieces.now = vec![*first];
        self.renew();
    }

    /// Nothing answers to the one object that is asked for: sysUpTime shows whether the agent still lives. False if more than one is asked,
    /// or that one itself is not answered.
    pub(super) fn doubt(&mut self, why: NotRead) -> bool {
        let Some(pieces) = &mut self.pieces else { return false };
        let [position] = pieces.now[..] else { return false };
        if position == 0 || pieces.doubted.is_some() {
            return false;
        }
        pieces.doubted = Some((position, why));
        pieces.now = vec![0];
        self.renew();
        true
    }

    /// The one object that is asked for is what the agent refuses.
    pub(super) fn give_up(&mut self, why: NotRead) -> Taken {
        for position in self.positions() {
            self.culprits.push((position, why.clone()));
            self.drop_position(position);
        }
        self.state()
    }

    /// Takes the answer to the present piece; its names have been compared with what was asked.
    pub(super) fn take(&mut self, varbinds: &[VarBindView<'_>]) -> Taken {
        let Some(pieces) = &mut self.pieces else {
            return Taken::Done;
        };
        for (position, varbind) in pieces.now.iter().zip(varbinds) {
            pieces.came.push(Came {
                position: *position,
                value: varbind.value.to_value(),
                oid: match varbind.value {
                    ValueView::Oid(contents) => contents.into(),
                    _ => Box::default(),
                },
            });
        }
        if pieces.now.len() > pieces.largest.len() {
            pieces.largest.clone_from(&pieces.now);
        }
        if let Some((position, why)) = pieces.doubted.take() {
            self.culprits.push((position, why));
            self.out.push(position);
            self.out.sort_unstable();
        }
        self.advance();
        self.state()
    }

    fn state(&self) -> Taken {
        match self.positions().is_empty() {
            true => Taken::Done,
            false => Taken::More,
        }
    }

    /// How many objects, and octets of answer, the agent gave at once after more had been too much.
    pub(super) fn limits(&self) -> Option<(usize, usize)> {
        let pieces = self.pieces.as_ref().filter(|p| p.too_large && !p.largest.is_empty())?;
        // Then it was not the size.
        if !self.culprits.is_empty() {
            return None;
        }
        let octets = pieces.largest.iter().map(|p| self.template.size_at(usize::from(*p)));
        Some((pieces.largest.len(), octets.sum()))
    }

    /// The agent itself has said that more at once is too much.
    pub(super) fn is_told(&self) -> bool {
        self.pieces.as_ref().is_some_and(|p| p.too_big)
    }

    /// The objects that the agent has trouble with.
    pub(super) fn culprits(&self) -> impl Iterator<Item = (Box<[u8]>, NotRead)> + '_ {
        let found = self.culprits.iter();
        found.filter_map(|(position, why)| Some((self.name(*position)?.into(), why.clone())))
    }

    /// The objects left out on the agent's word, which has not proven wrong.
    pub(super) fn pointed(&self) -> impl Iterator<Item = Box<[u8]>> + '_ {
        self.pointed.iter().filter_map(|p| Some(self.name(*p)?.into()))
    }

    /// sysUpTime is asked now.
    pub(super) fn asks_uptime(&self) -> bool {
        self.positions().contains(&0)
    }

    /// A piece was answered.
    pub(super) fn has_values(&self) -> bool {
        self.pieces.as_ref().is_some_and(|p| !p.came.is_empty())
    }

    /// It is asked in pieces.
    pub(super) fn in_pieces(&self) -> bool {
        self.pieces.is_some()
    }

    /// What is asked now, sysUpTime apart, begins with this.
    pub(super) fn begins_with(&self) -> Option<&[u8]> {
        let positions = self.positions();
        let first = positions.iter().find(|p| **p != 0).or(positions.first())?;
        self.name(*first)
    }

    fn name(&self, position: u16) -> Option<&[u8]> {
        self.template.names.get(usize::from(position))
    }

    fn count(&self) -> u16 {
        u16::try_from(self.template.len()).unwrap_or(u16::MAX)
    }

    /// What is asked now.
    fn positions(&self) -> Vec<u16> {
        match &self.pieces {
            Some(pieces) => pieces.now.clone(),
            None => (0..self.count()).filter(|i| !self.out.contains(i)).collect(),
        }
    }

    fn drop_position(&mut self, position: u16) {
        self.out.push(position);
        self.out.sort_unstable();
        if let Some(pieces) = &mut self.pieces {
            pieces.now.retain(|p| *p != position);
            if pieces.now.is_empty() {
                return self.advance();
            }
        }
        self.renew();
    }

    fn advance(&mut self) {
        if let Some(pieces) = &mut self.pieces {
            pieces.now = pieces.then.pop().unwrap_or_default();
        }
        self.renew();
    }

    fn renew(&mut self) {
        if self.out.is_empty() && self.pieces.is_none() {
            self.rest = None;
            return;
        }
        let oid = |i: u16| ber::oid(self.name(i).unwrap_or_default()).unwrap_or_default();
        let oids: Vec<Vec<u32>> = self.positions().into_iter().map(oid).collect();
        self.rest = Some(Names::new(oids.iter().map(Vec::as_slice)));
    }

    /// The values by position; what was left out is absent. The names of `varbinds` have been compared with what was asked.
    pub(super) fn values<'a>(&'a self, varbinds: &[VarBindView<'a>]) -> Vec<ValueView<'a>> {
        let mut all = vec![ValueView::NoSuchInstance; usize::from(self.count())];
        let came = self.pieces.iter().flat_map(|p| &p.came);
        let came = came.map(|c| (c.position, c.view()));
        let given = self.positions().into_iter().zip(varbinds.iter().map(|v| v.value));
        for (position, value) in came.chain(given) {
            all[usize::from(position)] = value;
        }
        all
    }

    /// Everything is asked, and at once.
    pub(super) fn whole(&self) -> bool {
        self.out.is_empty() && self.pieces.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::super::oids::{IF_NUMBER, IF_TABLE_LAST_CHANGE, SYS_UP_TIME};
    use super::super::template::Item;
    use super::*;
    use std::collections::VecDeque;

    fn get(items: impl IntoIterator<Item = Item>) -> Get {
        let mut todo: VecDeque<Item> = items.into_iter().collect();
        Get::new(Template::pack(&mut todo, 1_400, usize::MAX).unwrap().into())
    }

    fn asked(get: &Get) -> Vec<Vec<u32>> {
        (0..get.names().len())
            .map(|i| ber::oid(get.names().get(i).unwrap()).unwrap())
            .collect()
    }

    /// An agent that answers with the last number of each name.
    fn answer(get: &mut Get) -> Taken {
        let names: Vec<Vec<u8>> = (0..get.names().len())
            .map(|i| get.names().get(i).unwrap().to_vec())
            .collect();
        let value = |name: &[u8]| i64::from(*ber::oid(name).unwrap().last().unwrap());
        let varbinds: Vec<VarBindView<'_>> = names
            .iter()
            .map(|name| VarBindView {
                name,
                value: ValueView::Integer(value(name)),
            })
            .collect();
        get.take(&varbinds)
    }

    fn scalars(n: u32) -> impl Iterator<Item = Item> {
        (1..=n).map(|i| Item::Scalar(vec![1, 3, i].into()))
    }

    #[test]
    fn a_refused_object_is_not_asked_again() {
        let mut get = get([Item::IfNumber, Item::IfTableLastChange]);
        assert!(get.whole() && get.names().len() == 3);
        let refused = get.refuse(2, true).unwrap();
        assert_eq!(ber::oid(&refused).as_deref(), Ok(IF_NUMBER));
        assert_eq!(asked(&get), [SYS_UP_TIME.to_vec(), IF_TABLE_LAST_CHANGE.to_vec()]);
        assert!(get.refuse(3, true).is_none() && get.refuse(0, true).is_none());
        let value = |name, v| VarBindView {
            name,
            value: ValueView::Integer(v),
        };
        let varbinds = [value(&[0], 1), value(&[0], 9)];
        let values = get.values(&varbinds);
        assert_eq!(
            values,
            [ValueView::Integer(1), ValueView::NoSuchInstance, ValueView::Integer(9)]
        );
    }

    /// An agent that refuses whatever holds certain objects, and points nowhere or to the last: those alone are left out.
    #[test]
    fn the_object_that_an_agent_refuses_is_found_without_its_help() {
        for bad in [&[1u32][..], &[7], &[3, 4, 9]] {
            for pointer in [0, 99, u32::MAX] {
                let mut get = get(scalars(9));
                let mut requests = 0;
                loop {
                    requests += 1;
                    assert!(requests < 60);
                    let names = asked(&get);
                    let taken = match names.iter().any(|n| n.len() == 3 && bad.contains(&n[2])) {
                        false => answer(&mut get),
                        true => {
                            let index = if pointer == u32::MAX {
                                names.len() as u32
                            } else {
                                pointer
                            };
                            if get.refuse(index, false).is_some() || get.halve(Halved::Refused) {
                                continue;
                            }
                            get.give_up(NotRead::Refused(5))
                        }
                    };
                    if taken == Taken::Done {
                        break;
                    }
                }
                let values = get.values(&[]);
                for i in 1..=9 {
                    let right = match bad.contains(&(i as u32)) {
                        true => ValueView::NoSuchInstance,
                        false => ValueView::Integer(i),
                    };
                    assert_eq!(values[i as usize], right, "{bad:?} {pointer}");
                }
                assert_eq!(
                    (get.limits(), get.culprits().count() + get.pointed().count()),
                    (None, bad.len())
                );
            }
        }
    }

    #[test]
    fn an_agent_that_answers_small_requests_shows_how_small() {
        for limit in [1, 2, 6, 9] {
            let mut whole = get(scalars(9));
            whole.first_alone();
            while asked(&whole).len() > limit && whole.halve(Halved::TooLarge) || answer(&mut whole) == Taken::More {}
            let (objects, octets) = whole.limits().unwrap();
            assert!(objects <= limit && (1..300).contains(&octets), "{objects} of {limit}");
            assert_eq!(whole.values(&[])[9], ValueView::Integer(9));
            // The next request is of that size from the start, and nothing is learned of it.
            let mut next = get(scalars(9));
            next.keep_within(objects, octets);
            assert!(asked(&next).len() <= limit);
            while answer(&mut next) == Taken::More {}
            assert_eq!((next.limits(), next.values(&[])[9]), (None, ValueView::Integer(9)));
        }
    }

    #[test]
    fn silence_to_one_object_is_its_own_only_if_the_agent_lives() {
        let mut get = get(scalars(2));
        while get.halve(Halved::TooLarge) {}
        assert!(!get.doubt(NotRead::Silence), "sysUpTime itself");
        assert_eq!(answer(&mut get), Taken::More);
        assert!(get.doubt(NotRead::Silence));
        assert_eq!(asked(&get), [SYS_UP_TIME.to_vec()]);
        assert!(!get.doubt(NotRead::Silence), "the agent is dead");
        assert_eq!(get.culprits().count(), 0);
        assert_eq!(answer(&mut get), Taken::More);
        assert_eq!(answer(&mut get), Taken::Done);
        assert_eq!((get.culprits().count(), get.limits()), (1, None));
    }
}
