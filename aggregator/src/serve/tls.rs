//! Certificate, key and clients' authorities in files that change: whoever renews them swaps the files, and what is in them then
//! counts for every connection that comes.

use std::{
    convert::Infallible,
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

/// How often the files are looked at. A kubelet takes up to a minute to bring a changed Secret into a pod, and certificates are
/// renewed days before they end. They are read whole: a Secret's files are links, whose own times say nothing.
const LOOK: Duration = Duration::from_secs(10);

/// Where certificate, key and authorities are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and after it the intermediate ones.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities that sign clients' certificates. Absent: no client is asked for one.
    pub client_ca: Option<PathBuf>,
}

/// The TLS settings of the servers, from files that change: cheap to clone, the same for everything that holds a clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    state: Mutex<State>,
}

struct State {
    /// What the files held when they were last of use.
    contents: Contents,
    settings: Settings,
    /// Why they are of no use now. Absent: they are in use.
    complaint: Option<Complaint>,
}

struct Complaint {
    error: String,
    told: bool,
}

/// What the files hold.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// What that means, for each port.
struct Settings {
    grpc: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Tls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// When one cannot be read or does not hold what it should, or the key is another certificate's.
    pub fn open(files: TlsFiles) -> anyhow::Result<Self> {
        let contents = files.read()?;
        let state = State {
            settings: Settings::of(&contents, &files)?,
            contents,
            complaint: None,
        };
        Ok(Self(Arc::new(Inner {
            files,
            state: Mutex::new(state),
        })))
    }

    /// Looks at the files again and again, for ever. While they are of no use, those read before stay in use.
    pub(crate) async fn keep_up(&self, clock: &Clock) -> Infallible {
        loop {
            clock.sleep(LOOK).await;
            self.look();
        }
    }

    /// The settings for a connection to the gRPC port that comes now.
    pub(super) fn grpc(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.state().settings.grpc)
    }

    /// The settings for a connection to the HTTP port that comes now.
    pub(super) fn http(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.state().settings.http)
    }

    /// What clients' certificates are checked by now. Absent: no authority of them is known.
    pub(crate) fn clients(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.state().settings.clients.clone()
    }

    fn look(&self) {
        let files = &self.0.files;
        let mut state = self.state();
        let news = files.read().and_then(|contents| {
            if contents == state.contents {
                return Ok(None);
            }
            let settings = Settings::of(&contents, files)?;
            Ok(Some((contents, settings)))
        });
        match news {
            Ok(news) => {
                state.complaint = None;
                if let Some((contents, settings)) = news {
                    state.contents = contents;
                    state.settings = settings;
                    tracing::info!(files = ?files, "a new certificate is in use");
                }
            }
            Err(error) => state.complain(format!("{error:#}")),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tls {
    /// The key stays where it is.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.files.fmt(formatter)
    }
}

impl State {
    /// Tells what is wrong with the files, once, when it is so at two looks in a row: files that are swapped one after the other
    /// do not fit together for a moment.
    fn complain(&mut self, error: String) {
        match &mut self.complaint {
            Some(complaint) if complaint.error == error => {
                if !complaint.told {
                    complaint.told = true;
                    tracing::error!(
                        error,
                        "the new certificate cannot be used, the one before stays in use"
                    );
                }
            }
            other => *other = Some(Complaint { error, told: false }),
        }
    }
}

impl TlsFiles {
    fn read(&self) -> anyhow::Result<Contents> {
        let read = |path: &PathBuf| fs::read(path).with_context(|| path.display().to_string());
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_ca: self.client_ca.as_ref().map(read).transpose()?,
        })
    }
}

impl Settings {
    fn of(contents: &Contents, files: &TlsFiles) -> anyhow::Result<Self> {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        let chain = certificates(&contents.certificate, &files.certificate)?;
        let private = PrivateKeyDer::from_pem_slice(&contents.key)
            .with_context(|| format!("{key}: no PEM private key"))?;
        let clients = match (&contents.client_ca, &files.client_ca) {
            (Some(pem), Some(path)) => Some(verifier(certificates(pem, path)?)?),
            _ => None,
        };
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?;
        let mut http = server
            .clone()
            .with_no_client_auth()
            .with_single_cert(chain.clone(), private.clone_key())
            .with_context(|| format!("{certificate} and {key}"))?;
        let mut grpc = match clients.clone() {
            Some(clients) => server
                .with_client_cert_verifier(clients)
                .with_single_cert(chain, private)?,
            None => http.clone(),
        };
        grpc.alpn_protocols = vec![b"h2".to_vec()];
        http.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            grpc: Arc::new(grpc),
            http: Arc::new(http),
            clients,
        })
    }
}

/// The certificates in a PEM file, of which there is at least one.
fn certificates(pem: &[u8], path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.ok().filter(|some| !some.is_empty());
    certificates.with_context(|| format!("{}: no PEM certificate", path.display()))
}

/// What checks clients' certificates. A client may show none: whether it needs one depends on what it asks for.
fn verifier(
    authorities: Vec<CertificateDer<'static>>,
) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).context("authority of clients")?;
    }
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .context("authorities of clients")
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn files(directory: &Path) -> TlsFiles {
        TlsFiles {
            certificate: directory.join("tls.crt"),
            key: directory.join("tls.key"),
            client_ca: None,
        }
    }

    fn certified() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["aggregator".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    fn write(files: &TlsFiles, (certificate, key): &(String, String)) {
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let error = |files: &TlsFiles| format!("{:#}", Tls::open(files.clone()).unwrap_err());
        assert!(error(&files).contains("tls.crt: No such file"));
        let (certificate, key) = certified();
        write(&files, &(key.clone(), key.clone()));
        assert!(error(&files).contains("tls.crt: no PEM certificate"));
        write(&files, &(certificate.clone(), certificate.clone()));
        assert!(error(&files).contains("tls.key: no PEM private key"));
        write(&files, &(certificate.clone(), certified().1));
        assert!(error(&files).contains("tls.key: keys may not be consistent"));
        let client_ca = Some(files.key.clone());
        let files = TlsFiles { client_ca, ..files };
        write(&files, &certified());
        assert!(error(&files).contains("tls.key: no PEM certificate"));
    }

    #[test]
    fn a_certificate_that_is_no_good_leaves_the_one_before_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let (first, second) = (certified(), certified());
        write(&files, &first);
        let tls = Tls::open(files.clone()).unwrap();
        let before = tls.grpc();

        for bad in [(first.0.clone(), second.1.clone()), <_>::default()] {
            write(&files, &bad);
            for told in [false, true, true] {
                tls.look();
                let complaint = tls.state().complaint.as_ref().map(|one| one.told);
                assert_eq!(complaint, Some(told), "it is told once it is sure");
            }
            assert!(Arc::ptr_eq(&before, &tls.grpc()));
        }
        write(&files, &second);
        tls.look();
        assert!(!Arc::ptr_eq(&before, &tls.grpc()));
        assert!(tls.state().complaint.is_none());
    }
}
