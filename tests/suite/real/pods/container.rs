//! A container of a pod, run by runc with what the manifest says and the network of the test.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    super::{forms::strings, programs::output_of},
    image::Image,
    surroundings::Surroundings,
    volume::Volumes,
};

/// Longest wait for what containers are to do, in seconds. Far above what it takes: it only ends a broken test.
pub(super) const PATIENCE_S: u32 = 90;

/// A running container.
pub(super) struct Container {
    dir: TempDir,
    spec: Value,
    runc: Child,
    /// The volumes, which are its pod's.
    _volumes: Arc<TempDir>,
}

impl Container {
    /// Starts the containers of a pod of the only object of this kind.
    pub(super) fn start_all(
        objects: &[Value],
        kind: &str,
        around: &Surroundings,
    ) -> anyhow::Result<Vec<Self>> {
        let object = objects.iter().find(|object| object["kind"] == kind);
        let object = object.with_context(|| format!("there is no {kind}"))?;
        let pod = &object["spec"]["template"]["spec"];
        let volumes = Arc::new(tempfile::tempdir()?);
        let containers = pod["containers"].as_array().into_iter().flatten();
        containers
            .map(|spec| Self::start(spec, pod, around, &volumes))
            .collect()
    }

    fn start(
        spec: &Value,
        pod: &Value,
        around: &Surroundings,
        volumes: &Arc<TempDir>,
    ) -> anyhow::Result<Self> {
        let (spec, dir_of_volumes) = (spec.clone(), Arc::clone(volumes));
        let image = Image::named(spec["image"].as_str().unwrap_or_default())?;
        let own = &pod["securityContext"];
        let user = format!("{}:{}", own["runAsUser"], own["runAsGroup"]);
        assert_eq!(image.says("User"), user.as_str(), "the manifest's user");

        let dir = tempfile::tempdir()?;
        image.unpack(&dir.path().join("rootfs"))?;
        let volumes = Volumes {
            dir: dir_of_volumes.path(),
            pod,
            around,
        };
        let config = config(&spec, pod, &image, around, volumes.mounts(&spec)?)?;
        fs::write(dir.path().join("config.json"), config.to_string())?;
        let runc = Command::new("runc")
            .args(runc(dir.path()))
            .arg("run")
            .args([Path::new("--bundle"), dir.path()])
            .arg(spec["name"].as_str().unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(dir.path().join("log"))?)
            .spawn()
            .context("runc does not start; `.ci/run` installs it")?;
        Ok(Self {
            dir,
            spec,
            runc,
            _volumes: dir_of_volumes,
        })
    }

    /// What the manifest says of it.
    pub(super) fn spec(&self) -> &Value {
        &self.spec
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.spec["name"].as_str().unwrap_or_default()
    }

    /// What it wrote to standard error until now.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// What the kernel says of its process: the lines of /proc/PID/status by name.
    pub(super) fn status(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let lines = status.lines().filter_map(|line| line.split_once(":\t"));
        Ok(lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// Whether what it has there can only be read. Absent: nothing of its own is there.
    pub(super) fn is_read_only(&self, place: &str) -> anyhow::Result<Option<bool>> {
        let mounts = fs::read_to_string(format!("/proc/{}/mounts", self.pid()?))?;
        let options = mounts.lines().find_map(|line| {
            let mut columns = line.split(' ').skip(1);
            (columns.next() == Some(place)).then(|| columns.nth(1).unwrap_or_default().to_owned())
        });
        Ok(options.map(|options| options.split(',').any(|option| option == "ro")))
    }

    fn pid(&self) -> anyhow::Result<u64> {
        let state = runc(self.dir.path())
            .into_iter()
            .chain(["state".to_owned(), self.name().to_owned()]);
        let state: Value = serde_json::from_str(&output_of("runc", state)?)?;
        state["pid"].as_u64().context("it does not run")
    }
}

impl Drop for Container {
    /// Ends it, also after a failed test: it would outlive runc.
    fn drop(&mut self) {
        let name = self.name().to_owned();
        let delete = ["delete", "--force", &name].map(str::to_owned);
        if let Err(error) = output_of("runc", runc(self.dir.path()).into_iter().chain(delete)) {
            eprintln!("container {name} stays behind: {error:#}");
        }
        if let Err(error) = self.runc.wait() {
            eprintln!("runc stays behind: {error}");
        }
    }
}

/// runc's flags: it keeps its state beside the container.
fn runc(dir: &Path) -> Vec<String> {
    vec!["--root".to_owned(), dir.join("runc").display().to_string()]
}

/// The container as the OCI runtime specification wants it, from what a kubelet and containerd make of a manifest.
fn config(
    spec: &Value,
    pod: &Value,
    image: &Image,
    around: &Surroundings,
    volumes: Vec<Value>,
) -> anyhow::Result<Value> {
    let environment = around.environment(spec);
    let mut args: Vec<String> = strings(image.says("Entrypoint"))
        .into_iter()
        .map(str::to_owned)
        .collect();
    args.extend(strings(&spec["args"]).into_iter().map(|arg| {
        environment
            .iter()
            .fold(arg.to_owned(), |arg, (name, value)| {
                arg.replace(&format!("$({name})"), value)
            })
    }));
    let context = &spec["securityContext"];
    anyhow::ensure!(
        strings(&context["capabilities"]["drop"]) == ["ALL"] && context["privileged"] != true,
        "a container with capabilities, which no test knows"
    );
    let groups: Vec<&Value> = pod["securityContext"].get("fsGroup").into_iter().collect();
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc"}),
        json!({"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}),
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]}),
    ];
    mounts.extend(volumes);
    // The host's processes are another container's where the manifest says so.
    let mut namespaces = vec!["mount", "ipc", "uts"];
    if pod["hostPID"] != true {
        namespaces.push("pid");
    }
    let namespaces: Vec<_> = namespaces
        .into_iter()
        .map(|kind| json!({"type": kind}))
        .collect();
    // What a container says of itself goes before what its pod says.
    let [uid, gid] = ["runAsUser", "runAsGroup"].map(|key| {
        let own = context.get(key);
        own.unwrap_or(&pod["securityContext"][key])
    });
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {
                "uid": uid,
                "gid": gid,
                "additionalGids": groups,
            },
            "args": args,
            "env": environment.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
            "cwd": "/",
            "capabilities": {},
            "noNewPrivileges": context["allowPrivilegeEscalation"] == false,
        },
        "root": {"path": "rootfs", "readonly": context["readOnlyRootFilesystem"] == true},
        "mounts": mounts,
        "linux": {"namespaces": namespaces},
    }))
}
