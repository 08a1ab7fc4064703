//! perchd(1), made from the command line and from what only people can say of it.

use clap::{ArgAction, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

/// What the command line does not know of itself: heading, then paragraphs; one with a colon after its first word is an entry.
const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "EXIT STATUS",
        &[
            ("0", "All went well; after a signal too."),
            ("1", "What went wrong is on standard error. systemd starts the daemon again."),
            ("78", "Flags, environment or configuration are wrong. systemd leaves it at that."),
        ],
    ),
    (
        "FILES",
        &[
            ("/etc/perch/perch.toml", "The configuration: perch.toml(5)."),
            (
                "/var/lib/perch",
                "Everything that is kept: accounts, streams, chats. perchd export makes a backup of it, and so does the page.",
            ),
            (
                "/var/lib/perch/before-restore.backup",
                "What the last restore on the page replaced. To take that back: stop perchd, move perch.redb away, and perchd import this.",
            ),
            (
                "/var/lib/perch/perch.redb.reserve",
                "Room that is kept back, so that its owner can log in on a card that has become full. May be removed at any time.",
            ),
            (
                "/usr/share/doc/perch/examples",
                "Drop-ins for the units, which do nothing until they are copied.",
            ),
        ],
    ),
    (
        "PORT 80",
        &[(
            "perchd.socket",
            "has systemd listen on port 80 and hand it to the daemon, which needs no right of its own for that. The addresses of \
             server.listen are served beside it. Where another program has port 80, that unit fails and the rest goes on; \
             systemctl mask --now perchd.socket gives the port up, systemctl edit perchd.socket changes it.",
        )],
    ),
    (
        "WHEN IT HANGS",
        &[
            ("the encoder", "is closed and opened anew by the daemon itself, within seconds."),
            (
                "the daemon",
                "is ended and started again by systemd when it has not fed the watchdog for 15 seconds.",
            ),
            (
                "the board",
                "is left alone after ten such ends in a quarter of an hour, and perchd.service has failed: systemctl restart perchd. A \
                 driver that hangs inside the kernel is only cured by a reboot; whoever wants that to happen by itself says so with\n\
                 cd /etc/systemd/system; mkdir -p perchd.service.d; cp /usr/share/doc/perch/examples/reboot.conf perchd.service.d; \
                 systemctl daemon-reload",
            ),
        ],
    ),
];

/// The page, as troff reads it.
pub(crate) fn manual() -> String {
    let mut command = super::command();
    command.build();
    let page = Man::new(command.clone()).source("Perch").manual("User commands");
    let mut out = Vec::new();
    page.render_title(&mut out)
        .and_then(|()| page.render_name_section(&mut out))
        .and_then(|()| page.render_synopsis_section(&mut out))
        .and_then(|()| page.render_description_section(&mut out))
        .and_then(|()| page.render_options_section(&mut out))
        .expect("memory takes everything");
    let mut rest = Roff::new();
    rest.control("SH", ["COMMANDS"]);
    for command in command.get_subcommands() {
        leaves(&mut rest, "", command);
    }
    for (heading, entries) in SECTIONS {
        rest.control("SH", [*heading]);
        for (name, about) in *entries {
            rest.control("TP", []).text([bold(*name)]).text([roman(*about)]);
        }
    }
    rest.control("SH", ["SEE ALSO"]).text([
        bold("perch.toml"),
        roman("(5), "),
        bold("systemctl"),
        roman("(1)"),
    ]);
    // Its preamble is there already.
    String::from_utf8(out).expect("troff is text") + &rest.to_roff()
}

/// What can be typed after `perchd`, with its own arguments and options.
fn leaves(page: &mut Roff, before: &str, command: &Command) {
    let name = format!("{before}{}", command.get_name());
    if command.get_name() == "help" {
        return;
    }
    if command.has_subcommands() {
        for inner in command.get_subcommands() {
            leaves(page, &format!("{name} "), inner);
        }
        return;
    }
    page.control("TP", []);
    let mut line = vec![bold(name)];
    for argument in command.get_positionals() {
        line.push(roman(" "));
        line.push(italic(argument.get_id().to_string().to_uppercase()));
    }
    page.text(line);
    page.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default() + ".")]);
    for option in command.get_arguments().filter(|argument| !argument.is_global_set()) {
        let Some(about) = option.get_help() else { continue };
        let shown = match option.get_long() {
            Some("help") => continue,
            Some(long) if matches!(option.get_action(), ArgAction::SetTrue) => bold(format!("--{long}")),
            Some(long) => bold(format!("--{long} {}", option.get_id().to_string().to_uppercase())),
            None => italic(option.get_id().to_string().to_uppercase()),
        };
        let values: Vec<_> =
            option.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        let one_of = match (&option.get_action(), values.is_empty()) {
            (ArgAction::SetTrue, _) | (_, true) => String::new(),
            _ => format!(" ({})", values.join(", ")),
        };
        page.control("br", []).text([shown, roman(format!(": {about}{one_of}."))]);
    }
}
