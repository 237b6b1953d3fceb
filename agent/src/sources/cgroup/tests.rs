//! Control groups of both versions, as captured and as made up.

use std::fs;

use super::*;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn group(root: &Path) -> Reading<Group> {
    Group::of(&root.join("proc"), &root.join("sys"), 42)
}

/// A host whose process 42 has this /proc/42/cgroup, and these groups.
fn host(lines: &str, groups: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("proc/42")).unwrap();
    fs::write(root.path().join("proc/42/cgroup"), lines).unwrap();
    for group in groups {
        fs::create_dir_all(root.path().join("sys/fs/cgroup").join(group)).unwrap();
    }
    root
}

#[test]
fn a_captured_host_of_version_1_has_a_quota_at_two_levels() {
    let group = group(&tests().join("captured/cgroup-v1")).unwrap();
    assert_eq!(
        (group.version, group.path.as_str()),
        (Version::V1, "/system.slice/kubelet.service")
    );
    let quotas = group.quotas().unwrap();
    let cores: Vec<_> = quotas.iter().map(|quota| quota.cores).collect();
    assert_eq!(cores, [0.2, 1.0]);
    let own = &quotas[0];
    assert_eq!(
        (own.periods, own.throttled_periods, own.throttled),
        (16, 14, 631_694_258)
    );
}

#[test]
fn a_host_of_version_2_has_a_quota_where_it_is_not_max() {
    let group = group(&tests().join("written/cgroup-v2")).unwrap();
    assert_eq!(
        (group.version, group.path.as_str()),
        (Version::V2, "/system.slice/kubelet.service")
    );
    let quotas = group.quotas().unwrap();
    assert_eq!(quotas.len(), 1);
    assert_eq!(
        (quotas[0].cores, quotas[0].throttled),
        (0.5, 5_000_000_000),
        "microseconds there, nanoseconds here"
    );
}

#[test]
fn on_a_host_of_both_versions_the_one_with_the_processors_counts() {
    let lines = "3:cpuset:/\n2:cpu,cpuacct:/system.slice\n0::/init.scope\n";
    let both = host(lines, &["cpu,cpuacct/system.slice", "unified/init.scope"]);
    let found = group(both.path()).unwrap();
    assert_eq!(found.version, Version::V1);
    assert!(found.directory().ends_with("cpu,cpuacct/system.slice"));

    let lines = "1:name=systemd:/init.scope\n0::/init.scope\n";
    let named = host(lines, &["unified/init.scope"]);
    let found = group(named.path()).unwrap();
    assert_eq!(found.version, Version::V2);
    assert!(found.directory().ends_with("unified/init.scope"));
}

#[test]
fn a_path_that_leads_out_of_the_agents_own_group_is_the_hosts() {
    let lines = "0::/../../../system.slice/kubelet.service\n";
    let host = host(lines, &["system.slice/kubelet.service"]);
    let group = group(host.path()).unwrap();
    assert_eq!(group.path, "/system.slice/kubelet.service");
    assert_eq!(seen_from_root("/.."), "/");
}

#[test]
fn a_group_that_the_agents_own_sys_does_not_show_is_absent() {
    let host = host("0::/../../system.slice/kubelet.service\n", &["init.scope"]);
    let Err(Missing::Absent(reason)) = group(host.path()) else {
        panic!("there is no such group");
    };
    assert!(reason.contains("system.slice/kubelet.service"), "{reason}");
}

#[test]
fn the_root_has_no_quota() {
    let host = host("0::/\n", &["init.scope"]);
    assert_eq!(group(host.path()).unwrap().quotas(), Ok(Vec::new()));
}

#[test]
fn nonsense_is_an_error_and_no_crash() {
    let lines = "0::/a\n";
    for (max, stat) in [
        ("", "nr_periods 1\nnr_throttled 1\nthrottled_usec 1\n"),
        (
            "x 100000\n",
            "nr_periods 1\nnr_throttled 1\nthrottled_usec 1\n",
        ),
        ("5 0\n", "nr_periods 1\nnr_throttled 1\nthrottled_usec 1\n"),
        ("5 100000\n", "nr_periods x\n"),
    ] {
        let host = host(lines, &["a"]);
        let directory = host.path().join("sys/fs/cgroup/a");
        fs::write(directory.join("cpu.max"), max).unwrap();
        fs::write(directory.join("cpu.stat"), stat).unwrap();
        let quotas = group(host.path()).unwrap().quotas();
        assert!(matches!(quotas, Err(Missing::Failed(_))), "{max:?}");
    }
    for lines in ["", "x", "0:"] {
        let host = host(lines, &[]);
        assert!(matches!(group(host.path()), Err(Missing::Failed(_))));
    }
}
