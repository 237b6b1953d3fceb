//! What the command line takes, and what it refuses.

use clap::CommandFactory as _;
use nodegrace_clock::Clock;

use super::*;
use crate::Timeouts;

fn parse(args: &[&str]) -> Result<Args, clap::Error> {
    Args::try_parse_from(std::iter::once("nodegrace-agent").chain(args.iter().copied()))
}

#[test]
fn the_command_line_is_consistent() {
    Args::command().debug_assert();
}

#[test]
fn every_flag_says_what_it_means_and_has_its_variable() {
    for flag in Args::command().get_arguments() {
        assert!(flag.get_help().is_some(), "{} has help", flag.get_id());
        let variable = flag
            .get_env()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        assert!(
            variable.starts_with("NODEGRACE_"),
            "{} has a variable",
            flag.get_id()
        );
    }
}

#[test]
fn defaults_are_those_of_the_configuration() {
    let config = parse(&["--node-name", "a"]).unwrap().config().unwrap();
    let default = Config::new("a");
    assert_eq!(config.sample_interval, default.sample_interval);
    assert_eq!(config.fine_after, default.fine_after);
    assert_eq!(config.cri_timeout, default.cri_timeout);
    assert_eq!(config.spool_bytes, default.spool_bytes);
    assert_eq!(config.spool_dir, default.spool_dir);
    assert_eq!(config.batch_records, default.batch_records);
    assert_eq!(config.kubelet_process, default.kubelet_process);
    assert!(config.kubelet.is_none() && config.cri_socket.is_none());
    assert!(!config.impersonate_own_node && !default.impersonate_own_node);
}

#[test]
fn the_kubelets_process_is_one_of_those_known_or_what_is_said() {
    let process = |args: &[&str]| {
        let args = parse(&[&["--node-name", "a"], args].concat()).unwrap();
        args.config().unwrap().kubelet_process
    };
    let named = ["--kubelet-process-name", "my-kubelet"];
    assert_eq!(process(&[]), KubeletProcessName::Known);
    assert_eq!(
        process(&named),
        KubeletProcessName::Name("my-kubelet".into())
    );
    assert_eq!(
        process(&[&named[..], &["--kubelet-pid-file", "/run/kubelet.pid"]].concat()),
        KubeletProcessName::PidFile("/run/kubelet.pid".into())
    );
}

#[test]
fn a_closer_look_is_taken_by_itself_after_some_time_or_never() {
    for (word, meant) in [
        ("auto", FineAfter::Auto),
        ("25s", FineAfter::After(Duration::from_secs(25))),
        ("off", FineAfter::Off),
    ] {
        let args = parse(&["--node-name", "a", "--fine-after", word]).unwrap();
        assert_eq!(args.config().unwrap().fine_after, meant);
    }
}

#[test]
fn nonsense_is_refused() {
    for args in [
        &["--no-such-flag"][..],
        &["--sample-interval", "0s"],
        &["--sample-interval", "10"],
        &["--fine-after", "soon"],
        &["--fine-after", "0s"],
        &["--spool-bytes", "1"],
        &["--batch-records", "1025"],
        &["--cri-socket", "tcp://127.0.0.1:3735"],
        &["--cri-socket", "unix://"],
        &["--kubelet-ca-file", "a", "--kubelet-insecure"],
    ] {
        assert!(parse(args).is_err(), "{args:?}");
    }
    let args = parse(&["--node-name", "a", "--kubelet-url", "10.0.0.7"]).unwrap();
    assert!(args.config().is_err());
}

#[test]
fn a_name_that_no_node_can_have_is_refused_and_told() {
    let config = |name| {
        let args = parse(&[&format!("--node-name={name}")]).unwrap();
        args.config()
    };
    for name in ["a", "node-1", "ip-10-0-0-1.ec2.internal", "0"] {
        assert!(config(name).is_ok(), "{name}");
    }
    let long = "a".repeat(254);
    for name in ["Bad Name", "-a", "a-", "a..b", ".a", "a_b", "é", &long] {
        let error = config(name).unwrap_err().to_string();
        assert!(
            error.contains("--node-name") && error.contains(name),
            "{error}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_command_line_is_told_on_one_line() {
    for (args, words) in [
        (&["--grace-perriod", "40s"][..], "'--grace-perriod'"),
        (&["--sample-interval=-1s"], "'--sample-interval <DURATION>'"),
        (&["--log-format", "xml"], "text, json"),
        (
            &["--kubelet-ca-file", "a", "--kubelet-insecure"],
            "'--kubelet-insecure'",
        ),
    ] {
        let line = complaint(&parse(args).unwrap_err());
        assert!(
            line.starts_with("error: ") && line.contains(words),
            "{line}"
        );
        assert!(!line.contains('\n') && !line.contains("Usage"), "{line}");
    }
}

#[test]
fn a_directory_that_is_no_proc_is_refused_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_str().unwrap();
    let args = parse(&["--node-name", "a", "--proc-root", root]).unwrap();
    let error = format!("{:#}", args.config().unwrap_err());
    assert!(
        error.contains("--proc-root") && error.contains(root),
        "{error}"
    );
}

#[test]
fn a_socket_is_a_path_or_a_url_of_one() {
    for socket in ["/run/cri.sock", "unix:///run/cri.sock"] {
        let args = parse(&["--node-name", "a", "--cri-socket", socket]).unwrap();
        let socket = args.config().unwrap().cri_socket;
        assert_eq!(socket, Some("/run/cri.sock".into()));
    }
}

#[test]
fn a_token_is_not_sent_in_plain_text() {
    let kubelet = |url: &str| {
        let args = parse(&[
            "--node-name",
            "a",
            "--kubelet-token-file",
            "/token",
            "--kubelet-url",
            url,
        ])
        .unwrap();
        args.config().unwrap().kubelet.unwrap().auth_info.token_file
    };
    assert_eq!(kubelet("https://10.0.0.7:10250").as_deref(), Some("/token"));
    assert_eq!(kubelet("http://10.0.0.7:10255"), None);
}

#[tokio::test]
async fn a_token_for_the_aggregator_goes_in_plain_text_only_where_it_is_meant() {
    let refused = |args: &[&str]| {
        let args = parse(&[&["--node-name", "a", "--token-file", "/token"], args].concat());
        let aggregators = args.unwrap().aggregator;
        let error = aggregators.aggregators(&Timeouts::default()).err();
        error.map(|error| error.to_string())
    };
    for local in [
        "http://127.0.0.1:4850",
        "http://[::1]:4850",
        "http://localhost",
    ] {
        assert_eq!(refused(&["--aggregator", local]), None);
    }
    let afar = ["--aggregator", "http://127.0.0.1.example.org:4850"];
    assert!(refused(&afar).unwrap().contains("say --insecure"));
    assert_eq!(refused(&[afar[0], afar[1], "--insecure"]), None);
}

#[test]
fn an_unverified_kubelet_needs_no_roots() {
    let args = parse(&[
        "--node-name",
        "a",
        "--kubelet-url",
        "https://10.0.0.7:10250",
        "--kubelet-insecure",
    ])
    .unwrap();
    let kubelet = args.config().unwrap().kubelet.unwrap();
    assert_eq!(kubelet.root_cert, Some(Vec::new()));
}

#[test]
fn the_bridge_is_another_part_with_flags_of_its_own() {
    let line = |args: &[&str]| {
        CommandLine::try_parse_from(["nodegrace-agent"].iter().chain(args).copied())
    };
    let agent = line(&["--node-name=a", "--cri-socket=/bridge/cri.sock"]).unwrap();
    assert!(agent.part.is_none());
    assert!(agent.agent.config().unwrap().cri_socket.is_some());

    let sockets = [
        "--cri-socket=unix:///run/cri.sock",
        "--listen=/bridge/cri.sock",
    ];
    let bridge = line(&[&["cri-bridge"], &sockets[..]].concat()).unwrap();
    let Some(Part::CriBridge(args)) = bridge.part else {
        panic!("another part: {bridge:?}");
    };
    assert_eq!(args.cri_socket, PathBuf::from("/run/cri.sock"));
    assert!(
        args.cri_timeout > Config::new("a").cri_timeout,
        "the agent gives up first"
    );

    for nonsense in [
        &["cri-bridge"][..],
        &["cri-bridge", sockets[0]],
        &["cri-bridge", sockets[0], sockets[1], "--node-name=a"],
        &["--node-name=a", "cri-bridge", sockets[0], sockets[1]],
        &["bridge"],
    ] {
        assert!(line(nonsense).is_err(), "{nonsense:?}");
    }
}

#[test]
fn every_flag_of_the_bridge_says_what_it_means_and_has_its_variable() {
    let command = CommandLine::command();
    command.clone().debug_assert();
    let bridge = command.find_subcommand("cri-bridge").unwrap();
    for flag in bridge.get_arguments() {
        assert!(flag.get_help().is_some(), "{} has help", flag.get_id());
        assert!(flag.get_env().is_some(), "{} has a variable", flag.get_id());
    }
}

#[test]
fn none_is_no_aggregator_and_metrics_are_served_where_they_are_asked_for() {
    let words = [
        "nodegrace-agent",
        "--node-name=a",
        "--aggregator=none",
        "--metrics-listen=[::1]:4852",
    ];
    let args = Args::try_parse_from(words).unwrap();
    let aggregators = args.aggregator.aggregators(&Timeouts::default()).unwrap();
    assert!(!aggregators.are_there());
    let listen = args.config().unwrap().metrics_listen;
    assert_eq!(listen, Some("[::1]:4852".parse().unwrap()));
}

/// The image has no system roots: there the kubelet's own CA must do.
#[test]
fn a_kubelet_is_verified_by_its_own_ca_where_the_system_has_none() {
    const THERE: &str = "NODEGRACE_TEST_WITHOUT_ROOTS";
    if std::env::var_os(THERE).is_none() {
        let this = std::thread::current();
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this.name().unwrap()])
            .env(THERE, "yes")
            .env("SSL_CERT_FILE", "/dev/null")
            .env("SSL_CERT_DIR", "/dev/null")
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.crt");
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = rcgen::CertificateParams::default()
        .self_signed(&key)
        .unwrap();
    std::fs::write(&file, ca.pem()).unwrap();
    let client = |flags: &[&str]| {
        let url = ["--node-name=a", "--kubelet-url=https://10.0.0.7:10250"];
        let config = parse(&[&url, flags].concat()).unwrap().config().unwrap();
        let kubelet = config.kubelet.unwrap();
        crate::kube_client::connect_kubelet(&kubelet, &config.timeouts, &Clock::real()).map(drop)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    assert!(client(&[]).is_err(), "there is nothing to verify by");
    client(&["--kubelet-ca-file", file.to_str().unwrap()]).unwrap();
    client(&["--kubelet-insecure"]).unwrap();
}
