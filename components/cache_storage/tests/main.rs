//! Caches as a page and the next engine meet them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base::StorageKey;
use base::channel::{Callback, unbounded};
use cache_storage::{
    CacheAnswer, CacheError, CacheHandle, CacheOperation, CacheResult, CacheStorageThread,
    OriginCaches, Query, StoredRequest, StoredResponse,
};
use storage::{Direction, KeyRange, Store, StoreConfig, Tree};
use url::Url;

fn name(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn origin(text: &str) -> StorageKey {
    StorageKey::try_from(text.to_owned()).unwrap()
}

fn request(url: &str) -> StoredRequest {
    StoredRequest {
        method: "GET".to_owned(),
        url: Url::parse("https://a.test/").unwrap().join(url).unwrap(),
        headers: Vec::new(),
        mode: "cors".to_owned(),
        credentials: "same-origin".to_owned(),
        cache: "default".to_owned(),
        redirect: "follow".to_owned(),
        referrer: "about:client".to_owned(),
    }
}

fn response(body: &str) -> StoredResponse {
    StoredResponse {
        response_type: "basic".to_owned(),
        url: None,
        redirected: false,
        status: 200,
        status_text: b"OK".to_vec(),
        headers: Vec::new(),
        body: Some(body.as_bytes().to_vec()),
    }
}

fn with_header<T>(
    mut what: T,
    headers: impl Fn(&mut T) -> &mut Vec<(String, Vec<u8>)>,
    header: (&str, &str),
) -> T {
    headers(&mut what).push((header.0.to_owned(), header.1.as_bytes().to_vec()));
    what
}

fn asking(language: &str) -> StoredRequest {
    with_header(
        request("page"),
        |it| &mut it.headers,
        ("accept-language", language),
    )
}

struct World {
    store: Store,
    thread: Option<CacheStorageThread>,
}

impl World {
    fn new() -> Self {
        let (store, _) = Store::open(StoreConfig::memory()).unwrap();
        let thread = Some(CacheStorageThread::start(store.clone()).unwrap());
        Self { store, thread }
    }

    fn restart(&mut self) {
        self.thread = None;
        self.thread = Some(CacheStorageThread::start(self.store.clone()).unwrap());
    }

    fn of(&self, key: &str) -> OriginCaches {
        self.thread
            .as_ref()
            .unwrap()
            .handle()
            .of_origin(origin(key))
    }

    fn open(&self, cache: &str) -> CacheHandle {
        let caches = self.of("https://a.test");
        match answer(|done| caches.open(name(cache), done).unwrap()) {
            Ok(CacheAnswer::Opened(cache)) => cache,
            other => panic!("{other:?}"),
        }
    }

    fn names(&self, key: &str) -> Vec<String> {
        let caches = self.of(key);
        match answer(|done| caches.keys(done).unwrap()) {
            Ok(CacheAnswer::Names(names)) => names
                .iter()
                .map(|name| String::from_utf16_lossy(name))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    fn delete(&self, cache: &str) -> bool {
        let caches = self.of("https://a.test");
        found(answer(|done| caches.delete(name(cache), done).unwrap()))
    }

    fn records(&self) -> usize {
        self.store
            .keys(Tree::Caches, KeyRange::all(), Direction::Forward)
            .count()
    }
}

fn answer(ask: impl FnOnce(Callback<CacheResult>)) -> CacheResult {
    let (sender, answers) = unbounded();
    ask(Callback::to_sender(&sender, |answer| answer));
    answers.recv().unwrap()
}

fn found(answer: CacheResult) -> bool {
    match answer {
        Ok(CacheAnswer::Found(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn put(cache: &CacheHandle, entries: Vec<(StoredRequest, StoredResponse)>) -> CacheResult {
    answer(|done| cache.operate(CacheOperation::Put(entries), done).unwrap())
}

fn bodies(cache: &CacheHandle, query: Option<Query>, first: bool) -> Vec<String> {
    let operation = CacheOperation::Match { query, first };
    match answer(|done| cache.operate(operation, done).unwrap()) {
        Ok(CacheAnswer::Responses(found)) => found
            .into_iter()
            .map(|response| String::from_utf8(response.body.unwrap()).unwrap())
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn one(cache: &CacheHandle, request: StoredRequest) -> Vec<String> {
    bodies(cache, Some(Query::exactly(request)), true)
}

#[test]
fn what_is_put_is_found_after_a_restart_and_replaced_by_what_comes_later() {
    let mut world = World::new();
    let cache = world.open("mail");
    let entries = vec![
        (request("one"), response("1")),
        (request("two#x"), response("2")),
    ];
    assert!(put(&cache, entries).is_ok());
    assert!(put(&cache, vec![(request("one"), response("new"))]).is_ok());
    drop(cache);
    world.restart();
    let cache = world.open("mail");
    assert_eq!(bodies(&cache, None, false), ["2", "new"]);
    assert_eq!(one(&cache, request("one")), ["new"]);
    assert_eq!(one(&cache, request("two#y")), ["2"]);
    assert_eq!(one(&cache, request("three")), <[&str; 0]>::default());
    let keys = answer(|done| cache.operate(CacheOperation::Keys(None), done).unwrap());
    let Ok(CacheAnswer::Requests(keys)) = keys else {
        panic!("{keys:?}");
    };
    assert_eq!(keys, [request("two#x"), request("one")]);
}

#[test]
fn options_say_what_a_match_does_not_look_at() {
    let world = World::new();
    let cache = world.open("x");
    put(
        &cache,
        vec![
            (request("a?1"), response("1")),
            (request("a?2"), response("2")),
        ],
    )
    .unwrap();
    let mut query = Query::exactly(request("a?3"));
    assert!(bodies(&cache, Some(query.clone()), false).is_empty());
    query.ignore_search = true;
    assert_eq!(bodies(&cache, Some(query.clone()), false), ["1", "2"]);
    assert_eq!(bodies(&cache, Some(query.clone()), true), ["1"]);
    query.request.method = "HEAD".to_owned();
    assert!(bodies(&cache, Some(query.clone()), false).is_empty());
    query.ignore_method = true;
    assert_eq!(bodies(&cache, Some(query), false), ["1", "2"]);
}

#[test]
fn responses_that_vary_are_kept_side_by_side() {
    let world = World::new();
    let cache = world.open("x");
    let varies = |body| {
        with_header(
            response(body),
            |it| &mut it.headers,
            ("vary", "Cookie, Accept-Language"),
        )
    };
    put(
        &cache,
        vec![
            (asking("de"), varies("Hallo")),
            (asking("en"), varies("Hello")),
        ],
    )
    .unwrap();
    assert_eq!(one(&cache, asking("en")), ["Hello"]);
    assert!(one(&cache, asking("fr")).is_empty());
    let query = Query {
        ignore_vary: true,
        ..Query::exactly(asking("fr"))
    };
    assert_eq!(bodies(&cache, Some(query), false), ["Hallo", "Hello"]);
    put(&cache, vec![(asking("en"), varies("Hi"))]).unwrap();
    assert_eq!(bodies(&cache, None, false), ["Hallo", "Hi"]);
}

#[test]
fn two_of_the_same_are_refused_as_a_whole() {
    let world = World::new();
    let cache = world.open("x");
    let entries = vec![
        (request("a"), response("1")),
        (request("b"), response("2")),
        (request("a#x"), response("3")),
    ];
    assert_eq!(put(&cache, entries).unwrap_err(), CacheError::Duplicate);
    assert!(bodies(&cache, None, false).is_empty());
}

#[test]
fn entries_are_deleted_with_their_bodies() {
    let world = World::new();
    let cache = world.open("x");
    put(&cache, vec![(request("a"), response("1"))]).unwrap();
    let delete = || {
        let operation = CacheOperation::Delete(Query::exactly(request("a")));
        found(answer(|done| cache.operate(operation, done).unwrap()))
    };
    assert!(delete());
    assert!(!delete());
    assert_eq!(world.records(), 1, "the name is left");
}

#[test]
fn caches_have_the_order_in_which_they_were_made_and_each_origin_its_own() {
    let mut world = World::new();
    for cache in ["b", "a", "\u{1F600}", "b"] {
        world.open(cache);
    }
    assert_eq!(world.names("https://a.test"), ["b", "a", "\u{1F600}"]);
    assert!(world.names("https://b.test").is_empty());
    let other = world.of("https://b.test");
    assert!(!found(answer(|done| other.has(name("a"), done).unwrap())));
    world.restart();
    assert!(world.delete("b"));
    assert!(!world.delete("b"));
    world.open("b");
    assert_eq!(world.names("https://a.test"), ["a", "\u{1F600}", "b"]);
}

#[test]
fn the_first_match_of_all_caches_is_that_of_the_oldest() {
    let world = World::new();
    for (cache, body) in [("new", "1"), ("old", "2")] {
        put(&world.open(cache), vec![(request("a"), response(body))]).unwrap();
    }
    let caches = world.of("https://a.test");
    for (cache, expected) in [
        (None, Some("1")),
        (Some("old"), Some("2")),
        (Some("none"), None),
    ] {
        let query = Query::exactly(request("a"));
        let found = answer(|done| caches.find(cache.map(name), query, done).unwrap());
        let Ok(CacheAnswer::Responses(found)) = found else {
            panic!("{found:?}");
        };
        let body = found.first().map(|response| response.body.clone().unwrap());
        assert_eq!(body.as_deref(), expected.map(str::as_bytes));
    }
}

#[test]
fn a_deleted_cache_lives_as_long_as_it_is_open() {
    let mut world = World::new();
    let cache = world.open("x");
    put(&cache, vec![(request("a"), response("old"))]).unwrap();
    assert!(world.delete("x"));
    let next = world.open("x");
    assert!(bodies(&next, None, false).is_empty(), "it is another one");
    put(&cache, vec![(request("b"), response("late"))]).unwrap();
    assert_eq!(bodies(&cache, None, false), ["old", "late"]);
    drop(cache);
    assert!(bodies(&next, None, false).is_empty());
    assert_eq!(world.records(), 1, "the name of the new one");

    // The engine ends while a deleted cache is open.
    put(&next, vec![(request("a"), response("lost"))]).unwrap();
    assert!(world.delete("x"));
    world.restart();
    drop(next);
    assert_eq!(world.names("https://a.test"), <[&str; 0]>::default());
    assert_eq!(world.records(), 0);
}

#[test]
fn a_response_without_a_body_stays_one() {
    let world = World::new();
    let cache = world.open("x");
    let empty = StoredResponse {
        body: None,
        ..response("")
    };
    put(&cache, vec![(request("a"), empty.clone())]).unwrap();
    let operation = CacheOperation::Match {
        query: None,
        first: false,
    };
    let found = answer(|done| cache.operate(operation, done).unwrap());
    let Ok(CacheAnswer::Responses(found)) = found else {
        panic!("{found:?}");
    };
    assert_eq!(found, [empty]);
}

#[test]
fn everything_survives_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let (store, _) = Store::open(StoreConfig::folder(folder.path())).unwrap();
        World {
            thread: Some(CacheStorageThread::start(store.clone()).unwrap()),
            store,
        }
    };
    let world = start();
    put(&world.open("x"), vec![(request("a"), response("kept"))]).unwrap();
    let World { store, thread } = world;
    drop(thread);
    store.close();
    drop(store);
    let world = start();
    assert_eq!(one(&world.open("x"), request("a")), ["kept"]);
    let World { store, thread } = world;
    drop(thread);
    store.close();
}

#[test]
fn an_origin_is_cleared_and_others_are_not() {
    let world = World::new();
    let open = world.open("x");
    for cache in ["x", "y"] {
        put(&world.open(cache), vec![(request("a"), response(cache))]).unwrap();
    }
    let other = world.of("https://b.test");
    answer(|done| other.open(name("kept"), done).unwrap()).unwrap();
    let handle = world.thread.as_ref().unwrap().handle();
    let cleared = answer(|done| handle.clear(origin("https://a.test"), done).unwrap());
    assert!(matches!(cleared, Ok(CacheAnswer::Done)));
    assert!(world.names("https://a.test").is_empty());
    assert_eq!(world.names("https://b.test"), ["kept"]);
    assert_eq!(one(&open, request("a")), ["x"], "who has it open keeps it");
    drop(open);
    assert!(bodies(&world.open("x"), None, false).is_empty());
}
