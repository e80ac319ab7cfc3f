//! What serves the tests.

use std::path::{Path, PathBuf};

use wpt_server::{Addresses, Certificates, Config, Server, Tree, Upstream, UpstreamConfig};

/// The files of ours that connect the harness to the runner.
const CONNECTION: [&str; 2] = ["testharnessreport.js", "testdriver-vendor.js"];

/// What tests call, which the package with the harness does not have.
const TEST_DRIVER: &str = "testdriver.js";

/// What is to be served.
pub(crate) struct Site {
    tree: Tree,
    /// Upstream's checkout, and what is served in place of what it has.
    upstream: Option<(PathBuf, Tree)>,
}

/// A server that runs.
pub(crate) enum OpenSite {
    /// Serves our own tests.
    Own(Server),
    /// Serves upstream's.
    Upstream(Upstream),
}

impl Site {
    /// The tests of this project, or upstream's.
    pub(crate) fn prepare(root: &Path, is_upstream: bool) -> Result<Self, String> {
        let harness = root.join("harness");
        let hooks = |names: &[&str]| {
            let files = names.iter().map(|name| (name, harness.join(name)));
            files
                .filter(|(_, file)| file.is_file())
                .fold(Tree::new(), |tree, (name, file)| {
                    tree.file(&format!("/resources/{name}"), file)
                })
        };
        let connection = hooks(&CONNECTION);
        if is_upstream {
            let checkout = root.join("upstream");
            if !checkout.is_dir() {
                return Err("upstream's tests are not here; wpt/sync brings them".to_owned());
            }
            return Ok(Self {
                tree: Tree::new().folder("/", &checkout),
                upstream: Some((checkout, connection)),
            });
        }
        let connection = connection.and(hooks(&[TEST_DRIVER]));
        let harness = wpt_server::harness(&harness).map_err(|error| error.to_string())?;
        Ok(Self {
            tree: connection.and(harness).folder("/", root.join("tests")),
            upstream: None,
        })
    }

    /// Where the tests are found.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Serve it.
    pub(crate) fn open(self) -> Result<OpenSite, String> {
        match self.upstream {
            Some((checkout, overrides)) => Upstream::start(UpstreamConfig {
                overrides,
                ..UpstreamConfig::new(checkout)
            })
            .map(OpenSite::Upstream)
            .map_err(|error| error.to_string()),
            None => Server::start(Config::new(self.tree))
                .map(OpenSite::Own)
                .map_err(|error| error.to_string()),
        }
    }
}

impl OpenSite {
    pub(crate) fn addresses(&self) -> &Addresses {
        match self {
            Self::Own(server) => server.addresses(),
            Self::Upstream(upstream) => upstream.addresses(),
        }
    }

    pub(crate) fn certificates(&self) -> &Certificates {
        match self {
            Self::Own(server) => server.certificates(),
            Self::Upstream(upstream) => upstream.certificates(),
        }
    }
}
