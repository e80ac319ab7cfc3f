//! The host names that tests use: a main and an alternative host, and subdomains of both.
//!
//! <https://web-platform-tests.org/writing-tests/server-features.html#tests-involving-multiple-origins>

use url::Host;

/// The host at which tests start.
pub const MAIN: &str = "web-platform.test";

/// Another site.
pub const ALTERNATIVE: &str = "not-web-platform.test";

/// Labels from which subdomains of one and two labels are made.
const LABELS: [&str; 5] = ["www", "www1", "www2", "天気の良い日", "élève"];

/// A label under which nothing is to be found.
const NONEXISTENT: &str = "nonexistent";

/// Every host name of the server, internationalized ones in their ASCII form.
pub fn names() -> Vec<String> {
    [MAIN, ALTERNATIVE]
        .into_iter()
        .flat_map(|host| {
            subdomains()
                .into_iter()
                .filter_map(move |subdomain| domain(host, &subdomain))
        })
        .collect()
}

/// The subdomains of each host, as tests name them; the empty one is the host itself.
fn subdomains() -> Vec<String> {
    let pairs = LABELS
        .iter()
        .flat_map(|first| LABELS.iter().map(move |second| format!("{first}.{second}")));
    let mut subdomains = vec![String::new()];
    subdomains.extend(LABELS.map(ToOwned::to_owned));
    subdomains.extend(pairs);
    subdomains
}

/// The ASCII form of a subdomain of `host`; nothing when there is no such name.
fn domain(host: &str, subdomain: &str) -> Option<String> {
    let name = match subdomain {
        "" => host.to_owned(),
        _ => format!("{subdomain}.{host}"),
    };
    Host::parse(&name).ok().map(|name| name.to_string())
}

/// What a test means by `{{hosts[ALIAS][SUBDOMAIN]}}`: the empty alias is the main host.
pub(crate) fn lookup(alias: &str, subdomain: &str) -> Option<String> {
    let host = match alias {
        "" => MAIN,
        "alt" => ALTERNATIVE,
        _ => return None,
    };
    let known = subdomain == NONEXISTENT || subdomains().iter().any(|one| one == subdomain);
    known.then(|| domain(host, subdomain)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_names_of_up_to_two_labels_below_both_hosts() {
        let names = names();
        assert_eq!(names.len(), 62);
        assert!(names.contains(&"www.www1.not-web-platform.test".to_owned()));
        assert!(names.contains(&"xn--lve-6lad.web-platform.test".to_owned()));
        assert!(!names.iter().any(|name| name.contains("nonexistent")));
    }

    #[test]
    fn tests_name_hosts_by_alias_and_subdomain() {
        assert_eq!(lookup("", "").as_deref(), Some("web-platform.test"));
        assert_eq!(
            lookup("alt", "élève").as_deref(),
            Some("xn--lve-6lad.not-web-platform.test")
        );
        assert_eq!(
            lookup("", "nonexistent").as_deref(),
            Some("nonexistent.web-platform.test")
        );
        assert_eq!(lookup("", "elsewhere"), None);
        assert_eq!(lookup("other", ""), None);
    }
}
