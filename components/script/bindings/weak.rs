//! Platform objects that are found by a key without being kept alive by it.

#![expect(unsafe_code, reason = "refers to objects that it does not count")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::rc::Rc;

use super::host_object::{Dom, DomObject};

/// Platform objects by key. Each has a [`WeakEntry`] among its fields, with which its place in the
/// table goes.
pub struct WeakTable<K: Ord, T>(RefCell<BTreeMap<K, NonNull<T>>>);

/// An object's place in a [`WeakTable`].
pub struct WeakEntry<K: Ord, T> {
    key: K,
    table: Rc<WeakTable<K, T>>,
}

impl<K: Ord, T> Default for WeakTable<K, T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Ord + Copy, T: DomObject> WeakTable<K, T> {
    /// A field for the object that is going to be found under this key.
    pub fn entry(self: &Rc<Self>, key: K) -> WeakEntry<K, T> {
        WeakEntry {
            key,
            table: Rc::clone(self),
        }
    }

    /// From now on the object is found under the key of its entry, which `field` reads from it.
    pub fn insert(&self, object: &Dom<T>, field: fn(&T) -> &WeakEntry<K, T>) {
        let entry = field(object);
        debug_assert!(std::ptr::eq(self, &raw const *entry.table));
        self.0
            .borrow_mut()
            .insert(entry.key, NonNull::from(&**object));
    }

    /// The object under this key, if it is still there.
    pub fn get(&self, key: K) -> Option<Dom<T>> {
        let pointer = *self.0.borrow().get(&key)?;
        // SAFETY: the pointer was taken from a live object, and the entry among its fields removes
        // it when the object is freed. No script and no lookup runs between the moment at which
        // the engine gives an object up and its finalizer, which drops the fields.
        Some(Dom::from_ref(unsafe { pointer.as_ref() }))
    }

    /// The keys under which there are objects, in order.
    pub fn keys(&self) -> Vec<K> {
        self.0.borrow().keys().copied().collect()
    }

    /// Whether there is an object under this key.
    pub fn contains(&self, key: K) -> bool {
        self.0.borrow().contains_key(&key)
    }
}

impl<K: Ord + Copy, T> WeakEntry<K, T> {
    /// The key of the object.
    pub fn key(&self) -> K {
        self.key
    }
}

impl<K: Ord, T> Drop for WeakEntry<K, T> {
    fn drop(&mut self) {
        self.table.0.borrow_mut().remove(&self.key);
    }
}
