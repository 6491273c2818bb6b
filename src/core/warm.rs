//! Memory of a whole batch, asked for at once.
//!
//! What is kept of a nation's devices fits no cache: each word that a round needs has to come from main memory, some forty times a
//! round, and a processor that judges one device after the other waits for each. Loads that do not depend on each other wait together.
//! So a turn first looks at a word of all that it will need of all devices that have answered, and then takes them one by one. It
//! changes nothing that is judged. (Measured: `cargo bench --bench poll`, docs/performance.md.)
//!
//! Never here: a change of anything.

use super::Core;
use crate::model::DeviceId;
use crate::poll::PollInput;

/// Fewer are not worth a look.
const BATCH_MIN: usize = 4;

impl Core {
    /// Looks at what the inputs will need.
    pub(super) fn warm(&self, inputs: &[PollInput]) {
        if inputs.len() < BATCH_MIN {
            return;
        }
        let look = |id: &DeviceId| {
            let polled = self.feed.live().map_or(0, |poll| poll.warm(*id));
            polled
                .wrapping_add(self.sampler.warm(*id))
                .wrapping_add(self.rules.warm(*id))
                .wrapping_add(self.last_warm(*id))
        };
        let sum = self
            .feed
            .seem_from(inputs)
            .iter()
            .map(look)
            .fold(0, usize::wrapping_add);
        // What nobody uses would not be read.
        std::hint::black_box(sum);
    }

    fn last_warm(&self, id: DeviceId) -> usize {
        let last = self.last.get(id.index()).and_then(|last| last.reading.as_ref());
        last.map_or(0, |reading| {
            let interface = reading
                .interfaces
                .first()
                .map_or(0, |i| i.index as usize + usize::from(i.ambiguous) + i.uptime as usize);
            let scalar = reading.scalars.first().map_or(0, |s| usize::from(s.value.is_some()));
            interface + scalar + reading.missing.len()
        })
    }
}
