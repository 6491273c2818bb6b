//! Memory of a whole batch, asked for at once.
//!
//! What is kept of a nation's devices fits no cache: each word that a round needs has to come from main memory, some forty times a
//! round, and a processor that judges one device after the other waits for each. Loads that do not depend on each other wait together.
//! So a turn first looks at a word of all that it will need of all devices that have answered, and then takes them one by one. It
//! changes nothing that is judged. `black_box`: what nobody uses would not be read at all. (Measured: `cargo bench --bench poll`, docs/performance.md.)
//!
//! Never here: a change of anything.

use super::Core;
use crate::model::DeviceId;
use crate::poll::PollInput;
use std::hint::black_box;

/// Fewer are not worth a look.
const BATCH_MIN: usize = 4;

impl Core {
    /// Looks at what the inputs will need.
    pub(super) fn warm(&self, inputs: &[PollInput]) {
        if inputs.len() < BATCH_MIN {
            return;
        }
        for id in self.feed.seem_from(inputs) {
            if let Some(poll) = self.feed.live() {
                poll.warm(id);
            }
            self.sampler.warm(id);
            self.rules.warm(id);
            self.last_warm(id);
        }
    }

    fn last_warm(&self, id: DeviceId) {
        if let Some(reading) = self.last.get(id.index()).and_then(|last| last.reading.as_ref()) {
            black_box(reading.interfaces.first().map(|i| (i.index, i.ambiguous, i.uptime)));
            black_box((
                reading.scalars.first().map(|s| s.value.is_some()),
                reading.missing.len(),
            ));
        }
    }
}
