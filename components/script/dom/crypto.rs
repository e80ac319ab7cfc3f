//! <https://w3c.github.io/webcrypto/#crypto-interface>

use base::exception::DomExceptionName;

use crate::bindings::generated::CryptoMethods;
use crate::bindings::{
    BufferSource, Dom, DomString, Error, Fallible, Realm, Reflector, ToJs, Value,
};

/// <https://w3c.github.io/webcrypto/#Crypto-method-getRandomValues>
const MAX_BYTES: usize = 65_536;

dom_struct! {
    /// The part of it that needs no keys.
    ///
    /// <https://w3c.github.io/webcrypto/#crypto-interface>
    pub struct Crypto {
        pub(crate) reflector: Reflector,
    }
}

impl Crypto {
    /// The source of random numbers of a global object.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn new(realm: &Realm) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
            },
        )
    }
}

impl CryptoMethods for Crypto {
    fn get_random_values(&self, realm: &Realm, array: BufferSource) -> Fallible<BufferSource> {
        let view = array.to_js(realm)?;
        // Step 1: only views of integers.
        let name = realm
            .intrinsic("Object")?
            .get(realm, "prototype")?
            .get(realm, "toString")?;
        let name = name
            .call(realm, &view, &[])?
            .to_dom_string(realm)?
            .to_string();
        if name.contains("Float") || name.contains("DataView") {
            return Err(Error::dom(
                DomExceptionName::InvalidModificationError,
                format!("Random values do not go into {name}."),
            ));
        }
        // Step 2: not too many at once.
        let length = array.bytes(realm)?.len();
        if length > MAX_BYTES {
            return Err(Error::dom(
                DomExceptionName::QuotaExceededError,
                format!("{length} random bytes are more than {MAX_BYTES} at once."),
            ));
        }
        let mut random = vec![0; length];
        getrandom::fill(&mut random).map_err(|error| {
            Error::dom(
                DomExceptionName::OperationError,
                format!("No random values: {error}."),
            )
        })?;
        // Step 3: overwrite the bytes, whatever their type is.
        let buffer = view.get(realm, "buffer")?;
        let range = [
            buffer,
            view.get(realm, "byteOffset")?,
            view.get(realm, "byteLength")?,
        ];
        let bytes = realm.intrinsic("Uint8Array")?.construct(realm, &range)?;
        for (index, byte) in (0_u32..).zip(random) {
            bytes.set(realm, index, &Value::number(f64::from(byte)))?;
        }
        Ok(array)
    }

    fn random_uuid(&self, _: &Realm) -> Fallible<DomString> {
        Ok(uuid::Uuid::new_v4().to_string().into())
    }
}
