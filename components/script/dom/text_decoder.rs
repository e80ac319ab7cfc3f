//! <https://encoding.spec.whatwg.org/#interface-textdecoder>

use std::cell::RefCell;

use encoding_rs::{Decoder, DecoderResult, Encoding};

use crate::bindings::generated::{
    TextDecodeOptions, TextDecoderCommonMethods, TextDecoderMethods, TextDecoderOptions,
};
use crate::bindings::{
    BufferSource, Dom, DomString, Error, Fallible, NoTrace, Realm, Reflector, UsvString,
};

dom_struct! {
    /// <https://encoding.spec.whatwg.org/#interface-textdecoder>
    pub struct TextDecoder {
        pub(crate) reflector: Reflector,
        encoding: NoTrace<&'static Encoding>,
        fatal: bool,
        ignore_bom: bool,
        /// The decoder of a stream whose end has not come yet.
        stream: RefCell<NoTrace<Option<Decoder>>>,
    }
}

impl TextDecoderCommonMethods for TextDecoder {
    fn encoding(&self, _: &Realm) -> DomString {
        self.encoding.name().to_ascii_lowercase().into()
    }

    fn fatal(&self, _: &Realm) -> bool {
        self.fatal
    }

    fn ignore_bom(&self, _: &Realm) -> bool {
        self.ignore_bom
    }
}

impl TextDecoder {
    fn new_decoder(&self) -> Decoder {
        if self.ignore_bom {
            self.encoding.new_decoder_without_bom_handling()
        } else {
            self.encoding.new_decoder_with_bom_removal()
        }
    }

    fn decode_fatal(decoder: &mut Decoder, bytes: &[u8], is_last: bool) -> Fallible<String> {
        let too_long = || Error::Range("The input is too long.".to_owned());
        let capacity = decoder
            .max_utf8_buffer_length_without_replacement(bytes.len())
            .ok_or_else(too_long)?;
        let mut text = String::with_capacity(capacity);
        let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, is_last);
        match result {
            DecoderResult::InputEmpty => Ok(text),
            DecoderResult::OutputFull => Err(too_long()),
            DecoderResult::Malformed(..) => Err(Error::Type(
                "The bytes are not valid in this encoding.".to_owned(),
            )),
        }
    }

    fn decode_lossy(decoder: &mut Decoder, bytes: &[u8], is_last: bool) -> Fallible<String> {
        let capacity = decoder
            .max_utf8_buffer_length(bytes.len())
            .ok_or_else(|| Error::Range("The input is too long.".to_owned()))?;
        let mut text = String::with_capacity(capacity);
        let (_, _, _) = decoder.decode_to_string(bytes, &mut text, is_last);
        Ok(text)
    }
}

impl TextDecoderMethods for TextDecoder {
    fn constructor(
        realm: &Realm,
        label: DomString,
        options: TextDecoderOptions,
    ) -> Fallible<Dom<Self>> {
        let label = label.to_string();
        let encoding = Encoding::for_label_no_replacement(label.as_bytes())
            .ok_or_else(|| Error::Range(format!("\"{label}\" is not the name of an encoding.")))?;
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                encoding: NoTrace(encoding),
                fatal: options.fatal,
                ignore_bom: options.ignore_bom,
                stream: RefCell::default(),
            },
        )
    }

    /// <https://encoding.spec.whatwg.org/#dom-textdecoder-decode>
    fn decode(
        &self,
        realm: &Realm,
        input: Option<BufferSource>,
        options: TextDecodeOptions,
    ) -> Fallible<UsvString> {
        let bytes = input.map_or_else(Vec::new, |input| input.bytes(realm));
        let stream = self.stream.borrow_mut().0.take();
        let mut decoder = stream.unwrap_or_else(|| self.new_decoder());
        let is_last = !options.stream;
        let text = if self.fatal {
            Self::decode_fatal(&mut decoder, &bytes, is_last)?
        } else {
            Self::decode_lossy(&mut decoder, &bytes, is_last)?
        };
        if options.stream {
            self.stream.replace(NoTrace(Some(decoder)));
        }
        Ok(text.into())
    }
}
