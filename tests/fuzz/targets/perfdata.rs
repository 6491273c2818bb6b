//! The output of plugins. Whatever they print: nothing panics, numbers are finite, what is kept is short, bounded and harmless.
#![no_main]

use hinomi::wire::perfdata::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let output = read(data);
    assert!(output.text.chars().count() <= 300 && output.numbers.len() <= 64);
    let texts = output.numbers.iter().flat_map(|n| [&n.label, &n.unit]);
    for text in texts.chain([&output.text]) {
        assert!(text.chars().count() <= 300 && !text.chars().any(char::is_control), "{text:?}");
    }
    assert!(output.numbers.iter().all(|n| n.value.is_finite()));
});
