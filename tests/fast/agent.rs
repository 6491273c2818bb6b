//! The SNMP client against a scripted agent that lies, on a virtual clock.

pub(crate) mod site;
