//! Which program the kubelet runs in: its own, or that of a distribution that holds it in one process with other parts.

use std::{fs, path::Path};

/// Bytes at which the kernel cuts a process's name (`TASK_COMM_LEN` less its terminator).
const COMM: usize = 15;

/// A program that the kubelet runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program<'a> {
    /// Its file name.
    pub(super) name: &'a str,
    /// Words one of which stands on its command line when it is the kubelet: programs that are many things in one. Empty: it
    /// always is.
    words: &'a [&'a str],
}

/// The programs that are looked for, the likeliest first. A kubelet of its own (kubeadm, the clouds, RKE2, k0s, `OpenShift`,
/// Talos, kind) comes before those that hold it.
pub(super) const KNOWN: [Program<'_>; 7] = [
    Program::named("kubelet"),
    // k3s starts itself under these names, and then writes its command line anew.
    Program::named("k3s-server"),
    Program::named("k3s-agent"),
    // `MicroK8s`.
    Program::named("kubelite"),
    Program {
        name: "microshift",
        words: &["run"],
    },
    // k3s in a container image, where it is its own first process.
    Program {
        name: "k3s",
        words: &["server", "agent"],
    },
    // Kubernetes up to 1.18, and what was made of it.
    Program {
        name: "hyperkube",
        words: &["kubelet"],
    },
];

impl<'a> Program<'a> {
    /// A program of this name, whatever its command line is.
    pub(super) const fn named(name: &'a str) -> Self {
        Self { name, words: &[] }
    }
}

/// Which of the programs the process of this directory runs, if any.
pub(super) fn recognise(directory: &Path, programs: &[Program<'_>]) -> Option<usize> {
    let comm = fs::read_to_string(directory.join("comm")).ok()?;
    let comm = comm.trim_end_matches('\n');
    let rank = programs
        .iter()
        .position(|program| may_be(comm, program.name))?;
    let Program { name, words } = programs[rank];
    let is_cut = comm != name;
    (!is_cut && words.is_empty() || is_on(directory, name, is_cut, words)).then_some(rank)
}

/// Whether a process of the name `comm` may run the program `name`: they are the same, as far as the kernel keeps it.
pub(super) fn may_be(comm: &str, name: &str) -> bool {
    comm == name || (comm.len() == COMM && name.starts_with(comm))
}

/// Whether the command line of a process names the program, where that is asked, and one of the words, where there are any.
fn is_on(directory: &Path, name: &str, named: bool, words: &[&str]) -> bool {
    let Ok(line) = fs::read_to_string(directory.join("cmdline")) else {
        return false;
    };
    // Arguments end with a zero. k3s writes its title with spaces.
    let mut arguments = line.split(['\0', ' ']);
    let program = arguments.next().unwrap_or_default();
    (!named || Path::new(program).ends_with(name))
        && (words.is_empty() || arguments.any(|argument| words.contains(&argument)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the known programs make of a process with this name and command line.
    fn known(comm: &str, command: &str) -> Option<&'static str> {
        recognised(comm, command, &KNOWN).map(|rank| KNOWN[rank].name)
    }

    fn recognised(comm: &str, command: &str, programs: &[Program<'_>]) -> Option<usize> {
        let process = tempfile::tempdir().unwrap();
        fs::write(process.path().join("comm"), format!("{comm}\n")).unwrap();
        fs::write(process.path().join("cmdline"), command).unwrap();
        recognise(process.path(), programs)
    }

    #[test]
    fn a_kubelet_of_its_own_is_known_by_its_name() {
        let command = "/var/lib/rancher/rke2/data/v1/bin/kubelet\0--volume-plugin-dir=/x\0";
        assert_eq!(known("kubelet", command), Some("kubelet"));
        assert_eq!(known("kubelet", ""), Some("kubelet"));
        assert_eq!(
            known("containerd-shim", "/usr/bin/containerd-shim\0kubelet\0"),
            None
        );
    }

    #[test]
    fn distributions_that_hold_the_kubelet_are_known() {
        let server = "/usr/local/bin/k3s server\0\0\0\0";
        assert_eq!(known("k3s-server", server), Some("k3s-server"));
        assert_eq!(
            known("k3s-agent", "/usr/local/bin/k3s agent\0"),
            Some("k3s-agent")
        );
        assert_eq!(known("k3s", "/bin/k3s server\0\0"), Some("k3s"));
        let kubelite = "/snap/microk8s/8000/kubelite\0--scheduler-args-file=/x\0";
        assert_eq!(known("kubelite", kubelite), Some("kubelite"));
        assert_eq!(
            known("microshift", "/usr/bin/microshift\0run\0"),
            Some("microshift")
        );
    }

    #[test]
    fn a_program_that_is_many_things_is_the_kubelet_where_it_says_so() {
        assert_eq!(
            known("hyperkube", "/hyperkube\0kubelet\0--v=2\0"),
            Some("hyperkube")
        );
        assert_eq!(known("hyperkube", "/hyperkube\0kube-apiserver\0"), None);
        assert_eq!(known("k3s", "/usr/local/bin/k3s\0ctr\0images\0"), None);
    }

    #[test]
    fn a_name_that_the_kernel_cut_is_compared_with_the_command_line() {
        let long = [Program::named("kubelet-with-a-very-long-name")];
        let command = "/usr/bin/kubelet-with-a-very-long-name\0--config\0x";
        assert_eq!(recognised("kubelet-with-a-", command, &long), Some(0));
        let other = [Program::named("kubelet-with-another-name")];
        assert_eq!(recognised("kubelet-with-a-", command, &other), None);
    }
}
