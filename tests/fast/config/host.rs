//! Reading from a real folder: several files, rights, secrets, files that are none.

use super::printed;
use hinomi::config::{self, Loaded};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("hinomi-config-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.join("conf.d")).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const OPERATOR: &str = "[operator]\nname = \"x\"\n";

/// The site's own doubts (no uplinks, nobody told) are not what these tests are about.
fn errors(loaded: &Loaded) -> String {
    let errors = loaded.problems.iter().filter(|p| p.severity == config::Severity::Error);
    errors.map(ToString::to_string).collect()
}

#[test]
fn files_beside_are_joined_in_order() {
    let folder = Folder::new("joined");
    let main = folder.write("hinomi.toml", OPERATOR, 0o644);
    let device = |n: u8| format!("[[device]]\nname = \"d{n}\"\naddress = \"192.0.2.{n}\"\n");
    folder.write("conf.d/20.toml", device(2), 0o644);
    folder.write("conf.d/10.toml", device(1), 0o644);
    folder.write("conf.d/.hidden.toml", "not toml", 0o644);
    folder.write("conf.d/notes.txt", "not toml", 0o644);
    let loaded = config::load(&main);
    let site = loaded.site.as_ref().unwrap_or_else(|| panic!("{}", printed(&loaded)));
    assert_eq!(site.devices.iter().map(|d| &*d.name).collect::<Vec<_>>(), ["d1", "d2"]);
    assert_eq!(loaded.files.len(), 3);
}

#[test]
fn a_secret_inline_needs_a_private_file() {
    let folder = Folder::new("inline");
    let text = format!("{OPERATOR}[snmp.a]\nversion = \"2c\"\ncommunity = \"hunter2\"\n");
    let open = config::load(&folder.write("hinomi.toml", &text, 0o640));
    assert!(errors(&open).contains("others can read"), "{}", printed(&open));
    assert!(!printed(&open).contains("hunter2"));
    let private = config::load(&folder.write("hinomi.toml", &text, 0o600));
    assert!(private.site.is_some(), "{}", printed(&private));
}

#[test]
fn a_secret_file_loses_its_last_line_end_only() {
    let folder = Folder::new("file");
    folder.write("community", "two words \n", 0o600);
    let text = format!(
        "{OPERATOR}[snmp.a]\nversion = \"2c\"\ncommunity = {{ file = \"community\" }}\n[[device]]\nname = \"d\"\naddress = \"192.0.2.1\"\nsnmp = \"a\"\n"
    );
    let main = folder.write("hinomi.toml", text, 0o644);
    let loaded = config::load(&main);
    let site = loaded.site.as_ref().unwrap_or_else(|| panic!("{}", printed(&loaded)));
    let access = site.devices[0].snmp.clone().unwrap();
    let hinomi::model::snmp::Credentials::V2c { community } = &access.credentials else {
        panic!("not 2c")
    };
    assert_eq!(community.expose_str(), Some("two words "));
    assert!(!printed(&loaded).contains("everybody"));
    folder.write("community", "two words \n", 0o644);
    assert!(printed(&config::load(&main)).contains("everybody can read"));
    folder.write("community", "\n", 0o600);
    assert!(errors(&config::load(&main)).contains("is empty"));
}

#[test]
fn what_is_no_file_is_told() {
    let folder = Folder::new("none");
    let told = |path: &Path| {
        let loaded = config::load(path);
        assert!(loaded.site.is_none());
        printed(&loaded)
    };
    assert!(told(&folder.0.join("absent.toml")).contains("there is no such file"));
    assert!(told(&folder.0).contains("is not a file but a folder"));
    let sjis = folder.write("sjis.toml", b"[operator]\nname = \"\x93\x8c\x8b\x9e\"\n", 0o644);
    assert!(told(&sjis).contains("seems to be Shift_JIS (from line 2 on)"));
    let utf16: Vec<u8> = "[operator]\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = folder.write("utf16.toml", [&[0xff, 0xfe][..], &utf16].concat(), 0o644);
    assert!(told(&utf16).contains("UTF-16") && told(&utf16).contains("iconv -f UTF-16"));
    let fifo = folder.0.join("fifo.toml");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    assert!(told(&fifo).contains("is not a file but a FIFO"));
    assert!(told(Path::new("/dev/zero")).contains("is not a file but a device"));
}

/// Whatever stands in a file, a refusal is something that a person can read.
#[test]
fn a_refusal_is_short_whatever_was_refused() {
    let folder = Folder::new("flood");
    let unknown: String = (0..10_000).map(|i| format!("unknown_{i} = {i}\n")).collect();
    let twice = "interval = 1\n".repeat(5_000);
    let garbage = "= = =\n".repeat(3_000);
    let wide = format!("[operator]\nname = \"{}\"\ncolour = 1\n", "医".repeat(1 << 17));
    let deep = "a = ".to_owned() + &"[".repeat(100_000);
    let key = format!("{} = 1\n", "k".repeat(1 << 17));
    let inline = format!(
        "daemon = {{ {} }}\n",
        (0..10_000).map(|i| format!("k{i} = 1")).collect::<Vec<_>>().join(", ")
    );
    for (what, text) in [
        ("keys", unknown),
        ("twice", twice),
        ("garbage", garbage),
        ("wide", wide),
        ("deep", deep),
        ("key", key),
        ("inline", inline),
        ("zero", "\0".repeat(1 << 20)),
        ("long", "x".repeat(17 << 20)),
    ] {
        let loaded = config::load(&folder.write("hinomi.toml", text, 0o600));
        let told = printed(&loaded);
        assert!(loaded.site.is_none() && !told.is_empty(), "{what}");
        assert!(
            loaded.problems.len() <= 110,
            "{what}: {} problems",
            loaded.problems.len()
        );
        assert!(told.len() < 120_000, "{what}: {} bytes", told.len());
        let longest = told.lines().map(|l| l.chars().count()).max().unwrap();
        assert!(longest < 1_000, "{what}: a line of {longest}");
    }
}

#[test]
fn what_stands_in_an_unreadable_file_is_not_called_missing() {
    let folder = Folder::new("part");
    let main = folder.write(
        "hinomi.toml",
        "[[device]]\nname = \"d\"\naddress = \"192.0.2.1\"\nparents = [\"elsewhere\"]\n",
        0o644,
    );
    folder.write("conf.d/10.toml", b"\xff\xfe", 0o644);
    let told = errors(&config::load(&main));
    assert!(
        told.contains("is not UTF-8") && !told.contains("elsewhere") && !told.contains("[operator]"),
        "{told}"
    );
}

const OWN_PROFILE: &str = r#"
[[profile]]
name = "site-router"
sys_object_ids = ["1.3.6.1.4.1.99999.7"]
source = "the vendor's MIB"
verified = true

[[profile.measure]]
metric = "cpu"
value = "1.3.6.1.4.1.99999.7.1.0"

[[profile]]
name = "net-snmp"
sys_object_ids = ["1.3.6.1.4.1.8072.3.2"]
source = "this site"
verified = true
"#;

#[test]
fn a_site_adds_profiles_and_replaces_those_built_in() {
    let folder = Folder::new("profiles");
    std::fs::create_dir_all(folder.0.join("own")).unwrap();
    folder.write("own/site.toml", OWN_PROFILE, 0o644);
    folder.write("own/.hidden.toml", "not toml", 0o644);
    folder.write("own/notes.txt", "not toml", 0o644);
    let text = format!(
        "{OPERATOR}[profiles]\ndirectory = \"own\"\n[snmp.a]\nversion = \"2c\"\ncommunity = {{ env = \"PATH\" }}\n[[device]]\n\
         name = \"r\"\naddress = \"192.0.2.1\"\nsnmp = \"a\"\nprofile = \"site-router\"\n"
    );
    let main = folder.write("hinomi.toml", &text, 0o644);
    let loaded = config::load(&main);
    let site = loaded.site.as_ref().unwrap_or_else(|| panic!("{}", printed(&loaded)));
    assert_eq!(site.devices[0].profile.as_deref(), Some("site-router"));
    let named = |name: &str| site.profiles.by_name(name).unwrap();
    assert_eq!(named("site-router").own_measures().count(), 1);
    assert!(
        named("net-snmp").own_measures().next().is_none(),
        "the site's own counts"
    );
    assert!(named("juniper").own_measures().next().is_some());
    let before = site.fingerprint.clone();
    assert!(
        loaded.tables.iter().any(|f| f.ends_with("own/site.toml")),
        "{:?}",
        loaded.tables
    );
    folder.write("own/site.toml", OWN_PROFILE.replace("7.1.0", "7.2.0"), 0o644);
    let site = config::load(&main).site.unwrap();
    assert_ne!(site.fingerprint, before, "another profile is another configuration");
}
