//! <https://fetch.spec.whatwg.org/#headers-class>

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::bindings::generated::{
    ByteStringSequenceSequenceOrByteStringByteStringRecord as HeadersInit, HeadersMethods,
};
use crate::bindings::{ByteString, Dom, Error, Fallible, NoTrace, Realm, Reflector};
use crate::fetch::header_rules::{
    is_forbidden_request_header, is_forbidden_response_header, is_header_value,
    is_no_cors_safelisted, is_token, normalized,
};

/// Names as they were given, and values.
pub type HeaderList = Vec<(String, Vec<u8>)>;

/// <https://fetch.spec.whatwg.org/#headers-guard>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Guard {
    /// Everything may be changed.
    None,
    /// Nothing may be changed.
    Immutable,
    /// Those of a request.
    Request,
    /// Those of a request to an origin that is not asked.
    RequestNoCors,
    /// Those of a response.
    Response,
}

dom_struct! {
    /// <https://fetch.spec.whatwg.org/#headers-class>
    pub struct Headers {
        pub(crate) reflector: Reflector,
        list: RefCell<NoTrace<HeaderList>>,
        guard: Cell<Guard>,
    }
}

impl Headers {
    /// Headers with this list, which is not checked.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new(realm: &Realm, list: HeaderList, guard: Guard) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                list: RefCell::new(NoTrace(list)),
                guard: Cell::new(guard),
            },
        )
    }

    /// The list.
    pub fn list(&self) -> HeaderList {
        self.list.borrow().0.clone()
    }

    /// Which changes are allowed.
    pub fn guard(&self) -> Guard {
        self.guard.get()
    }

    /// Whether there is a header of this name, in lower case.
    pub fn contains(&self, name: &str) -> bool {
        let list = self.list.borrow();
        list.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    /// <https://fetch.spec.whatwg.org/#concept-header-list-get>
    pub fn value_of(&self, name: &str) -> Option<Vec<u8>> {
        let list = self.list.borrow();
        let values = list
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice());
        let values: Vec<&[u8]> = values.collect();
        (!values.is_empty()).then(|| values.join(&b", "[..]))
    }

    /// <https://fetch.spec.whatwg.org/#concept-headers-fill>
    ///
    /// # Errors
    ///
    /// A `TypeError` for what is not a header.
    pub fn fill(&self, init: HeadersInit) -> Fallible<()> {
        match init {
            HeadersInit::ByteStringSequenceSequence(pairs) => {
                for pair in pairs {
                    let Ok([name, value]) = <[ByteString; 2]>::try_from(pair) else {
                        let message = "A header is not a pair of name and value.";
                        return Err(Error::Type(message.to_owned()));
                    };
                    self.append_header(&name, &value)?;
                }
            }
            HeadersInit::ByteStringByteStringRecord(record) => {
                for (name, value) in record.0 {
                    self.append_header(&name, &value)?;
                }
            }
        }
        Ok(())
    }

    /// <https://fetch.spec.whatwg.org/#concept-headers-append>
    ///
    /// # Errors
    ///
    /// A `TypeError` for what is not a header, or if nothing may be changed.
    pub fn append_header(&self, name: &[u8], value: &[u8]) -> Fallible<()> {
        let value = normalized(value);
        // Step 2.
        let Some(name) = self.validated(name, value)? else {
            return Ok(());
        };
        // Step 3.
        if self.guard.get() == Guard::RequestNoCors {
            let mut combined = self.value_of(&name).unwrap_or_default();
            if self.contains(&name) {
                combined.extend_from_slice(b", ");
            }
            combined.extend_from_slice(value);
            if !is_no_cors_safelisted(&name, &combined) {
                return Ok(());
            }
        }
        // Step 4: a name that is there already keeps its case.
        let list = &mut self.list.borrow_mut().0;
        let present = list.iter().find(|(own, _)| own.eq_ignore_ascii_case(&name));
        let name = present.map_or(name, |(own, _)| own.clone());
        list.push((name, value.to_vec()));
        drop_privileged(self.guard.get(), list);
        Ok(())
    }

    /// The name, if the header may be changed; none if the change is to be ignored.
    ///
    /// <https://fetch.spec.whatwg.org/#headers-validate>
    fn validated(&self, name: &[u8], value: &[u8]) -> Fallible<Option<String>> {
        let text = name_text(name)?;
        if !is_header_value(value) {
            return Err(Error::Type(format!(
                "The value of the header {text} has characters that a header cannot have."
            )));
        }
        Ok(match self.guard.get() {
            Guard::Immutable => {
                return Err(Error::Type("These headers cannot be changed.".to_owned()));
            }
            Guard::Request if is_forbidden_request_header(&text, value) => None,
            Guard::Response if is_forbidden_response_header(&text) => None,
            _ => Some(text),
        })
    }
}

fn name_text(name: &[u8]) -> Fallible<String> {
    let text = String::from_utf8_lossy(name).into_owned();
    if is_token(name) {
        Ok(text)
    } else {
        Err(Error::Type(format!("\"{text}\" is not a header name.")))
    }
}

/// <https://fetch.spec.whatwg.org/#concept-headers-remove-privileged-no-cors-request-headers>
fn drop_privileged(guard: Guard, list: &mut HeaderList) {
    if guard == Guard::RequestNoCors {
        list.retain(|(name, _)| !name.eq_ignore_ascii_case("range"));
    }
}

impl HeadersMethods for Headers {
    fn constructor(realm: &Realm, init: Option<HeadersInit>) -> Fallible<Dom<Self>> {
        let headers = Self::new(realm, Vec::new(), Guard::None)?;
        if let Some(init) = init {
            headers.fill(init)?;
        }
        Ok(headers)
    }

    fn append(&self, _: &Realm, name: ByteString, value: ByteString) -> Fallible<()> {
        self.append_header(&name, &value)
    }

    /// <https://fetch.spec.whatwg.org/#dom-headers-delete>
    fn delete(&self, _: &Realm, name: ByteString) -> Fallible<()> {
        let Some(name) = self.validated(&name, b"")? else {
            return Ok(());
        };
        let guard = self.guard.get();
        let is_free = guard != Guard::RequestNoCors
            || is_no_cors_safelisted(&name, b"")
            || name.eq_ignore_ascii_case("range");
        if is_free {
            let list = &mut self.list.borrow_mut().0;
            list.retain(|(own, _)| !own.eq_ignore_ascii_case(&name));
            drop_privileged(guard, list);
        }
        Ok(())
    }

    fn get(&self, _: &Realm, name: ByteString) -> Fallible<Option<ByteString>> {
        Ok(self.value_of(&name_text(&name)?).map(ByteString))
    }

    fn get_set_cookie(&self, _: &Realm) -> Fallible<Vec<ByteString>> {
        let list = self.list.borrow();
        let cookies = list
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        Ok(cookies
            .map(|(_, value)| ByteString(value.clone()))
            .collect())
    }

    fn has(&self, _: &Realm, name: ByteString) -> Fallible<bool> {
        Ok(self.contains(&name_text(&name)?))
    }

    /// <https://fetch.spec.whatwg.org/#dom-headers-set>
    fn set(&self, _: &Realm, name: ByteString, value: ByteString) -> Fallible<()> {
        let value = normalized(&value);
        let Some(name) = self.validated(&name, value)? else {
            return Ok(());
        };
        let guard = self.guard.get();
        if guard == Guard::RequestNoCors && !is_no_cors_safelisted(&name, value) {
            return Ok(());
        }
        let list = &mut self.list.borrow_mut().0;
        match list
            .iter()
            .position(|(own, _)| own.eq_ignore_ascii_case(&name))
        {
            Some(place) => {
                list[place].1 = value.to_vec();
                let mut index = 0;
                list.retain(|(own, _)| {
                    index += 1;
                    index <= place + 1 || !own.eq_ignore_ascii_case(&name)
                });
            }
            None => list.push((name, value.to_vec())),
        }
        drop_privileged(guard, list);
        Ok(())
    }

    /// <https://fetch.spec.whatwg.org/#concept-header-list-sort-and-combine>
    fn pairs(&self, _: &Realm) -> Vec<(ByteString, ByteString)> {
        let list = self.list.borrow();
        let mut sorted: BTreeMap<String, Vec<&[u8]>> = BTreeMap::new();
        for (name, value) in list.iter() {
            sorted
                .entry(name.to_ascii_lowercase())
                .or_default()
                .push(value);
        }
        let mut pairs = Vec::new();
        for (name, values) in sorted {
            let name = ByteString(name.into_bytes());
            if *name == *b"set-cookie" {
                // Cookies are the one header whose values cannot be joined.
                pairs.extend(
                    values
                        .iter()
                        .map(|value| (name.clone(), ByteString(value.to_vec()))),
                );
            } else {
                pairs.push((name, ByteString(values.join(&b", "[..]))));
            }
        }
        pairs
    }
}
