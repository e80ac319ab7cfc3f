//! <https://url.spec.whatwg.org/#interface-urlsearchparams>

use std::cell::RefCell;

use url::form_urlencoded;

use super::url::Url;
use crate::bindings::generated::{
    UrlSearchParamsMethods, UsvStringSequenceSequenceOrUsvStringUsvStringRecordOrUsvString as Init,
};
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Realm, Reflector, UsvString};

dom_struct! {
    /// <https://url.spec.whatwg.org/#interface-urlsearchparams>
    pub struct UrlSearchParams {
        pub(crate) reflector: Reflector,
        list: RefCell<NoTrace<Vec<(String, String)>>>,
        /// The URL whose query it is.
        url: Option<Dom<Url>>,
    }
}

fn parse(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

impl UrlSearchParams {
    /// The parameters of a URL: changes of them change the URL.
    pub(super) fn of_url(realm: &Realm, query: &str, url: Dom<Url>) -> Fallible<Dom<Self>> {
        Self::create(realm, parse(query), Some(url))
    }

    fn create(
        realm: &Realm,
        list: Vec<(String, String)>,
        url: Option<Dom<Url>>,
    ) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                list: RefCell::new(NoTrace(list)),
                url,
            },
        )
    }

    /// The URL has got another query.
    pub(super) fn set_list_from(&self, query: &str) {
        self.list.replace(NoTrace(parse(query)));
    }

    /// <https://url.spec.whatwg.org/#concept-urlencoded-serializer>
    pub fn serialize(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.list.borrow().iter())
            .finish()
    }

    /// Changes the list, then the URL.
    ///
    /// <https://url.spec.whatwg.org/#concept-urlsearchparams-update>
    fn change(&self, change: impl FnOnce(&mut Vec<(String, String)>)) {
        change(&mut self.list.borrow_mut().0);
        if let Some(url) = &self.url {
            let query = self.serialize();
            url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        }
    }
}

fn is_entry(entry: &(String, String), name: &str, value: Option<&UsvString>) -> bool {
    entry.0 == name && value.is_none_or(|value| entry.1 == **value)
}

impl UrlSearchParamsMethods for UrlSearchParams {
    fn constructor(realm: &Realm, init: Init) -> Fallible<Dom<Self>> {
        let list = match init {
            Init::UsvString(query) => parse(query.strip_prefix('?').unwrap_or(&query)),
            Init::UsvStringUsvStringRecord(record) => {
                let entries = record.0.into_iter();
                entries.map(|(name, value)| (name.0, value.0)).collect()
            }
            Init::UsvStringSequenceSequence(pairs) => {
                let pairs = pairs.into_iter().map(|pair| {
                    <[UsvString; 2]>::try_from(pair).map(|[name, value]| (name.0, value.0))
                });
                pairs.collect::<Result<_, _>>().map_err(|_| {
                    Error::Type("A parameter is not a pair of name and value.".to_owned())
                })?
            }
        };
        Self::create(realm, list, None)
    }

    fn size(&self, _: &Realm) -> u32 {
        u32::try_from(self.list.borrow().len()).unwrap_or(u32::MAX)
    }

    fn append(&self, _: &Realm, name: UsvString, value: UsvString) -> Fallible<()> {
        self.change(|list| list.push((name.0, value.0)));
        Ok(())
    }

    fn delete(&self, _: &Realm, name: UsvString, value: Option<UsvString>) -> Fallible<()> {
        self.change(|list| list.retain(|entry| !is_entry(entry, &name, value.as_ref())));
        Ok(())
    }

    fn get(&self, _: &Realm, name: UsvString) -> Fallible<Option<UsvString>> {
        let list = self.list.borrow();
        let found = list.iter().find(|(own, _)| *own == *name);
        Ok(found.map(|(_, value)| value.as_str().into()))
    }

    fn get_all(&self, _: &Realm, name: UsvString) -> Fallible<Vec<UsvString>> {
        let list = self.list.borrow();
        let found = list.iter().filter(|(own, _)| *own == *name);
        Ok(found.map(|(_, value)| value.as_str().into()).collect())
    }

    fn has(&self, _: &Realm, name: UsvString, value: Option<UsvString>) -> Fallible<bool> {
        let list = self.list.borrow();
        Ok(list
            .iter()
            .any(|entry| is_entry(entry, &name, value.as_ref())))
    }

    /// <https://url.spec.whatwg.org/#dom-urlsearchparams-set>
    fn set(&self, _: &Realm, name: UsvString, value: UsvString) -> Fallible<()> {
        self.change(|list| {
            let Some(place) = list.iter().position(|(own, _)| *own == *name) else {
                list.push((name.0, value.0));
                return;
            };
            list[place].1 = value.0;
            let mut index = 0;
            list.retain(|(own, _)| {
                index += 1;
                index <= place + 1 || *own != *name
            });
        });
        Ok(())
    }

    /// <https://url.spec.whatwg.org/#dom-urlsearchparams-sort>
    fn sort(&self, _: &Realm) -> Fallible<()> {
        self.change(|list| {
            list.sort_by(|one, other| one.0.encode_utf16().cmp(other.0.encode_utf16()));
        });
        Ok(())
    }

    fn pairs(&self, _: &Realm) -> Vec<(UsvString, UsvString)> {
        let list = self.list.borrow();
        list.iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect()
    }

    fn stringify(&self, _: &Realm) -> DomString {
        self.serialize().into()
    }
}
