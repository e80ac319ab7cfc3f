//! Files that are not what they were.
//!
//! `CRASH_SEED` and `CRASH_FLIPS` set the seed, and how many bytes of each file are flipped.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use storage::{Batch, Direction, KeyRange, OpenError, OpenReport, Store, StoreConfig, Tree};

use crate::child::folder_in_memory;
use crate::disk::{Image, read_image, write_image};
use crate::patience::each;
use crate::random::{Random, setting};
use crate::workload::TREES;

/// Something of the user's that happens to lie in the folder.
const NOT_OURS: &str = "notes.txt";

type Contents = BTreeMap<(Tree, Vec<u8>), Vec<u8>>;

/// A profile with a thousand registrations of some origins, and what is in it.
struct Sample {
    /// As an orderly end leaves it.
    closed: Image,
    /// As a kill leaves it.
    killed: Image,
    /// What an orderly end left some time before.
    older: Image,
    contents: Contents,
}

impl Sample {
    fn new() -> Self {
        let folder = folder_in_memory();
        let profile = folder.path().join("profile");
        let mut contents = Contents::new();
        let mut random = Random::new(1);
        let mut write = |store: &Store, numbers: std::ops::Range<u64>| {
            for number in numbers {
                let mut batch = Batch::new();
                let mut put = |tree: Tree, key: String, value: Vec<u8>| {
                    batch.put(tree, key.as_bytes(), 1, value.clone());
                    contents.insert((tree, key.into_bytes()), value);
                };
                let key = format!("https://origin{}.test tag {number}", number % 7);
                put(Tree::SyncRegistrations, key, random.bytes(120));
                if number.is_multiple_of(50) {
                    let key = format!("script {number}");
                    put(Tree::Scripts, key, random.bytes(9000));
                }
                put(Tree::Meta, "last".to_owned(), number.to_le_bytes().to_vec());
                store.commit(batch).unwrap();
            }
        };
        let open = || Store::open(StoreConfig::folder(&profile)).unwrap().0;
        let store = open();
        write(&store, 0..500);
        store.close();
        fs::write(profile.join(NOT_OURS), "mine").unwrap();
        let older = read_image(folder.path());
        let store = open();
        write(&store, 500..1000);
        let killed = read_image(folder.path());
        store.close();
        let closed = read_image(folder.path());
        Self {
            closed,
            killed,
            older,
            contents,
        }
    }

    /// The files of the profile that are ours.
    fn files(image: &Image) -> Vec<String> {
        image
            .iter()
            .filter(|(path, content)| content.is_some() && !path.ends_with(NOT_OURS))
            .map(|(path, _)| path.clone())
            .collect()
    }
}

/// A profile with something wrong in it.
#[derive(Clone)]
struct Damaged {
    what: String,
    image: Image,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
struct Outcome {
    opened: bool,
    /// Records that are gone.
    lost: usize,
    /// Whether the store says that something is gone.
    reported: bool,
}

/// Open a damaged profile and see what is left. It must not be opened with anything wrong in it, and
/// what is in it must be the same each time.
fn open(damaged: &Damaged, contents: &Contents) -> Result<Outcome, String> {
    let folder = folder_in_memory();
    write_image(&damaged.image, folder.path());
    let profile = folder.path().join("profile");
    let outcome = match Store::open(StoreConfig::folder(&profile)) {
        Ok((store, report)) => {
            let mut outcome = look_at(&store, &report, contents)?;
            outcome.opened = true;
            store.close();
            if outcome.lost == 0 || outcome.reported {
                look_again(&profile, contents, outcome.lost)?;
            }
            outcome
        }
        Err(error) => {
            check_refusal(&error, &profile)?;
            let now = read_image(folder.path());
            for (path, content) in &damaged.image {
                if now.get(path) != Some(content) {
                    return Err(format!("it was refused ({error}), but {path} was changed"));
                }
            }
            Outcome {
                reported: true,
                lost: contents.len(),
                ..Outcome::default()
            }
        }
    };
    let not_ours = fs::read(profile.join(NOT_OURS)).ok();
    if not_ours.as_ref()
        != damaged
            .image
            .get(&format!("profile/{NOT_OURS}"))
            .and_then(Option::as_ref)
    {
        return Err("a file that is not the store's was touched".to_owned());
    }
    Ok(outcome)
}

/// The error must say where and what to do.
fn check_refusal(error: &OpenError, profile: &Path) -> Result<(), String> {
    let text = error.to_string();
    let advice = ["restore", "choose an", "try again", "check its"];
    if !text.contains(&*profile.to_string_lossy()) || !advice.iter().any(|it| text.contains(it)) {
        return Err(format!(
            "the error does not say where or what to do: {text}"
        ));
    }
    Ok(())
}

fn look_at(store: &Store, report: &OpenReport, contents: &Contents) -> Result<Outcome, String> {
    let mut found = Contents::new();
    let mut read_errors = 0;
    for tree in TREES {
        for entry in store.scan(tree, KeyRange::all(), Direction::Forward) {
            match entry {
                Ok((key, record)) => {
                    found.insert((tree, key), record.value);
                }
                Err(_) => read_errors += 1,
            }
        }
    }
    let mut lost = 0;
    for (place, value) in contents {
        match found.remove(place) {
            Some(found) if found == *value => {}
            // An older value is a loss, too.
            Some(_) if place.1 == b"last" => lost += 1,
            Some(_) => return Err(format!("{place:?} has a value that was never written")),
            None => lost += 1,
        }
    }
    if let Some(more) = found.keys().next() {
        return Err(format!("{more:?} was never written"));
    }
    // What was found wrong while reading is moved with the next batch.
    let mut batch = Batch::new();
    batch.put(Tree::Permissions, b"after", 1, b"1".to_vec());
    store
        .commit(batch)
        .map_err(|error| format!("it takes no batch: {error}"))?;
    let quarantined = store.status().quarantined + report.quarantined;
    Ok(Outcome {
        opened: true,
        lost,
        reported: read_errors > 0
            || quarantined > 0
            || report.lost_commits > 0
            || report.journal_replaced,
    })
}

/// What could be read must still be readable the next time, and what was committed must be there.
fn look_again(profile: &Path, contents: &Contents, lost: usize) -> Result<(), String> {
    let (store, report) = Store::open(StoreConfig::folder(profile))
        .map_err(|error| format!("the second time it fails: {error}"))?;
    let outcome = look_at(&store, &report, contents)?;
    if outcome.lost > lost {
        let lost = outcome.lost - lost;
        return Err(format!("the second time {lost} more records are gone"));
    }
    match store.read(Tree::Permissions, b"after") {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("what was written after the damage: {other:?}")),
    }
}

/// What happened to all of them, in a line for each kind.
#[derive(Default)]
struct Tally(BTreeMap<String, (usize, usize, usize, usize)>);

/// Check all of them, and print what became of them.
fn check_all(cases: Vec<(String, Damaged)>, contents: &Arc<Contents>) -> Vec<(String, Outcome)> {
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let failures = {
        let (outcomes, contents) = (Arc::clone(&outcomes), Arc::clone(contents));
        each(&cases, move |(kind, damaged)| {
            let outcome = open(damaged, &contents)?;
            if outcome.lost > 0 && !outcome.reported {
                return Err(format!(
                    "{} records are gone, and nobody says so",
                    outcome.lost
                ));
            }
            outcomes.lock().unwrap().push((kind.clone(), outcome));
            Ok(())
        })
    };
    let outcomes = std::mem::take(&mut *outcomes.lock().unwrap());
    let mut tally = Tally::default();
    for (kind, outcome) in &outcomes {
        let line = tally.0.entry(kind.clone()).or_default();
        line.0 += 1;
        line.1 += usize::from(!outcome.opened);
        line.2 += usize::from(outcome.opened && outcome.lost > 0);
        line.3 = line.3.max(if outcome.opened { outcome.lost } else { 0 });
    }
    let mut text = String::new();
    for (kind, (cases, refused, losing, most)) in tally.0 {
        let _ = writeln!(
            text,
            "{kind}: {cases} cases, {refused} refused, {losing} opened with a loss, at most {most} records"
        );
    }
    #[expect(
        clippy::print_stderr,
        reason = "figures for whoever works on the store"
    )]
    {
        eprint!("{text}");
    }
    let failures: Vec<String> = failures
        .iter()
        .map(|((_, damaged), what)| format!("{}: {what}", damaged.what))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} fail:\n{}",
        failures.len(),
        cases.len(),
        failures[..failures.len().min(12)].join("\n")
    );
    outcomes
}

fn change(image: &Image, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Image {
    let mut image = image.clone();
    change(image.get_mut(path).unwrap().as_mut().unwrap());
    image
}

/// What a file is, without what differs from profile to profile.
fn kind(path: &str) -> String {
    let name = path.strip_prefix("profile/").unwrap_or(path);
    if name.starts_with("snap.") {
        "snap.*"
    } else {
        name
    }
    .to_owned()
}

#[test]
fn a_flipped_byte_in_any_file_is_never_taken_for_good() {
    let seed = setting("CRASH_SEED", 3);
    let mut random = Random::new(seed);
    let flips = setting("CRASH_FLIPS", 32);
    let sample = Sample::new();
    let mut cases = Vec::new();
    for (state, image) in [("closed", &sample.closed), ("killed", &sample.killed)] {
        for path in Sample::files(image) {
            let content = image[&path].as_ref().unwrap();
            // Behind the last byte that was written nothing is.
            let used = content
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            let positions: Vec<usize> = if (used as u64) <= flips {
                (0..used).collect()
            } else {
                (0..flips).map(|_| random.index(used)).collect()
            };
            for position in positions {
                let bit = 1 << random.below(8);
                let image = change(image, &path, |content| content[position] ^= bit);
                let what = format!("{state}: {path} with byte {position} flipped by {bit:#x}");
                cases.push((format!("{state} {}", kind(&path)), Damaged { what, image }));
            }
        }
    }
    for (kind, outcome) in check_all(cases, &Arc::new(sample.contents)) {
        assert!(outcome.opened, "{kind}: one byte makes it unusable");
        // Everything is there twice, but for what the last batches before a kill wrote.
        let most = if kind == "killed journal" { 4 } else { 0 };
        assert!(outcome.lost <= most, "{kind}: {} records", outcome.lost);
    }
}

#[test]
fn a_file_that_is_cut_missing_or_garbage_is_noticed() {
    let mut random = Random::new(setting("CRASH_SEED", 4));
    let sample = Sample::new();
    let mut cases = Vec::new();
    for (state, image) in [("closed", &sample.closed), ("killed", &sample.killed)] {
        for path in Sample::files(image) {
            let length = image[&path].as_ref().unwrap().len();
            let mut add = |kind: &str, what: String, image: Image| {
                let what = format!("{state}: {path} {what}");
                cases.push((format!("{state} {kind}"), Damaged { what, image }));
            };
            let mut missing = image.clone();
            missing.remove(&path);
            add("missing", "missing".to_owned(), missing);
            let mut lengths = vec![0, 1, 12, length / 2, length.saturating_sub(1)];
            if length > 4096 {
                lengths.extend((0..8).map(|_| random.index(length)));
            }
            lengths.retain(|cut| *cut < length);
            lengths.dedup();
            for cut in lengths {
                let image = change(image, &path, |content| content.truncate(cut));
                add("cut", format!("cut to {cut} of {length} bytes"), image);
            }
            let garbage = random.bytes(length.clamp(1, 100_000));
            let image = change(image, &path, |content| *content = garbage);
            add("garbage", "full of garbage".to_owned(), image);
        }
    }
    check_all(cases, &Arc::new(sample.contents));
}

#[test]
fn an_older_copy_of_any_file_is_noticed() {
    let sample = Sample::new();
    let mut cases = Vec::new();
    for (state, image) in [("closed", &sample.closed), ("killed", &sample.killed)] {
        for path in Sample::files(&sample.older) {
            let mut image = image.clone();
            image.insert(path.clone(), sample.older[&path].clone());
            let what = format!("{state}: {path} as it once was");
            cases.push((format!("{state} older"), Damaged { what, image }));
        }
    }
    check_all(cases, &Arc::new(sample.contents));
}

#[test]
fn a_folder_full_of_something_else_is_left_alone() {
    let mut random = Random::new(setting("CRASH_SEED", 6));
    for _ in 0..20 {
        let folder = folder_in_memory();
        let mut image = Image::from([("profile".to_owned(), None)]);
        for _ in 0..=random.index(4) {
            let name = ["db", "conf", "journal", "sequence", "readme", "snap.1"][random.index(6)];
            let length = random.index(5000);
            image.insert(format!("profile/{name}"), Some(random.bytes(length)));
        }
        write_image(&image, folder.path());
        let profile = folder.path().join("profile");
        let Err(error) = Store::open(StoreConfig::folder(&profile)) else {
            panic!("{:?} was taken for a profile", image.keys());
        };
        assert_eq!(error, OpenError::NotAProfile(profile.clone()));
        check_refusal(&error, &profile).unwrap();
        assert!(read_image(folder.path()) == image, "it was changed");
    }
}

#[test]
fn a_profile_of_a_newer_version_is_refused_and_left_as_it_is() {
    let folder = folder_in_memory();
    let profile = folder.path().join("profile");
    Store::open(StoreConfig::folder(&profile))
        .unwrap()
        .0
        .close();
    let body = "Background Synchronization profile\nformat 999\n";
    let marker = format!("{body}check {:08x}\n", crc32fast::hash(body.as_bytes()));
    fs::write(profile.join("profile"), marker).unwrap();
    let before = read_image(folder.path());
    let error = Store::open(StoreConfig::folder(&profile))
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(error, OpenError::NewerFormat { found: 999, .. }),
        "{error}"
    );
    check_refusal(&error, &profile).unwrap();
    assert!(read_image(folder.path()) == before, "it was changed");
}
