//! Delivery over real relays. I/O: each call has a deadline of its own around everything.
