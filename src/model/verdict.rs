//! Whose fault it is (guideline 1.3.2), and what that rests on.

use super::{Name, Wall};
use serde::{Deserialize, Serialize};

/// The party a root finding points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Own device or own link on the path.
    OwnNetwork,
    /// The interconnection platform; only with a second witness.
    Platform,
    /// The link that crosses the demarcation point.
    DemarcationLink,
    /// The access carrier's line.
    AccessCarrier,
    /// Line up, router silent.
    InstitutionSide,
    /// This host is cut off; nobody is accused.
    Blind,
    /// The platform is silent and no second witness speaks: platform or demarcation link.
    PlatformOrDemarcation,
    /// The evidence does not tell.
    Undetermined,
}

impl Verdict {
    /// The word in `match = { verdict = … }`, metrics and `--json`.
    pub fn key(self) -> &'static str {
        match self {
            Verdict::OwnNetwork => "own-network",
            Verdict::Platform => "platform",
            Verdict::DemarcationLink => "demarcation-link",
            Verdict::AccessCarrier => "access-carrier",
            Verdict::InstitutionSide => "institution-side",
            Verdict::Blind => "blind",
            Verdict::PlatformOrDemarcation => "platform-or-demarcation",
            Verdict::Undetermined => "undetermined",
        }
    }

    /// Every verdict.
    pub const ALL: [Verdict; 8] = [
        Verdict::OwnNetwork,
        Verdict::Platform,
        Verdict::DemarcationLink,
        Verdict::AccessCarrier,
        Verdict::InstitutionSide,
        Verdict::Blind,
        Verdict::PlatformOrDemarcation,
        Verdict::Undetermined,
    ];
}

/// One observation a verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The device answers liveness; when it last did.
    DeviceUp {
        /// Which device.
        device: Name,
        /// Its last answer.
        at: Wall,
    },
    /// The device does not answer; since when.
    DeviceSilent {
        /// Which device.
        device: Name,
        /// First unanswered round.
        since: Wall,
    },
    /// ifOperStatus of an interface.
    InterfaceOper {
        /// Which device.
        device: Name,
        /// ifName.
        interface: Name,
        /// Operationally up?
        up: bool,
    },
    /// Octets no longer come in on an interface that carried traffic before the fault.
    OctetsInStopped {
        /// Which device.
        device: Name,
        /// ifName.
        interface: Name,
        /// Bits per second before the fault.
        before_bps: f64,
        /// Bits per second since.
        after_bps: f64,
    },
    /// Octets still come in on the interface.
    OctetsInFlowing {
        /// Which device.
        device: Name,
        /// ifName.
        interface: Name,
        /// Bits per second since the fault.
        after_bps: f64,
    },
    /// Where the far end of an interface's cable is.
    LinkToward {
        /// Which device.
        device: Name,
        /// ifName.
        interface: Name,
        /// The far end.
        to: FarEnd,
    },
    /// A router on the way said the target cannot be reached.
    IcmpUnreachable {
        /// Who said so.
        from: std::net::IpAddr,
    },
    /// A BGP session with it is not established.
    SessionDown {
        /// The device that says so.
        device: Name,
        /// The neighbour.
        peer: std::net::IpAddr,
    },
    /// All uplinks of this host are silent.
    UplinksSilent {
        /// How many there are.
        uplinks: u32,
        /// The first hop is among them.
        own_gateway: bool,
    },
    /// Sending failed on this host itself.
    SendFailed {
        /// The operating system's words.
        error: String,
    },
    /// No second witness could be asked, and why.
    NoWitness {
        /// The other platform devices are up, or none is configured, or the interface is not read.
        reason: WitnessMissing,
    },
}

/// Why no second witness speaks for a verdict "platform".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WitnessMissing {
    /// The demarcation interface is not read by SNMP, or gave no data since the fault.
    InterfaceNotRead,
    /// The demarcation interface is up; how much it carries since the fault is not known yet.
    RateNotKnown,
    /// It carried too little before the fault for silence to mean anything.
    TooLittleTraffic,
    /// Octets still come in.
    StillFlowing,
    /// No other device of the platform is watched over another way.
    NoOtherRouter,
}

/// How the far end of a link is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKnown {
    /// `to` in the configuration.
    Written,
    /// The devices tell their neighbours (LLDP, CDP).
    Learned,
    /// Both fell at one time, and nothing else explains it.
    Guessed,
}

/// The far end of a link, and how it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarEnd {
    /// Which device.
    pub device: Name,
    /// Its ifName, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<Name>,
    /// How.
    pub known: LinkKnown,
}

/// A verdict with its evidence. The next step of the guideline's flow follows from the verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Isolation {
    /// Whose fault.
    pub verdict: Verdict,
    /// What it rests on, the most telling first.
    pub evidence: Vec<Evidence>,
}
