//! What the windows and workers of one engine share among themselves, whatever thread they are on.

use std::fmt;

use crate::messaging::router::PortRouter;

/// What the windows and workers of one engine share among themselves. Clones are the same.
#[derive(Clone, Default)]
pub struct UserAgent {
    pub(crate) ports: PortRouter,
}

impl fmt::Debug for UserAgent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UserAgent")
    }
}
