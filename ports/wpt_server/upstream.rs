use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tempfile::TempDir;

use crate::addresses::Addresses;
use crate::certificates::Certificates;
use crate::hosts;
use crate::tree::Tree;

/// How long the server may take until it answers.
const LONGEST_START: Duration = Duration::from_secs(60);

/// How long to wait before it is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it is started on other ports when somebody else has taken one.
const ATTEMPTS: usize = 3;

/// Runs the checkout's server, and ends it with who started it.
const LAUNCHER: &str = include_str!("launcher.py");

/// What upstream's server serves, and with what.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// The checkout, as `wpt/sync` makes it.
    pub checkout: PathBuf,
    /// What is served in place of what the checkout has. Wrappers, pipes and handlers work in it as
    /// well.
    pub overrides: Tree,
    /// The certificates to use; new ones when there are none.
    pub certificates: Option<Certificates>,
    /// The command that runs Python.
    pub python: PathBuf,
}

impl UpstreamConfig {
    /// Serves `checkout` as it is, with `python3` and new certificates.
    pub fn new(checkout: impl Into<PathBuf>) -> Self {
        Self {
            checkout: checkout.into(),
            overrides: Tree::new(),
            certificates: None,
            python: "python3".into(),
        }
    }
}

/// Why upstream's server could not start.
#[derive(Debug)]
pub enum UpstreamError {
    /// There is no server in the checkout.
    NoCheckout(PathBuf),
    /// There is no Python.
    NoPython(PathBuf),
    /// No certificate could be made.
    Certificate(rcgen::Error),
    /// Something around the server failed.
    Io(io::Error),
    /// The server ended, or did not answer in time; what it printed.
    Failed(String),
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheckout(folder) => write!(
                formatter,
                "upstream's tests are not in {}; wpt/sync fetches them",
                folder.display()
            ),
            Self::NoPython(command) => write!(
                formatter,
                "upstream's server needs Python 3.8 to 3.12, and there is no command {}",
                command.display()
            ),
            Self::Certificate(error) => write!(formatter, "cannot make a certificate: {error}"),
            Self::Io(error) => write!(formatter, "cannot start upstream's server: {error}"),
            Self::Failed(output) => write!(formatter, "upstream's server did not start: {output}"),
        }
    }
}

impl std::error::Error for UpstreamError {}

impl From<io::Error> for UpstreamError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Upstream's own server, which runs Python handlers, as a process. It ends with all its processes
/// when this is dropped, and when the process that started it ends in whatever way.
#[derive(Debug)]
pub struct Upstream {
    process: ProcessGroup,
    addresses: Addresses,
    certificates: Certificates,
    /// Configuration, certificates and output; they go when the server has ended.
    folder: TempDir,
}

impl Upstream {
    /// Starts the server. When this returns, all its ports answer.
    ///
    /// # Errors
    ///
    /// When the checkout or Python is missing, and when the server does not come up within a
    /// minute.
    pub fn start(config: UpstreamConfig) -> Result<Self, UpstreamError> {
        if !config.checkout.join("tools/serve/serve.py").is_file() {
            return Err(UpstreamError::NoCheckout(config.checkout));
        }
        let certificates = match config.certificates.clone() {
            Some(certificates) => certificates,
            None => Certificates::generate().map_err(UpstreamError::Certificate)?,
        };
        let mut last = UpstreamError::Failed(String::new());
        for _ in 0..ATTEMPTS {
            match Self::attempt(&config, &certificates) {
                Err(error @ UpstreamError::Failed(_)) => last = error,
                result => return result,
            }
        }
        Err(last)
    }

    fn attempt(
        config: &UpstreamConfig,
        certificates: &Certificates,
    ) -> Result<Self, UpstreamError> {
        let folder = tempfile::tempdir()?;
        let addresses = free_ports()?;
        write_config(folder.path(), config, certificates, &addresses)?;
        let output = File::create(output_file(folder.path()))?;
        let process = ProcessGroup::start(config, folder.path(), output)?;
        let mut upstream = Self {
            process,
            addresses,
            certificates: certificates.clone(),
            folder,
        };
        upstream.wait_until_it_answers()?;
        Ok(upstream)
    }

    fn wait_until_it_answers(&mut self) -> Result<(), UpstreamError> {
        let ports = [&self.addresses.http[..], &self.addresses.https[..]].concat();
        let mut waited = Duration::ZERO;
        while !ports.iter().all(|port| accepts(*port)) || !answers(self.addresses.http[0]) {
            if waited >= LONGEST_START || self.process.has_ended()? {
                return Err(UpstreamError::Failed(self.output()));
            }
            thread::sleep(PAUSE);
            waited += PAUSE;
        }
        Ok(())
    }

    /// Where it answers.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What to trust.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// What the server has printed so far; the end of it.
    pub fn output(&self) -> String {
        const LONGEST: usize = 4000;
        let output = fs::read(output_file(self.folder.path())).unwrap_or_default();
        let end = &output[output.len().saturating_sub(LONGEST)..];
        String::from_utf8_lossy(end).trim().to_owned()
    }
}

/// A process and those that it starts. They are killed when this is dropped.
#[derive(Debug)]
struct ProcessGroup(Child);

impl ProcessGroup {
    fn start(config: &UpstreamConfig, folder: &Path, output: File) -> Result<Self, UpstreamError> {
        Command::new(&config.python)
            .arg("-c")
            .arg(LAUNCHER)
            .arg(folder.join("config.json"))
            .current_dir(&config.checkout)
            // The checkout stays as it was fetched.
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .map(Self)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => UpstreamError::NoPython(config.python.clone()),
                _ => UpstreamError::Io(error),
            })
    }

    fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // Those of the group may live on when the first one has ended. None is left when this
        // fails.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        if let Err(error) = self.0.wait() {
            log::warn!("upstream's server cannot be waited for: {error}");
        }
    }
}

fn output_file(folder: &Path) -> PathBuf {
    folder.join("output")
}

/// Ports that are free now; somebody else may take one before the server does.
fn free_ports() -> io::Result<Addresses> {
    let listeners = [(); 4].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let mut ports = Vec::new();
    for listener in listeners {
        ports.push(listener?.local_addr()?.port());
    }
    let https = ports.split_off(2);
    Ok(Addresses { http: ports, https })
}

/// Whether the port accepts connections.
fn accepts(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether the port answers with HTTP.
fn answers(port: u16) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let host = hosts::MAIN;
        let request = format!("GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut start = [0; 5];
        stream.read_exact(&mut start)?;
        Ok(&start == b"HTTP/")
    };
    ask().unwrap_or(false)
}

/// Writes what the server reads into `folder`.
fn write_config(
    folder: &Path,
    config: &UpstreamConfig,
    certificates: &Certificates,
    addresses: &Addresses,
) -> io::Result<()> {
    let certificate = folder.join("certificate.pem");
    let key = folder.join("key.pem");
    fs::write(&certificate, certificates.certificate_pem())?;
    fs::write(&key, certificates.key_pem())?;
    let mut aliases = Vec::new();
    // The server asks the last one first.
    for (path, target) in config.overrides.place_in(&folder.join("overrides"))? {
        aliases.insert(0, json!({"url-path": path, "local-dir": target}));
    }
    let settings = json!({
        "browser_host": hosts::MAIN,
        "alternate_hosts": {"alt": hosts::ALTERNATIVE},
        "ws_doc_root": folder,
        "server_host": Ipv4Addr::LOCALHOST.to_string(),
        "bind_address": true,
        // The names do not resolve.
        "check_subdomains": false,
        "log_level": "warning",
        "ports": {
            "http": addresses.http,
            "https": addresses.https,
            "http-private": [],
            "http-public": [],
            "https-private": [],
            "https-public": [],
            // Tests say these ports even when they do not use them.
            "ws": ["auto"],
            "wss": ["auto"],
            "webtransport-h3": [],
        },
        "ssl": {
            "type": "pregenerated",
            "encrypt_after_connect": false,
            "pregenerated": {"host_key_path": key, "host_cert_path": certificate},
        },
        "aliases": aliases,
    });
    fs::write(folder.join("config.json"), settings.to_string())
}
