//! perchd(1), generated from the command line and from the sections below.

use clap::{ArgAction, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

/// Sections that the command line cannot give: heading, then entries of a term and its text.
const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "EXIT STATUS",
        &[
            ("0", "Success, or ended by a signal."),
            ("1", "Failure; the reason is on standard error. systemd restarts the daemon."),
            ("78", "Flags, environment or configuration are wrong. systemd does not restart the daemon."),
        ],
    ),
    (
        "FILES",
        &[
            ("/etc/perch/perch.toml", "The configuration: perch.toml(5)."),
            (
                "/var/lib/perch",
                "Everything that Perch keeps: accounts, streams, chats. Back it up with perchd export or on the page.",
            ),
            (
                "/var/lib/perch/before-restore.backup",
                "The store that the last restore on the page replaced. To undo the restore: stop perchd, move perch.redb away, and perchd import this.",
            ),
            (
                "/var/lib/perch/tls",
                "The authority and the certificate of HTTPS, with their keys. No backup holds them: keep a copy of this folder, or tell your devices to trust a new \
                 authority after the card was lost.",
            ),
            (
                "/var/lib/perch/perch.redb.reserve",
                "Space kept back, so that the owner can log in when the card is full. May be removed at any time.",
            ),
            ("/usr/share/doc/perch/examples", "Drop-ins for the units; copy one to use it."),
        ],
    ),
    (
        "PORTS 80 AND 443",
        &[
            (
                "perchd.socket",
                "makes systemd listen on port 80 and pass it to the daemon, which needs no extra privilege for that. The addresses of \
                 server.listen are served, too. If another program uses port 80, only this unit fails; \
                 systemctl mask --now perchd.socket releases the port, systemctl edit perchd.socket changes it.",
            ),
            (
                "perchd-https.socket",
                "does the same with port 443 for HTTPS, beside the addresses of tls.listen. Until there is a certificate, connections are \
                 closed at once.",
            ),
        ],
    ),
    (
        "WHEN IT HANGS",
        &[
            ("the encoder", "is reopened by the daemon itself, within seconds."),
            ("the daemon", "is restarted by systemd if it has not fed the watchdog for 15 seconds."),
            (
                "the board",
                "is left alone: after ten such restarts within 15 minutes perchd.service fails, until systemctl restart perchd. A \
                 driver that hangs inside the kernel needs a reboot; to have that happen by itself, run\n\
                 cd /etc/systemd/system; mkdir -p perchd.service.d; cp /usr/share/doc/perch/examples/reboot.conf perchd.service.d; \
                 systemctl daemon-reload",
            ),
        ],
    ),
];

/// The page in troff.
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
    // Without the preamble, which the page already has.
    String::from_utf8(out).expect("troff is text") + &rest.to_roff()
}

/// Every subcommand, with its own arguments and options.
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
