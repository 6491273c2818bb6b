//! docs/json.md is what the types of the statuses say: their fields with their comments.
//! `HINOMI_BLESS=1` writes the tables anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::fmt::Write;
use std::path::Path;

/// Types that are described, with where they are printed.
const TYPES: &[(&str, &str, &str)] = &[
    ("src/core/snapshot.rs", "Snapshot", "`hinomi status --json`"),
    (
        "src/core/snapshot.rs",
        "DeviceStatus",
        "`hinomi explain NAME --json`, `hinomi probe NAME --json`, in `devices`",
    ),
    (
        "src/core/snapshot.rs",
        "CircuitStatus",
        "`circuit` of a device that is an access circuit",
    ),
    ("src/core/snapshot.rs", "MetricStatus", "in `metrics`"),
    ("src/core/snapshot.rs", "InterfaceStatus", "in `interfaces`"),
    ("src/core/snapshot.rs", "FindingStatus", "in `findings`"),
    ("src/core/snapshot.rs", "TrapLine", "in `traps`"),
    ("src/core/snapshot.rs", "Circuits", "`circuits` of the status"),
    ("src/core/snapshot.rs", "CircuitLine", "in `listed` and `still_off`"),
    (
        "src/core/snapshot.rs",
        "RedundancyStatus",
        "in `redundancy`; `hinomi explain GROUP --json`",
    ),
    ("src/core/snapshot.rs", "RedundancyInstance", "in `instances`"),
    ("src/core/snapshot.rs", "RedundancyMember", "in `members`"),
    ("src/core/snapshot.rs", "RouteStatus", "in `routes`"),
    (
        "src/core/snapshot.rs",
        "IncidentSummary",
        "in `incidents` of `hinomi incidents list --json`; `hinomi incidents show N --json`",
    ),
    (
        "src/core/snapshot.rs",
        "MaintenanceStatus",
        "in `maintenance` of `hinomi maintenance list --json`",
    ),
    (
        "src/model/finding.rs",
        "FindingKey",
        "`key` of a finding, `root` of an incident",
    ),
    ("src/model/verdict.rs", "Isolation", "`isolation`"),
    ("src/cli/isolate.rs", "Report", "`hinomi isolate NAME --json`"),
    ("src/cli/check.rs", "Report", "`hinomi check --json`"),
];

const BEGIN: &str = "<!-- tables: begin -->\n";

/// A field as it stands in the source.
struct Field {
    name: String,
    kind: String,
    help: String,
    /// Left out of the JSON where it is empty.
    sparse: bool,
}

fn fields(source: &str, name: &str) -> Vec<Field> {
    let head = source
        .find(&format!("struct {name} {{"))
        .or_else(|| source.find(&format!("struct {name}<'r> {{")))
        .unwrap_or_else(|| panic!("no struct {name}"));
    let body = source[head..].split_once("{\n").unwrap().1;
    let body = body.split_once("\n}").unwrap().0;
    let (mut all, mut help, mut sparse) = (Vec::new(), String::new(), false);
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            if !help.is_empty() {
                help.push(' ');
            }
            help.push_str(text);
        } else if line.starts_with("#[") {
            sparse |= line.contains("skip_serializing_if");
        } else if let Some((field, kind)) = line.trim_end_matches(',').split_once(": ") {
            all.push(Field {
                name: field.trim_start_matches("pub ").to_owned(),
                kind: kind.to_owned(),
                help: std::mem::take(&mut help),
                sparse: std::mem::take(&mut sparse),
            });
        }
    }
    assert!(!all.is_empty(), "{name} has no fields: the source is read wrongly");
    all
}

/// The JSON type of a Rust type.
fn json_type(kind: &str) -> String {
    let inner = |outer: &str| {
        kind.strip_prefix(outer)
            .and_then(|k| k.strip_suffix('>'))
            .map(json_type)
    };
    if kind.starts_with("Result<f64") {
        return "number, or null and KEY`_unknown`".to_owned();
    }
    if kind.starts_with("Result<") {
        return "list, or null and KEY`_unknown`".to_owned();
    }
    if let Some(of) = inner("Option<") {
        return format!("{of} or null");
    }
    if let Some(of) = inner("Vec<").or_else(|| {
        kind.strip_prefix("&'r [")
            .and_then(|k| k.strip_suffix(']'))
            .map(json_type)
    }) {
        return format!("list of {of}");
    }
    if let Some(pair) = kind.strip_prefix("BTreeMap<(") {
        // JSON has no keys of two words: a list of rows.
        let words = vec!["string"; pair.split(')').next().unwrap().split(", ").count()];
        return format!("list of [{}, number]", words.join(", "));
    }
    if kind.starts_with("BTreeMap<") {
        return "object".to_owned();
    }
    if let Some(tuple) = kind.strip_prefix('(').and_then(|k| k.strip_suffix(')')) {
        let parts: Vec<String> = tuple.split(", ").map(json_type).collect();
        return format!("[{}]", parts.join(", "));
    }
    match kind {
        "Wall" => "time".to_owned(),
        "bool" => "true or false".to_owned(),
        "f64" | "u8" | "u32" | "u64" | "usize" => "number".to_owned(),
        "Name" | "String" | "&'r str" | "&'static str" => "string".to_owned(),
        // Enums of the model are words; others are described by a table or by their key.
        other => other.rsplit("::").next().unwrap().to_owned(),
    }
}

fn tables() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for (file, name, place) in TYPES {
        let source = std::fs::read_to_string(root.join(file)).unwrap();
        let title = match (*file, *name) {
            ("src/cli/isolate.rs", _) => "IsolateReport",
            ("src/cli/check.rs", _) => "CheckReport",
            _ => name,
        };
        write!(
            text,
            "### {title}\n\n{place}\n\n| Key | Type | Meaning |\n|---|---|---|\n"
        )
        .unwrap();
        for field in fields(&source, name) {
            let sparse = if field.sparse { "; absent where empty" } else { "" };
            let help = field
                .help
                .replace('|', "\\|")
                .replace("[`", "`")
                .replace("`]", "`")
                .replace("`None`", "null");
            writeln!(
                text,
                "| `{}` | {}{sparse} | {help} |",
                field.name,
                json_type(&field.kind)
            )
            .unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_schema_is_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    let written = std::fs::read_to_string(&path).unwrap();
    let (head, old) = written.split_once(BEGIN).expect("docs/json.md has its marker");
    let new = tables();
    if std::env::var_os("HINOMI_BLESS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}\n{}\n", new.trim_end())).unwrap();
        return;
    }
    assert!(
        old.trim() == new.trim(),
        "docs/json.md is not what the types say: run with HINOMI_BLESS=1 and look at the difference"
    );
}
