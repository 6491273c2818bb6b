//! DNS answers. Only one with our id, to our question, is read; its records are of the kind that was asked for, and their number is bounded.
#![no_main]

use hinomi::wire::dns::{Data, Kind, query, reply};
use libfuzzer_sys::fuzz_target;

const KINDS: [Kind; 7] = [
    Kind::A,
    Kind::Aaaa,
    Kind::Cname,
    Kind::Ns,
    Kind::Ptr,
    Kind::Mx,
    Kind::Txt,
];

fn is_of(data: &Data, kind: Kind) -> bool {
    match data {
        Data::A(_) => kind == Kind::A,
        Data::Aaaa(_) => kind == Kind::Aaaa,
        Data::Name(_) => matches!(kind, Kind::Cname | Kind::Ns | Kind::Ptr),
        Data::Mx(..) => kind == Kind::Mx,
        Data::Txt(_) => kind == Kind::Txt,
    }
}

fuzz_target!(|data: &[u8]| {
    let id = data.first_chunk::<2>().map_or(0, |b| u16::from_be_bytes(*b));
    for kind in KINDS {
        if let Ok(read) = reply(data, id, "ehr.example.jp", kind) {
            assert!(read.rcode < 16 && read.records.len() <= 500);
            assert!(read.records.iter().all(|r| is_of(r, kind)), "{read:?}");
            assert!(reply(data, id ^ 1, "ehr.example.jp", kind).is_err());
        }
        let question = query(id, "ehr.example.jp", kind).expect("a name");
        assert!(reply(&question, id, "ehr.example.jp", kind).is_err(), "our own question is no answer");
    }
});
