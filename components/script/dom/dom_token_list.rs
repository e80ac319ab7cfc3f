//! <https://dom.spec.whatwg.org/#interface-domtokenlist>

use base::exception::DomExceptionName;

use super::element::Element;
use crate::bindings::generated::DomTokenListMethods;
use crate::bindings::{Dom, DomString, Error, Fallible, Realm, Reflector};

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-domtokenlist>
    pub struct DomTokenList {
        pub(crate) reflector: Reflector,
        element: Dom<Element>,
        attribute: String,
    }
}

impl DomTokenList {
    /// The tokens of an attribute.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn new(realm: &Realm, element: &Element, attribute: &str) -> Fallible<Dom<Self>> {
        let element = Dom::from_ref(element);
        let attribute = attribute.to_owned();
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                element,
                attribute,
            },
        )
    }

    fn tokens(&self) -> Vec<String> {
        self.element.read(|element| {
            element
                .attribute_words(&self.attribute)
                .into_iter()
                .map(ToOwned::to_owned)
                .collect()
        })
    }

    /// <https://dom.spec.whatwg.org/#concept-dtl-update>
    fn update(&self, realm: &Realm, tokens: &[String]) {
        let absent = self
            .element
            .read(|element| !element.has_attribute(&self.attribute));
        if !(absent && tokens.is_empty()) {
            self.element
                .change_attribute(realm, &self.attribute, tokens.join(" "));
        }
    }
}

fn check(token: &DomString) -> Fallible<String> {
    let token = token.to_string();
    if token.is_empty() {
        return Err(Error::dom(
            DomExceptionName::SyntaxError,
            "A token cannot be empty.",
        ));
    }
    if token.contains(|character: char| character.is_ascii_whitespace()) {
        return Err(Error::dom(
            DomExceptionName::InvalidCharacterError,
            format!("The token '{token}' has white space in it."),
        ));
    }
    Ok(token)
}

impl DomTokenListMethods for DomTokenList {
    fn length(&self, _: &Realm) -> u32 {
        u32::try_from(self.tokens().len()).unwrap_or(u32::MAX)
    }

    fn item(&self, _: &Realm, index: u32) -> Fallible<Option<DomString>> {
        Ok(self
            .tokens()
            .into_iter()
            .nth(index as usize)
            .map(Into::into))
    }

    fn contains(&self, _: &Realm, token: DomString) -> Fallible<bool> {
        Ok(self.tokens().contains(&token.to_string()))
    }

    fn add(&self, realm: &Realm, tokens: Vec<DomString>) -> Fallible<()> {
        let added = tokens.iter().map(check).collect::<Fallible<Vec<_>>>()?;
        let mut tokens = self.tokens();
        for token in added {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        self.update(realm, &tokens);
        Ok(())
    }

    fn remove(&self, realm: &Realm, tokens: Vec<DomString>) -> Fallible<()> {
        let removed = tokens.iter().map(check).collect::<Fallible<Vec<_>>>()?;
        let mut tokens = self.tokens();
        tokens.retain(|token| !removed.contains(token));
        self.update(realm, &tokens);
        Ok(())
    }

    /// <https://dom.spec.whatwg.org/#dom-domtokenlist-toggle>
    fn toggle(&self, realm: &Realm, token: DomString, force: Option<bool>) -> Fallible<bool> {
        let token = check(&token)?;
        let mut tokens = self.tokens();
        let present = tokens.contains(&token);
        let wanted = force.unwrap_or(!present);
        if wanted != present {
            if wanted {
                tokens.push(token);
            } else {
                tokens.retain(|other| *other != token);
            }
            self.update(realm, &tokens);
        }
        Ok(wanted)
    }

    fn replace(&self, realm: &Realm, token: DomString, new_token: DomString) -> Fallible<bool> {
        let (token, new_token) = (check(&token)?, check(&new_token)?);
        let mut tokens = self.tokens();
        let Some(place) = tokens.iter().position(|other| *other == token) else {
            return Ok(false);
        };
        tokens[place].clone_from(&new_token);
        let mut index = 0;
        tokens.retain(|other| {
            index += 1;
            index - 1 == place || *other != new_token
        });
        self.update(realm, &tokens);
        Ok(true)
    }

    fn value(&self, _: &Realm) -> DomString {
        self.element.reflected(&self.attribute)
    }

    fn set_value(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.element
            .reflect(realm, &self.attribute, &value.to_string())
    }
}
