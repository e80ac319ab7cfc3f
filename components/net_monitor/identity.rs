use std::hash::Hasher;

use network_traits::{NetworkIdentity, NetworkIdentityKey};
use siphasher::sip::SipHasher24;

/// What a source says about which network it is, made meaningless outside a profile.
pub(crate) fn keyed(key: &NetworkIdentityKey, identity: NetworkIdentity) -> NetworkIdentity {
    let mut hasher = SipHasher24::new_with_key(key.as_bytes());
    // As bytes, so that the identity is the same on every machine that the profile comes to.
    hasher.write(&identity.0.to_le_bytes());
    NetworkIdentity(hasher.finish())
}

/// What a source makes an identity with. FNV-1a in 64 bits: what is stored is made of identities, so
/// the hash must be the same in every version. It guards no secret; the monitor's key does.
#[cfg(any(target_os = "linux", feature = "cross-platform"))]
pub(crate) struct StableHash(u64);

#[cfg(any(target_os = "linux", feature = "cross-platform"))]
impl StableHash {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// A field and its length, so that bytes cannot wander from one field to the next.
    pub(crate) fn write_field(&mut self, field: &[u8]) {
        for byte in (field.len() as u64).to_be_bytes().iter().chain(field) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn finish(self) -> NetworkIdentity {
        NetworkIdentity(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_stable_under_its_key_and_another_under_each_other_key() {
        let (key, other) = (
            NetworkIdentityKey::new([1; 16]),
            NetworkIdentityKey::new([2; 16]),
        );
        let identity = NetworkIdentity(7);
        assert_eq!(keyed(&key, identity), NetworkIdentity(STORED), "it is kept");
        assert_ne!(keyed(&other, identity), keyed(&key, identity));
        assert_ne!(keyed(&key, NetworkIdentity(8)), keyed(&key, identity));
        assert_eq!(format!("{key:?}"), "NetworkIdentityKey", "no log shows it");
    }

    const STORED: u64 = 0x4a5a_897c_d8b9_3a50;
}
