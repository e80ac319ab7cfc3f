//! The profile's key for network identities.

use base::ids::ClientId;
use network_traits::NetworkIdentityKey;
use serde::{Deserialize, Serialize};
use storage::{Batch, ReadError, Store, Tree};

/// Where it is kept.
const KEY: &[u8] = b"network identity key";

/// The version of the stored record.
const RECORD_VERSION: u16 = 1;

#[derive(Serialize, Deserialize)]
struct StoredKey([u8; 16]);

/// The key that the profile holds, or a new one, which it holds from now on.
pub(crate) fn identity_key(store: &Store) -> Result<NetworkIdentityKey, ReadError> {
    let stored = store.read(Tree::Meta, KEY)?;
    if let Some(record) = stored
        && record.version == RECORD_VERSION
        && let Ok(StoredKey(bytes)) = record.decode()
    {
        return Ok(NetworkIdentityKey::new(bytes));
    }
    // Random but for six bits.
    let bytes = ClientId::random().0.into_bytes();
    let mut batch = Batch::new();
    let stored = batch
        .put_record(Tree::Meta, KEY, RECORD_VERSION, &StoredKey(bytes))
        .map_err(|error| error.to_string())
        .and_then(|()| store.commit(batch).map_err(|error| error.to_string()));
    if let Err(error) = stored {
        // What is bound to a network is then held after the next start.
        log::error!("the key for network identities could not be stored: {error}");
    }
    Ok(NetworkIdentityKey::new(bytes))
}

#[cfg(test)]
mod tests {
    use storage::StoreConfig;

    use super::*;

    #[test]
    fn a_profile_keeps_its_key_and_another_has_another() {
        let store = || Store::open(StoreConfig::memory()).unwrap().0;
        let (one, other) = (store(), store());
        let key = identity_key(&one).unwrap();
        assert_eq!(identity_key(&one).unwrap(), key);
        assert_ne!(identity_key(&other).unwrap(), key);
    }

    #[test]
    fn a_key_that_makes_no_sense_is_replaced() {
        let (store, _) = Store::open(StoreConfig::memory()).unwrap();
        let mut batch = Batch::new();
        batch.put(Tree::Meta, KEY, RECORD_VERSION, vec![1, 2]);
        store.commit(batch).unwrap();
        let key = identity_key(&store).unwrap();
        assert_eq!(identity_key(&store).unwrap(), key);
    }
}
