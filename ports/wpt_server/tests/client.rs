use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};
use wpt_server::{Certificates, Config, Server, Tree};

/// A server, and a client that trusts it.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) agent: Agent,
}

/// An answer that came whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn of(response: Response<Body>) -> Self {
        let (parts, mut body) = response.into_parts();
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.read_to_string().unwrap(),
        }
    }

    /// All headers of that name, with commas between them.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).into_iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
        values.join(", ")
    }
}

/// A folder with files of these paths and contents.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        write(folder.path(), path, content);
    }
    folder
}

fn write(folder: &Path, path: &str, content: &str) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}

/// A client that trusts these certificates, and follows no redirect.
pub(crate) fn agent(certificates: &Certificates) -> Agent {
    let root = Certificate::from_der(certificates.authority()).to_owned();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(vec![root])))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .tls_config(tls)
        .build()
        .new_agent()
}

impl Fixture {
    pub(crate) fn start(tree: Tree) -> Self {
        let server = Server::start(Config::new(tree)).unwrap();
        let agent = agent(server.certificates());
        Self { server, agent }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.server.addresses().http[0])
    }

    pub(crate) fn secure_url(&self, path: &str) -> String {
        let port = self.server.addresses().https[0];
        format!("https://127.0.0.1:{port}{path}")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        Answer::of(self.agent.get(self.url(path)).call().unwrap())
    }
}
