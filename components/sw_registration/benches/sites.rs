//! Scopes and addresses, as many as are wanted.

use base::StorageKey;
use url::Url;

/// How registrations are spread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// Each origin has one.
    ManyOrigins,
    /// One origin has them all, some on the paths of others, as a site has that hosts many apps.
    OneOrigin,
}

impl Shape {
    pub(crate) const ALL: [Self; 2] = [Self::ManyOrigins, Self::OneOrigin];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ManyOrigins => "many origins",
            Self::OneOrigin => "one origin",
        }
    }

    /// The scope with this number.
    pub(crate) fn scope(self, number: u64) -> Url {
        let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let scope = match self {
            Self::ManyOrigins => format!("https://site-{spread:016x}.example/mail/"),
            Self::OneOrigin => {
                let team = spread % 1_000;
                format!("https://apps.example/team-{team}/app-{number}/")
            }
        };
        Url::parse(&scope).unwrap()
    }

    /// Addresses below some of so many scopes, with their origins.
    pub(crate) fn addresses(self, scopes: u64) -> Vec<(StorageKey, Url)> {
        (0..1_024_u64)
            .map(|number| {
                let scope = self.scope(number.wrapping_mul(0x2545_F491_4F6C_DD1D) % scopes);
                let address = scope.join("inbox/2026?message=17").unwrap();
                (StorageKey::from_url(&address).unwrap(), address)
            })
            .collect()
    }
}
