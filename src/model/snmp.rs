//! How to speak SNMP to a device: version, credentials, port. (Message formats are in `wire`.)

use super::Secret;

/// One `[snmp.NAME]` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnmpAccess {
    /// The section's name, for messages.
    pub name: String,
    /// UDP port, 161 unless the section says otherwise.
    pub port: u16,
    /// Version and credentials.
    pub credentials: Credentials,
    /// What the devices write their texts in.
    pub text: TextEncoding,
    /// Interfaces of one device that are read, at most.
    pub interfaces_max: u32,
}

impl SnmpAccess {
    /// Interfaces of one device that are read where nothing else is configured: more than a large chassis has ports, less than what an
    /// access concentrator has sessions.
    pub const INTERFACES_MAX: u32 = 4_096;
}

/// What names and descriptions of a device are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TextEncoding {
    /// Found out for each text: UTF-8, else Shift_JIS or EUC-JP.
    #[default]
    Auto,
    /// UTF-8 (RFC 3629), ASCII included.
    Utf8,
    /// Shift_JIS as Windows has it (CP932).
    ShiftJis,
    /// EUC-JP.
    EucJp,
}

/// What proves who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// SNMPv1 (RFC 1157).
    V1 {
        /// The community string.
        community: Secret,
    },
    /// SNMPv2c (RFC 1901).
    V2c {
        /// The community string.
        community: Secret,
    },
    /// SNMPv3 with the user-based security model (RFC 3414).
    V3(V3User),
}

/// A user of the user-based security model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V3User {
    /// msgUserName, 1 to 32 octets.
    pub user: String,
    /// noAuthNoPriv without it.
    pub auth: Option<(AuthProtocol, Secret)>,
    /// authNoPriv without it; never without `auth`.
    pub privacy: Option<(PrivacyProtocol, Secret)>,
    /// contextName, empty unless written.
    pub context: String,
}

/// Authentication protocols of USM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthProtocol {
    /// usmHMACSHAAuthProtocol (RFC 3414), 12 octets on the wire.
    Sha1,
    /// usmHMAC128SHA224AuthProtocol (RFC 7860), 16 octets.
    Sha224,
    /// usmHMAC192SHA256AuthProtocol (RFC 7860), 24 octets.
    Sha256,
    /// usmHMAC256SHA384AuthProtocol (RFC 7860), 32 octets.
    Sha384,
    /// usmHMAC384SHA512AuthProtocol (RFC 7860), 48 octets.
    Sha512,
}

/// Privacy protocols of USM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrivacyProtocol {
    /// usmAesCfb128Protocol (RFC 3826).
    Aes128,
    /// AES-192-CFB with the key extension of draft-blumenthal-aes-usm-04.
    Aes192,
    /// AES-256-CFB with the key extension of draft-blumenthal-aes-usm-04.
    Aes256,
    /// AES-192-CFB with the key extension of draft-reeder-snmpv3-usm-3desede (as Cisco ships it).
    Aes192c,
    /// AES-256-CFB with the key extension of draft-reeder-snmpv3-usm-3desede (as Cisco ships it).
    Aes256c,
}
