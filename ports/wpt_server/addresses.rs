use crate::find::Test;
use crate::hosts;

/// The ports on which a server answers, all on `127.0.0.1`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Addresses {
    /// Those without encryption; tests start on the first.
    pub http: Vec<u16>,
    /// Those with encryption; tests start on the first.
    pub https: Vec<u16>,
}

impl Addresses {
    /// The absolute URL at which `test` starts.
    ///
    /// # Panics
    ///
    /// When the server answers on no port of the scheme that the test needs.
    pub fn url(&self, test: &Test) -> String {
        self.resolve(&test.url, test.https)
    }

    /// The absolute URL of `path`, on the main host and the first port of the scheme.
    ///
    /// # Panics
    ///
    /// When the server answers on no port of the scheme.
    pub fn resolve(&self, path: &str, https: bool) -> String {
        let (scheme, ports) = if https {
            ("https", &self.https)
        } else {
            ("http", &self.http)
        };
        let port = ports.first().expect("a server has a port of each scheme");
        format!("{scheme}://{}:{port}{path}", hosts::MAIN)
    }
}
