//! The simulated network: one SNMP agent a device, each on a loopback address of its own. It only has the knobs the story turns.

use async_snmp::Value;
use async_snmp::agent::Agent;
use async_snmp::handler::{BoxFuture, GetNextResult, GetResult, HandlerResult, MibHandler, RequestContext};
use async_snmp::{Oid, VarBind};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Community of all agents.
pub(crate) const COMMUNITY: &str = "demo";

const MIB2: [u32; 6] = [1, 3, 6, 1, 2, 1];
const UCD: [u32; 7] = [1, 3, 6, 1, 4, 1, 2021];

/// A device with its agent.
pub(crate) struct Device {
    pub(crate) name: &'static str,
    address: SocketAddr,
    knobs: Arc<Knobs>,
    agent: Mutex<Option<Running>>,
}

type Running = (Arc<Agent>, JoinHandle<()>);

/// What an agent says, and what the story changes.
struct Knobs {
    name: &'static str,
    begun: Instant,
    state: Mutex<State>,
}

struct State {
    cpu: i32,
    /// Names and speeds of the interfaces.
    interfaces: Vec<Port>,
    counted: Instant,
}

struct Port {
    name: &'static str,
    alias: &'static str,
    speed_mbps: u32,
    in_bps: f64,
    out_bps: f64,
    in_octets: f64,
    out_octets: f64,
}

/// All devices.
pub(crate) struct Network {
    runtime: Runtime,
    pub(crate) devices: Vec<Device>,
    /// The UDP port all agents listen on.
    pub(crate) port: u16,
}

impl Network {
    /// Starts an agent for each name and address, all on one free port.
    pub(crate) fn start(runtime: Runtime, devices: &[(&'static str, &'static str)]) -> Result<Network, String> {
        let addresses: Vec<&str> = devices.iter().map(|(_, address)| *address).collect();
        let port = free_port(&addresses)?;
        let devices = devices
            .iter()
            .map(|(name, address)| {
                let address = format!("{address}:{port}")
                    .parse()
                    .map_err(|e| format!("{address}: {e}"))?;
                Ok(Device {
                    name,
                    address,
                    knobs: Arc::new(Knobs::new(name)),
                    agent: Mutex::new(None),
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        let network = Network { runtime, devices, port };
        for device in &network.devices {
            network.speak(device.name)?;
        }
        Ok(network)
    }

    fn device(&self, name: &str) -> &Device {
        self.devices
            .iter()
            .find(|d| d.name == name)
            .expect("the story names only devices it made")
    }

    /// The device's agent answers from now on.
    pub(crate) fn speak(&self, name: &str) -> Result<(), String> {
        let device = self.device(name);
        let build = Agent::builder()
            .bind(device.address.to_string())
            .community(COMMUNITY.as_bytes())
            .without_builtin_handlers()
            .handler(Oid::from_slice(&[1, 3, 6, 1]), device.knobs.clone())
            .allow_all_access()
            .build();
        let agent = self
            .runtime
            .block_on(build)
            .map_err(|e| format!("agent of {name} on {}: {e}", device.address))?;
        let agent = Arc::new(agent);
        let running = agent.clone();
        let task = self.runtime.spawn(async move {
            // It ends when it is told to fall silent.
            let _ = running.run().await;
        });
        *lock(&device.agent) = Some((agent, task));
        Ok(())
    }

    /// The device answers nothing any more.
    pub(crate) fn silence(&self, name: &str) {
        if let Some((agent, task)) = lock(&self.device(name).agent).take() {
            agent.cancel();
            let _ = self.runtime.block_on(task);
        }
    }

    /// Sets the CPU load, percent.
    pub(crate) fn set_cpu(&self, name: &str, percent: i32) {
        lock(&self.device(name).knobs.state).cpu = percent;
    }

    /// Sets what goes in and out of the device's first interface, bit/s.
    pub(crate) fn set_traffic(&self, name: &str, in_bps: f64, out_bps: f64) {
        let knobs = &self.device(name).knobs;
        let mut state = lock(&knobs.state);
        state.count();
        let port = &mut state.interfaces[0];
        (port.in_bps, port.out_bps) = (in_bps, out_bps);
    }
}

/// A port that is free on all the addresses.
fn free_port(addresses: &[&str]) -> Result<u16, String> {
    let mut last = String::from("no addresses");
    for _ in 0..20 {
        let all = || -> std::io::Result<u16> {
            let first = UdpSocket::bind((addresses[0], 0))?;
            let port = first.local_addr()?.port();
            let rest: Result<Vec<_>, _> = addresses[1..].iter().map(|a| UdpSocket::bind((*a, port))).collect();
            rest.map(|_| port)
        };
        match all() {
            Ok(port) => return Ok(port),
            Err(e) => last = e.to_string(),
        }
    }
    Err(format!("no UDP port is free on {}: {last}", addresses.join(", ")))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Lets the counters run up to now.
    fn count(&mut self) {
        let seconds = self.counted.elapsed().as_secs_f64();
        self.counted = Instant::now();
        for port in &mut self.interfaces {
            port.in_octets += port.in_bps / 8.0 * seconds;
            port.out_octets += port.out_bps / 8.0 * seconds;
        }
    }
}

impl Knobs {
    fn new(name: &'static str) -> Knobs {
        let port = |name, alias, speed_mbps, in_bps: f64, out_bps: f64| Port {
            name,
            alias,
            speed_mbps,
            in_bps,
            out_bps,
            in_octets: 8e9,
            out_octets: 5e9,
        };
        let interfaces = vec![
            port("xe-0/0/0", "demarcation", 10_000, 410e6, 230e6),
            port("xe-0/0/1", "inside", 10_000, 230e6, 410e6),
        ];
        let state = State {
            cpu: 31,
            interfaces,
            counted: Instant::now(),
        };
        Knobs {
            name,
            begun: Instant::now(),
            state: Mutex::new(state),
        }
    }

    /// Everything the agent knows, at this moment.
    fn tree(&self) -> BTreeMap<Oid, Value> {
        let mut tree = BTreeMap::new();
        let mut state = lock(&self.state);
        state.count();
        // As if the device had been up for 41 days.
        let uptime = 41 * 8_640_000 + (self.begun.elapsed().as_millis() / 10) as u32;
        let mut put = |base: &[u32], rest: &[u32], value: Value| {
            tree.insert(Oid::new(base.iter().chain(rest).copied()), value);
        };
        let text = |t: &str| Value::OctetString(t.to_owned().into());
        put(&MIB2, &[1, 1, 0], text("simulated router"));
        put(
            &MIB2,
            &[1, 2, 0],
            Value::ObjectIdentifier(Oid::from_slice(&[1, 3, 6, 1, 4, 1, 8072, 3, 2, 10])),
        );
        put(&MIB2, &[1, 3, 0], Value::TimeTicks(uptime));
        put(&MIB2, &[1, 5, 0], text(self.name));
        for cpu in [1, 2] {
            put(&MIB2, &[25, 3, 3, 1, 2, cpu], Value::Integer(state.cpu));
        }
        for (leaf, kilobytes) in [(5, 8_000_000), (6, 3_000_000), (14, 400_000), (15, 1_600_000)] {
            put(&UCD, &[4, leaf, 0], Value::Integer(kilobytes));
        }
        put(&UCD, &[10, 1, 5, 2], Value::Integer(state.cpu * 2));
        put(&MIB2, &[2, 1, 0], Value::Integer(2));
        put(&MIB2, &[31, 1, 5, 0], Value::TimeTicks(0));
        for (index, port) in (1..).zip(&state.interfaces) {
            let (octets_in, octets_out) = (port.in_octets as u64, port.out_octets as u64);
            let low = [
                (1, Value::Integer(index as i32)),
                (2, text(port.name)),
                (3, Value::Integer(6)),
                (5, Value::Gauge32(u32::MAX)),
                (7, Value::Integer(1)),
                (8, Value::Integer(1)),
                (10, Value::Counter32(octets_in as u32)),
                (13, Value::Counter32(0)),
                (14, Value::Counter32(0)),
                (16, Value::Counter32(octets_out as u32)),
                (19, Value::Counter32(0)),
                (20, Value::Counter32(0)),
            ];
            let high = [
                (1, text(port.name)),
                (6, Value::Counter64(octets_in)),
                (7, Value::Counter64(octets_in / 900)),
                (8, Value::Counter64(0)),
                (9, Value::Counter64(0)),
                (10, Value::Counter64(octets_out)),
                (11, Value::Counter64(octets_out / 700)),
                (12, Value::Counter64(0)),
                (13, Value::Counter64(0)),
                (15, Value::Gauge32(port.speed_mbps)),
                (18, text(port.alias)),
                (19, Value::TimeTicks(0)),
            ];
            for (column, value) in low {
                put(&MIB2, &[2, 2, 1, column, index], value);
            }
            for (column, value) in high {
                put(&MIB2, &[31, 1, 1, 1, column, index], value);
            }
        }
        tree
    }
}

impl MibHandler for Knobs {
    fn get<'a>(&'a self, _: &'a RequestContext, oid: &'a Oid) -> BoxFuture<'a, HandlerResult<GetResult>> {
        let found = self.tree().remove(oid);
        Box::pin(async move { Ok(found.map_or(GetResult::NoSuchInstance, GetResult::Value)) })
    }

    fn get_next<'a>(&'a self, _: &'a RequestContext, oid: &'a Oid) -> BoxFuture<'a, HandlerResult<GetNextResult>> {
        let found = self.tree().into_iter().find(|(o, _)| o > oid);
        let found = found.map(|(o, v)| VarBind::new(o, v));
        Box::pin(async move { Ok(found.map_or(GetNextResult::EndOfMibView, GetNextResult::Value)) })
    }
}
