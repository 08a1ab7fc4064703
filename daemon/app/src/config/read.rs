//! Merges flags, environment, file and defaults (each overrides the next) into a [`Config`], and collects every [`Problem`]: a
//! wrong value is reported and replaced by its default, so that the rest is checked, too.

use super::problem::{Location, Problem, Problems, did_you_mean};
use super::schema::{self, Key, Section};
use super::values::{ButtonSource, Config};
use perch_studio::config::{EncoderKind, SourceKind};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The file that is read without `--config`; it may be missing.
const DEFAULT_FILE: &str = "/etc/perch/perch.toml";
/// Far more than a real configuration needs.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The places that settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file of `--config` or `PERCH_CONFIG`, which must exist. `None`: the default file, which may be missing.
    pub file: Option<PathBuf>,
    /// The process's environment; only the names that the schema knows are read.
    pub environment: BTreeMap<String, String>,
    /// Flags that set a key.
    pub flags: Vec<FlagValue>,
}

/// A command-line flag that sets a key.
#[derive(Clone, Debug)]
pub struct FlagValue {
    /// The flag, such as `--listen`.
    pub flag: &'static str,
    /// The key, such as `server.listen`.
    pub key: &'static str,
    /// The given values; several for a list.
    pub values: Vec<String>,
}

impl Config {
    /// Reads and checks everything; returns all problems at once, in the order of the file.
    pub fn load(sources: &Sources) -> Result<Self, Problems> {
        let file = sources.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        match read_file(&file, sources.file.is_some()) {
            Ok(text) => Self::from_text(&text, &file, sources),
            Err(problem) => Err(Problems(vec![problem])),
        }
    }

    /// Like [`Config::load`], for a text that has been read already.
    fn from_text(text: &str, file: &Path, sources: &Sources) -> Result<Self, Problems> {
        let mut reader = Reader {
            text,
            file,
            sources,
            problems: Vec::new(),
            bad_keys: BTreeSet::new(),
            locations: BTreeMap::new(),
        };
        let config = reader.config();
        reader.cross_check(&config);
        reader.finish(config)
    }
}

fn read_file(file: &Path, named: bool) -> Result<String, Problem> {
    let problem =
        |what: String| Problem { location: Location::File(file.to_owned()), key: String::new(), what };
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => return Ok(String::new()),
        Err(error) => return Err(problem(format!("cannot be read: {error}"))),
        Ok(meta) if meta.len() > MAX_FILE_BYTES => {
            return Err(problem(format!("is {} bytes long; the limit is {MAX_FILE_BYTES}", meta.len())));
        }
        Ok(_) => {}
    }
    let bytes = std::fs::read(file).map_err(|error| problem(format!("cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        problem(format!("line {line} is not UTF-8 text"))
    })
}

/// True if two sockets cannot listen on these addresses at the same time: the port is the same (0 is any free one), and one address
/// is the other, or every address of its family. `[::]` leaves IPv4 to an address of its own.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    let is_every = |every: IpAddr, ip: IpAddr| every.is_unspecified() && every.is_ipv6() == ip.is_ipv6();
    one.port() == other.port() && one.port() != 0 && (a == b || is_every(a, b) || is_every(b, a))
}

fn line_of(text: &[u8], offset: usize) -> usize {
    text[..offset.min(text.len())].split(|&b| b == b'\n').count()
}

/// Relays, at most.
const RELAYS: usize = 16;

struct Reader<'a> {
    text: &'a str,
    file: &'a Path,
    sources: &'a Sources,
    problems: Vec<Problem>,
    /// Keys (`camera[0].width`) that were reported; checks across keys skip them.
    bad_keys: BTreeSet<String>,
    /// The location where each key was last set.
    locations: BTreeMap<String, Location>,
}

impl Reader<'_> {
    fn config(&mut self) -> Config {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let location = self.line(error.span().map_or(0, |span| span.start));
            self.problem(location, "", error.message().to_owned());
        }
        let unreadable: BTreeSet<Location> = self.problems.iter().map(|p| p.location.clone()).collect();

        let mut root = document.into_inner();
        let server = self.table(&schema::server(), root.remove("server"));
        let tls = self.table(&schema::tls(), root.remove("tls"));
        let live = self.table(&schema::live(), root.remove("live"));
        let recording = self.table(&schema::recording(), root.remove("recording"));
        let ingest = self.table(&schema::ingest(), root.remove("ingest"));
        let button = self.table(&schema::button(), root.remove("button"));
        let lamp = self.table(&schema::lamp(), root.remove("lamp"));
        let limits = self.table(&schema::limits(), root.remove("limits"));
        let webhooks = self.table(&schema::webhooks(), root.remove("webhooks"));
        let log = self.table(&schema::log(), root.remove("log"));
        let mut cameras = self.tables(&schema::camera(), root.remove("camera"));
        let found = root.remove("relay");
        let has_none = found.is_none();
        let mut relays = self.tables(&schema::relay(), found);
        // Without a table and without variables that set one there is none.
        relays.retain(|relay| !has_none || *relay != schema::relay().defaults());
        for (name, _) in &root {
            let known = [
                "server",
                "tls",
                "live",
                "recording",
                "ingest",
                "button",
                "lamp",
                "limits",
                "webhooks",
                "log",
                "camera",
                "relay",
            ];
            self.unknown(name, "", "section", &known);
        }
        // If the parser guessed a value on an unreadable line, that value is not reported as well.
        let mut first_on_line = unreadable.clone();
        self.problems.retain(|p| !unreadable.contains(&p.location) || first_on_line.remove(&p.location));
        for camera in &mut cameras {
            camera.keyframe_interval_seconds = camera.keyframe_interval_seconds.min(live.segment_seconds);
        }
        Config { server, tls, live, recording, ingest, button, lamp, limits, webhooks, log, cameras, relays }
    }

    /// Reads `[name]`.
    fn table<S: Clone + 'static>(&mut self, section: &Section<S>, found: Option<Spanned<DeValue<'_>>>) -> S {
        let mut value = section.defaults();
        if let Some(found) = found {
            self.file_table(section, section.name, found, &mut value);
        }
        self.overrides(section, section.name, &mut value);
        value
    }

    /// Reads `[[name]]`: one value for each table, and one of defaults without any table. Environment and flags set the
    /// first.
    fn tables<S: Clone + 'static>(
        &mut self,
        section: &Section<S>,
        found: Option<Spanned<DeValue<'_>>>,
    ) -> Vec<S> {
        let mut values = Vec::new();
        match found.map(|found| (self.line(found.span().start), found.into_inner())) {
            None => {}
            Some((_, DeValue::Array(tables))) if !tables.is_empty() => {
                for (n, table) in tables.iter().cloned().enumerate() {
                    let mut value = section.defaults();
                    self.file_table(section, &format!("{}[{n}]", section.name), table, &mut value);
                    values.push(value);
                }
            }
            Some((location, _)) => {
                self.problem(location, section.name, format!("must be written as [[{}]]", section.name));
            }
        }
        if values.is_empty() {
            values.push(section.defaults());
        }
        self.overrides(section, &format!("{}[0]", section.name), &mut values[0]);
        values
    }

    fn file_table<S: Clone + 'static>(
        &mut self,
        section: &Section<S>,
        path: &str,
        found: Spanned<DeValue<'_>>,
        into: &mut S,
    ) {
        let location = self.line(found.span().start);
        self.locations.insert(path.to_owned(), location.clone());
        let DeValue::Table(table) = found.into_inner() else {
            return self.problem(location, path, format!("must be a section, written as [{}]", section.name));
        };
        for (name, value) in &table {
            if let Some(key) = section.keys.iter().find(|key| key.name == name.get_ref().as_ref()) {
                let location = self.line(name.span().start);
                self.assign(key, path, location, &[value.get_ref().clone()], into);
            } else {
                let known: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
                self.unknown(name, path, "key", &known);
            }
        }
    }

    /// Applies the environment, then the flags.
    fn overrides<S: 'static>(&mut self, section: &Section<S>, path: &str, into: &mut S) {
        for key in &section.keys {
            let variable = format!("{}{}", section.variables, key.name.to_uppercase());
            if let Some(text) = self.sources.environment.get(&variable).filter(|text| !text.is_empty()) {
                self.assign(key, path, Location::Variable(variable), &readings(text), into);
            }
            let name = format!("{}.{}", section.name, key.name);
            for flag in self.sources.flags.iter().filter(|flag| flag.key == name) {
                let mut possible = vec![list(flag.values.iter().cloned())];
                if let [only] = flag.values.as_slice() {
                    possible.insert(0, DeValue::String(only.clone().into()));
                }
                self.assign(key, path, Location::Flag(flag.flag), &possible, into);
            }
        }
    }

    /// Takes the first of the `possible` readings that the key accepts; else reports the error of the first.
    fn assign<S: 'static>(
        &mut self,
        key: &Key<S>,
        path: &str,
        location: Location,
        possible: &[DeValue<'_>],
        into: &mut S,
    ) {
        let name = format!("{path}.{}", key.name);
        let mut complaint = None;
        for value in possible {
            match key.assign(into, value) {
                Ok(()) => {
                    self.locations.insert(name, location);
                    return;
                }
                Err(what) => complaint = complaint.or(Some(what)),
            }
        }
        self.problem(location, &name, complaint.unwrap_or_else(|| format!("must be {}", key.accepted)));
        self.bad_keys.insert(name);
    }

    fn unknown(&mut self, name: &Spanned<toml::de::DeString<'_>>, path: &str, noun: &str, known: &[&str]) {
        let word = name.get_ref();
        let key = if path.is_empty() { word.to_string() } else { format!("{path}.{word}") };
        let what = match did_you_mean(word, known) {
            Some(meant) => format!("unknown {noun}; did you mean \"{meant}\"?"),
            None => format!("unknown {noun}; known are: {}", known.join(", ")),
        };
        let location = self.line(name.span().start);
        self.problem(location, &key, what);
    }

    /// Checks that several keys fit together.
    fn cross_check(&mut self, config: &Config) {
        self.check_relays(config);
        self.check_listen("server.listen", &config.server.listen);
        self.check_listen("ingest.listen", &config.ingest.listen);
        let live = &config.live;
        self.demand(
            &["live.window_seconds", "live.segment_seconds"],
            live.window_seconds >= 3.0 * live.segment_seconds,
            || format!("must be at least 3 segments, {} seconds", 3.0 * live.segment_seconds),
        );
        let tls = &config.tls;
        self.demand(
            &["tls.key_file", "tls.certificate_file"],
            tls.key_file.is_some() == tls.certificate_file.is_some(),
            || "certificate_file and key_file belong together: set both, or none".to_owned(),
        );
        let (button, lamp) = (&config.button, &config.lamp);
        self.demand(
            &["button.source", "button.input"],
            button.source != ButtonSource::Key || button.input.is_some(),
            || "source = \"key\" requires input = \"/dev/input/by-id/…\"".to_owned(),
        );
        let same_line = (&button.chip, button.line) == (&lamp.chip, lamp.line);
        self.demand(
            &["lamp.line", "button.line"],
            !(lamp.enabled && button.source == ButtonSource::Gpio && same_line),
            || "is already the button's line: the lamp needs another one".to_owned(),
        );
        for (n, camera) in config.cameras.iter().enumerate() {
            let key = |name: &str| format!("camera[{n}].{name}");
            let (name, source, device, command, encoder) =
                (key("name"), key("source"), key("device"), key("command"), key("encoder"));
            let before = &config.cameras[..n];
            self.demand(&[&name], before.iter().all(|other| other.name != camera.name), || {
                format!(
                    "\"{}\" is already the name of another camera; every camera needs its own",
                    camera.name
                )
            });
            let is_command = camera.source == SourceKind::Command;
            self.demand(&[&source, &command], !is_command || !camera.command.is_empty(), || {
                "source = \"command\" requires command = [\"PROGRAM\", \"ARGUMENT\", …]".to_owned()
            });
            self.demand(&[&command, &source], is_command || camera.command.is_empty(), || {
                "works only with source = \"command\"; set that, or remove command".to_owned()
            });
            let takes_device = matches!(camera.source, SourceKind::Auto | SourceKind::V4l2);
            self.demand(&[&device, &source], takes_device || camera.device.is_none(), || {
                "works only with source = \"v4l2\" or \"auto\"; set one of them, or remove device".to_owned()
            });
            self.demand(
                &[&encoder, &source],
                !is_command || matches!(camera.encoder, EncoderKind::Auto | EncoderKind::None),
                || "a command writes H.264 itself: use encoder = \"none\" or remove it".to_owned(),
            );
            self.demand(
                &[&encoder, &source],
                camera.source != SourceKind::TestPattern || camera.encoder != EncoderKind::None,
                || "the test pattern needs an encoder: \"auto\", \"v4l2-m2m\" or \"software\"".to_owned(),
            );
        }
    }

    /// Addresses that cannot be listened on at the same time.
    fn check_listen(&mut self, key: &str, addresses: &[SocketAddr]) {
        let twice = addresses.iter().enumerate().find_map(|(n, address)| {
            addresses[..n].iter().find(|before| overlap(**before, *address)).map(|before| (before, address))
        });
        self.demand(&[key], twice.is_none(), || match twice {
            Some((before, address)) if before == address => format!("{address} is there twice"),
            Some((before, address)) => {
                format!("{address} and {before} are the same port of one address: keep one of them")
            }
            None => String::new(),
        });
    }

    /// Relays, and the cameras that name them.
    fn check_relays(&mut self, config: &Config) {
        for (n, relay) in config.relays.iter().enumerate() {
            let key = |name: &str| format!("relay[{n}].{name}");
            let (name, url, stream_key, key_file) = (key("name"), key("url"), key("key"), key("key_file"));
            let table = format!("relay[{n}]");
            self.demand(&[&name, &table], !relay.name.is_empty(), || {
                "is missing: each relay needs a name, such as \"youtube\"".to_owned()
            });
            self.demand(&[&name], config.relays[..n].iter().all(|other| other.name != relay.name), || {
                format!("\"{}\" is already the name of another relay; each needs its own", relay.name)
            });
            self.demand(&[&url, &table], relay.url.is_some(), || {
                "is missing: each relay needs the address of its server".to_owned()
            });
            let in_url = relay.url.as_ref().is_some_and(|url| url.application_and_key().is_some());
            let has_key = relay.key.is_some() || relay.key_file.is_some() || in_url;
            self.demand(&[&stream_key, &key_file, &url, &table], has_key || relay.url.is_none(), || {
                "is missing: set key or key_file, or give an address whose last part is the key".to_owned()
            });
            self.demand(&[&key_file, &stream_key], relay.key.is_none() || relay.key_file.is_none(), || {
                "is the same as key: set one of them".to_owned()
            });
            let is_plain = relay.url.as_ref().is_some_and(|url| !url.is_encrypted);
            self.demand(&[&key("ca_file"), &url], relay.ca_file.is_none() || !is_plain, || {
                "is for addresses that begin with rtmps://".to_owned()
            });
        }
        self.demand(&["relay"], config.relays.len() <= RELAYS, || {
            format!("{} relays are configured; there may be {RELAYS}", config.relays.len())
        });
        for (n, camera) in config.cameras.iter().enumerate() {
            let unknown = |name: &&String| config.relays.iter().all(|relay| relay.name != **name);
            let unknown = camera.relays.iter().find(unknown);
            self.demand(&[&format!("camera[{n}].relays")], unknown.is_none(), || {
                format!(
                    "there is no relay \"{}\"; write a [[relay]] of that name",
                    unknown.map_or("", String::as_str)
                )
            });
        }
    }

    /// Unless `holds` is true, reports `what` at the first of `keys` that somebody set, except if one of them has an
    /// error of its own.
    fn demand(&mut self, keys: &[&str], holds: bool, what: impl FnOnce() -> String) {
        if holds || keys.iter().any(|key| self.bad_keys.contains(*key)) {
            return;
        }
        let location =
            keys.iter().find_map(|key| self.locations.get(*key)).cloned().unwrap_or(Location::Default);
        self.problem(location, keys[0], what());
    }

    fn problem(&mut self, location: Location, key: &str, what: String) {
        // The table's number is left out: the line shows which table it is.
        let key = key.split('[').next().map_or_else(String::new, |table| match key.split_once("].") {
            Some((_, name)) => format!("{table}.{name}"),
            None => table.to_owned(),
        });
        self.problems.push(Problem { location, key, what });
    }

    fn line(&self, offset: usize) -> Location {
        Location::Line { file: self.file.to_owned(), line: line_of(self.text.as_bytes(), offset) }
    }

    fn finish(mut self, config: Config) -> Result<Config, Problems> {
        if self.problems.is_empty() {
            return Ok(config);
        }
        self.problems.sort();
        Err(Problems(self.problems))
    }
}

/// The possible meanings of an environment variable's text: TOML, plain text, or a comma-separated list.
fn readings(text: &str) -> Vec<DeValue<'_>> {
    let mut readings: Vec<DeValue<'_>> =
        DeValue::parse(text).ok().map(Spanned::into_inner).into_iter().collect();
    readings.push(DeValue::String(text.into()));
    readings.push(list(text.split(',').map(|part| part.trim().to_owned())));
    readings
}

fn list<'i>(values: impl Iterator<Item = String>) -> DeValue<'i> {
    let mut items = DeArray::new();
    for value in values {
        items.push(Spanned::new(0..0, DeValue::String(value.into())));
    }
    DeValue::Array(items)
}

#[cfg(test)]
mod tests;
