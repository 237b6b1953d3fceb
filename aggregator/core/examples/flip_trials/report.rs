//! The report: what was predicted, what happened, and how reliable the probabilities are.

use std::fmt;

use nodegrace_core::{
    ControllerSettings,
    calibration::{Calibration, Passes},
};

/// Everything that is printed.
pub(crate) struct Report<'a> {
    pub(crate) settings: ControllerSettings,
    pub(crate) passes: &'a Passes,
    pub(crate) calibration: &'a Calibration,
    /// The same for passes as the settings say.
    pub(crate) as_set: &'a Calibration,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        let calibration = self.calibration;
        writeln!(
            f,
            "controller          grace {:?}, monitor period {:?}",
            settings.grace_period, settings.monitor_period
        )?;
        match self.passes {
            Passes::Settings(settings) => {
                writeln!(f, "passes              as set: {}", Even(settings))?;
            }
            Passes::Even(settings) => writeln!(
                f,
                "passes              up to {:.3} s each by the delays of the flips, so P' is up to {:.3} s",
                settings.pass.longest.as_secs_f64(),
                settings.poll_interval().1.as_secs_f64(),
            )?,
            Passes::Measured { looks, explained } => {
                writeln!(
                    f,
                    "passes              measured from {} passes with flips: P' median {:.3} s, 90 % {:.3} s, longest {:.3} s",
                    looks.measured_passes(),
                    looks.interval(0.5).as_secs_f64(),
                    looks.interval(0.9).as_secs_f64(),
                    looks.interval(1.0).as_secs_f64(),
                )?;
                writeln!(
                    f,
                    "                    {:.1} % of the flips came in the very pass these say",
                    100.0 * explained
                )?;
            }
        }
        writeln!(f, "gaps                {}", calibration.gaps)?;
        writeln!(f, "predicted flips     {:.1}", calibration.predicted)?;
        writeln!(
            f,
            "standard deviation  {:.1}",
            calibration.standard_deviation
        )?;
        writeln!(
            f,
            "actual flips        {} ({:+.2} standard deviations)",
            calibration.actual,
            calibration.deviations()
        )?;
        writeln!(f, "Brier score         {:.4}", calibration.brier_score)?;
        if !matches!(self.passes, Passes::Settings(_)) {
            writeln!(
                f,
                "were passes idle    {:.1} flips, {:+.2} standard deviations, Brier score {:.4} ({})",
                self.as_set.predicted,
                self.as_set.deviations(),
                self.as_set.brier_score,
                Even(settings)
            )?;
        }
        self.table(f)
    }
}

/// Passes of one length.
struct Even<'a>(&'a ControllerSettings);

impl fmt::Display for Even<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pass = self.0.pass.longest;
        write!(
            f,
            "{:.3} s each, so G' = {:.3} s and P' = {:.3} s",
            pass.as_secs_f64(),
            self.0.effective_grace(pass).as_secs_f64(),
            self.0.poll_interval().1.as_secs_f64(),
        )
    }
}

impl Report<'_> {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n  gap from   gaps  predicted  actual  predicted share  actual share"
        )?;
        for bin in &self.calibration.bins {
            let gaps = bin.gaps as f64;
            writeln!(
                f,
                "{:>8.1} s {:>6} {:>10.1} {:>7} {:>16.3} {:>13.3}",
                bin.from,
                bin.gaps,
                bin.predicted,
                bin.actual,
                bin.predicted / gaps,
                bin.actual as f64 / gaps,
            )?;
        }
        Ok(())
    }
}
