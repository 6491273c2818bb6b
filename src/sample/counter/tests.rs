use super::*;

const GIGABIT: Option<u64> = Some(1_000_000_000);

/// A device that counts `bps` in both directions and is read every `step` seconds.
struct Port {
    counters: InterfaceCounters,
    seconds: u64,
    uptime: u32,
    octets: u64,
    packets: u64,
    errors: u32,
    discontinuity: Option<u32>,
    speed: Option<u64>,
    narrow: bool,
}

impl Port {
    fn new() -> Port {
        Port {
            counters: InterfaceCounters::default(),
            seconds: 0,
            uptime: 5_000,
            octets: 1_000_000,
            packets: 0,
            errors: 0,
            discontinuity: Some(0),
            speed: GIGABIT,
            narrow: false,
        }
    }

    fn read(&mut self) -> &Rates {
        let wide = |v: u64| {
            Some(if self.narrow {
                Counter::C32(v as u32)
            } else {
                Counter::C64(v)
            })
        };
        self.counters.push(&InterfaceReading {
            found_by: None,
            name: "ge-0/0/1".into(),
            index: 1,
            alias: None,
            admin: Some(1),
            oper: Some(1),
            speed_bps: self.speed,
            in_octets: wide(self.octets),
            out_octets: wide(self.octets),
            packets: wide(self.packets),
            errors: Some(Counter::C32(self.errors)),
            discards: Some(Counter::C32(0)),
            discontinuity: self.discontinuity,
            uptime: self.uptime,
            at: Mono(self.seconds * 1_000_000),
            ambiguous: false,
        });
        self.counters.rates()
    }

    fn pass(&mut self, seconds: u32, bps: u64) -> &Rates {
        self.seconds += u64::from(seconds);
        self.uptime = self.uptime.wrapping_add(seconds * 100);
        self.octets = self.octets.wrapping_add(bps / 8 * u64::from(seconds));
        self.packets += bps / 8 / 500 * u64::from(seconds);
        self.read()
    }
}

#[test]
fn a_rate_needs_thirty_seconds() {
    let mut port = Port::new();
    assert_eq!(port.read().in_bps, Err(Unknown::WarmingUp));
    assert_eq!(port.pass(10, 80_000_000).in_bps, Err(Unknown::WarmingUp));
    assert_eq!(port.pass(10, 80_000_000).in_bps, Err(Unknown::WarmingUp));
    assert_eq!(port.pass(10, 80_000_000).in_bps, Ok(80_000_000.0));
}

#[test]
fn a_restart_makes_the_interval_unknown_and_no_spike() {
    let mut port = Port::new();
    port.read();
    port.pass(60, 80_000_000);
    port.uptime = 0;
    port.octets = 0;
    assert_eq!(port.pass(60, 8_000_000).in_bps, Err(Unknown::Restarted));
    assert_eq!(
        port.pass(60, 8_000_000).in_bps,
        Ok(8_000_000.0),
        "the next interval starts afresh"
    );
}

#[test]
fn a_restart_whose_uptime_has_already_passed_the_old_one_is_seen() {
    let mut port = Port::new();
    port.uptime = 1_000;
    port.read();
    // Ten seconds of uptime before, and 45 s after a restart 15 s into the minute: the uptime only grew.
    port.seconds += 60;
    port.uptime = 4_500;
    port.octets = 500_000_000;
    assert_eq!(port.read().in_bps, Err(Unknown::Restarted));
}

#[test]
fn the_wrap_of_uptime_after_497_days_is_no_restart() {
    let mut port = Port::new();
    port.uptime = u32::MAX - 2_000;
    port.read();
    assert_eq!(port.pass(60, 8_000_000).in_bps, Ok(8_000_000.0));
}

#[test]
fn a_discontinuity_makes_the_interval_unknown() {
    let mut port = Port::new();
    port.read();
    port.pass(60, 8_000_000);
    port.discontinuity = Some(1234);
    port.octets = 7;
    assert_eq!(port.pass(60, 8_000_000).in_bps, Err(Unknown::Discontinuity));
}

#[test]
fn a_64_bit_counter_that_falls_is_never_a_wrap() {
    let mut port = Port::new();
    port.read();
    port.octets -= 1;
    assert_eq!(port.pass(60, 0).in_bps, Err(Unknown::Decreased));
}

#[test]
fn one_wrap_of_a_32_bit_counter_is_undone_where_the_port_is_slow_enough() {
    let mut port = Port::new();
    port.narrow = true;
    port.speed = Some(100_000_000);
    port.octets = u64::from(u32::MAX) - 1_000;
    port.read();
    assert_eq!(port.pass(60, 8_000_000).in_bps, Ok(8_000_000.0));
}

#[test]
fn a_32_bit_counter_on_a_fast_port_is_not_believed() {
    let mut port = Port::new();
    port.narrow = true;
    port.read();
    assert_eq!(
        port.pass(60, 8_000_000).in_bps,
        Err(Unknown::WrapAmbiguous),
        "1 Gbit/s wraps in 34 s"
    );
}

#[test]
fn a_32_bit_counter_set_back_is_not_taken_for_a_wrap() {
    let mut port = Port::new();
    port.narrow = true;
    port.speed = Some(10_000_000);
    port.octets = 2_000_000_000;
    port.read();
    port.octets = 5_000;
    assert_eq!(port.pass(60, 0).in_bps, Err(Unknown::WrapAmbiguous));
}

#[test]
fn more_than_the_port_can_carry_is_unknown() {
    let mut port = Port::new();
    port.read();
    port.pass(60, 8_000_000);
    assert_eq!(port.pass(60, 9_000_000_000).in_bps, Err(Unknown::AboveLinkSpeed));
    assert_eq!(port.pass(60, 8_000_000).in_bps, Ok(8_000_000.0));
}

#[test]
fn errors_need_enough_packets_and_enough_errors() {
    let mut port = Port::new();
    port.read();
    port.errors += 50;
    assert_eq!(port.pass(60, 8_000).errors_percent, Err(Unknown::TooFewPackets));
    let mut port = Port::new();
    port.read();
    port.errors += 9;
    assert_eq!(port.pass(60, 8_000_000).errors_percent, Ok(0.0));
    port.errors += 1_000;
    let share = port.pass(60, 8_000_000).errors_percent.unwrap();
    assert!((0.3..0.5).contains(&share), "{share}");
}
