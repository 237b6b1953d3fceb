//! The volumes of a pod, as a kubelet lays them out for its user and group.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::surroundings::Surroundings;

/// Where every pod that asks for it finds its account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The volumes of one pod, below a folder.
pub(super) struct Volumes<'a> {
    /// Where they are made.
    pub(super) dir: &'a Path,
    /// `spec` of the pod.
    pub(super) pod: &'a Value,
    /// Where Secrets and tokens come from.
    pub(super) around: &'a Surroundings,
}

impl Volumes<'_> {
    /// The mounts of a container.
    pub(super) fn mounts(&self, container: &Value) -> anyhow::Result<Vec<Value>> {
        let mut mounts = Vec::new();
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            let name = mount["name"].as_str().context("a mount without a name")?;
            let source = self.source(name)?;
            let read_only = mount["readOnly"] == true;
            let mut bound = bind(&source, &mount["mountPath"], read_only);
            if mount["mountPropagation"] == "HostToContainer"
                && let Some(options) = bound["options"].as_array_mut()
            {
                options.push("rslave".into());
            }
            mounts.push(bound);
        }
        // As Kubernetes does it: not where the container has something else in that place.
        let is_taken = mounts.iter().any(|mount| mount["destination"] == ACCOUNT);
        if self.pod["automountServiceAccountToken"] == true && !is_taken {
            let account = self.account();
            let files = [
                ("token", Surroundings::token(account, None)),
                ("ca.crt", self.around.api_authority.clone()),
                ("namespace", "nodegrace".to_owned()),
            ];
            let source = self.dir.join("account");
            if !source.exists() {
                self.files(&source, &files, 0o644)?;
            }
            mounts.push(bind(&source, &ACCOUNT.into(), true));
        }
        let hosts = self.dir.join("hosts");
        fs::write(&hosts, Surroundings::HOSTS)?;
        mounts.push(bind(&hosts, &"/etc/hosts".into(), true));
        Ok(mounts)
    }

    fn account(&self) -> &str {
        self.pod["serviceAccountName"].as_str().unwrap_or_default()
    }

    /// Makes a volume, unless it is the host's or another container's as well, and says where it is.
    fn source(&self, name: &str) -> anyhow::Result<PathBuf> {
        let volumes = self.pod["volumes"].as_array().into_iter().flatten();
        // What no volume of the pod is called is a claim.
        let volume = volumes.into_iter().find(|volume| volume["name"] == name);
        let dir = self.dir.join(name);
        if dir.exists() {
            return Ok(dir);
        }
        let Some(volume) = volume.filter(|volume| volume["emptyDir"].is_null()) else {
            self.directory(&dir, 0o777)?;
            return Ok(dir);
        };
        if let Some(host) = volume["hostPath"]["path"].as_str() {
            return Ok(self.around.on_host(host));
        }
        if let Some(secret) = volume["secret"]["secretName"].as_str() {
            let keys = &self.around.secrets[secret];
            let items = volume["secret"]["items"].as_array();
            let wanted =
                |key: &str| items.is_none_or(|items| items.iter().any(|item| item["key"] == key));
            let files: Vec<_> = keys
                .iter()
                .filter(|(key, _)| wanted(key))
                .map(|(key, text)| (*key, text.clone()))
                .collect();
            let mode = volume["secret"]["defaultMode"].as_u64().unwrap_or(0o644);
            self.files(&dir, &files, u32::try_from(mode)?)?;
            return Ok(dir);
        }
        let token = &volume["projected"]["sources"][0]["serviceAccountToken"];
        let path = token["path"].as_str();
        let path = path.with_context(|| format!("volume {name} is of no known kind"))?;
        let text = Surroundings::token(self.account(), token["audience"].as_str());
        self.files(&dir, &[(path, text)], 0o644)?;
        Ok(dir)
    }

    fn files(&self, dir: &Path, files: &[(&str, String)], mode: u32) -> anyhow::Result<()> {
        self.directory(dir, 0o755)?;
        for (name, text) in files {
            let path = dir.join(name);
            fs::write(&path, text)?;
            self.give(&path, mode)?;
        }
        Ok(())
    }

    fn directory(&self, dir: &Path, mode: u32) -> anyhow::Result<()> {
        fs::create_dir(dir).with_context(|| format!("volume {}", dir.display()))?;
        self.give(dir, mode)
    }

    /// The pod's group may use what is root's.
    fn give(&self, path: &Path, mode: u32) -> anyhow::Result<()> {
        let group = self.pod["securityContext"]["fsGroup"].as_u64();
        if let Some(group) = group {
            chown(path, None, Some(u32::try_from(group)?))?;
        }
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        Ok(())
    }
}

fn bind(source: &Path, destination: &Value, read_only: bool) -> Value {
    let access = if read_only { "ro" } else { "rw" };
    json!({
        "type": "bind",
        "source": source,
        "destination": destination,
        "options": ["rbind", "nosuid", "nodev", access],
    })
}
