use super::*;
use proptest::prelude::*;

fn load(text: &str) -> Result<Config, Vec<String>> {
    load_with(text, &Sources::default())
}

fn load_with(text: &str, sources: &Sources) -> Result<Config, Vec<String>> {
    Config::from_text(text, Path::new("perch.toml"), sources)
        .map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
}

fn environment(pairs: &[(&str, &str)]) -> Sources {
    Sources {
        environment: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..Sources::default()
    }
}

#[test]
fn an_empty_file_gives_the_defaults() {
    assert_eq!(load("").unwrap(), Config::default());
    let config = Config::default();
    assert_eq!(config.server.listen, ["[::]:8080".parse().unwrap()]);
    assert_eq!((config.cameras[0].width, config.cameras[0].bitrate_kbps), (1280, 2500));
    assert!(!config.live.autostart);
}

#[test]
fn every_problem_is_told_at_once_with_its_line_and_what_would_be_right() {
    let problems = load(
        "[server]\nlisten = \"8080\"\nmax_conections = 10\n\n[live]\nsegment_seconds = 0.1\n\n[[camera]]\nsource = \"v4l\"\nwidth = 1281\n\n[rellays]\n",
    )
    .unwrap_err();
    let expected = [
        r#"perch.toml:2: server.listen: must be a list of addresses with ports such as ["[::]:8080", "127.0.0.1:80"], found "8080""#,
        r#"perch.toml:3: server.max_conections: unknown key; did you mean "max_connections"?"#,
        "perch.toml:6: live.segment_seconds: must be a number from 0.5 to 10 seconds, found 0.1",
        r#"perch.toml:9: camera.source: must be one of "auto", "v4l2", "command", "test-pattern", found "v4l"; did you mean "v4l2"?"#,
        "perch.toml:10: camera.width: must be an even number of pixels from 64 to 4096, found 1281",
        "perch.toml:12: rellays: unknown section; did you mean \"relay\"?",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn lines_that_are_no_toml_are_told_each_once_beside_the_rest() {
    let problems = load("[server]\nlisten =\ndata_dir = 5\n[live]\nautostart = treu\n").unwrap_err();
    let lines: Vec<&str> = problems.iter().map(|p| &p[..12]).collect();
    assert_eq!(lines, ["perch.toml:2", "perch.toml:3", "perch.toml:5"], "{problems:#?}");
}

#[test]
fn flags_go_before_environment_before_file_before_defaults() {
    let file = "[server]\ndata_dir = \"/file\"\nlisten = [\"127.0.0.1:1\"]\n[live]\nwindow_seconds = 30\n";
    let mut sources = environment(&[
        ("PERCH_DATA_DIR", "/environment"),
        ("PERCH_LISTEN", "127.0.0.1:2, [::1]:2"),
        ("PERCH_LIVE_AUTOSTART", "true"),
        ("PERCH_CAMERA_SOURCE", "test-pattern"),
        ("PERCH_LOG_LEVEL", ""),
    ]);
    sources.flags = vec![FlagValue {
        flag: "--listen",
        key: "server.listen",
        values: vec!["127.0.0.1:3".into(), "[::1]:3".into()],
    }];
    let config = load_with(file, &sources).unwrap();
    assert_eq!(config.server.listen, ["127.0.0.1:3".parse().unwrap(), "[::1]:3".parse().unwrap()]);
    assert_eq!(config.server.data_dir, Path::new("/environment"));
    assert!(config.live.autostart);
    assert_eq!(config.cameras[0].source, SourceKind::TestPattern);
    assert!((config.live.window_seconds - 30.0).abs() < f64::EPSILON);

    sources.flags.clear();
    let config = load_with(file, &sources).unwrap();
    assert_eq!(config.server.listen, ["127.0.0.1:2".parse().unwrap(), "[::1]:2".parse().unwrap()]);
}

#[test]
fn a_wrong_flag_or_variable_is_named() {
    let mut sources = environment(&[("PERCH_LIVE_SEGMENT_SECONDS", "two")]);
    sources.flags =
        vec![FlagValue { flag: "--listen", key: "server.listen", values: vec!["localhost".into()] }];
    let problems = load_with("", &sources).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].starts_with("PERCH_LIVE_SEGMENT_SECONDS: live.segment_seconds: must be a number"));
    assert!(problems[1].starts_with("--listen: server.listen: must be a list"), "{problems:#?}");
}

#[test]
fn proxies_are_addresses_and_networks_and_names_have_no_ports() {
    let config = load(
        "[server]\nnames = [\"Perch.example.org\", \"2001:db8::7\"]\ntrusted_proxies = [\"127.0.0.1\", \"fd00::/8\"]\n",
    )
    .unwrap();
    assert_eq!(config.server.names, ["perch.example.org", "2001:db8::7"]);
    let trusted = |address: &str| {
        config.server.trusted_proxies.iter().any(|network| network.holds(address.parse().unwrap()))
    };
    assert!(trusted("127.0.0.1") && trusted("fd12::1") && !trusted("192.0.2.1"));
    let environment =
        environment(&[("PERCH_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1"), ("PERCH_NAMES", "cam")]);
    let config = load_with("", &environment).unwrap();
    assert_eq!((config.server.trusted_proxies.len(), config.server.names.len()), (2, 1));
    for (line, problem) in [
        (
            "names = [\"perch.example.org:443\"]",
            "perch.toml:2: server.names: must be a list of host names without ports",
        ),
        (
            "names = [\"https://perch.example.org\"]",
            "perch.toml:2: server.names: must be a list of host names",
        ),
        ("names = [\"*.example.org\"]", "perch.toml:2: server.names: must be a list of host names"),
        (
            "trusted_proxies = [\"proxy.lan\"]",
            "perch.toml:2: server.trusted_proxies: must be a list of addresses and networks",
        ),
        (
            "metrics_from = \"10.0.0.1\"",
            "perch.toml:2: server.metrics_from: must be a list of addresses and networks",
        ),
    ] {
        let problems = load(&format!("[server]\n{line}\n")).unwrap_err();
        assert!(problems.len() == 1 && problems[0].starts_with(problem), "{problems:#?}");
    }
}

#[test]
fn keys_that_contradict_each_other_are_told_at_their_line() {
    let problems = load("[live]\nsegment_seconds = 5\nwindow_seconds = 10\n[[camera]]\nsource = \"command\"\nencoder = \"software\"\n[[camera]]\ncommand = [\"x\"]\n").unwrap_err();
    let expected = [
        "perch.toml:3: live.window_seconds: must be at least 3 segments, 15 seconds",
        r#"perch.toml:5: camera.source: source = "command" requires command = ["PROGRAM", "ARGUMENT", …]"#,
        r#"perch.toml:6: camera.encoder: a command writes H.264 itself: use encoder = "none" or remove it"#,
        r#"perch.toml:8: camera.command: works only with source = "command"; set that, or remove command"#,
    ];
    let named: Vec<&str> =
        problems.iter().map(String::as_str).filter(|p| !p.contains("another camera")).collect();
    assert_eq!(named, expected);
    assert_eq!(problems.len(), 5, "two cameras of one name are the fifth");
}

#[test]
fn nothing_is_concluded_from_a_value_that_is_wrong_by_itself() {
    let problems = load("[[camera]]\nsource = \"command\"\ncommand = \"rpicam-vid -o -\"\n").unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
}

#[test]
fn a_shorter_segment_shortens_the_key_frame_interval() {
    let config = load("[live]\nsegment_seconds = 1\n").unwrap();
    assert!((config.cameras[0].keyframe_interval_seconds - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_table_where_a_value_belongs_and_the_reverse_are_told() {
    for text in ["server = 1", "[[server]]", "camera = 3", "[camera]\nwidth = 640", "server.listen.x = 1"] {
        assert_eq!(load(text).unwrap_err().len(), 1, "{text}");
    }
}

#[test]
fn a_named_file_must_exist_and_the_default_one_need_not() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Sources { file: Some(dir.path().join("none.toml")), ..Sources::default() };
    let problems = Config::load(&missing).unwrap_err();
    assert!(problems.to_string().contains("none.toml: cannot be read: No such file"), "{problems}");
    assert_eq!(read_file(&dir.path().join("none.toml"), false), Ok(String::new()));

    std::fs::write(dir.path().join("latin1.toml"), b"[server]\n# caf\xe9\n").unwrap();
    let latin1 = Sources { file: Some(dir.path().join("latin1.toml")), ..Sources::default() };
    assert!(Config::load(&latin1).unwrap_err().to_string().contains("line 2 is not UTF-8"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = load(&text);
    }

    #[test]
    fn no_scramble_of_a_configuration_makes_the_reader_panic(
        cut in 0..2000usize, insert in "[\\[\\]=\"'.#\n0-9a-z{}, ]{0,12}",
    ) {
        let mut text = crate::config::example();
        let mut at = cut.min(text.len());
        while !text.is_char_boundary(at) { at -= 1; }
        text.insert_str(at, &insert);
        let _ = load(&text);
    }
}

#[test]
fn a_button_and_a_lamp_need_lines_of_their_own_and_a_pedal_its_device() {
    assert_eq!(
        load("[button]\nsource = \"key\"\n").unwrap_err(),
        [r#"perch.toml:2: button.source: source = "key" requires input = "/dev/input/by-id/…""#]
    );
    let both =
        |lamp: &str| load(&format!("[button]\nsource = \"gpio\"\nline = 17\n[lamp]\nenabled = true\n{lamp}"));
    assert_eq!(
        both("line = 17\n").unwrap_err(),
        ["perch.toml:6: lamp.line: is already the button's line: the lamp needs another one"]
    );
    assert_eq!(both("line = 27\n").unwrap().lamp.line, 27);
    assert!(both("chip = \"gpiochip1\"\n").is_ok(), "17 of another chip");
}

#[test]
fn a_relay_has_a_name_an_address_and_a_key_which_no_message_repeats() {
    assert!(load("").unwrap().relays.is_empty());
    let good = "[[camera]]\nrelays = [\"a\"]\n[[relay]]\nname = \"a\"\nurl = \"rtmp://example.org/live\"\nkey = \"SECRET\"\n";
    let config = load(good).unwrap();
    assert_eq!(config.relays[0].key.as_ref().unwrap().expose(), "SECRET");
    assert!(!format!("{config:?}").contains("SECRET"));
    let by_environment =
        environment(&[("PERCH_RELAY_NAME", "a"), ("PERCH_RELAY_URL", "rtmp://example.org/live/SECRET")]);
    assert_eq!(load_with("", &by_environment).unwrap().relays.len(), 1);
    for (text, expected) in [
        ("[[relay]]\nurl = \"rtmp://a/live/SECRET\"\n", "perch.toml:1: relay.name: is missing"),
        ("[[relay]]\nname = \"a\"\nkey = \"SECRET\"\n", "perch.toml:1: relay.url: is missing"),
        ("[[relay]]\nname = \"a\"\nurl = \"rtmp://a/live\"\n", "perch.toml:3: relay.key: is missing"),
        (
            "[[relay]]\nname = \"a\"\nurl = \"rtmps//a/SECRET\"\n",
            "perch.toml:3: relay.url: must be an address",
        ),
        (
            "[[relay]]\nname = \"a\"\nurl = \"rtmp://a/b\"\nkey = 5\n",
            "perch.toml:4: relay.key: must be a stream key",
        ),
        (
            "[[relay]]\nname = \"a\"\nurl = \"rtmp://a/b/SECRET\"\nca_file = \"/ca.pem\"\n",
            "perch.toml:4: relay.ca_file: is for addresses that begin with rtmps://",
        ),
        ("[[camera]]\nrelays = [\"b\"]\n", "perch.toml:2: camera.relays: there is no relay \"b\""),
    ] {
        let problems = load(text).unwrap_err();
        assert!(problems.len() == 1 && problems[0].starts_with(expected), "{problems:?}");
        assert!(!problems[0].contains("SECRET"));
    }
    let twice =
        format!("{good}[[relay]]\nname = \"a\"\nurl = \"rtmp://b/live/x\"\nkey_file = \"/k\"\nkey = \"x\"\n");
    assert_eq!(load(&twice).unwrap_err().len(), 2);
}
