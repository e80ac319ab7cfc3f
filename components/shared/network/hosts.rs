use std::net::IpAddr;

/// Host names whose addresses are known without asking a resolver, as a hosts file has them. For
/// test servers that have several names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostMap {
    /// A name, or a suffix that starts with a dot; in lower case.
    rules: Vec<(String, IpAddr)>,
}

impl HostMap {
    /// `pattern` is a name, or `*.` and what the name ends with. What comes first counts.
    #[must_use]
    pub fn with(mut self, pattern: &str, address: IpAddr) -> Self {
        let pattern = pattern.strip_prefix('*').unwrap_or(pattern);
        self.rules.push((pattern.to_ascii_lowercase(), address));
        self
    }

    /// The address of a host, if it is known.
    pub fn address(&self, host: &str) -> Option<IpAddr> {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let matches = |pattern: &str| {
            if pattern.starts_with('.') {
                host.ends_with(pattern)
            } else {
                host == pattern
            }
        };
        let rule = self.rules.iter().find(|(pattern, _)| matches(pattern));
        rule.map(|(_, address)| *address)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn names_and_suffixes_have_addresses() {
        let [here, there] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 1)].map(IpAddr::from);
        let hosts = HostMap::default()
            .with("away.test", there)
            .with("*.test", here);
        assert_eq!(hosts.address("away.test"), Some(there));
        assert_eq!(hosts.address("www.AWAY.test."), Some(here));
        assert_eq!(hosts.address("test"), None);
        assert_eq!(hosts.address("contest"), None);
        assert_eq!(HostMap::default().address("a.test"), None);
    }
}
