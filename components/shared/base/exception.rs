//! DOMException names, and how internal errors become them.
//!
//! A component describes a failure by its [`ErrorClass`] (who is at fault) and keeps the details
//! in its own error type; what a page gets to see is a [`DomException`].

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! dom_exception_names {
    ($($name:ident = $code:literal),* $(,)?) => {
        /// The names of the Web IDL error names table.
        ///
        /// <https://webidl.spec.whatwg.org/#idl-DOMException-error-names>
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "each name is its own documentation")]
        pub enum DomExceptionName {
            $($name),*
        }

        impl DomExceptionName {
            /// Every name, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name as scripts see it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),*
                }
            }

            /// The legacy code, zero when there is none.
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$name => $code),*
                }
            }
        }
    };
}

dom_exception_names! {
    HierarchyRequestError = 3,
    WrongDocumentError = 4,
    InvalidCharacterError = 5,
    NoModificationAllowedError = 7,
    NotFoundError = 8,
    NotSupportedError = 9,
    InUseAttributeError = 10,
    InvalidStateError = 11,
    SyntaxError = 12,
    InvalidModificationError = 13,
    NamespaceError = 14,
    InvalidAccessError = 15,
    SecurityError = 18,
    NetworkError = 19,
    AbortError = 20,
    QuotaExceededError = 22,
    TimeoutError = 23,
    InvalidNodeTypeError = 24,
    DataCloneError = 25,
    EncodingError = 0,
    NotReadableError = 0,
    UnknownError = 0,
    ConstraintError = 0,
    DataError = 0,
    TransactionInactiveError = 0,
    ReadOnlyError = 0,
    VersionError = 0,
    OperationError = 0,
    NotAllowedError = 0,
}

/// What a page sees of a failure: a DOMException, or one of the two simple exceptions that specs
/// throw.
///
/// <https://webidl.spec.whatwg.org/#idl-exceptions>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DomException {
    /// Which exception it is.
    pub kind: ExceptionKind,
    /// What was wrong and what to do, for a web developer.
    pub message: String,
}

/// Which exception a script gets to see.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum ExceptionKind {
    /// A DOMException with this name.
    Dom(DomExceptionName),
    /// A `TypeError`.
    TypeError,
    /// A `RangeError`.
    RangeError,
}

impl DomException {
    /// A DOMException with a name.
    pub fn new(name: DomExceptionName, message: impl Into<String>) -> Self {
        Self {
            kind: ExceptionKind::Dom(name),
            message: message.into(),
        }
    }

    /// A `TypeError`.
    pub fn type_error(message: impl Into<String>) -> Self {
        Self {
            kind: ExceptionKind::TypeError,
            message: message.into(),
        }
    }

    /// The name that a script reads from the exception's `name` attribute.
    pub fn name(&self) -> &'static str {
        match self.kind {
            ExceptionKind::Dom(name) => name.as_str(),
            ExceptionKind::TypeError => "TypeError",
            ExceptionKind::RangeError => "RangeError",
        }
    }
}

impl fmt::Display for DomException {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name(), self.message)
    }
}

impl std::error::Error for DomException {}

/// Who is at fault. Each class has exactly one DOMException name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum ErrorClass {
    /// The page called at a time when the object cannot do it.
    PageState,
    /// The page passed something it may not, or called from where it may not.
    PageMisuse,
    /// The user or the embedder does not allow it.
    Permission,
    /// The page would use more than it is given.
    Quota,
    /// The origin may not do this: a security rule is broken.
    Security,
    /// The store cannot write or read.
    Store,
    /// The network failed.
    Network,
    /// The embedder used a component wrongly, or shut it down.
    EmbedderMisuse,
    /// A bug of ours.
    Internal,
}

impl ErrorClass {
    /// The one DOMException name of this class.
    pub const fn dom_exception_name(self) -> DomExceptionName {
        match self {
            Self::PageState => DomExceptionName::InvalidStateError,
            Self::PageMisuse => DomExceptionName::InvalidAccessError,
            Self::Permission => DomExceptionName::NotAllowedError,
            Self::Quota => DomExceptionName::QuotaExceededError,
            Self::Security => DomExceptionName::SecurityError,
            Self::Network => DomExceptionName::NetworkError,
            Self::EmbedderMisuse => DomExceptionName::AbortError,
            Self::Store | Self::Internal => DomExceptionName::UnknownError,
        }
    }

    /// What a page sees of an error of this class.
    pub fn exception(self, message: impl Into<String>) -> DomException {
        DomException::new(self.dom_exception_name(), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_the_name_that_the_rules_give_it() {
        for (class, name) in [
            (ErrorClass::PageState, "InvalidStateError"),
            (ErrorClass::PageMisuse, "InvalidAccessError"),
            (ErrorClass::Permission, "NotAllowedError"),
            (ErrorClass::Quota, "QuotaExceededError"),
            (ErrorClass::Security, "SecurityError"),
            (ErrorClass::Store, "UnknownError"),
            (ErrorClass::Network, "NetworkError"),
            (ErrorClass::EmbedderMisuse, "AbortError"),
            (ErrorClass::Internal, "UnknownError"),
        ] {
            assert_eq!(class.exception("").name(), name);
        }
    }

    #[test]
    fn legacy_codes_are_unique_and_only_for_legacy_names() {
        let mut codes: Vec<u16> = DomExceptionName::ALL
            .iter()
            .map(|name| name.code())
            .filter(|code| *code != 0)
            .collect();
        assert_eq!(codes.len(), 19);
        codes.dedup();
        assert_eq!(codes.len(), 19);
        assert_eq!(DomExceptionName::DataCloneError.code(), 25);
    }
}
