//! What is compared with what, and what is aimed at.

/// What a figure is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Against {
    /// Somebody else's figure of the same row with as many.
    Who(&'static str),
    /// Its own figure with this many.
    ItselfAt(u64),
    /// What was measured elsewhere, in the unit of the figure; not in this run.
    Constant(&'static str, f64),
    /// Nothing; the figure is what counts.
    Nothing,
}

/// What is aimed at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Aim {
    /// A ratio of at most this.
    Ratio(f64),
    /// A ratio of at least this.
    RatioAtLeast(f64),
    /// A value of at most this, in the unit of the figure.
    Value(f64),
    /// None; for orientation.
    Nothing,
}

/// One line of the table, or several with different numbers of registrations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub(crate) what: &'static str,
    pub(crate) row: &'static str,
    pub(crate) who: &'static str,
    pub(crate) metric: &'static str,
    /// With how many; every number that was measured when there is none here.
    pub(crate) at: &'static [u64],
    pub(crate) against: Against,
    pub(crate) aim: Aim,
}

const ALL: &[u64] = &[];

const MILLISECOND: f64 = 1_000_000.0;
const MEBIBYTE: f64 = 1_048_576.0;

const fn line(
    what: &'static str,
    (row, who, metric): (&'static str, &'static str, &'static str),
    at: &'static [u64],
    against: Against,
    aim: Aim,
) -> Comparison {
    Comparison {
        what,
        row,
        who,
        metric,
        at,
        against,
        aim,
    }
}

use Against::{Constant, ItselfAt, Nothing, Who};

const LIMIT: Against = Who("append + fdatasync");
const COMMIT: &str = "durable commit";
const REGISTER: &str = "durable register";
const MANAGER: &str = "sync manager";

/// The table, in its order.
pub(crate) const COMPARISONS: &[Comparison] = &[
    line(
        "durable commit in the store, p50; in flight:",
        (COMMIT, "storage", "p50"),
        &[1],
        LIMIT,
        Aim::Ratio(1.3),
    ),
    line(
        "durable commit in the store, p99; in flight:",
        (COMMIT, "storage", "p99"),
        &[1],
        LIMIT,
        Aim::Ratio(1.3),
    ),
    line(
        "durable commits in the store; in flight:",
        (COMMIT, "storage", "rate"),
        &[128],
        LIMIT,
        Aim::RatioAtLeast(0.5),
    ),
    line(
        "durable `register()`, p50; in flight:",
        (REGISTER, MANAGER, "p50"),
        &[1],
        LIMIT,
        Aim::Ratio(1.3),
    ),
    line(
        "durable `register()`, p99; in flight:",
        (REGISTER, MANAGER, "p99"),
        &[1],
        LIMIT,
        Aim::Ratio(1.3),
    ),
    line(
        "durable `register()`s; in flight:",
        (REGISTER, MANAGER, "rate"),
        &[128],
        LIMIT,
        Aim::RatioAtLeast(0.5),
    ),
    line(
        "`register()` without a disk, message to message; in flight:",
        ("register in memory", MANAGER, "p50"),
        &[1],
        Who("bare channel round trip"),
        Aim::Ratio(3.0),
    ),
    line(
        "`register()` without disk and threads; at a time:",
        ("register, the state machine alone", MANAGER, "median"),
        &[1],
        Nothing,
        Aim::Nothing,
    ),
    line(
        "scope match, one registration an origin; registrations:",
        ("scope match, many origins", "scope map", "median"),
        ALL,
        ItselfAt(1),
        Aim::Ratio(3.0),
    ),
    line(
        "scope match, all in one origin; registrations:",
        ("scope match, one origin", "scope map", "median"),
        ALL,
        ItselfAt(1),
        Aim::Ratio(3.0),
    ),
    line(
        "`getRegistration()`, one registration an origin; registrations:",
        ("getRegistration, many origins", "sw_registration", "median"),
        ALL,
        ItselfAt(1),
        Aim::Nothing,
    ),
    line(
        "`getRegistration()`, all in one origin; registrations:",
        ("getRegistration, one origin", "sw_registration", "median"),
        ALL,
        ItselfAt(1),
        Aim::Nothing,
    ),
    line(
        "`getTags()`; tags:",
        ("getTags", MANAGER, "median"),
        ALL,
        Who("memcpy"),
        Aim::Ratio(20.0),
    ),
    line(
        "come online, until the first event; pending:",
        ("come online", MANAGER, "first"),
        &[1, 1_000, 100_000],
        ItselfAt(1),
        Aim::Nothing,
    ),
    line(
        "come online, until the last event; pending:",
        ("come online", MANAGER, "last"),
        &[1, 1_000, 100_000],
        Who("channel sends"),
        Aim::Ratio(5.0),
    ),
    line(
        "one completion; registrations:",
        ("one completion among many", MANAGER, "median"),
        ALL,
        ItselfAt(1),
        Aim::Ratio(4.0),
    ),
    line(
        "start of an engine until the first event; due tags:",
        ("start", "engine", "first"),
        ALL,
        Constant("shipping browser, measured elsewhere", 720.0 * MILLISECOND),
        Aim::Value(20.0 * MILLISECOND),
    ),
    line(
        "workers that do not run get their events, until the last handler; scopes:",
        ("many workers", "engine", "last"),
        ALL,
        Constant(
            "shipping browser, measured elsewhere",
            8_000.0 * MILLISECOND,
        ),
        Aim::Value(1_000.0 * MILLISECOND),
    ),
    line(
        "the same, memory of the process (PSS); scopes:",
        ("many workers", "engine", "memory"),
        ALL,
        Constant(
            "shipping browser, measured elsewhere",
            2.8 * 1_024.0 * MEBIBYTE,
        ),
        Aim::Value(100.0 * MEBIBYTE),
    ),
    line(
        "memory of a process with a page and its worker (PSS); pages:",
        ("page and worker", "engine", "memory"),
        ALL,
        Constant("shipping browser, measured elsewhere", 380.0 * MEBIBYTE),
        Aim::Value(20.0 * MEBIBYTE),
    ),
    line(
        "open a profile; registrations:",
        ("open a profile", MANAGER, "median"),
        ALL,
        Who("reading the files"),
        Aim::Ratio(10.0),
    ),
    line(
        "memory for each registration of an open profile; registrations:",
        ("open a profile", MANAGER, "memory per registration"),
        ALL,
        Nothing,
        Aim::Value(400.0),
    ),
    line(
        "event to first line of its handler, worker runs; workers:",
        ("dispatch to handler, running", "engine", "p50"),
        ALL,
        Who("creating a context"),
        Aim::Value(0.1 * MILLISECOND),
    ),
    line(
        "event to first line of its handler, worker stopped; workers:",
        ("dispatch to handler, stopped", "engine", "p50"),
        ALL,
        Who("creating a context"),
        Aim::Value(2.0 * MILLISECOND),
    ),
    line(
        "link up to first line of the `sync` handler, worker runs; workers:",
        ("link to handler, running", "engine", "p50"),
        ALL,
        Constant(
            "shipping browser, measured elsewhere",
            1_510.0 * MILLISECOND,
        ),
        Aim::Value(15.0 * MILLISECOND),
    ),
    line(
        "link up to first line of the `sync` handler, worker stopped; workers:",
        ("link to handler, stopped", "engine", "p50"),
        ALL,
        Constant(
            "shipping browser, measured elsewhere",
            1_523.0 * MILLISECOND,
        ),
        Aim::Value(20.0 * MILLISECOND),
    ),
    line(
        "link up until the server is known to answer; workers:",
        ("link to probe, running", "engine", "p50"),
        ALL,
        Nothing,
        Aim::Nothing,
    ),
    line(
        "idle engine, wake-ups a minute; engines:",
        ("idle", "engine", "wake-ups per minute"),
        ALL,
        Nothing,
        Aim::Value(0.0),
    ),
    line(
        "idle engine, processor time a minute; engines:",
        ("idle", "engine", "processor time per minute"),
        ALL,
        Nothing,
        Aim::Value(0.0),
    ),
    line(
        "wake-ups until all have fired; registrations in back-off:",
        ("waiting in back-off", MANAGER, "wake-ups"),
        ALL,
        Who("due times"),
        Aim::Ratio(1.0),
    ),
    line(
        "bytes written by a change, one at a time:",
        (
            "bytes written by one commit at a time",
            "storage",
            "written per change",
        ),
        ALL,
        LIMIT,
        Aim::Nothing,
    ),
    line(
        "bytes written by a change, 128 in flight; registered and completed:",
        ("reclaiming", "storage", "written per change"),
        ALL,
        Who("the record"),
        Aim::Nothing,
    ),
    line(
        "size of the profile; the same tags registered and completed:",
        ("reclaiming", "storage", "size"),
        ALL,
        ItselfAt(10_000),
        Aim::Nothing,
    ),
];
