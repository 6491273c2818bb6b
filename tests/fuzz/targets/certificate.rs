//! Certificates as servers show them. Whatever they are: nothing panics, and what is kept of them is short and harmless.
#![no_main]

use hinomi::wire::certificate::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(shown) = read(data) {
        assert!(shown.names.len() <= 20);
        for text in shown.names.iter().chain([&shown.subject]) {
            assert!(text.chars().count() <= 200 && !text.chars().any(char::is_control), "{text:?}");
        }
    }
});
