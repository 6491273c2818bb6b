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
    other_speed: Option<u64>,
    contracted: Option<u64>,
    clock: Result<(), Unknown>,
    narrow: bool,
    mistyped: bool,
    untimed: bool,
    index: u32,
    twins: u16,
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
            other_speed: None,
            contracted: None,
            clock: Ok(()),
            narrow: false,
            mistyped: false,
            untimed: false,
            index: 1,
            twins: 0,
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
        let octets = wide(self.octets).filter(|_| !self.mistyped);
        let reading = InterfaceReading {
            found_by: None,
            name: "ge-0/0/1".into(),
            index: self.index,
            alias: None,
            admin: Some(1),
            oper: Some(1),
            speed_bps: self.speed,
            other_speed_bps: self.other_speed,
            in_octets: octets,
            out_octets: octets,
            octets_mistyped: self.mistyped,
            packets: wide(self.packets),
            errors: Some(Counter::C32(self.errors)),
            discards: Some(Counter::C32(0)),
            discontinuity: self.discontinuity,
            uptime: self.uptime,
            untimed: self.untimed,
            at: Mono(self.seconds * 1_000_000),
            ambiguous: self.twins > 0,
            twins: self.twins,
        };
        let terms = Terms {
            contracted_bps: self.contracted,
            clock: self.clock,
        };
        self.counters.push(&reading, terms);
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

#[test]
fn what_cannot_be_counted_says_why() {
    let mut port = Port::new();
    port.mistyped = true;
    port.read();
    assert_eq!(port.pass(60, 8_000_000).in_bps, Err(Unknown::WrongType));
    let mut port = Port::new();
    port.read();
    port.pass(60, 8_000_000);
    port.untimed = true;
    assert_eq!(port.pass(60, 8_000_000).in_bps, Err(Unknown::NoUptime));
    port.untimed = false;
    assert_eq!(
        port.pass(60, 8_000_000).in_bps,
        Err(Unknown::WarmingUp),
        "it begins anew"
    );
    assert_eq!(port.pass(60, 8_000_000).in_bps, Ok(8_000_000.0));
    port.clock = Err(Unknown::DeviceClock);
    assert_eq!(port.pass(60, 8_000_000).in_bps, Err(Unknown::DeviceClock));
    let mut port = Port::new();
    port.octets = 0;
    port.read();
    assert_eq!(port.pass(60, 0).in_bps, Ok(0.0), "a port that has just come up");
    assert_eq!(port.pass(300, 0).in_bps, Err(Unknown::NeverCounted));
    port.pass(60, 8_000_000);
    assert_eq!(port.pass(60, 8_000_000).in_bps, Ok(8_000_000.0));
}

#[test]
fn a_32_bit_counter_without_a_speed_is_judged_by_the_contracted_rate() {
    let mut port = Port::new();
    (port.narrow, port.speed) = (true, None);
    port.read();
    assert_eq!(port.pass(60, 8_000_000).in_bps, Err(Unknown::WrapAmbiguous));
    let mut port = Port::new();
    (port.narrow, port.speed, port.contracted) = (true, None, Some(100_000_000));
    port.octets = u64::from(u32::MAX) - 1_000;
    port.read();
    assert_eq!(port.pass(60, 90_000_000).in_bps, Ok(90_000_000.0));
    assert_eq!(
        port.pass(60, 150_000_000).in_bps,
        Ok(150_000_000.0),
        "the contract is no limit of the port"
    );
    assert_eq!(port.pass(60, 300_000_000).in_bps, Err(Unknown::WrapAmbiguous));
    port.contracted = Some(400_000_000);
    port.pass(60, 8_000_000);
    assert_eq!(port.pass(60, 400_000_000).in_bps, Ok(400_000_000.0));
}

#[test]
fn of_two_speeds_the_smaller_is_used_until_the_port_carries_more() {
    let mut port = Port::new();
    (port.speed, port.other_speed) = (Some(10_000_000), GIGABIT);
    port.read();
    assert_eq!(port.pass(60, 5_000_000).in_bps, Ok(5_000_000.0));
    assert_eq!(port.counters.speed_bps(), Some(10_000_000), "the worse number");
    assert_eq!(port.pass(60, 950_000_000).in_bps, Ok(950_000_000.0));
    assert_eq!(port.counters.speed_bps(), GIGABIT);
    port.pass(60, 5_000_000);
    assert_eq!(port.counters.speed_bps(), GIGABIT, "and it stays so");
    assert_eq!(port.pass(60, 5_000_000_000).in_bps, Err(Unknown::AboveLinkSpeed));
    (port.speed, port.other_speed) = (GIGABIT, None);
    port.pass(60, 5_000_000);
    assert_eq!(port.counters.speed_bps(), GIGABIT);
}

#[test]
fn a_contract_above_the_speed_of_the_port_knows_better() {
    let mut port = Port::new();
    (port.speed, port.contracted) = (Some(10_000_000), Some(100_000_000));
    port.read();
    assert_eq!(port.pass(60, 95_000_000).in_bps, Ok(95_000_000.0));
    assert_eq!(port.pass(60, 950_000_000).in_bps, Err(Unknown::AboveLinkSpeed));
}

#[test]
fn another_row_of_one_name_is_another_series() {
    let mut port = Port::new();
    port.twins = 1;
    port.read();
    port.pass(60, 8_000_000);
    port.index = 2;
    assert_eq!(port.pass(60, 80_000_000).in_bps, Err(Unknown::Discontinuity));
    let mut port = Port::new();
    port.read();
    port.index = 2;
    assert_eq!(
        port.pass(60, 8_000_000).in_bps,
        Ok(8_000_000.0),
        "a port that was renumbered counts on"
    );
}

/// A counter that the agent refreshes every so many seconds, read every 5 s.
#[test]
fn a_counter_that_is_refreshed_seldom_gives_no_zero_and_no_peak() {
    const BPS: u64 = 800_000_000;
    for refresh in [5, 10, 30, 45, 60, 90] {
        let mut port = Port::new();
        let began = port.octets;
        let mut known = 0;
        for second in (0..900u64).step_by(5) {
            port.seconds = second;
            port.uptime = 5_000 + second as u32 * 100;
            port.octets = began + second / refresh * refresh * BPS / 8;
            let rate = port.read().in_bps;
            // Before it moves for the first time nothing tells it from a counter of an idle port.
            if let (Ok(rate), true) = (rate, second >= refresh) {
                known += 1;
                assert!(
                    (rate / BPS as f64 - 1.0).abs() < 0.05,
                    "{rate} at {second} s, every {refresh} s"
                );
            }
        }
        assert!(known > 100, "{known} rates, every {refresh} s");
    }
}

#[test]
fn a_port_that_falls_quiet_is_quiet() {
    let mut port = Port::new();
    port.read();
    for _ in 0..20 {
        port.pass(5, 80_000_000);
    }
    for _ in 0..8 {
        port.pass(5, 0);
    }
    assert_eq!(port.read().in_bps, Ok(0.0));
}

#[test]
fn packets_that_stand_still_while_octets_pass_are_no_few_packets() {
    let mut port = Port::new();
    port.read();
    port.pass(60, 80_000_000);
    let still = port.packets;
    for _ in 0..6 {
        port.pass(60, 80_000_000);
        port.packets = still;
    }
    assert_eq!(port.pass(60, 80_000_000).errors_percent, Err(Unknown::Contradicted));
}
