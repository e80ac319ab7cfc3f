use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use url::{Host, Origin, Url};

/// Whose data it is: everything that is stored is kept apart by this key.
///
/// For now a storage key is an origin; it is always a tuple origin, because an opaque origin can
/// store nothing. Clones share it. Keys are compared by their serializations.
///
/// <https://storage.spec.whatwg.org/#storage-keys>
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct StorageKey(Arc<Tuple>);

/// A tuple origin. No other one has the same serialization.
#[derive(Debug)]
struct Tuple {
    scheme: String,
    host: Host,
    port: u16,
    serialization: String,
}

/// Why a URL or a text has no storage key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StorageKeyError {
    /// The text is not a URL.
    NotAUrl(String),
    /// The URL's origin is opaque (`data:`, `file:`, ...), so nothing can be stored for it.
    OpaqueOrigin(String),
}

impl fmt::Display for StorageKeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAUrl(text) => write!(formatter, "\"{text}\" is not a URL"),
            Self::OpaqueOrigin(url) => {
                write!(
                    formatter,
                    "{url} has an opaque origin, which has no storage"
                )
            }
        }
    }
}

impl std::error::Error for StorageKeyError {}

impl StorageKey {
    /// Obtain a storage key for a URL.
    ///
    /// # Errors
    ///
    /// [`StorageKeyError::OpaqueOrigin`] when the URL's origin is opaque.
    pub fn from_url(url: &Url) -> Result<Self, StorageKeyError> {
        let origin = url.origin();
        let serialization = origin.ascii_serialization();
        match origin {
            Origin::Tuple(scheme, host, port) => Ok(Self(Arc::new(Tuple {
                scheme,
                host,
                port,
                serialization,
            }))),
            Origin::Opaque(_) => Err(StorageKeyError::OpaqueOrigin(url.to_string())),
        }
    }

    /// The scheme of the origin, `https` for instance.
    pub fn scheme(&self) -> &str {
        &self.0.scheme
    }

    /// The host of the origin.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// The port of the origin; the scheme's default port is spelled out.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// The serialization of the origin.
    ///
    /// <https://html.spec.whatwg.org/multipage/#ascii-serialisation-of-an-origin>
    pub fn as_str(&self) -> &str {
        &self.0.serialization
    }

    /// Whether `url` is same-origin with this key.
    pub fn contains(&self, url: &Url) -> bool {
        Self::from_url(url).is_ok_and(|other| other == *self)
    }

    /// Whether the origin's host is this machine itself, so that it can be reached with no network.
    pub fn is_loopback(&self) -> bool {
        match &self.0.host {
            Host::Domain(domain) => {
                let domain = domain.strip_suffix('.').unwrap_or(domain);
                domain == "localhost" || domain.ends_with(".localhost")
            }
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }

    /// Whether scripts of this origin run in a secure context.
    ///
    /// <https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy>
    pub fn is_potentially_trustworthy(&self) -> bool {
        matches!(self.0.scheme.as_str(), "https" | "wss") || self.is_loopback()
    }
}

impl PartialEq for StorageKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.as_str() == other.as_str()
    }
}

impl Eq for StorageKey {}

impl PartialOrd for StorageKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StorageKey {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            Ordering::Equal
        } else {
            self.as_str().cmp(other.as_str())
        }
    }
}

impl Hash for StorageKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for StorageKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for StorageKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl TryFrom<String> for StorageKey {
    type Error = StorageKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = Url::parse(&text).map_err(|_| StorageKeyError::NotAUrl(text))?;
        Self::from_url(&url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(url: &str) -> StorageKey {
        StorageKey::from_url(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn is_the_origin_and_nothing_else() {
        assert_eq!(
            key("https://example.org/a?b#c").to_string(),
            "https://example.org"
        );
        assert_eq!(
            key("https://example.org:443/"),
            key("https://example.org/x")
        );
        assert_ne!(key("https://example.org/"), key("http://example.org/"));
        assert_ne!(key("http://localhost:8000/"), key("http://localhost:8001/"));
    }

    #[test]
    fn survives_serialization() {
        for url in [
            "https://example.org/",
            "http://[::1]:8080/",
            "http://127.0.0.1:9/",
        ] {
            let bytes = postcard::to_stdvec(&key(url)).unwrap();
            assert_eq!(
                postcard::from_bytes::<StorageKey>(&bytes).unwrap(),
                key(url)
            );
        }
    }

    #[test]
    fn is_stored_as_its_serialization() {
        let text = "https://example.org:8443";
        let bytes = postcard::to_stdvec(&key(text)).unwrap();
        assert_eq!(bytes, postcard::to_stdvec(text).unwrap());
    }

    #[test]
    fn opaque_origins_have_no_key() {
        let url = Url::parse("data:text/html,x").unwrap();
        assert!(matches!(
            StorageKey::from_url(&url),
            Err(StorageKeyError::OpaqueOrigin(_))
        ));
        assert!(StorageKey::try_from("no url".to_owned()).is_err());
    }

    #[test]
    fn https_and_loopback_are_secure() {
        for (url, trustworthy) in [
            ("https://example.org/", true),
            ("http://localhost/", true),
            ("http://LOCALHOST./", true),
            ("http://a.localhost/", true),
            ("http://127.8.8.8/", true),
            ("http://[::1]/", true),
            ("http://example.org/", false),
            ("http://10.0.0.1/", false),
            ("http://notlocalhost/", false),
        ] {
            assert_eq!(key(url).is_potentially_trustworthy(), trustworthy, "{url}");
        }
    }
}
