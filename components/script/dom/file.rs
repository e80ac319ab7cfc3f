//! <https://w3c.github.io/FileAPI/#file-section>

use super::blob::{self, Blob};
use crate::bindings::generated::{
    BufferSourceOrBlobOrUsvString as BlobPart, FileMethods, FilePropertyBag,
};
use crate::bindings::{Dom, DomString, Fallible, Realm, UsvString};

dom_struct! {
    /// <https://w3c.github.io/FileAPI/#file-section>
    pub struct File {
        pub(crate) parent: Blob,
        name: UsvString,
        last_modified: i64,
    }
}

impl File {
    /// A file with the bytes of a blob; `last_modified` in milliseconds since the epoch.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new(
        realm: &Realm,
        blob: &Blob,
        name: UsvString,
        last_modified: i64,
    ) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                parent: blob.with_same_bytes(),
                name,
                last_modified,
            },
        )
    }

    /// A file that was modified just now, with bytes that came from elsewhere.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn from_bytes(
        realm: &Realm,
        bytes: Vec<u8>,
        media_type: DomString,
        name: UsvString,
    ) -> Fallible<Dom<Self>> {
        let blob = Blob::new(realm, bytes, media_type)?;
        Self::new(realm, &blob, name, now(realm))
    }

    /// Its name, without a path.
    pub fn name(&self) -> &UsvString {
        &self.name
    }

    /// When it was changed last, in milliseconds since the epoch.
    pub fn last_modified(&self) -> i64 {
        self.last_modified
    }

    /// The part that is a blob.
    pub(crate) fn as_blob(&self) -> &Blob {
        &self.parent
    }
}

/// What the calendar says, in milliseconds since the epoch.
pub(super) fn now(realm: &Realm) -> i64 {
    realm.clock().now().wall.as_millis()
}

impl FileMethods for File {
    /// <https://w3c.github.io/FileAPI/#file-constructor>
    fn constructor(
        realm: &Realm,
        file_bits: Vec<BlobPart>,
        file_name: UsvString,
        options: FilePropertyBag,
    ) -> Fallible<Dom<Self>> {
        let blob = blob::from_parts(realm, file_bits, &options.parent)?;
        let last_modified = options.last_modified.unwrap_or_else(|| now(realm));
        Self::new(realm, &blob, file_name, last_modified)
    }

    fn name(&self, _: &Realm) -> UsvString {
        self.name.clone()
    }

    fn last_modified(&self, _: &Realm) -> i64 {
        self.last_modified
    }
}
