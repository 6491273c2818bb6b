//! The words of the network: what a site consists of, and the small values that more than one stage speaks of.
//!
//! Everything here is data. A value of these types has already been checked (`config` does that); past this line nothing is
//! a string "to be parsed later". Units are in the type or in the name.
//!
//! Never here: I/O, a clock, randomness, or an import of any other module of ours.

pub mod circuit;
pub mod contact;
pub mod device;
pub mod finding;
pub mod host_address;
pub mod mail_address;
pub mod maintenance;
pub mod profile;
pub mod reach;
pub mod redundancy;
pub mod role_source;
pub mod secret;
pub mod sensor;
pub mod service;
pub mod site;
pub mod snmp;
pub mod threshold;
pub mod time;
pub mod verdict;
pub mod words;

pub use crate::text;
pub use circuit::{Circuit, CircuitRole, Hours, Line, LocalMinute, Measure, Power};
pub use contact::{
    Address, Contact, Crossing, Escalation, Match, Party, Procedure, Recipient, Relay, Route, Tls, When,
};
pub use device::{
    Bind, Confirm, Demarcation, Device, DeviceId, InterfaceWanted, LinkEnd, Liveness, Owner, PollSettings, Recover,
    Role, Status, Subnet, Watch, WatchKind,
};
pub use finding::{ComponentName, FindingKey, FindingKind, FindingRule, Level, Name, Part};
pub use host_address::{HostAddress, Zone};
pub use mail_address::MailAddress;
pub use maintenance::{Maintenance, Window};
pub use profile::{Profile, Profiles};
pub use reach::ReachState;
pub use redundancy::{Member, MemberPart, Preferred, Redundancy, RedundancyKind};
pub use secret::Secret;
pub use sensor::{Limits, Place};
pub use service::Service;
pub use site::{DaemonSettings, Heartbeat, Language, Operator, PluginSettings, Site, TrapListen, TrapSettings};
pub use threshold::{Bound, Metric, Threshold, ThresholdKind, Written};
pub use time::{Mono, Now, Wall};
pub use verdict::{Evidence, FarEnd, Isolation, LinkKnown, Verdict};
