//! <https://w3c.github.io/webcrypto/#crypto-interface>

use base::exception::DomExceptionName;

use crate::bindings::generated::CryptoMethods;
use crate::bindings::introspect::TypedArrayParts;
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
        let parts = view.typed_array_parts(realm)?;
        let Some(parts) = parts.filter(TypedArrayParts::holds_integers) else {
            return Err(Error::dom(
                DomExceptionName::InvalidModificationError,
                "Random values go only into typed arrays of integers.",
            ));
        };
        // Step 2: not too many at once.
        let length = parts.byte_length;
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
        #[expect(
            clippy::cast_precision_loss,
            reason = "offsets in buffers are small integers"
        )]
        let range = [
            parts.buffer,
            Value::number(parts.byte_offset as f64),
            Value::number(length as f64),
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
