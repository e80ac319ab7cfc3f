//! What goes wrong in an implementation, on its way to JavaScript.

use base::exception::{DomException, DomExceptionName, ExceptionKind};

use super::value::Value;

/// An exception that is to be thrown, or the reason of a rejection.
#[derive(Clone)]
pub enum Error {
    /// A `TypeError` with this message.
    Type(String),
    /// A `RangeError` with this message.
    Range(String),
    /// A `DOMException`.
    Dom(DomException),
    /// What a script threw.
    Thrown(Value),
}

/// The result of what may throw.
pub type Fallible<T> = Result<T, Error>;

impl Error {
    /// A `DOMException` of this name.
    pub fn dom(name: DomExceptionName, message: impl Into<String>) -> Self {
        Self::Dom(DomException::new(name, message))
    }
}

impl From<DomException> for Error {
    fn from(exception: DomException) -> Self {
        match exception.kind {
            ExceptionKind::Dom(_) => Self::Dom(exception),
            ExceptionKind::TypeError => Self::Type(exception.message),
            ExceptionKind::RangeError => Self::Range(exception.message),
        }
    }
}
