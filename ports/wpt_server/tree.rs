use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is served: URL paths and what is behind them. Of several entries that have something for a
/// path, the one added first counts.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// With a slash at the start; folders have one at the end.
    path: String,
    target: Target,
}

#[derive(Clone, Debug)]
enum Target {
    Bytes(Arc<[u8]>),
    File(PathBuf),
    Folder(PathBuf),
}

/// What is behind one path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    Bytes(Arc<[u8]>),
    File(PathBuf),
}

impl Tree {
    /// A tree in which there is nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `bytes` at `path`, which starts with a slash.
    #[must_use]
    pub fn bytes(self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.add(path.to_owned(), Target::Bytes(bytes.into().into()))
    }

    /// Adds the file `file` at `path`, which starts with a slash.
    #[must_use]
    pub fn file(self, path: &str, file: impl Into<PathBuf>) -> Self {
        self.add(path.to_owned(), Target::File(file.into()))
    }

    /// Adds everything in `folder` below `path`, which starts and ends with a slash.
    #[must_use]
    pub fn folder(self, path: &str, folder: impl Into<PathBuf>) -> Self {
        let path = format!("{}/", path.trim_end_matches('/'));
        self.add(path, Target::Folder(folder.into()))
    }

    /// Adds what is in `other`, after what is here.
    #[must_use]
    pub fn and(mut self, other: Tree) -> Self {
        self.entries.extend(other.entries);
        self
    }

    fn add(mut self, path: String, target: Target) -> Self {
        self.entries.push(Entry { path, target });
        self
    }

    /// What is behind `path`, whose escapes have been undone. Nothing leads out of a folder.
    pub(crate) fn source(&self, path: &str) -> Option<Source> {
        self.entries.iter().find_map(|entry| entry.source(path))
    }

    /// The file behind `path`.
    pub(crate) fn file_at(&self, path: &str) -> Option<PathBuf> {
        match self.source(path)? {
            Source::File(file) => Some(file),
            Source::Bytes(_) => None,
        }
    }

    /// Where each path of the tree leads on disk, in order, for a server that knows only folders: a
    /// folder for a path that ends with a slash, for another path the folder that has a file of its
    /// name. Bytes and files are put into `folder`.
    pub(crate) fn place_in(&self, folder: &Path) -> io::Result<Vec<(&str, PathBuf)>> {
        let mut places = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            let place = folder.join(index.to_string());
            let place = match &entry.target {
                Target::Folder(folder) => std::path::absolute(folder)?,
                Target::Bytes(bytes) => {
                    std::fs::create_dir_all(&place)?;
                    std::fs::write(place.join(name), bytes)?;
                    place
                }
                Target::File(file) => {
                    std::fs::create_dir_all(&place)?;
                    std::fs::copy(file, place.join(name))?;
                    place
                }
            };
            places.push((entry.path.as_str(), place));
        }
        Ok(places)
    }

    /// The folders and the paths below which they are.
    pub(crate) fn folders(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.entries.iter().filter_map(|entry| match &entry.target {
            Target::Folder(folder) => Some((entry.path.as_str(), folder.as_path())),
            Target::Bytes(_) | Target::File(_) => None,
        })
    }
}

impl Entry {
    fn source(&self, path: &str) -> Option<Source> {
        match &self.target {
            Target::Bytes(bytes) => (self.path == path).then(|| Source::Bytes(Arc::clone(bytes))),
            Target::File(file) => (self.path == path).then(|| Source::File(file.clone())),
            Target::Folder(folder) => {
                let rest = path.strip_prefix(&self.path)?;
                let inside = rest
                    .split('/')
                    .all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains('\\'));
                let file = inside.then(|| folder.join(rest))?;
                file.is_file().then_some(Source::File(file))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_added_first_counts() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("first");
        let second = folder.path().join("second");
        for (folder, file) in [(&first, "a.js"), (&second, "a.js"), (&second, "b.js")] {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(file), "").unwrap();
        }
        let tree = Tree::new()
            .bytes("/x/c.js", "c")
            .folder("/x/", &first)
            .folder("/x/", &second);
        assert_eq!(tree.file_at("/x/a.js"), Some(first.join("a.js")));
        assert_eq!(tree.file_at("/x/b.js"), Some(second.join("b.js")));
        assert_eq!(
            tree.source("/x/c.js"),
            Some(Source::Bytes(Arc::from(*b"c")))
        );
        assert_eq!(tree.source("/a.js"), None);
    }

    #[test]
    fn nothing_outside_of_a_folder_is_served() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("secret"), "").unwrap();
        let tree = Tree::new().folder("/", folder.path().join("inner"));
        assert_eq!(tree.source("/../secret"), None);
        let absolute = folder.path().join("secret");
        assert_eq!(tree.source(&format!("/{}", absolute.display())), None);
    }
}
