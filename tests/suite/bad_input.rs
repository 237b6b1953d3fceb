//! What people get wrong on the command line ends at once, with code 64 and one line that says what is wrong.

use nodegrace_tests::process::run_to_end;

/// `EX_USAGE` of sysexits(3).
const USAGE: i32 = 64;

#[test]
fn an_unknown_flag_ends_every_binary_with_code_64_and_its_name() {
    for name in ["nodegrace-agent", "nodegrace-aggregator", "nodegrace-demo"] {
        let ended = run_to_end(name, &["--grace-perriod", "40s"]);
        assert_eq!(ended.status.code(), Some(USAGE), "{name}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("--grace-perriod"),
            "{name}: {}",
            ended.stderr
        );
        assert!(ended.stdout.is_empty(), "{name}: {}", ended.stdout);
    }
}

#[test]
fn a_value_that_makes_no_sense_is_named_with_its_flag() {
    for (name, flag, value) in [
        ("nodegrace-aggregator", "--grace-period", "soon"),
        ("nodegrace-aggregator", "--monitor-period", "0s"),
        ("nodegrace-aggregator", "--listen", "localhost"),
        ("nodegrace-agent", "--sample-interval", "-1s"),
        ("nodegrace-demo", "--speed", "0"),
        ("nodegrace-demo", "--nodes", "0"),
    ] {
        let ended = run_to_end(name, &[&format!("{flag}={value}")]);
        assert_eq!(
            ended.status.code(),
            Some(USAGE),
            "{name} {flag}: {}",
            ended.stderr
        );
        assert!(
            ended.stderr.contains(flag),
            "{name} {flag}: {}",
            ended.stderr
        );
    }
}

#[test]
fn help_says_every_flag_its_unit_and_its_default_and_exits_0() {
    for name in ["nodegrace-agent", "nodegrace-aggregator", "nodegrace-demo"] {
        let ended = run_to_end(name, &["--help"]);
        assert_eq!(ended.status.code(), Some(0), "{name}");
        assert!(
            ended.stdout.contains("[default: "),
            "{name}: {}",
            ended.stdout
        );
        assert!(
            ended.stdout.contains("NODEGRACE_LOG"),
            "{name}: {}",
            ended.stdout
        );
    }
}
