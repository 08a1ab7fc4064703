//! The documented configuration file, generated from the schema: `perchd check-config --example > systemd/perch.toml`.

use super::schema::{self, Preset, Section};

const HEAD: &str = "\
# Configuration of Perch. Every key is here with its default; one that is left out keeps it.
# `perchd check-config` says what is wrong, with the line. The environment goes before this file,
# and the flags --listen and --data-dir go before the environment.
";

/// The whole file: every key with its meaning, accepted values, environment variable and default.
pub fn example() -> String {
    let mut out = HEAD.to_owned();
    section(&mut out, &schema::server(), "[server]");
    section(&mut out, &schema::tls(), "[tls]");
    section(&mut out, &schema::live(), "[live]");
    section(&mut out, &schema::recording(), "[recording]");
    section(&mut out, &schema::ingest(), "[ingest]");
    section(&mut out, &schema::button(), "[button]");
    section(&mut out, &schema::lamp(), "[lamp]");
    section(&mut out, &schema::limits(), "[limits]");
    section(&mut out, &schema::webhooks(), "[webhooks]");
    section(&mut out, &schema::log(), "[log]");
    section(&mut out, &schema::camera(), "[[camera]]");
    // Without it there is none.
    section(&mut out, &schema::relay(), "#[[relay]]");
    out
}

fn section<S>(out: &mut String, section: &Section<S>, header: &str) {
    let mut write = |line: &str| {
        out.push_str(line);
        out.push('\n');
    };
    write("");
    wrapped(section.about, &mut write);
    write(header);
    for key in &section.keys {
        write("");
        wrapped(key.about, &mut write);
        wrapped(&format!("Accepts {}.", key.accepted), &mut write);
        wrapped(&format!("Variable: {}{}", section.variables, key.name.to_uppercase()), &mut write);
        match key.preset {
            Preset::Default(value) => write(&format!("{} = {value}", key.name)),
            Preset::Unset(value) => write(&format!("#{} = {value}", key.name)),
        }
    }
}

/// Writes comment lines of at most 100 characters, broken between words.
fn wrapped(text: &str, write: &mut impl FnMut(&str)) {
    let mut line = String::from("#");
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > 100 {
            write(&line);
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    write(&line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    fn shipped() -> std::path::PathBuf {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../systemd/perch.toml").into()
    }

    #[test]
    fn the_shipped_file_is_the_one_that_the_schema_writes() {
        let text = std::fs::read_to_string(shipped()).unwrap();
        assert!(text == example(), "out of date; run: perchd check-config --example > systemd/perch.toml");
    }

    #[test]
    fn the_shipped_file_equals_the_defaults() {
        let sources = Sources { file: Some(shipped()), ..Sources::default() };
        assert_eq!(Config::load(&sources).unwrap(), Config::default());
    }

    #[test]
    fn the_settings_that_a_card_comes_with_are_accepted() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../image/flavours/raspberrypi/root");
        let file = std::path::Path::new(root).join("etc/perch/perch.toml");
        let config = Config::load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        assert_eq!((config.button.source, config.lamp.enabled), (crate::config::ButtonSource::Gpio, true));
    }

    #[test]
    fn every_value_shown_commented_out_is_accepted() {
        let text = std::fs::read_to_string(shipped()).unwrap();
        let with = |key: &str, source: &str| {
            let text = text.replace(&format!("#{key} = "), &format!("{key} = "));
            let default = if key == "input" { "off" } else { "auto" };
            let text = text.replace(&format!("source = \"{default}\""), &format!("source = \"{source}\""));
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("perch.toml");
            std::fs::write(&file, text).unwrap();
            Config::load(&Sources { file: Some(file), ..Sources::default() }).unwrap()
        };
        assert!(with("device", "v4l2").cameras[0].device.is_some());
        assert_eq!(with("command", "command").cameras[0].command[0], "rpicam-vid");
        assert_eq!(with("folder", "auto").recording.folder, Some("/mnt/disk/perch".into()));
        assert!(with("input", "key").button.input.is_some());
        let text = text.replace("#[[relay]]", "[[relay]]").replace("#name = ", "name = ");
        let text = text.replace("#url = ", "url = ").replace("#key_file = ", "key_file = ");
        let text = text.replace("#certificate_file = ", "certificate_file = ");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("perch.toml");
        std::fs::write(&file, text).unwrap();
        let relays = Config::load(&Sources { file: Some(file), ..Sources::default() }).unwrap().relays;
        assert_eq!(relays[0].name, "youtube");
        let chip = with("chip", "auto");
        assert_eq!((chip.button.chip, chip.lamp.chip), (Some("gpiochip0".into()), Some("gpiochip0".into())));
    }
}
