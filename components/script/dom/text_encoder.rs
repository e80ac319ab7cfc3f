//! <https://encoding.spec.whatwg.org/#interface-textencoder>

use crate::bindings::generated::{
    TextEncoderCommonMethods, TextEncoderEncodeIntoResult, TextEncoderMethods,
};
use crate::bindings::{BufferSource, Dom, DomString, Fallible, Realm, Reflector, UsvString};

dom_struct! {
    /// <https://encoding.spec.whatwg.org/#interface-textencoder>
    pub struct TextEncoder {
        pub(crate) reflector: Reflector,
    }
}

impl TextEncoderCommonMethods for TextEncoder {
    fn encoding(&self, _: &Realm) -> DomString {
        "utf-8".into()
    }
}

impl TextEncoderMethods for TextEncoder {
    fn constructor(realm: &Realm) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
            },
        )
    }

    fn encode(&self, realm: &Realm, input: UsvString) -> Fallible<BufferSource> {
        realm.new_uint8_array(input.as_bytes()).map(BufferSource)
    }

    /// <https://encoding.spec.whatwg.org/#dom-textencoder-encodeinto>
    fn encode_into(
        &self,
        realm: &Realm,
        source: UsvString,
        destination: BufferSource,
    ) -> Fallible<TextEncoderEncodeIntoResult> {
        let room = destination
            .0
            .typed_array_parts(realm)?
            .map_or(0, |parts| parts.byte_length);
        // Only whole characters are written.
        let mut written = room.min(source.len());
        while !source.is_char_boundary(written) {
            written -= 1;
        }
        let text = &source[..written];
        let bytes = realm.new_uint8_array(text.as_bytes())?;
        realm
            .intrinsic("Uint8Array.prototype.set")?
            .call(realm, &destination.0, &[bytes])?;
        Ok(TextEncoderEncodeIntoResult {
            read: Some(text.encode_utf16().count() as u64),
            written: Some(written as u64),
        })
    }
}
