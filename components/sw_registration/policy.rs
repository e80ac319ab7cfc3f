use std::time::Duration;

/// The choices that the spec leaves to the user agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SwPolicy {
    /// How long a worker's script may run before it comes to its end.
    pub start_limit: Duration,
    /// How long an `install` event may take, from its dispatch.
    pub install_limit: Duration,
    /// How long an `activate` event may take, from its dispatch.
    pub activate_limit: Duration,
    /// How long a `message` event may take, from its dispatch.
    pub message_limit: Duration,
    /// How long a `fetch` event may take, from its dispatch. A request that has no answer then has
    /// failed.
    pub fetch_limit: Duration,
    /// How long a worker without events stays running.
    pub idle_limit: Duration,
    /// How many workers without events stay running; of more, the one that has been without for
    /// longest is stopped. Each takes a thread and, with a small script, about 0.4 MB.
    pub max_idle_workers: usize,
    /// How many workers of an origin may run at once; none is started beyond that.
    pub max_running_workers_per_origin: usize,
    /// How long after a page of a registration was opened its script is checked for an update; none:
    /// only when a page asks or a functional event finds it stale.
    pub update_after_navigation: Option<Duration>,
    /// How old the last update check may be before caches are bypassed and a functional event leads
    /// to a check.
    pub stale_after: Duration,
    /// How many registrations an origin may have.
    pub max_registrations_per_origin: usize,
    /// How many unfinished jobs and unanswered `ready` requests an origin may have.
    pub max_requests_per_origin: usize,
    /// How many events may wait for, or be handled by, one worker.
    pub max_events_per_worker: usize,
    /// How many bytes a scope, a script URL and the value of the navigation preload header may have.
    pub max_url_bytes: usize,
    /// How many scripts a worker may hold, and how many bytes they may have together.
    pub max_scripts_per_worker: (usize, u64),
    /// How many bytes the scripts of all workers of an origin may have together, those that are about
    /// to be replaced counted too.
    pub max_script_bytes_per_origin: u64,
}

impl Default for SwPolicy {
    /// Start 60 s; install, activate, message and fetch 3 min each; idle 30 s, and 64 workers that are
    /// idle; a page leads to an update check after 1 s; stale after 24 h; 10,000 registrations, 1,000
    /// running workers, 1,000 unfinished requests and 1 GiB of scripts per origin; URLs of 64 KiB;
    /// 1,000 events, 1,000 scripts and 64 MiB of them per worker.
    fn default() -> Self {
        let event_limit = Duration::from_secs(180);
        Self {
            start_limit: Duration::from_secs(60),
            install_limit: event_limit,
            activate_limit: event_limit,
            message_limit: event_limit,
            fetch_limit: event_limit,
            idle_limit: Duration::from_secs(30),
            max_idle_workers: 64,
            max_running_workers_per_origin: 1_000,
            update_after_navigation: Some(Duration::from_secs(1)),
            stale_after: Duration::from_secs(86_400),
            max_registrations_per_origin: 10_000,
            max_requests_per_origin: 1_000,
            max_events_per_worker: 1_000,
            max_url_bytes: 64 << 10,
            max_scripts_per_worker: (1_000, 64 << 20),
            max_script_bytes_per_origin: 1 << 30,
        }
    }
}
