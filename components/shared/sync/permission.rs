use std::fmt;
use std::str::FromStr;

use base::StorageKey;
use base::channel::Callback;
use serde::{Deserialize, Serialize};

/// A permission that an origin has or has not.
///
/// <https://w3c.github.io/permissions/#dfn-name>
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum PermissionName {
    /// <https://wicg.github.io/background-sync/spec/#permission>
    BackgroundSync,
    /// <https://wicg.github.io/periodic-background-sync/#permission>
    PeriodicBackgroundSync,
}

impl PermissionName {
    /// Every one that there is.
    pub const ALL: [Self; 2] = [Self::BackgroundSync, Self::PeriodicBackgroundSync];

    /// The name that scripts give it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BackgroundSync => "background-sync",
            Self::PeriodicBackgroundSync => "periodic-background-sync",
        }
    }
}

impl fmt::Display for PermissionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A name that no permission has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownPermission(pub String);

impl fmt::Display for UnknownPermission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = PermissionName::ALL;
        write!(
            formatter,
            "\"{}\" is not a permission; there are {first} and {second}",
            self.0
        )
    }
}

impl std::error::Error for UnknownPermission {}

impl FromStr for PermissionName {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

/// <https://w3c.github.io/permissions/#dom-permissionstate>
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum PermissionState {
    /// The origin may.
    Granted,
    /// It may not.
    Denied,
    /// It may not unless the user agrees, who has not been asked.
    Prompt,
}

impl fmt::Display for PermissionState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Prompt => "prompt",
        })
    }
}

/// A permission's state is another one than before.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PermissionChange {
    /// Whose permission.
    pub storage_key: StorageKey,
    /// Which one.
    pub name: PermissionName,
    /// What it is from now on.
    pub state: PermissionState,
}

/// Who wants to know of changes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct PermissionObserver(pub u64);

/// What windows and workers may know about permissions. Asked on their threads, so it may not
/// wait.
pub trait PermissionStates: Send + Sync {
    /// What a permission of an origin is now.
    fn state(&self, storage_key: &StorageKey, name: PermissionName) -> PermissionState;

    /// Be told of each change of a permission of this origin, from now on and in order.
    fn observe(
        &self,
        storage_key: &StorageKey,
        observer: Callback<PermissionChange>,
    ) -> PermissionObserver;

    /// Be told no more. A call that is already under way still arrives.
    fn stop_observing(&self, observer: PermissionObserver);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_found_by_its_name_and_by_no_other() {
        for name in PermissionName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        let error = "Background-Sync".parse::<PermissionName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"Background-Sync\" is not a permission; there are background-sync and \
             periodic-background-sync"
        );
    }
}
