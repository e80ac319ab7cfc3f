//! The web as far as it is simulated: origins, the scopes of their service workers, their scripts.

use base::StorageKey;
use base::ids::ClientId;
use url::Url;
use uuid::Uuid;

/// Which scope, by its place in [`Sites`].
pub(crate) type ScopeIndex = usize;

/// The scope of a service worker registration that may be or may come to be.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) url: Url,
    pub(crate) storage_key: StorageKey,
    /// The script that its pages register.
    pub(crate) script: Url,
}

/// Every scope there is.
#[derive(Clone, Debug)]
pub(crate) struct Sites {
    pub(crate) scopes: Vec<Scope>,
    /// Each origin once.
    pub(crate) origins: Vec<StorageKey>,
}

impl Sites {
    /// Sites with these scopes; a scope's script lies at its root and is named after its place.
    pub(crate) fn new(scopes: &[&str]) -> Self {
        let scope = |(index, text): (usize, &&str)| {
            let url = Url::parse(text).expect("scopes are written as URLs");
            let script = url
                .join(&format!("/worker{index}.js"))
                .expect("a path can be joined");
            let storage_key = StorageKey::from_url(&url).expect("scopes are of web origins");
            Scope {
                url,
                storage_key,
                script,
            }
        };
        let scopes: Vec<Scope> = scopes.iter().enumerate().map(scope).collect();
        let mut origins: Vec<StorageKey> = Vec::new();
        for scope in &scopes {
            if !origins.contains(&scope.storage_key) {
                origins.push(scope.storage_key.clone());
            }
        }
        Self { scopes, origins }
    }

    /// Two scopes of one origin, one of another, and one on the machine itself.
    pub(crate) fn few() -> Self {
        Self::new(&[
            "https://mail.example/",
            "https://mail.example/app/",
            "https://news.example/",
            "http://localhost:8000/",
        ])
    }

    pub(crate) fn index(&self, url: &Url) -> Option<ScopeIndex> {
        self.scopes.iter().position(|scope| scope.url == *url)
    }

    pub(crate) fn of_origin<'a>(
        &'a self,
        storage_key: &'a StorageKey,
    ) -> impl Iterator<Item = ScopeIndex> + 'a {
        (0..self.scopes.len()).filter(|index| self.scopes[*index].storage_key == *storage_key)
    }
}

/// A client id that is the same in each run.
pub(crate) fn client_id(number: u64) -> ClientId {
    ClientId(Uuid::from_u128(number.into()))
}
