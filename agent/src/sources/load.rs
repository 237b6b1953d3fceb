//! /proc/loadavg: load averages and the run queue.

use std::path::Path;

use nodegrace_proto::v1::Load;
use procfs::{FromRead as _, LoadAverage};

use super::{Reading, hundredths, read_file, unreadable};

pub(super) fn read(proc_root: &Path) -> Reading<Load> {
    parse(&read_file(&proc_root.join("loadavg"))?)
}

fn parse(text: &str) -> Reading<Load> {
    let load = LoadAverage::from_read(text.as_bytes()).map_err(unreadable("loadavg"))?;
    Ok(Load {
        load1: hundredths("loadavg", load.one)?,
        load5: hundredths("loadavg", load.five)?,
        load15: hundredths("loadavg", load.fifteen)?,
        runnable_tasks: load.cur,
        tasks: load.max,
        // /proc/stat tells it.
        cpus: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_averages_and_the_run_queue_are_read() {
        let load = parse("10.62 3.25 1.00 7/1234 98765\n").unwrap();
        assert_eq!((load.load1, load.load5, load.load15), (10.62, 3.25, 1.0));
        assert_eq!((load.runnable_tasks, load.tasks), (7, 1234));
    }

    #[test]
    fn nonsense_is_an_error_and_no_crash() {
        for text in [
            "",
            "a b c",
            "1.0 2.0 3.0 7 1",
            "inf 2.0 3.0 7/9 1",
            "1.0 -2.0 3.0 7/9 1",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
