//! <https://w3c.github.io/FileAPI/#blob-section>

use std::rc::Rc;

use crate::bindings::generated::{
    BlobMethods, BlobPropertyBag, BufferSourceOrBlobOrUsvString as BlobPart, EndingType,
};
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Promise, Realm, Reflector};

dom_struct! {
    /// <https://w3c.github.io/FileAPI/#blob-section>
    ///
    /// All of its bytes are in memory; slices share them.
    pub struct Blob {
        pub(crate) reflector: Reflector,
        bytes: NoTrace<Rc<[u8]>>,
        start: usize,
        end: usize,
        type_: DomString,
    }
}

impl Blob {
    /// A blob with these bytes; the type is taken as it is.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new(realm: &Realm, bytes: Vec<u8>, type_: DomString) -> Fallible<Dom<Self>> {
        let end = bytes.len();
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                bytes: NoTrace(bytes.into()),
                start: 0,
                end,
                type_,
            },
        )
    }

    /// What another object needs to be a blob with the same bytes and type.
    pub(super) fn with_same_bytes(&self) -> Self {
        Self {
            reflector: Reflector::default(),
            bytes: self.bytes.clone(),
            start: self.start,
            end: self.end,
            type_: self.type_.clone(),
        }
    }

    /// The media type; empty if it is not known.
    pub fn media_type(&self) -> &DomString {
        &self.type_
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

/// The largest blob, in bytes: what a page makes of blobs does not count against the memory limit of
/// its scripts.
const MAX_SIZE: usize = 64 << 20;

fn append(bytes: &mut Vec<u8>, part: &[u8]) -> Fallible<()> {
    if bytes.len() + part.len() > MAX_SIZE || bytes.try_reserve(part.len()).is_err() {
        return Err(Error::Range(format!(
            "A blob holds at most {MAX_SIZE} bytes."
        )));
    }
    bytes.extend_from_slice(part);
    Ok(())
}

/// <https://w3c.github.io/FileAPI/#process-blob-parts>
pub(super) fn from_parts(
    realm: &Realm,
    parts: Vec<BlobPart>,
    options: &BlobPropertyBag,
) -> Fallible<Dom<Blob>> {
    let mut bytes = Vec::new();
    for part in parts {
        match part {
            BlobPart::BufferSource(source) => append(&mut bytes, &source.bytes(realm))?,
            BlobPart::Blob(blob) => append(&mut bytes, blob.bytes())?,
            BlobPart::UsvString(text) if options.endings == EndingType::Native => {
                append(&mut bytes, with_native_endings(&text).as_bytes())?;
            }
            BlobPart::UsvString(text) => append(&mut bytes, text.as_bytes())?,
        }
    }
    Blob::new(realm, bytes, normalized_type(&options.type_))
}

impl BlobMethods for Blob {
    /// <https://w3c.github.io/FileAPI/#constructorBlob>
    fn constructor(
        realm: &Realm,
        blob_parts: Option<Vec<BlobPart>>,
        options: BlobPropertyBag,
    ) -> Fallible<Dom<Self>> {
        from_parts(realm, blob_parts.unwrap_or_default(), &options)
    }

    fn size(&self, _: &Realm) -> u64 {
        self.bytes().len() as u64
    }

    fn type_(&self, _: &Realm) -> DomString {
        self.type_.clone()
    }

    /// <https://w3c.github.io/FileAPI/#slice-blob>
    fn slice(
        &self,
        realm: &Realm,
        start: Option<i64>,
        end: Option<i64>,
        content_type: Option<DomString>,
    ) -> Fallible<Dom<Self>> {
        let size = self.bytes().len();
        // Negative places count from the end.
        let place = |place: i64| {
            let distance = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX);
            if place < 0 {
                size.saturating_sub(distance)
            } else {
                distance.min(size)
            }
        };
        let start = place(start.unwrap_or(0));
        let end = end.map_or(size, place).max(start);
        let type_ = content_type.map_or_else(DomString::default, |type_| normalized_type(&type_));
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                bytes: self.bytes.clone(),
                start: self.start + start,
                end: self.start + end,
                type_,
            },
        )
    }

    fn text(&self, realm: &Realm) -> Fallible<Promise> {
        let text = encoding_rs::UTF_8.decode_with_bom_removal(self.bytes()).0;
        Promise::resolved(realm, &*text)
    }

    fn array_buffer(&self, realm: &Realm) -> Fallible<Promise> {
        Promise::resolved(realm, &realm.new_array_buffer(self.bytes())?)
    }

    fn bytes(&self, realm: &Realm) -> Fallible<Promise> {
        Promise::resolved(realm, &realm.new_uint8_array(Self::bytes(self))?)
    }
}

/// A type with other characters than printable ASCII counts as none.
fn normalized_type(type_: &DomString) -> DomString {
    let units = type_.code_units();
    if units.iter().any(|unit| !(0x20..=0x7e).contains(unit)) {
        return DomString::default();
    }
    type_.to_string().to_ascii_lowercase().into()
}

/// <https://w3c.github.io/FileAPI/#convert-line-endings-to-native>, where native is a line feed.
fn with_native_endings(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
