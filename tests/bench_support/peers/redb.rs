use std::path::Path;

use redb::{Database, TableDefinition};

use crate::grouping::Recorder;

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// redb, with its default: a commit is durable when it returns.
pub(crate) struct Redb(Database);

impl Redb {
    pub(crate) fn open(folder: &Path) -> Self {
        Self(Database::create(folder.join("redb")).unwrap())
    }
}

impl Recorder for Redb {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn write(&mut self, records: &[(Vec<u8>, Vec<u8>)]) {
        let transaction = self.0.begin_write().unwrap();
        {
            let mut table = transaction.open_table(RECORDS).unwrap();
            for (key, value) in records {
                table.insert(&key[..], &value[..]).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}
