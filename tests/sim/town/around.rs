//! Who is told and over which ways: contacts, procedures, routes.
//!
//! Never here: the network.

use hinomi::model::*;

/// A contact of one address.
pub(super) fn contact(name: &str) -> Contact {
    let address = |mail: String| Address {
        mail,
        crosses: Vec::new(),
        when: Default::default(),
    };
    Contact {
        name: name.into(),
        party: Party::Own,
        role: None,
        mail: vec![address(format!("{name}@example.net"))],
        phone: None,
        language: None,
        carrier: None,
    }
}

/// Three ways to organise it.
pub(super) fn procedures(which: u64) -> Vec<Procedure> {
    let all = Match::default;
    let procedure = |name: &str, matches: Match, tell: &[&str]| Procedure {
        name: name.into(),
        matches,
        tell: tell.iter().map(|t| (*t).into()).collect(),
        escalate: Vec::new(),
        remind: None,
    };
    let critical = Match {
        level: Some(Level::Critical),
        ..all()
    };
    let of = |owner| Match {
        owner: Some(owner),
        ..all()
    };
    let mut list = match which {
        0 => vec![procedure("platform", of(Owner::Platform), &["noc", "desk"])],
        1 => {
            let accused = Match {
                verdict: Some(Verdict::Platform),
                ..all()
            };
            vec![
                procedure("accused", accused, &["noc", "desk", "chief"]),
                procedure("institutions", of(Owner::Institution), &["noc", "circuit.contact"]),
            ]
        }
        _ => {
            let many = Match {
                kind: Some(FindingKind::CircuitsLost),
                ..all()
            };
            vec![procedure("many", many, &["noc", "chief", "desk"])]
        }
    };
    list.push(procedure("critical", critical, &["noc", "chief"]));
    list.push(procedure("rest", all(), &["noc"]));
    list
}

/// A way for mail.
pub(super) fn route(name: &str, out_of_band: bool, crosses: Vec<Crossing>) -> Route {
    Route {
        name: name.into(),
        out_of_band,
        relays: vec![Relay {
            host: "relay".into(),
            port: 25,
            tls: Tls::None,
        }],
        tls_name: None,
        tls_ca: None,
        bind: None,
        auth: None,
        from: "hinomi@example.net".into(),
        helo: None,
        crosses,
    }
}
