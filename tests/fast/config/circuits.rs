//! Circuits, devices and contacts from CSV: what a right row means, and what a file may look like.

use super::{Dummies, check, errors_of, printed, site};
use hinomi::config::{self, Found, Host, NotFound, SecretFrom, SourceFile, Surroundings};
use hinomi::model::{
    CircuitRole, Device, FindingKind, Level, Liveness, LocalMinute, Measure, Owner, Power, Role, Site, Status,
    ThresholdKind,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// CSV files out of the air, by name.
struct Files<'f>(&'f [(&'f str, String)]);

impl Surroundings for Files<'_> {
    fn secret(&self, from: &SecretFrom) -> Result<Found, NotFound> {
        Dummies.secret(from)
    }

    fn table(&self, path: &Path) -> Result<String, NotFound> {
        let found = self.0.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.clone()).ok_or_else(|| NotFound {
            what: format!("cannot be read: {}", path.display()),
            hint: String::new(),
        })
    }

    fn certificates(&self, path: &Path) -> Result<(), NotFound> {
        Dummies.certificates(path)
    }

    fn profiles(&self, folder: &Path) -> Result<Vec<SourceFile>, NotFound> {
        Dummies.profiles(folder)
    }
}

/// Checks a main file with CSV files beside it.
fn loaded(main: &str, files: &[(&str, String)]) -> config::Loaded {
    let source = SourceFile {
        path: PathBuf::from("hinomi.toml"),
        text: format!("[operator]\nname = \"x\"\n{main}"),
        private: false,
    };
    config::check(&[source], &Files(files))
}

fn site_of(main: &str, files: &[(&str, String)]) -> Site {
    let loaded = loaded(main, files);
    loaded
        .site
        .as_ref()
        .cloned()
        .unwrap_or_else(|| panic!("{}", printed(&loaded)))
}

fn example() -> Site {
    let loaded = config::load_with(Path::new("examples/circuits/hinomi.toml"), &Dummies);
    assert_eq!(printed(&loaded), "");
    assert_eq!((loaded.files.len(), loaded.tables.len()), (1, 4));
    loaded.site.unwrap()
}

fn named<'s>(site: &'s Site, name: &str) -> &'s Device {
    site.device(site.find(name).unwrap_or_else(|| panic!("no {name}")))
}

const ONE_DEVICE: &str = "[snmp.a]\nversion = \"2c\"\ncommunity = { env = \"X\" }\n[[device]]\nname = \"agg\"\naddress = \"192.0.2.1\"\nsnmp = \"a\"\nsite = \"tokyo\"\n[circuits]\nfile = \"c.csv\"\nhours = \"always\"\n";

#[test]
fn a_circuit_is_a_device_of_its_institution() {
    let site = example();
    let clinic = named(&site, "N-0000101");
    let circuit = clinic.circuit.as_ref().unwrap();
    assert_eq!(
        (clinic.role, clinic.owner, clinic.status),
        (Role::Circuit, Owner::Institution, Status::Active)
    );
    assert_eq!(
        (clinic.class.as_deref(), clinic.site.as_deref()),
        (Some("user"), Some("tokyo"))
    );
    assert_eq!(
        (&*circuit.institution_id, &*circuit.institution),
        ("1310101", "火の見クリニック")
    );
    assert_eq!(
        (circuit.carrier.as_deref(), circuit.contact.as_deref()),
        (Some("carrier-1"), Some("clinic-101"))
    );
    assert_eq!(
        (circuit.down_bps, circuit.up_bps),
        (Some(100_000_000), Some(100_000_000))
    );
    assert_eq!((circuit.role, circuit.power), (CircuitRole::Main, Power::MayBeOff));
    assert_eq!(circuit.hours.to_string(), "Mon-Fri 08:30-18:00, Sat 08:30-12:30");
    assert_eq!(clinic.poll.echoes, 1);
    assert_eq!(
        (clinic.poll.interval, clinic.poll.confirm.echoes),
        (Duration::from_secs(60), 15)
    );
    // Quotes of RFC 4180, and two circuits of one institution.
    assert_eq!(
        &*named(&site, "N-0000103").circuit.as_ref().unwrap().institution,
        "Dental Office \"Sakura\""
    );
    let code = |n: &str| named(&site, n).circuit.as_ref().unwrap().institution_id.clone();
    assert_eq!(code("N-0000104"), code("N-0000105"));
    assert_eq!(site.operator.holidays.len(), 4);
    assert_eq!(site.operator.holidays[0], 20_819);
}

#[test]
fn where_a_circuit_is_measured_decides_what_is_asked() {
    let site = example();
    let agg = site.find("agg-1").unwrap();
    let with_address = named(&site, "N-0000101");
    assert_eq!(
        (with_address.liveness, with_address.address.to_string().as_str()),
        (Liveness::Echo, "203.0.113.101")
    );
    assert_eq!(with_address.parents, [agg]);
    assert!(with_address.snmp.is_none() && with_address.interfaces.is_empty());
    let line = named(&site, "N-0000102");
    assert_eq!(
        (line.liveness, line.address),
        (Liveness::Line, named(&site, "agg-1").address)
    );
    let Measure::Line(port) = &line.circuit.as_ref().unwrap().measure else {
        panic!("not on a device")
    };
    assert_eq!((port.device, &*port.port), (agg, "alias:N-0000102"));
    let cpe = named(&site, "N-0000105");
    assert_eq!(cpe.circuit.as_ref().unwrap().measure, Measure::Cpe("wan1".into()));
    assert_eq!(cpe.interfaces.iter().map(|i| &*i.pattern).collect::<Vec<_>>(), ["wan1"]);
    assert_eq!(cpe.snmp.as_ref().map(|s| s.name.as_str()), Some("cpe"));
    assert_eq!(cpe.parents, [site.find("agg-2").unwrap()]);
    let alone = named(&site, "N-0000106");
    assert!(alone.parents.is_empty() && alone.site.is_none());
    let none = named(&site, "N-0000107").circuit.as_ref().unwrap();
    assert_eq!((&none.measure, none.power), (&Measure::Nothing, Power::MayBeOff));
    assert!(none.hours.open(LocalMinute {
        of_week: 60,
        holiday: true
    }));
    assert_eq!(named(&site, "N-0000108").status, Status::Planned);
}

#[test]
fn ports_that_no_pattern_covers_are_added_to_their_device_once() {
    let site = example();
    let ports = |name: &str| -> Vec<String> {
        named(&site, name)
            .interfaces
            .iter()
            .map(|i| i.pattern.to_string())
            .collect()
    };
    // xe-0/0/4 is covered by the pattern; an alias never is; the planned circuit on agg-2 is not asked for.
    assert_eq!(ports("agg-1"), ["ae0", "xe-0/0/*", "ge-0/0/17", "alias:N-0000102"]);
    assert_eq!(ports("agg-2"), ["ae0"]);
    assert_eq!(ports("pppoe-1"), ["ae0", "session:sakura@example"]);
}

#[test]
fn forty_eight_circuits_on_one_device_are_forty_eight_ports() {
    let rows: String = (1..=48)
        .map(|n| format!("N-{n},{n},agg,ge-0/0/{n},{}\n", if n == 48 { "backup" } else { "" }))
        .collect();
    let site = site_of(
        ONE_DEVICE,
        &[("c.csv", format!("id,institution_id,device,interface,role\n{rows}"))],
    );
    let agg = named(&site, "agg");
    assert_eq!(agg.interfaces.len(), 48);
    assert_eq!(
        (&*agg.interfaces[0].pattern, &*agg.interfaces[47].pattern),
        ("ge-0/0/1", "ge-0/0/48")
    );
    assert!(agg.interfaces[47].backup && !agg.interfaces[46].backup && !agg.interfaces[46].expect_up);
    let circuits: Vec<&Device> = site.devices.iter().filter(|d| d.role == Role::Circuit).collect();
    assert_eq!(circuits.len(), 48);
    assert!(
        circuits
            .iter()
            .all(|c| c.site.as_deref() == Some("tokyo") && c.liveness == Liveness::Line && c.snmp.is_none())
    );
    // What they have in common is one.
    let same = |f: fn(&Device) -> *const u8| circuits.iter().all(|c| f(c) == f(circuits[0]));
    assert!(same(|d| std::sync::Arc::as_ptr(&d.thresholds).cast()));
    assert!(same(|d| std::sync::Arc::as_ptr(&d.findings).cast()));
    assert!(same(
        |d| std::sync::Arc::as_ptr(&d.circuit.as_ref().unwrap().hours).cast()
    ));
    assert!(same(|d| d.class.as_ref().unwrap().as_ptr()));
}

#[test]
fn thresholds_reach_circuits_only_where_they_can_be_judged() {
    let main = format!(
        "{ONE_DEVICE}thresholds.loss = {{ warning = \"10 %\" }}\n[thresholds]\ncpu = {{ warning = \"70 %\" }}\nutilization = {{ warning = \"70 %\" }}\nrtt = {{ warning = \"50ms\" }}\n[class.hospital]\nthresholds.rtt = {{ warning = \"20ms\" }}\n"
    );
    let rows = "id,institution_id,class,device,interface,address,measure,thresholds.utilization.warning,thresholds.utilization,power\n\
        line,1,,agg,p1,,,,,\nboth,1,,agg,p2,192.0.2.2,,,,\necho,1,,,,192.0.2.3,,,,\nward,1,hospital,,,192.0.2.4,,,,\n\
        own,1,,agg,p5,,,90 %,,\noff,1,,agg,p6,,,,off,\nsp,1,service-provider,agg,p7,,,,,\n";
    let site = site_of(&main, &[("c.csv", rows.to_string())]);
    let kinds = |name: &str| named(&site, name).thresholds.keys().copied().collect::<Vec<_>>();
    assert_eq!(kinds("line"), [ThresholdKind::Utilization]);
    assert_eq!(kinds("both"), [ThresholdKind::Utilization, ThresholdKind::Loss]);
    assert_eq!(kinds("echo"), [ThresholdKind::Loss]);
    assert_eq!(kinds("ward"), [ThresholdKind::Loss, ThresholdKind::Rtt]);
    assert!(kinds("off").is_empty());
    let warning = |name: &str| {
        named(&site, name).thresholds[&ThresholdKind::Utilization]
            .bound(Level::Warning)
            .unwrap()
            .raise()
    };
    assert_eq!((warning("line"), warning("own")), (70.0, 90.0));
    let tells = |name: &str| named(&site, name).circuit.as_ref().unwrap().tells_utilization;
    assert!(!tells("line") && tells("own") && !tells("off") && tells("sp"));
    let power = |name: &str| named(&site, name).circuit.as_ref().unwrap().power;
    assert_eq!(
        [power("line"), power("ward"), power("sp")],
        [Power::MayBeOff, Power::Always, Power::Always]
    );
}

#[test]
fn the_section_of_circuits_overrides_poll_and_the_row_overrides_both() {
    let main =
        format!("{ONE_DEVICE}poll.interval = \"2m\"\npoll.timeout = \"3s\"\n[poll]\nechoes = 5\ntimeout = \"4s\"\n");
    let rows = "id,institution_id,address,poll.interval,poll.echoes\na,1,192.0.2.2,,\nb,1,192.0.2.3,30s,2\nc,1,192.0.2.4,30s,2\n";
    let site = site_of(&main, &[("c.csv", rows.to_string())]);
    let times = |name: &str| {
        (
            named(&site, name).poll.interval.as_secs(),
            named(&site, name).poll.timeout.as_secs(),
            named(&site, name).poll.echoes,
        )
    };
    assert_eq!(
        (times("a"), times("b"), times("c")),
        ((120, 3, 1), (30, 3, 2), (30, 3, 2))
    );
    assert_eq!(named(&site, "agg").poll.echoes, 5);
}

#[test]
fn the_class_sets_level_and_delay_of_a_silent_circuit() {
    let site = example();
    assert_eq!(
        named(&site, "N-0000104").rule(FindingKind::CircuitSilent).level,
        Level::Critical
    );
    assert_eq!(
        named(&site, "N-0000101").rule(FindingKind::CircuitSilent).level,
        Level::Warning
    );
}

#[test]
fn a_circuit_in_toml_is_the_same_as_one_in_csv() {
    let toml = format!(
        "{}[[circuit]]\nid = \"N-1\"\ninstitution_id = \"7\"\ndevice = \"agg\"\ninterface = \"p1\"\naddress = \"192.0.2.9\"\nliveness = {{ tcp = 22 }}\ndown = \"1 Gbit/s\"\npower = \"always\"\npoll.interval = \"20s\"\nthresholds.errors = {{ warning = \"1 %\", for = \"2m\" }}\n",
        ONE_DEVICE.replace("file = \"c.csv\"\n", "")
    );
    let csv = "id,institution_id,device,interface,address,liveness,down,power,poll.interval,thresholds.errors.warning,thresholds.errors.for\n\
        N-1,7,agg,p1,192.0.2.9,tcp:22,1 Gbit/s,always,20s,1 %,2m\n";
    let (from_toml, from_csv) = (site(&toml), site_of(ONE_DEVICE, &[("c.csv", csv.to_string())]));
    assert_eq!(named(&from_toml, "N-1"), named(&from_csv, "N-1"));
    assert_eq!(named(&from_csv, "N-1").liveness, Liveness::Tcp(22));
}

#[test]
fn a_device_in_csv_is_the_same_as_one_in_toml() {
    let section = "[snmp.a]\nversion = \"2c\"\ncommunity = { env = \"X\" }\n[group.g]\nsnmp = \"a\"\n";
    let toml = format!(
        "{section}[[device]]\nname = \"p\"\naddress = \"192.0.2.1\"\n[[device]]\nname = \"d\"\naddress = \"192.0.2.2\"\ngroup = \"g\"\nowner = \"carrier\"\nsite = \"tokyo\"\nclass = \"user\"\nprofile = \"net-snmp\"\nliveness = {{ tcp = 22 }}\nstatus = \"planned\"\nsnmp = \"a\"\nparents = [\"p\"]\ninterfaces = [\"ge-0/0/1\", \"Slot 2 Port 1\"]\ntags = [\"x\", \"y\"]\npoll.interval = \"30s\"\npoll.confirm = {{ echoes = 5, over = \"5s\" }}\nthresholds.cpu = {{ warning = \"60 %\", critical = \"80 %\", for = \"3m\", clear = {{ warning = \"50 %\" }} }}\nthresholds.load5.warning = 4.5\nfindings.device-down = {{ level = \"warning\", after = \"10s\" }}\n"
    );
    let csv = "name,address,group,owner,site,class,profile,liveness,status,snmp,parents,interfaces,tags,poll.interval,poll.confirm.echoes,poll.confirm.over,thresholds.cpu.warning,thresholds.cpu.critical,thresholds.cpu.for,thresholds.cpu.clear.warning,thresholds.load5.warning,findings.device-down.level,findings.device-down.after\n\
        p,192.0.2.1,,,,,,,,,,,,,,,,,,,,,\n\
        d,192.0.2.2,g,carrier,tokyo,user,net-snmp,tcp:22,planned,a,p,ge-0/0/1; Slot 2 Port 1,x y,30s,5,5s,60 %,80 %,3m,50 %,4.5,warning,10s\n";
    let from_csv = site_of(
        &format!("{section}[devices]\nfile = \"d.csv\"\n"),
        &[("d.csv", csv.to_string())],
    );
    assert_eq!(site(&toml).devices, from_csv.devices);
}

#[test]
fn files_of_any_system_are_read() {
    let plain = "id,institution_id,institution,address,power\nN-1,1,医院,192.0.2.2,always\n\nN-2,2,\"A, B\",192.0.2.3,always\n,,,,\n";
    let wanted = site_of(ONE_DEVICE, &[("c.csv", plain.to_string())]);
    let mut wanted = wanted.devices;
    let variants = [
        plain.replace('\n', "\r\n"),
        format!("\u{feff}{plain}"),
        format!("\u{feff}{}", plain.replace('\n', "\r\n")),
        plain.trim_end().to_string(),
        plain
            .replace("always\n", "always,,\n")
            .replace("power\n", "power,,\n")
            .replace(",,,,\n", ",,,,,,\n"),
        plain
            .lines()
            .map(|l| {
                l.split(',')
                    .map(|c| {
                        if l.contains('"') {
                            c.to_string()
                        } else {
                            format!("\"{c}\"")
                        }
                    })
                    .collect::<Vec<_>>()
                    .join(",")
                    + "\n"
            })
            .collect(),
    ];
    for text in variants {
        let devices = site_of(ONE_DEVICE, &[("c.csv", text.clone())]).devices;
        assert_eq!(devices, wanted, "{text}");
    }
    // Several files, and a header alone.
    let main = ONE_DEVICE.replace("\"c.csv\"", "[\"c.csv\", \"none.csv\", \"more.csv\"]");
    let more = "power,address,institution_id,id\nalways,192.0.2.4,3,N-3\n";
    let files = [
        ("c.csv", plain.to_string()),
        ("none.csv", "id,institution_id\n".to_string()),
        ("more.csv", more.to_string()),
    ];
    let devices = site_of(&main, &files).devices;
    assert_eq!(devices.len(), wanted.len() + 1);
    assert_eq!(&*devices.last().unwrap().name, "N-3");
    wanted.push(devices.last().unwrap().clone());
    assert_eq!(devices, wanted);
}

#[test]
fn a_byte_order_mark_does_not_move_a_place() {
    let loaded = loaded(
        ONE_DEVICE,
        &[("c.csv", "\u{feff}id,instituton_id\nN-1,1\n".to_string())],
    );
    let problem = loaded.problems.iter().find(|p| p.file == "c.csv").unwrap();
    assert_eq!((problem.line, problem.column), (1, 4));
}

#[test]
fn of_many_bad_rows_fifty_are_shown_and_all_are_counted() {
    let rows: String = (0..300)
        .map(|n| {
            format!(
                "N-{n},1,192.0.2.{},always,{}\n",
                300 + n,
                if n % 3 == 0 { "Mon" } else { "" }
            )
        })
        .collect();
    let loaded = loaded(
        ONE_DEVICE,
        &[("c.csv", format!("id,institution_id,address,power,hours\n{rows}"))],
    );
    let errors: Vec<_> = loaded.problems.iter().filter(|p| p.file == "c.csv").collect();
    assert_eq!(errors.len(), 51);
    assert_eq!(errors.iter().map(|p| p.count).sum::<usize>(), 400);
    assert_eq!(errors[50].what, "and 350 more errors in this file");
    // In order: line 2 has two.
    assert_eq!((errors[0].line, errors[1].line, errors[2].line), (2, 2, 3));
}

#[test]
fn a_table_that_cannot_be_read_makes_nothing_else_wrong() {
    let main = format!(
        "{ONE_DEVICE}[contacts]\nfile = \"absent.csv\"\n[[procedure]]\nname = \"p\"\nmatch = {{ circuit = \"N-1\" }}\ntell = [\"somebody\"]\n"
    );
    let rows = "id,institution_id,address,contact\nN-1,1,192.0.2.2,somebody\n";
    let loaded = loaded(&main, &[("c.csv", rows.to_string())]);
    let errors = errors_of(&loaded);
    assert_eq!(errors.len(), 1, "{}", printed(&loaded));
    assert!(errors[0].what.contains("absent.csv"));
}

#[test]
fn the_contact_of_a_circuit_and_its_id_are_known_to_procedures() {
    let site = example();
    let ward = site.procedures.iter().find(|p| p.matches.device.is_some()).unwrap();
    assert_eq!(ward.matches.device.as_deref(), Some("N-0000105"));
    assert_eq!(
        ward.tell.iter().map(|n| &**n).collect::<Vec<_>>(),
        ["noc", "circuit.contact"]
    );
    let hospital = site.contacts.iter().find(|c| &*c.name == "hospital-104").unwrap();
    let mail: Vec<&str> = hospital.mail.iter().map(|a| a.mail.as_str()).collect();
    assert_eq!(mail, ["it@hospital-104.example.jp", "duty@mobile.example.org"]);
}

#[test]
fn a_circuit_cannot_be_a_parent_or_be_crossed() {
    let loaded = check(
        "[operator]\nname = \"x\"\n[[circuit]]\nid = \"N-1\"\ninstitution_id = \"1\"\naddress = \"192.0.2.2\"\n[[device]]\nname = \"d\"\naddress = \"192.0.2.3\"\nparents = [\"N-1\"]\n",
    );
    assert!(
        errors_of(&loaded).iter().any(|p| p.what == "there is no device `N-1`"),
        "{}",
        printed(&loaded)
    );
}

#[test]
fn the_fingerprint_follows_the_rows() {
    let row = |n: u8| {
        site_of(
            ONE_DEVICE,
            &[("c.csv", format!("id,institution_id,address\nN-1,1,192.0.2.{n}\n"))],
        )
        .fingerprint
    };
    assert_ne!(row(2), row(3));
    assert_eq!(row(2), row(2));
}

#[test]
fn a_file_on_this_host_says_why_it_cannot_be_read() {
    let table = |name: &str| Host::new().table(Path::new(name)).unwrap_err().what;
    assert!(table("tests/config_bad/rows/shift-jis.csv").contains("Shift_JIS (from line 2 on)"));
    assert!(table("tests/config_bad/rows/utf-16.csv").contains("UTF-16"));
    assert!(table("tests/config_bad/rows/absent.csv").contains("there is no such file"));
    assert!(table("tests/config_bad/rows").contains("is not a file"));
}
