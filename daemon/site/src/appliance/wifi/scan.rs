//! Parses the networks that `wpa_supplicant` found (`wpa_cli scan_results`). Names and flags come from the air and may
//! be hostile.

/// More networks than a person would look through.
const MOST: usize = 60;

/// A network in range; several radios of one name are one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// Signal strength, 0 to 100.
    pub signal_percent: u8,
    /// True if it needs a password.
    pub is_secured: bool,
    /// True if Perch can join it: it is open, or WPA2 with a password.
    pub is_joinable: bool,
}

/// Parses the networks, strongest first. Networks without a displayable name are skipped.
pub(crate) fn parse(text: &str) -> Vec<Network> {
    // bssid / frequency / signal level / flags / ssid
    let mut networks: Vec<Network> = text.lines().filter_map(network).collect();
    networks.sort_by(|a, b| b.signal_percent.cmp(&a.signal_percent).then_with(|| a.name.cmp(&b.name)));
    let mut kept: Vec<Network> = Vec::new();
    for network in networks {
        if kept.len() < MOST && kept.iter().all(|known| known.name != network.name) {
            kept.push(network);
        }
    }
    kept
}

fn network(line: &str) -> Option<Network> {
    let mut fields = line.splitn(5, '\t');
    let (_, _, level, flags, name) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let level: i32 = level.parse().ok()?;
    let name = unescape(name)?;
    let is_shown = !name.is_empty() && !name.chars().any(char::is_control);
    let is_secured =
        ["WPA", "RSN", "WEP", "SAE", "OWE", "EAP", "PSK"].iter().any(|word| flags.contains(word));
    is_shown.then(|| Network {
        name,
        // -100 dBm and below is 0 %, -50 dBm and above 100 %.
        signal_percent: level.saturating_add(100).saturating_mul(2).clamp(0, 100) as u8,
        is_secured,
        is_joinable: !is_secured || flags.contains("PSK"),
    })
}

/// Decodes `wpa_supplicant`'s escapes for bytes outside plain ASCII; `None` if the result is not text.
fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'e' => 0x1b,
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                sign @ (b'"' | b'\\') => sign,
                _ => return None,
            },
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_name_and_the_strongest_first() {
        let heard = parse(
            "bssid / frequency / signal level / flags / ssid\n\
             02:00:00:00:00:00\t2412\t-80\t[WPA2-PSK-CCMP][ESS]\tHome\n\
             02:00:00:00:00:01\t5180\t-30\t[WPA2-PSK+SAE-CCMP][ESS]\tHome\n\
             02:00:00:00:00:02\t2412\t-60\t[ESS]\tCaf\\xc3\\xa9 \\\"P\\\\\"\n\
             02:00:00:00:00:03\t2412\t-70\t[WPA2-EAP-CCMP][ESS]\tOffice\n\
             02:00:00:00:00:04\t2412\t-71\t[WPA2-SAE-CCMP][ESS]\tNew\n\
             02:00:00:00:00:05\t2412\t-20\t[ESS]\t\n\
             02:00:00:00:00:06\t2412\t-20\t[ESS]\t\\x00\\x00\n\
             02:00:00:00:00:07\t2412\t-20\t[ESS]\t\\xff\n\
             02:00:00:00:00:08\t2412\t-20\t[ESS]\t\\q\\x9\n",
        );
        let seen: Vec<_> = heard
            .iter()
            .map(|network| (&*network.name, network.signal_percent, network.is_secured, network.is_joinable))
            .collect();
        assert_eq!(
            seen,
            [
                ("Home", 100, true, true),
                ("Café \"P\\\"", 80, false, true),
                ("Office", 60, true, false),
                ("New", 58, true, false)
            ]
        );
    }

    #[test]
    fn whatever_is_in_the_air_there_is_an_end_to_it() {
        let lines: Vec<_> = (0..1000).map(|n| format!("b\t2412\t{}\t[ESS]\tnetwork {n}", -n % 100)).collect();
        let many = lines.join("\n");
        assert_eq!(parse(&many).len(), MOST);
        for text in ["", "\t\t\t\t", "a\tb\tc\td\te", "a\t1\t-2147483648\t\tx", "a\t1\t2147483647\t\tx"] {
            assert!(parse(text).iter().all(|network| network.name == "x"), "{text}");
        }
    }
}
