//! <https://xhr.spec.whatwg.org/#interface-formdata>

use std::cell::RefCell;

use base::exception::DomExceptionName;

use super::activation;
use super::blob::Blob;
use super::file::{self, File};
use super::html_element::HtmlElement;
use super::html_form_element::{self, HtmlFormElement};
use crate::bindings::generated::{FileOrUsvString as FormDataEntryValue, FormDataMethods};
use crate::bindings::{
    Dom, DomString, Error, Fallible, Realm, Reflector, Traceable, Tracer, UsvString,
};
use crate::fetch::form_data::{Content, Part};

/// <https://xhr.spec.whatwg.org/#concept-formdata-entry>
#[derive(Clone)]
struct Entry {
    name: UsvString,
    value: FormDataEntryValue,
}

impl Traceable for Entry {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let FormDataEntryValue::File(file) = &self.value {
            file.trace(tracer);
        }
    }
}

dom_struct! {
    /// <https://xhr.spec.whatwg.org/#interface-formdata>
    pub struct FormData {
        pub(crate) reflector: Reflector,
        entries: RefCell<Vec<Entry>>,
    }
}

impl FormData {
    fn create(realm: &Realm, entries: Vec<Entry>) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                entries: RefCell::new(entries),
            },
        )
    }

    /// The entries that a body had.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn from_parts(realm: &Realm, parts: Vec<Part<'_>>) -> Fallible<Dom<Self>> {
        let entry = |part: Part<'_>| {
            let value = match part.content {
                Content::Text(text) => FormDataEntryValue::UsvString(UsvString(text)),
                Content::File {
                    name,
                    media_type,
                    bytes,
                } => {
                    let media_type = DomString::from(media_type);
                    let name = UsvString(name);
                    FormDataEntryValue::File(File::from_bytes(
                        realm,
                        bytes.to_vec(),
                        media_type,
                        name,
                    )?)
                }
            };
            Ok(Entry {
                name: UsvString(part.name),
                value,
            })
        };
        let entries = parts.into_iter().map(entry).collect::<Fallible<_>>()?;
        Self::create(realm, entries)
    }

    /// Hands over the entries as they are to be written.
    pub(crate) fn with_parts<T>(&self, use_parts: impl FnOnce(&[Part<'_>]) -> T) -> T {
        let entries = self.entries.borrow();
        let parts: Vec<Part<'_>> = entries
            .iter()
            .map(|entry| Part {
                name: entry.name.0.clone(),
                content: match &entry.value {
                    FormDataEntryValue::UsvString(text) => Content::Text(text.0.clone()),
                    FormDataEntryValue::File(file) => Content::File {
                        name: file.name().0.clone(),
                        media_type: file.as_blob().media_type().to_string(),
                        bytes: file.as_blob().bytes(),
                    },
                },
            })
            .collect();
        use_parts(&parts)
    }

    /// <https://xhr.spec.whatwg.org/#dom-formdata-set>
    fn replace(&self, entry: Entry) {
        let mut entries = self.entries.borrow_mut();
        let Some(place) = entries.iter().position(|own| *own.name == *entry.name) else {
            entries.push(entry);
            return;
        };
        let name = entry.name.clone();
        entries[place] = entry;
        let mut index = 0;
        entries.retain(|own| {
            index += 1;
            index <= place + 1 || *own.name != *name
        });
    }
}

/// An entry whose value is a file: blobs become files.
///
/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#create-an-entry>
fn file_entry(
    realm: &Realm,
    name: UsvString,
    blob: &Dom<Blob>,
    file_name: Option<UsvString>,
) -> Fallible<Entry> {
    let file = match (blob.downcast::<File>(), file_name) {
        (Some(file), None) => file,
        (Some(file), Some(name)) => File::new(realm, blob, name, file.last_modified())?,
        (None, name) => {
            let name = name.unwrap_or_else(|| UsvString::from("blob"));
            File::new(realm, blob, name, file::now(realm))?
        }
    };
    Ok(Entry {
        name,
        value: FormDataEntryValue::File(file),
    })
}

fn text_entry(name: UsvString, value: UsvString) -> Entry {
    Entry {
        name,
        value: FormDataEntryValue::UsvString(value),
    }
}

impl FormDataMethods for FormData {
    /// <https://xhr.spec.whatwg.org/#dom-formdata>
    fn constructor(
        realm: &Realm,
        form: Option<Dom<HtmlFormElement>>,
        submitter: Option<Dom<HtmlElement>>,
    ) -> Fallible<Dom<Self>> {
        let Some(form) = form else {
            return Self::create(realm, Vec::new());
        };
        // Step 1.1: the button must be one of this form.
        if let Some(button) = &submitter {
            if !activation::is_submit_button(button) {
                let message = "The submitter is not a submit button.";
                return Err(Error::Type(message.to_owned()));
            }
            let owner = html_form_element::owner(&button.tree(), button.node_id());
            if owner != Some(form.node_id()) {
                let message = "The submitter does not belong to the form.";
                return Err(Error::dom(DomExceptionName::NotFoundError, message));
            }
        }
        // Step 1.2: what its controls hold now.
        let submitter = submitter.map(|submitter| submitter.node_id());
        let fields = activation::entries(&form.tree(), form.node_id(), submitter);
        let entry = |(name, value): (String, Option<String>)| {
            let name = UsvString(name);
            if let Some(value) = value {
                return Ok(text_entry(name, UsvString(value)));
            }
            let media_type = DomString::from("application/octet-stream");
            let file = File::from_bytes(realm, Vec::new(), media_type, UsvString::default())?;
            Ok(Entry {
                name,
                value: FormDataEntryValue::File(file),
            })
        };
        let entries = fields.into_iter().map(entry).collect::<Fallible<_>>()?;
        Self::create(realm, entries)
    }

    fn append(&self, _: &Realm, name: UsvString, value: UsvString) -> Fallible<()> {
        self.entries.borrow_mut().push(text_entry(name, value));
        Ok(())
    }

    fn append_2(
        &self,
        realm: &Realm,
        name: UsvString,
        blob_value: Dom<Blob>,
        filename: Option<UsvString>,
    ) -> Fallible<()> {
        let entry = file_entry(realm, name, &blob_value, filename)?;
        self.entries.borrow_mut().push(entry);
        Ok(())
    }

    fn delete(&self, _: &Realm, name: UsvString) -> Fallible<()> {
        self.entries
            .borrow_mut()
            .retain(|entry| *entry.name != *name);
        Ok(())
    }

    fn get(&self, _: &Realm, name: UsvString) -> Fallible<Option<FormDataEntryValue>> {
        let entries = self.entries.borrow();
        let found = entries.iter().find(|entry| *entry.name == *name);
        Ok(found.map(|entry| entry.value.clone()))
    }

    fn get_all(&self, _: &Realm, name: UsvString) -> Fallible<Vec<FormDataEntryValue>> {
        let entries = self.entries.borrow();
        let found = entries.iter().filter(|entry| *entry.name == *name);
        Ok(found.map(|entry| entry.value.clone()).collect())
    }

    fn has(&self, _: &Realm, name: UsvString) -> Fallible<bool> {
        let entries = self.entries.borrow();
        Ok(entries.iter().any(|entry| *entry.name == *name))
    }

    fn set(&self, _: &Realm, name: UsvString, value: UsvString) -> Fallible<()> {
        self.replace(text_entry(name, value));
        Ok(())
    }

    fn set_2(
        &self,
        realm: &Realm,
        name: UsvString,
        blob_value: Dom<Blob>,
        filename: Option<UsvString>,
    ) -> Fallible<()> {
        self.replace(file_entry(realm, name, &blob_value, filename)?);
        Ok(())
    }

    fn pairs(&self, _: &Realm) -> Vec<(UsvString, FormDataEntryValue)> {
        let entries = self.entries.borrow();
        entries
            .iter()
            .map(|entry| (entry.name.clone(), entry.value.clone()))
            .collect()
    }
}
