//! The clock of a browser, which libfaketime moves: a library that stands between a program and the
//! system when the program asks for the time. <https://github.com/wolfcw/libfaketime>

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The library's file, below the folders in which systems keep theirs.
const FILE: &str = "faketime/libfaketimeMT.so.1";

/// How long the library may go on with what it has read. The unit is the smallest that it has.
const READ_EVERY: Duration = Duration::from_secs(1);

/// By then every process of the browser has the new time: the library counts in whole seconds, and
/// reads again when more than that many are over.
const SETTLING_TIME: Duration = Duration::from_millis(2300);

/// Where the library is, if it is installed.
pub(super) fn find_library() -> Option<PathBuf> {
    let below = |folder: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        folders.push(folder.into());
        folders
    };
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(below);
    let files = folders.into_iter().flatten().map(|it| it.join(FILE));
    files.into_iter().find(|file| file.is_file())
}

/// The clock of a browser.
pub(super) enum Clock {
    /// Nothing moves it.
    Fixed,
    /// It could be moved, in a browser that is started for that.
    Movable,
    Moved(MovedClock),
}

/// The clock of the browsers of one test. It stays ahead when a browser is started anew.
pub(super) struct MovedClock {
    library: PathBuf,
    /// From which the library reads how far the clock is ahead.
    file: PathBuf,
    ahead: Duration,
}

impl MovedClock {
    pub(super) fn new(library: PathBuf, folder: &Path) -> Result<Self, String> {
        let clock = Self {
            library,
            file: folder.join("clock"),
            ahead: Duration::ZERO,
        };
        clock.write()?;
        Ok(clock)
    }

    /// Put the library into a browser that is to be started.
    pub(super) fn put_into(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_CACHE_DURATION", READ_EVERY.as_secs().to_string());
    }

    /// Move it forward. It is so when the time that is returned is over.
    pub(super) fn advance(&mut self, by: Duration) -> Result<Duration, String> {
        self.ahead += by;
        self.write()?;
        Ok(SETTLING_TIME)
    }

    /// Remove what the library leaves in the system's shared memory when its process is killed.
    pub(super) fn clean_up(process: u32) {
        for file in [
            format!("/dev/shm/faketime_shm_{process}"),
            format!("/dev/shm/sem.faketime_sem_{process}"),
        ] {
            // It may not be there.
            let _ = fs::remove_file(file);
        }
    }

    fn write(&self) -> Result<(), String> {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("+{}\n", self.ahead.as_secs_f64()))
            .and_then(|()| fs::rename(&new, &self.file))
            .map_err(|error| format!("cannot set the clock: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_hears_how_far_the_clock_is_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let mut clock = MovedClock::new(PathBuf::from("/library"), folder.path()).unwrap();
        let read = || fs::read_to_string(folder.path().join("clock")).unwrap();
        assert_eq!(read(), "+0\n");
        clock.advance(Duration::from_secs(3600)).unwrap();
        clock.advance(Duration::from_millis(500)).unwrap();
        assert_eq!(read(), "+3600.5\n");
        let mut command = Command::new("browser");
        clock.put_into(&mut command);
        assert!(
            command
                .get_envs()
                .any(|(name, value)| name == "FAKETIME_TIMESTAMP_FILE"
                    && value == Some(folder.path().join("clock").as_os_str()))
        );
    }
}
