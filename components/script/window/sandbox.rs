//! What the documents of a sandboxed frame may not do.

use crate::bindings::Realm;
use crate::window::page::Page;

/// One of the things that are forbidden.
///
/// <https://html.spec.whatwg.org/multipage/browsers.html#sandboxing>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Restriction {
    /// To be of the origin of its URL.
    Origin,
    /// To run scripts.
    Scripts,
    /// To open windows.
    Popups,
    /// To send forms.
    Forms,
    /// To send the window around it elsewhere.
    TopNavigation,
    /// To open windows that are not sandboxed.
    FreePopups,
    /// To send elsewhere what it is neither in nor has made.
    Navigation,
}

/// <https://html.spec.whatwg.org/multipage/browsers.html#sandboxing-flag-set>
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sandbox(u8);

const KEYWORDS: [(&str, Restriction); 6] = [
    ("allow-same-origin", Restriction::Origin),
    ("allow-scripts", Restriction::Scripts),
    ("allow-popups", Restriction::Popups),
    ("allow-forms", Restriction::Forms),
    ("allow-top-navigation", Restriction::TopNavigation),
    ("allow-popups-to-escape-sandbox", Restriction::FreePopups),
];

impl Sandbox {
    /// What a `sandbox` attribute forbids; nothing where there is none.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsers.html#parse-a-sandboxing-directive>
    pub(super) fn of_attribute(value: Option<&str>) -> Self {
        let Some(value) = value else {
            return Self::default();
        };
        let value = value.to_ascii_lowercase();
        let allowed = |keyword: &str| value.split_ascii_whitespace().any(|word| word == keyword);
        let mut flags = 1 << Restriction::Navigation as u8;
        for (keyword, restriction) in KEYWORDS {
            if !allowed(keyword) {
                flags |= 1 << restriction as u8;
            }
        }
        Self(flags)
    }

    /// What either forbids.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn forbids(self, restriction: Restriction) -> bool {
        self.0 & (1 << restriction as u8) != 0
    }
}

/// Whether the document of a realm is kept from doing this.
pub(crate) fn forbids(realm: &Realm, restriction: Restriction) -> bool {
    realm
        .service::<Page>()
        .is_some_and(|page| page.sandbox.forbids(restriction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_forbids_what_its_attribute_does_not_allow() {
        let none = Sandbox::of_attribute(None);
        assert!(!none.forbids(Restriction::Scripts));
        let all = Sandbox::of_attribute(Some(""));
        assert!(all.forbids(Restriction::Origin) && all.forbids(Restriction::Scripts));
        let some = Sandbox::of_attribute(Some(" ALLOW-scripts\tallow-forms"));
        assert!(some.forbids(Restriction::Origin));
        assert!(!some.forbids(Restriction::Scripts) && !some.forbids(Restriction::Forms));
        assert!(some.and(all).forbids(Restriction::Scripts));
    }
}
