//! ICMP (RFC 792) and ICMPv6 (RFC 4443): echo requests out, echo replies and errors in.
