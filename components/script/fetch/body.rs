//! <https://fetch.spec.whatwg.org/#body-mixin>

use std::cell::Cell;
use std::rc::Rc;

use crate::bindings::generated::{
    BlobOrBufferSourceOrUrlSearchParamsOrUsvString as BodyInit, BodyMethods,
};
use crate::bindings::trace::no_trace;
use crate::bindings::{DomObject, DomString, Error, Fallible, Promise, Realm};
use crate::dom::blob::Blob;

/// The body of a request or response: complete, or none at all.
#[derive(Default)]
pub struct Body {
    bytes: Option<Rc<[u8]>>,
    is_used: Cell<bool>,
}

no_trace!(Body);

impl Body {
    /// A body with these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Some(bytes.into()),
            is_used: Cell::new(false),
        }
    }

    /// Whether there is none, which is another thing than an empty one.
    pub fn is_null(&self) -> bool {
        self.bytes.is_none()
    }

    /// The bytes, whether it was read or not.
    pub fn bytes(&self) -> Option<&Rc<[u8]>> {
        self.bytes.as_ref()
    }

    /// Whether it was read.
    pub fn is_used(&self) -> bool {
        self.is_used.get()
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// A `TypeError` if it was read before.
    pub fn consume(&self) -> Fallible<Option<Rc<[u8]>>> {
        if self.is_used.get() {
            return Err(Error::Type("The body has been read already.".to_owned()));
        }
        self.is_used.set(self.bytes.is_some());
        Ok(self.bytes.clone())
    }

    /// <https://fetch.spec.whatwg.org/#concept-body-clone>
    ///
    /// # Errors
    ///
    /// A `TypeError` if it was read.
    pub fn try_clone(&self) -> Fallible<Self> {
        if self.is_used.get() {
            let message = "It cannot be cloned, since its body has been read already.";
            return Err(Error::Type(message.to_owned()));
        }
        Ok(Self {
            bytes: self.bytes.clone(),
            is_used: Cell::new(false),
        })
    }
}

/// The bytes of what a script gives as a body, and their type if it tells one.
///
/// <https://fetch.spec.whatwg.org/#concept-bodyinit-extract>
pub(crate) fn extract(realm: &Realm, init: &BodyInit) -> (Body, Option<String>) {
    let (bytes, type_) = match init {
        BodyInit::Blob(blob) => {
            let type_ = blob.media_type().to_string();
            (
                blob.bytes().to_vec(),
                Some(type_).filter(|type_| !type_.is_empty()),
            )
        }
        BodyInit::BufferSource(source) => (source.bytes(realm), None),
        BodyInit::UrlSearchParams(params) => {
            let type_ = "application/x-www-form-urlencoded;charset=UTF-8";
            (params.serialize().into_bytes(), Some(type_.to_owned()))
        }
        BodyInit::UsvString(text) => {
            let type_ = "text/plain;charset=UTF-8";
            (text.as_bytes().to_vec(), Some(type_.to_owned()))
        }
    };
    (Body::new(bytes), type_)
}

/// What has a body.
pub trait HasBody: DomObject {
    /// The body.
    fn body(&self) -> &Body;
    /// <https://fetch.spec.whatwg.org/#concept-body-mime-type>
    fn body_type(&self) -> Option<Vec<u8>>;
}

fn consume(body: &Body) -> Fallible<Rc<[u8]>> {
    Ok(body.consume()?.unwrap_or_default())
}

impl<T: HasBody> BodyMethods for T {
    fn body_used(&self, _: &Realm) -> bool {
        self.body().is_used()
    }

    fn array_buffer(&self, realm: &Realm) -> Fallible<Promise> {
        let bytes = consume(self.body())?;
        Promise::resolved(realm, &realm.new_array_buffer(&bytes)?)
    }

    fn blob(&self, realm: &Realm) -> Fallible<Promise> {
        let bytes = consume(self.body())?;
        let type_ = self.body_type().unwrap_or_default();
        let type_ = String::from_utf8_lossy(&type_).to_ascii_lowercase();
        let blob = Blob::new(realm, bytes.to_vec(), DomString::from(type_))?;
        Promise::resolved(realm, &blob)
    }

    fn bytes(&self, realm: &Realm) -> Fallible<Promise> {
        let bytes = consume(self.body())?;
        Promise::resolved(realm, &realm.new_uint8_array(&bytes)?)
    }

    fn json(&self, realm: &Realm) -> Fallible<Promise> {
        let bytes = consume(self.body())?;
        let text = encoding_rs::UTF_8.decode_with_bom_removal(&bytes).0;
        Promise::resolved(realm, &realm.parse_json(&text)?)
    }

    fn text(&self, realm: &Realm) -> Fallible<Promise> {
        let bytes = consume(self.body())?;
        let text = encoding_rs::UTF_8.decode_with_bom_removal(&bytes).0;
        Promise::resolved(realm, &*text)
    }
}
