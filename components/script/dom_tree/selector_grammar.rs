//! The selectors that are understood.

use std::fmt;

use cssparser::{ToCss, serialize_identifier, serialize_string};
use html5ever::{LocalName, Namespace};
use precomputed_hash::PrecomputedHash;
use selectors::SelectorImpl;
use selectors::parser::SelectorParseErrorKind;

/// The selectors that are understood, and the types that they are made of.
#[derive(Clone, Debug)]
pub(super) struct Grammar;

impl SelectorImpl for Grammar {
    type ExtraMatchingData<'a> = ();
    type AttrValue = Text;
    type Identifier = Name;
    type LocalName = Name;
    type NamespaceUrl = Namespace;
    type NamespacePrefix = Name;
    type BorrowedNamespaceUrl = Namespace;
    type BorrowedLocalName = Name;
    type NonTSPseudoClass = PseudoClass;
    type PseudoElement = PseudoElement;
}

impl selectors::Parser<'_> for Grammar {
    type Impl = Self;
    type Error = SelectorParseErrorKind;

    fn parse_nth_child_of(&self) -> bool {
        true
    }

    fn parse_is_and_where(&self) -> bool {
        true
    }

    fn parse_has(&self) -> bool {
        true
    }

    fn parse_non_ts_pseudo_class(
        &self,
        name: &str,
    ) -> Result<PseudoClass, cssparser::ParseError<SelectorParseErrorKind>> {
        PseudoClass::ALL
            .iter()
            .find(|class| class.name().eq_ignore_ascii_case(name))
            .copied()
            .ok_or_else(|| {
                cssparser::ParseError::custom(
                    SelectorParseErrorKind::UnsupportedPseudoClassOrElement,
                )
            })
    }
}

/// The value in an attribute selector.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Text(pub(super) String);

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl ToCss for Text {
    fn to_css<W: fmt::Write>(&self, output: &mut W) -> fmt::Result {
        serialize_string(&self.0, output)
    }
}

/// A name in a selector.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Name(pub(super) LocalName);

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(LocalName::from(text))
    }
}

impl PrecomputedHash for Name {
    fn precomputed_hash(&self) -> u32 {
        self.0.precomputed_hash()
    }
}

impl ToCss for Name {
    fn to_css<W: fmt::Write>(&self, output: &mut W) -> fmt::Result {
        serialize_identifier(&self.0, output)
    }
}

/// Pseudo-classes that do not depend on the tree alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PseudoClass {
    AnyLink,
    Link,
    Checked,
    Disabled,
    Enabled,
    /// What depends on a user at the screen, of which there is none: matches nothing.
    User(&'static str),
}

impl PseudoClass {
    const ALL: &[Self] = &[
        Self::AnyLink,
        Self::Link,
        Self::Checked,
        Self::Disabled,
        Self::Enabled,
        Self::User("active"),
        Self::User("focus"),
        Self::User("focus-visible"),
        Self::User("focus-within"),
        Self::User("hover"),
        Self::User("target"),
        Self::User("visited"),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::AnyLink => "any-link",
            Self::Link => "link",
            Self::Checked => "checked",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::User(name) => name,
        }
    }
}

impl selectors::parser::NonTSPseudoClass for PseudoClass {
    fn is_active_or_hover(&self) -> bool {
        matches!(self, Self::User("active" | "hover"))
    }

    fn is_user_action_state(&self) -> bool {
        matches!(self, Self::User(name) if !["target", "visited"].contains(name))
    }
}

impl ToCss for PseudoClass {
    fn to_css<W: fmt::Write>(&self, output: &mut W) -> fmt::Result {
        write!(output, ":{}", self.name())
    }
}

/// There is none: an element is never a pseudo-element, so none is parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum PseudoElement {}

impl selectors::parser::PseudoElement for PseudoElement {}

impl ToCss for PseudoElement {
    fn to_css<W: fmt::Write>(&self, _output: &mut W) -> fmt::Result {
        match *self {}
    }
}
