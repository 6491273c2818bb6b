//! SNMP messages (RFC 1157, 1901, 3412, 3414).
