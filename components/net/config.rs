use std::time::Duration;

use network_traits::HostMap;

/// How the component fetches. Supplied by the embedder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetConfig {
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The `Accept-Language` header.
    pub accept_language: String,
    /// How long a fetch may take if its request does not say, from when it gets its turn.
    pub time_limit: Duration,
    /// The largest body of a response, in bytes. A larger one is an error.
    pub max_body_size: usize,
    /// How much the HTTP cache may hold, in bytes. With zero there is none.
    pub max_cache_size: usize,
    /// How many fetches run at the same time; the others wait.
    pub max_running: usize,
    /// How many fetches of URLs of one origin run at the same time; the others wait.
    pub max_running_per_origin: usize,
    /// How many fetches may wait for their turn. One more is refused.
    pub max_waiting: usize,
    /// Certificates, DER-encoded, of authorities that are trusted in addition to the usual ones.
    pub extra_root_certificates: Vec<Vec<u8>>,
    /// Hosts whose addresses no resolver is asked for.
    pub hosts: HostMap,
}

impl Default for NetConfig {
    /// 60 seconds, 64 MiB, a cache of 32 MiB, 32 at a time, 6 per origin, 4,096 waiting; the certificate authorities
    /// that Mozilla trusts and no others.
    fn default() -> Self {
        Self {
            user_agent: concat!(
                "Mozilla/5.0 (compatible; BackgroundSync/",
                env!("CARGO_PKG_VERSION"),
                ")"
            )
            .to_owned(),
            accept_language: "en".to_owned(),
            time_limit: Duration::from_secs(60),
            max_body_size: 64 << 20,
            max_cache_size: 32 << 20,
            max_running: 32,
            max_running_per_origin: 6,
            max_waiting: 4096,
            extra_root_certificates: Vec::new(),
            hosts: HostMap::default(),
        }
    }
}
