//! The model against trials with a real controller: `tests/data/flip-trials`.

#[path = "../../examples/flip_trials/trials.rs"]
mod csv;
#[path = "../../examples/flip_trials/report.rs"]
mod report;

use nodegrace_core::{
    ControllerSettings,
    calibration::{Calibration, Passes, Trial},
};

use crate::kit::s;

/// What a file must reach.
struct Bounds {
    brier_score: f64,
    /// Largest difference between the actual and the predicted share of flips in a half-second of gap. 60 gaps of which half
    /// flip have a standard deviation of 0.065; the worst of some ten such bins lies at two of them, and at three in files of
    /// half the size.
    bin_error: f64,
    /// Least share of the flips that came in the very pass that the measured passes say.
    explained: f64,
}

fn settings() -> ControllerSettings {
    ControllerSettings::default().with_periods(s(40.0), s(5.0))
}

pub(crate) fn read(file: &str) -> Vec<Trial> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/flip-trials");
    let path = format!("{folder}/k8s-1.36.2-grace40s-period5s-{file}.csv");
    let text = std::fs::read_to_string(path).expect("the file is in the repository");
    csv::parse(&text).expect("the file is well-formed")
}

fn check(file: &str, bounds: &Bounds) {
    let trials = read(file);
    let passes = Passes::of(settings(), &trials);
    let calibration = Calibration::of(&passes, &trials).expect("there are trials");
    let report = report::Report {
        settings: settings(),
        passes: &passes,
        calibration: &calibration,
        as_set: &Calibration::of(&Passes::Settings(settings()), &trials).expect("trials"),
    };
    println!("{file}\n{report}");
    assert!(calibration.deviations().abs() <= 3.0);
    assert!(calibration.brier_score <= bounds.brier_score);
    let Passes::Measured { explained, .. } = passes else {
        panic!("there are flips enough to measure the passes");
    };
    assert!(explained >= bounds.explained);
    for bin in &calibration.bins {
        assert!(bin.error().abs() <= bounds.bin_error, "{bin:?}");
    }
}

#[test]
fn an_idle_controller_flips_what_the_model_says() {
    let bounds = Bounds {
        brier_score: 0.062,
        bin_error: 0.13,
        explained: 0.99,
    };
    check("lease", &bounds);
}

#[test]
fn nodes_without_a_lease_are_flipped_by_the_same_rule() {
    let bounds = Bounds {
        brier_score: 0.071,
        bin_error: 0.18,
        explained: 0.99,
    };
    check("status", &bounds);
}

#[test]
fn a_busy_controller_flips_what_the_model_says_of_its_own_passes() {
    let bounds = Bounds {
        brier_score: 0.081,
        bin_error: 0.13,
        explained: 0.93,
    };
    check("lease-busy-controller", &bounds);
}

#[test]
fn passes_measured_from_half_of_the_gaps_predict_the_other_half() {
    for file in ["lease", "status", "lease-busy-controller"] {
        let trials = read(file);
        let (mut known, mut asked) = (Vec::new(), Vec::new());
        for (row, trial) in trials.into_iter().enumerate() {
            let half = if row % 2 == 0 { &mut known } else { &mut asked };
            half.push(trial);
        }
        let passes = Passes::of(settings(), &known);
        assert!(matches!(passes, Passes::Measured { .. }), "{file}");
        let calibration = Calibration::of(&passes, &asked).expect("there are trials");
        println!(
            "{file}: {:+.2} deviations, Brier score {:.4}",
            calibration.deviations(),
            calibration.brier_score
        );
        assert!(calibration.deviations().abs() <= 3.0, "{file}");
        assert!(calibration.brier_score <= 0.09, "{file}");
    }
}

#[test]
fn quiet_passes_alone_predict_an_idle_controller_within_three_deviations() {
    for file in ["lease", "status"] {
        let quiet = Passes::Settings(settings());
        let calibration = Calibration::of(&quiet, &read(file)).expect("there are trials");
        assert!(calibration.deviations().abs() <= 3.0, "{file}");
    }
}

#[test]
fn a_busy_controller_spares_gaps_that_an_idle_one_would_flip() {
    let quiet = Passes::Settings(settings());
    let calibration = Calibration::of(&quiet, &read("lease-busy-controller")).expect("trials");
    assert!(calibration.deviations() < -10.0);
}

#[test]
fn a_grace_period_of_another_number_of_polls_does_not_pass() {
    for file in ["lease", "status", "lease-busy-controller"] {
        let trials = read(file);
        for grace in [30.0, 34.0, 35.0, 41.0, 45.0, 50.0] {
            let wrong = ControllerSettings::default().with_periods(s(grace), s(5.0));
            let passes = Passes::of(wrong, &trials);
            let calibration = Calibration::of(&passes, &trials).expect("there are trials");
            assert!(calibration.deviations().abs() > 10.0, "{file}, {grace} s");
        }
    }
}

#[test]
fn a_malformed_file_is_refused_with_line_and_column() {
    let header = "gap_s,t_last_beat,flipped,flip_after_s\n";
    let parse = |row: &str| csv::parse(&format!("{header}{row}\n"));
    assert_eq!(parse("40.0,100.0,0,").map(|trials| trials.len()), Ok(1));
    assert!(csv::parse(&format!("\u{feff}{header}40.0,100.0,0,\r\n")).is_ok());
    let error = |row| parse(row).expect_err("malformed");
    assert_eq!(
        error("x,100.0,0,"),
        "line 2: gap_s is \"x\", not a number of seconds up to 1e10"
    );
    assert_eq!(
        error("40,1e19,0,"),
        "line 2: t_last_beat is \"1e19\", not a number of seconds up to 1e10"
    );
    assert_eq!(
        error("40,100,1,51"),
        "line 2: flip_after_s is \"51\", long after the gap"
    );
    assert_eq!(error("40,100,2,"), "line 2: flipped is \"2\", not 0 or 1");
    assert_eq!(error("40,100,0"), "line 2: 3 fields where line 1 names 4");
    assert_eq!(
        csv::parse("a,b\n").expect_err("malformed"),
        "line 1 names no column gap_s"
    );
}
