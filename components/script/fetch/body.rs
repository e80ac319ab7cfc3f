//! <https://fetch.spec.whatwg.org/#body-mixin>

use std::cell::Cell;
use std::rc::Rc;

use crate::bindings::generated::{
    BlobOrBufferSourceOrFormDataOrUrlSearchParamsOrUsvString as BodyInit, BodyMethods,
};
use crate::bindings::trace::no_trace;
use crate::bindings::{DomObject, DomString, Error, Fallible, Promise, Realm};
use crate::dom::blob::Blob;
use crate::dom::form_data::FormData;
use crate::fetch::form_data::{self, Content, MediaType, Part};

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
///
/// # Errors
///
/// A `TypeError` when the system has no random numbers for the boundary of a form's parts.
pub(crate) fn extract(realm: &Realm, init: &BodyInit) -> Fallible<(Body, Option<String>)> {
    let (bytes, type_) = match init {
        BodyInit::Blob(blob) => {
            let type_ = blob.media_type().to_string();
            (
                blob.bytes().to_vec(),
                Some(type_).filter(|type_| !type_.is_empty()),
            )
        }
        BodyInit::BufferSource(source) => (source.bytes(realm), None),
        BodyInit::FormData(form) => {
            let boundary = boundary()?;
            let bytes = form.with_parts(|parts| form_data::encode(parts, &boundary));
            let type_ = format!("multipart/form-data; boundary={boundary}");
            (bytes, Some(type_))
        }
        BodyInit::UrlSearchParams(params) => {
            let type_ = "application/x-www-form-urlencoded;charset=UTF-8";
            (params.serialize().into_bytes(), Some(type_.to_owned()))
        }
        BodyInit::UsvString(text) => {
            let type_ = "text/plain;charset=UTF-8";
            (text.as_bytes().to_vec(), Some(type_.to_owned()))
        }
    };
    Ok((Body::new(bytes), type_))
}

/// What separates the parts of a form: nobody can guess it, so no part has it in it.
fn boundary() -> Fallible<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| Error::Type(format!("No random values: {error}.")))?;
    let digits = u128::from_le_bytes(random);
    Ok(format!("----FormBoundary{digits:032x}"))
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

    /// <https://fetch.spec.whatwg.org/#dom-body-formdata>
    fn form_data(&self, realm: &Realm) -> Fallible<Promise> {
        let bytes = consume(self.body())?;
        let type_ = MediaType::parse(&self.body_type().unwrap_or_default());
        let parts = match (type_.essence.as_str(), type_.parameter("boundary")) {
            ("multipart/form-data", Some(boundary)) => form_data::parse(&bytes, boundary),
            ("application/x-www-form-urlencoded", _) => Some(
                url::form_urlencoded::parse(&bytes)
                    .map(|(name, value)| Part {
                        name: name.into_owned(),
                        content: Content::Text(value.into_owned()),
                    })
                    .collect(),
            ),
            _ => None,
        };
        let Some(parts) = parts else {
            return Err(Error::Type("The body is not that of a form.".to_owned()));
        };
        Promise::resolved(realm, &FormData::from_parts(realm, parts)?)
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
