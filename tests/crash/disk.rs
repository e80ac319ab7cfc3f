//! What a disk may hold after a power cut, worked out from a record of what happened before it.
//!
//! The model is that of a journaling file system, where it leaves a choice the stricter one:
//!
//! - What was in a file when an `fsync` or `fdatasync` of it began is durable when that is done,
//!   with the length of the file.
//! - Whatever was written since may be there or not, each sector of 512 bytes for itself, and each
//!   in any state that it had since then. A file may have become longer without its data having
//!   arrived; that part reads zero.
//! - What was in a file when a sync of it failed may be lost even if a later sync succeeds: the
//!   system may have forgotten that it is still to be written. Only what is written anew, with the
//!   rest of the same page, is durable then.
//! - A file that was cut is either as before or cut.
//! - That a file or folder was created, renamed or removed is durable when the folder in which it
//!   lies was synced after that; a sync of the file itself is not enough. What was not made durable
//!   happened or did not happen: up to some point, as a journal orders it, or each for itself, which
//!   is more than file systems with a journal do. When a folder was not renamed after all, nothing
//!   else can have happened under its two names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use file_recorder::Operation;

use crate::random::Random;

const SECTOR: u64 = 512;
const PAGE: u64 = 4096;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Node {
    Folder,
    File(usize),
}

#[derive(Clone, Debug)]
enum Rearrangement {
    Create(Node),
    Remove,
    RenameTo(String),
}

/// A change to a folder that may not be durable yet.
#[derive(Clone, Debug)]
struct Change {
    path: String,
    rearrangement: Rearrangement,
    /// The folder that has to be synced.
    folder: String,
    at: u64,
    durable: bool,
}

#[derive(Clone, Debug)]
enum Data {
    Write { offset: u64, data: Vec<u8> },
    Resize { length: u64 },
    Allocate { end: u64 },
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    /// What has not been synced, with its place in the record.
    pending: Vec<(u64, Data)>,
    /// What was written up to this place in the record is forgotten by the system.
    forgotten: u64,
}

#[derive(Clone, Debug)]
enum Handle {
    Folder(String),
    File(usize),
}

/// A disk that is being written to.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// How many operations it has seen.
    at: u64,
    /// What is durably where.
    durable: BTreeMap<String, Node>,
    changes: Vec<Change>,
    /// What a running process sees.
    present: BTreeMap<String, Node>,
    files: Vec<File>,
    handles: HashMap<u64, Handle>,
    syncs: HashMap<u64, (u64, u64)>,
}

/// Files and folders by path.
pub(crate) type Image = BTreeMap<String, Option<Vec<u8>>>;

/// How much of what is not durable is on the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cut {
    /// Nothing of it.
    Nothing,
    /// All of it, as if only the process had been killed.
    Everything,
    /// No data, but every change to folders.
    NoData,
    /// All data, but no change to folders.
    OnlyData,
    /// Of each file something else, sector by sector; of the changes to folders those up to some
    /// point.
    Torn,
    /// The same, but of the changes to folders any.
    Shuffled,
}

impl Cut {
    pub(crate) const ALL: [Self; 6] = [
        Self::Nothing,
        Self::Everything,
        Self::NoData,
        Self::OnlyData,
        Self::Torn,
        Self::Shuffled,
    ];
}

impl Disk {
    /// A disk that durably holds what is in a folder.
    pub(crate) fn holding(folder: &Path) -> Self {
        let mut disk = Self::default();
        for (path, content) in read_image(folder) {
            let node = content.map_or(Node::Folder, |durable| {
                disk.files.push(File {
                    durable,
                    ..File::default()
                });
                Node::File(disk.files.len() - 1)
            });
            disk.durable.insert(path, node);
        }
        disk.present = disk.durable.clone();
        disk
    }

    pub(crate) fn apply(&mut self, operation: &Operation) {
        self.at += 1;
        match operation {
            Operation::Open {
                handle,
                path,
                created,
                truncated,
            } => self.open(*handle, path, *created, *truncated),
            Operation::Write {
                handle,
                offset,
                data,
            } => {
                let (offset, data) = (*offset, data.clone());
                self.change_file(*handle, Data::Write { offset, data });
            }
            Operation::Resize { handle, length } => {
                self.change_file(*handle, Data::Resize { length: *length });
            }
            Operation::Allocate { handle, end } => {
                self.change_file(*handle, Data::Allocate { end: *end });
            }
            Operation::Rename { from, to } => {
                let renamed = Rearrangement::RenameTo(to.clone());
                self.rearrange(from, parent(to), renamed);
                self.folder_moved(from, to);
            }
            Operation::Remove { path } | Operation::RemoveFolder { path } => {
                self.rearrange(path, parent(path), Rearrangement::Remove);
            }
            Operation::CreateFolder { path } => {
                self.rearrange(path, parent(path), Rearrangement::Create(Node::Folder));
            }
            Operation::SyncStarted { sync, handle } => {
                self.syncs.insert(*sync, (*handle, self.at));
            }
            Operation::SyncFinished { sync } => {
                let (handle, at) = self.syncs.remove(sync).unwrap();
                self.synced(handle, at);
            }
            Operation::SyncFailed { sync } => {
                let (handle, at) = self.syncs.remove(sync).unwrap();
                if let Handle::File(file) = self.handles[&handle] {
                    self.files[file].sync_failed(at);
                }
            }
            Operation::Mark { .. } => {}
            Operation::Unsupported { call } => panic!("the recorder cannot record {call}"),
        }
    }

    fn open(&mut self, handle: u64, path: &str, created: bool, truncated: bool) {
        if created {
            self.files.push(File::default());
            let node = Node::File(self.files.len() - 1);
            self.rearrange(path, parent(path), Rearrangement::Create(node));
        }
        let opened = match self.present.get(path) {
            Some(Node::File(file)) => Handle::File(*file),
            Some(Node::Folder) => Handle::Folder(path.to_owned()),
            None if path.is_empty() => Handle::Folder(String::new()),
            None => panic!("{path} was opened, but nobody created it"),
        };
        self.handles.insert(handle, opened);
        if truncated {
            self.change_file(handle, Data::Resize { length: 0 });
        }
    }

    fn change_file(&mut self, handle: u64, data: Data) {
        let Some(Handle::File(file)) = self.handles.get(&handle) else {
            panic!("a folder was written to");
        };
        self.files[*file].pending.push((self.at, data));
    }

    fn rearrange(&mut self, path: &str, folder: &str, rearrangement: Rearrangement) {
        let change = Change {
            path: path.to_owned(),
            rearrangement,
            folder: folder.to_owned(),
            at: self.at,
            durable: false,
        };
        change.apply(&mut self.present);
        self.changes.push(change);
    }

    /// Who has a folder open that was renamed, syncs it under its new name.
    fn folder_moved(&mut self, from: &str, to: &str) {
        let opened = self.handles.values_mut().filter_map(|handle| match handle {
            Handle::Folder(folder) => Some(folder),
            Handle::File(_) => None,
        });
        let changed = self.changes.iter_mut().map(|change| &mut change.folder);
        for folder in opened.chain(changed) {
            if let Some(rest) = behind(folder, from) {
                *folder = format!("{to}{rest}");
            }
        }
    }

    fn synced(&mut self, handle: u64, at: u64) {
        match &self.handles[&handle] {
            Handle::File(file) => self.files[*file].synced(at),
            Handle::Folder(folder) => {
                for change in &mut self.changes {
                    change.durable |= change.at <= at && change.folder == *folder;
                }
                // Those behind which nothing is open any more.
                let settled = self
                    .changes
                    .iter()
                    .take_while(|change| change.durable)
                    .count();
                for change in self.changes.drain(..settled) {
                    change.apply(&mut self.durable);
                }
            }
        }
    }

    /// What a power cut at this moment may leave.
    pub(crate) fn image(&self, cut: Cut, random: &mut Random) -> Image {
        let mut nodes = self.durable.clone();
        let up_to = random.below(self.changes.len() as u64 + 1);
        let mut not_renamed: Vec<&str> = Vec::new();
        for (index, change) in (0..).zip(&self.changes) {
            let happened = match cut {
                Cut::Nothing | Cut::OnlyData => false,
                Cut::Everything | Cut::NoData => true,
                Cut::Torn => index < up_to,
                Cut::Shuffled => random.one_in(2),
            };
            let possible = !not_renamed
                .iter()
                .any(|folder| behind(&change.path, folder).is_some());
            if possible && (happened || change.durable) {
                change.apply(&mut nodes);
            } else if let Rearrangement::RenameTo(to) = &change.rearrangement
                && nodes.get(&change.path) == Some(&Node::Folder)
            {
                not_renamed.extend([&change.path, to].map(String::as_str));
            }
        }
        let mut image = Image::new();
        for (path, node) in &nodes {
            if !has_folder(&nodes, path) {
                continue;
            }
            let content = match node {
                Node::Folder => None,
                Node::File(file) => Some(self.files[*file].content(cut, random)),
            };
            image.insert(path.clone(), content);
        }
        image
    }
}

impl Change {
    fn apply(&self, nodes: &mut BTreeMap<String, Node>) {
        match &self.rearrangement {
            Rearrangement::Create(node) => {
                nodes.insert(self.path.clone(), *node);
            }
            Rearrangement::Remove => {
                nodes.remove(&self.path);
            }
            Rearrangement::RenameTo(to) => {
                let moved: Vec<String> = nodes
                    .keys()
                    .filter(|path| behind(path, &self.path).is_some())
                    .cloned()
                    .collect();
                for path in moved {
                    let rest = behind(&path, &self.path).unwrap_or_default();
                    if let Some(node) = nodes.remove(&path) {
                        nodes.insert(format!("{to}{rest}"), node);
                    }
                }
            }
        }
    }
}

impl Data {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => {
                let start = size(*offset);
                let end = start + data.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[start..end].copy_from_slice(data);
            }
            Self::Resize { length } => content.resize(size(*length), 0),
            Self::Allocate { end } if content.len() < size(*end) => content.resize(size(*end), 0),
            Self::Allocate { .. } => {}
        }
    }

    /// How long the file is after this, when it was `length` long.
    fn length_after(&self, length: u64) -> u64 {
        match self {
            Self::Write { offset, data } => length.max(offset + data.len() as u64),
            Self::Resize { length } => *length,
            Self::Allocate { end } => length.max(*end),
        }
    }

    /// The pages in which it writes.
    fn pages(&self) -> std::ops::Range<u64> {
        match self {
            Self::Write { offset, data } if !data.is_empty() => {
                offset / PAGE..(offset + data.len() as u64).div_ceil(PAGE)
            }
            _ => 0..0,
        }
    }

    /// The sectors that have other bytes after this.
    fn sectors(&self) -> std::ops::Range<u64> {
        match self {
            Self::Write { offset, data } if !data.is_empty() => {
                offset / SECTOR..(offset + data.len() as u64).div_ceil(SECTOR)
            }
            _ => 0..0,
        }
    }
}

impl File {
    fn synced(&mut self, at: u64) {
        let synced = self.pending.partition_point(|(place, _)| *place <= at);
        let rest = self.pending.split_off(synced);
        let synced = std::mem::replace(&mut self.pending, rest);
        let mut kept = Vec::new();
        for (index, (place, data)) in synced.iter().enumerate() {
            let (Data::Write { offset, data }, true) = (data, *place <= self.forgotten) else {
                data.apply(&mut self.durable);
                continue;
            };
            let written_later: BTreeSet<u64> = synced[index..]
                .iter()
                .filter(|(place, _)| *place > self.forgotten)
                .flat_map(|(_, data)| data.pages())
                .collect();
            for (page, piece) in in_pages(*offset, data) {
                if written_later.contains(&page) {
                    piece.apply(&mut self.durable);
                } else {
                    kept.push((*place, piece));
                }
            }
        }
        self.pending.splice(0..0, kept);
    }

    fn sync_failed(&mut self, at: u64) {
        self.forgotten = at;
    }

    fn content(&self, cut: Cut, random: &mut Random) -> Vec<u8> {
        let mut content = self.durable.clone();
        if self.pending.is_empty() {
            return content;
        }
        match cut {
            Cut::Nothing | Cut::NoData => content,
            Cut::Everything | Cut::OnlyData => {
                for (_, data) in &self.pending {
                    data.apply(&mut content);
                }
                content
            }
            Cut::Torn | Cut::Shuffled => match random.below(8) {
                0 => content,
                1 => self.content(Cut::Everything, random),
                2 => {
                    // All of it, up to some point.
                    for (_, data) in &self.pending[..random.index(self.pending.len())] {
                        data.apply(&mut content);
                    }
                    content
                }
                _ => self.torn(content, random),
            },
        }
    }

    /// Each sector as it was at some time since the last sync.
    fn torn(&self, mut content: Vec<u8>, random: &mut Random) -> Vec<u8> {
        let mut lengths = vec![content.len() as u64];
        for (_, data) in &self.pending {
            lengths.push(data.length_after(lengths[lengths.len() - 1]));
        }
        // A cut happens as a whole. `lengths[index]` is the length before the change `index`.
        let cuts: Vec<usize> = (0..self.pending.len())
            .filter(|index| lengths[index + 1] < lengths[*index])
            .collect();
        let cuts_done = random.index(cuts.len() + 1);
        let end = cuts.get(cuts_done).copied().unwrap_or(self.pending.len());
        let start = cuts_done.checked_sub(1).map_or(0, |last| cuts[last] + 1);
        let length = lengths[start + random.index(end - start + 1)];

        let mut changes: HashMap<u64, u64> = HashMap::new();
        for (_, data) in &self.pending[..end] {
            for sector in data.sectors() {
                *changes.entry(sector).or_default() += 1;
            }
        }
        let mut left: BTreeMap<u64, u64> = changes.into_iter().collect();
        // Whether most sectors arrived, or most did not, or it is even.
        let bias = random.below(3);
        for count in left.values_mut() {
            *count = match random.below(4) {
                0 => random.below(*count + 1),
                1 if bias == 2 => 0,
                2 if bias == 2 => *count,
                _ if bias == 0 => 0,
                _ if bias == 1 => *count,
                _ => random.below(*count + 1),
            };
        }
        let mut current = content.clone();
        for (index, (_, data)) in self.pending[..end].iter().enumerate() {
            data.apply(&mut current);
            if index < start && lengths[index + 1] < lengths[index] {
                content.truncate(size(lengths[index + 1]));
            }
            for sector in data.sectors() {
                let left = left.get_mut(&sector).unwrap();
                if *left == 0 {
                    continue;
                }
                *left -= 1;
                let from = size(sector * SECTOR);
                let to = (from + size(SECTOR)).min(current.len());
                if content.len() < to {
                    content.resize(to, 0);
                }
                content[from..to].copy_from_slice(&current[from..to]);
            }
        }
        content.resize(size(length), 0);
        content
    }
}

/// A write, page by page.
fn in_pages(offset: u64, data: &[u8]) -> Vec<(u64, Data)> {
    let mut pieces = Vec::new();
    let (mut offset, mut rest) = (offset, data);
    while !rest.is_empty() {
        let length = size(PAGE - offset % PAGE).min(rest.len());
        let (piece, after) = rest.split_at(length);
        let data = piece.to_vec();
        pieces.push((offset / PAGE, Data::Write { offset, data }));
        offset += length as u64;
        rest = after;
    }
    pieces
}

fn size(length: u64) -> usize {
    usize::try_from(length).unwrap()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// What of a path comes behind that of a folder, or of itself.
fn behind<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether all folders on the way to a path are there.
fn has_folder(nodes: &BTreeMap<String, Node>, path: &str) -> bool {
    let parent = parent(path);
    parent.is_empty() || (nodes.contains_key(parent) && has_folder(nodes, parent))
}

/// Write an image into an empty folder. Long stretches of zeros become holes.
pub(crate) fn write_image(image: &Image, folder: &Path) {
    for (path, content) in image {
        let path = folder.join(path);
        let Some(content) = content else {
            fs::create_dir(path).unwrap();
            continue;
        };
        let file = fs::File::create(path).unwrap();
        file.set_len(content.len() as u64).unwrap();
        for (index, page) in (0..).zip(content.chunks(4096)) {
            if page.iter().any(|byte| *byte != 0) {
                file.write_all_at(page, index * 4096).unwrap();
            }
        }
    }
}

/// What is in a folder.
pub(crate) fn read_image(folder: &Path) -> Image {
    let mut image = Image::new();
    read_folder(folder, "", &mut image);
    image
}

fn read_folder(folder: &Path, inside: &str, image: &mut Image) {
    for entry in fs::read_dir(folder.join(inside)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{inside}{name}");
        if entry.file_type().unwrap().is_dir() {
            read_folder(folder, &format!("{path}/"), image);
            image.insert(path, None);
        } else {
            image.insert(path, Some(fs::read(entry.path()).unwrap()));
        }
    }
}
