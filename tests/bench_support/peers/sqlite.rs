use std::path::Path;

use rusqlite::Connection;

use crate::grouping::Recorder;

/// `SQLite` with a write-ahead log that is synced at each commit.
pub(crate) struct Sqlite(Connection);

impl Sqlite {
    pub(crate) fn open(folder: &Path) -> Self {
        let connection = Connection::open(folder.join("sqlite")).unwrap();
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))
            .unwrap();
        connection
            .pragma_update(None, "synchronous", "full")
            .unwrap();
        connection
            .execute_batch("CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
            .unwrap();
        Self(connection)
    }
}

impl Recorder for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn write(&mut self, records: &[(Vec<u8>, Vec<u8>)]) {
        let transaction = self.0.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2)")
                .unwrap();
            for record in records {
                insert.execute((&record.0, &record.1)).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}
