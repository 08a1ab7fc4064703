//! perch.toml(5), generated from the schema, as the documented file is.

use super::schema::{self, Preset, Section};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// The page in troff.
pub fn manual() -> String {
    let mut page = Roff::new();
    page.control("TH", ["perch.toml", "5", "", "Perch", "File formats"]);
    page.control("SH", ["NAME"]).text([roman("perch.toml - configuration of perchd(1)")]);
    page.control("SH", ["SYNOPSIS"]).text([italic("/etc/perch/perch.toml")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "A file in TOML. Every key has a default; one that is left out keeps it, and the whole file may be missing. A key that does \
         not exist is a mistake. perchd check-config tells every mistake at once, with its line. perchd reads the file when it \
         starts: systemctl restart perchd.",
    )]);
    paragraph(
        &mut page,
        "Each key has a variable of the environment as well, which goes before the file; --listen and --data-dir go before both.",
    );
    section(&mut page, &schema::server(), "[server]");
    section(&mut page, &schema::live(), "[live]");
    section(&mut page, &schema::recording(), "[recording]");
    section(&mut page, &schema::ingest(), "[ingest]");
    section(&mut page, &schema::button(), "[button]");
    section(&mut page, &schema::lamp(), "[lamp]");
    section(&mut page, &schema::limits(), "[limits]");
    section(&mut page, &schema::webhooks(), "[webhooks]");
    section(&mut page, &schema::log(), "[log]");
    section(&mut page, &schema::camera(), "[[camera]]");
    section(&mut page, &schema::relay(), "[[relay]]");
    page.control("SH", ["SEE ALSO"]).text([bold("perchd"), roman("(1)")]);
    page.to_roff()
}

fn section<S>(page: &mut Roff, section: &Section<S>, header: &str) {
    page.control("SH", [header]);
    page.text([roman(section.about)]);
    for key in &section.keys {
        page.control("TP", []);
        let value: [Inline; 2] = match key.preset {
            Preset::Default(value) => [bold(key.name), roman(format!(" = {value}"))],
            Preset::Unset(value) => [bold(key.name), roman(format!(" is not set; for example {value}"))],
        };
        page.text(value);
        page.text([roman(key.about)]);
        page.text([roman(format!("Accepts {}.", key.accepted))]);
        page.text([roman(format!("Variable: {}{}", section.variables, key.name.to_uppercase()))]);
    }
}

fn paragraph(page: &mut Roff, text: &str) {
    page.control("PP", []).text([roman(text)]);
}
