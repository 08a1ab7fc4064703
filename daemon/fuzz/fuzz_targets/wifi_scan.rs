//! What the air says about networks: at most 60, each once, strongest first, with names that can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_site::fuzzing::networks;

fuzz_target!(|text: &str| {
    let found = networks(text);
    assert!(found.len() <= 60);
    assert!(found.is_sorted_by(|a, b| a.signal_percent >= b.signal_percent));
    for (number, network) in found.iter().enumerate() {
        assert!(!network.name.is_empty() && !network.name.contains(char::is_control));
        assert!(network.signal_percent <= 100);
        assert!(network.is_secured || network.is_joinable);
        assert!(found[..number].iter().all(|other| other.name != network.name));
    }
});
