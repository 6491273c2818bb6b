//! Two thousand circuits lost with one aggregation device: one incident, one mail a recipient, the list inside; also where that
//! device is not polled and only what it carries tells of it.

use crate::scenarios::Dummies;
use crate::world::World;
use hinomi::config::{Found, NotFound, SecretFrom, SourceFile, Surroundings};
use hinomi::incident::Book;
use hinomi::model::{Level, Site, Verdict};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

const LOST: usize = 2_000;
/// On another device: they stay.
const STAY: usize = 300;

/// The CSV file stands in memory.
struct Table(String);

impl Surroundings for Table {
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound> {
        Dummies.secret(from)
    }

    fn table(&self, _: &Path) -> Result<String, NotFound> {
        Ok(self.0.clone())
    }

    fn certificates(&self, path: &Path) -> Result<(), NotFound> {
        Dummies.certificates(path)
    }

    fn profiles(&self, folder: &Path) -> Result<Vec<SourceFile>, NotFound> {
        Dummies.profiles(folder)
    }
}

fn site(agg_is_polled: bool) -> Site {
    let liveness = if agg_is_polled { "echo" } else { "none" };
    let mut toml = String::from(
        r#"
[operator]
name     = "Example Medical Network K.K."
language = "en"
timezone = "Asia/Tokyo"
[daemon]
state   = "/var/lib/hinomi"
listen  = "127.0.0.1:9730"
uplinks = ["192.0.2.1", "192.0.2.11"]
[poll]
interval = "60s"
confirm  = { echoes = 15, over = "30s" }
[circuits]
file = "circuits.csv"
[[device]]
name          = "edge-a"
address       = "192.0.2.11"
poll.interval = "10s"
poll.confirm  = { echoes = 15, over = "10s" }
[[contact]]
name  = "noc"
party = "own"
mail  = ["noc@example.net"]
[[contact]]
name  = "manager"
party = "own"
mail  = ["manager@example.net"]
[[procedure]]
name = "all"
tell = ["noc", "manager"]
[[route]]
name        = "lte"
out_of_band = true
smtp        = "smtp://203.0.113.25:587"
from        = "hinomi@example.org"
"#,
    );
    for agg in ["agg-1", "agg-2"] {
        let last = &agg[4..];
        let _ = write!(
            toml,
            "[[device]]\nname = \"{agg}\"\naddress = \"192.0.2.3{last}\"\nparents = [\"edge-a\"]\nliveness = \"{liveness}\"\n"
        );
    }
    let mut csv = String::from("id,institution_id,institution,carrier,measure,device,address,power\n");
    for i in 0..LOST + STAY {
        let agg = if i < LOST { 1 } else { 2 };
        let carrier = i % 3;
        let _ = writeln!(
            csv,
            "N-{i:05},{i:05},Clinic {i},carrier-{carrier},none,agg-{agg},10.0.{}.{},always",
            i / 250,
            i % 250 + 1
        );
    }
    let file = SourceFile {
        path: "hinomi.toml".into(),
        text: toml,
        private: true,
    };
    let loaded = hinomi::config::check(&[file], &Table(csv));
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    loaded.site.unwrap_or_else(|| panic!("{}", problems.join("\n")))
}

fn lost_with_one_device(agg_is_polled: bool, root: &str, verdict: Verdict) {
    let mut world = World::recording(site(agg_is_polled));
    let at = Duration::from_secs;
    world.run_to(at(900));
    assert!(world.taken.is_empty(), "nobody is told of anything");
    world.host("agg-1", false);
    world.run_to(at(900 + 1_800));
    let (book, problems) = Book::restore(&world.events);
    assert!(problems.is_empty(), "{problems:?}");
    let open: Vec<_> = book.open().collect();
    let all: Vec<String> = open.iter().map(|i| i.root.to_string()).collect();
    assert_eq!(all, [root], "one incident");
    assert_eq!(open[0].missing, LOST, "all are listed inside");
    assert_eq!(open[0].isolation().map(|i| i.verdict), Some(verdict));
    let to: Vec<&str> = world.taken.iter().map(|t| t.delivery.mail.to.as_str()).collect();
    assert_eq!(to.len(), 2, "one mail a recipient: {to:?}");
    for taken in &world.taken {
        let body = &taken.delivery.mail.body;
        assert!(body.contains("2000") && body.contains("N-00000"), "{body}");
        assert!(taken.at <= at(900 + 180), "told after {:?}", taken.at - at(900));
    }
    world.host("agg-1", true);
    world.run_to(at(900 + 1_800 + 1_800));
    let (book, _) = Book::restore(&world.events);
    assert_eq!(book.open().count(), 0, "nothing stays open");
    assert_eq!(world.taken.len(), 4, "and one that it is over");
    assert!(
        world.taken[2..]
            .iter()
            .all(|t| t.delivery.mail.subject.contains("RECOVERED"))
    );
    assert_eq!(world.snapshot().incidents_open.get(&Level::Critical), None);
    world.play_again().expect("played again, the same");
}

#[test]
fn one_incident_where_the_device_is_polled() {
    lost_with_one_device(true, "agg-1 device-down", Verdict::OwnNetwork);
}

#[test]
fn one_incident_where_it_is_not() {
    lost_with_one_device(false, "hinomi/device agg-1 circuits-lost", Verdict::Undetermined);
}
