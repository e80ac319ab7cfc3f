use std::fmt;
use std::sync::Arc;

use base::channel::{Callback, Sender};
use base::ids::IdSource;
use network_traits::NetworkState;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{FetchError, FetchErrorKind};
use crate::request::Request;
use crate::response::FetchResult;

/// One fetch.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct FetchId(pub u64);

impl fmt::Display for FetchId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What the component is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum NetMessage {
    /// Start a fetch.
    Fetch {
        /// The name under which it can be cancelled.
        id: FetchId,
        /// What to fetch.
        request: Box<Request>,
        /// Called exactly once.
        done: Callback<FetchResult>,
    },
    /// Stop a fetch; it ends with [`FetchErrorKind::Aborted`], unless it has ended already.
    Cancel {
        /// The fetch to stop.
        id: FetchId,
    },
    /// Say which cookies a script of a document sees.
    Cookies {
        /// The document's URL.
        url: Url,
        /// Whether the document is in a page of its own site.
        is_same_site: bool,
        /// Called exactly once.
        done: Callback<String>,
    },
    /// A script of a document sets a cookie.
    SetCookie {
        /// The document's URL.
        url: Url,
        /// Whether the document is in a page of its own site.
        is_same_site: bool,
        /// The cookie, as in a `Set-Cookie` header.
        cookie: String,
    },
    /// From the network monitor: the network has changed.
    NetworkChanged(Box<NetworkState>),
    /// From the component's own tasks: a fetch has ended.
    Finished {
        /// The fetch that has ended.
        id: FetchId,
        /// How it has ended.
        result: FetchResult,
    },
    /// Abort all fetches and end.
    Exit {
        /// Called when the component has ended and will call nobody any more.
        done: Callback<()>,
    },
}

/// The way to the component, for trusted code: it says itself on whose behalf it asks. Cheap to
/// clone.
#[derive(Clone)]
pub struct NetHandle {
    sender: Sender<NetMessage>,
    ids: Arc<IdSource>,
}

impl NetHandle {
    pub(crate) fn new(sender: Sender<NetMessage>) -> Self {
        Self {
            sender,
            ids: Arc::default(),
        }
    }

    /// Start a fetch. `done` is called exactly once, with the response or why there is none; if
    /// the component has shut down, at once.
    pub fn fetch(&self, request: Request, done: Callback<FetchResult>) -> FetchId {
        let id = FetchId(self.ids.next());
        let url = request.url.clone();
        let done = done.exactly_once(move || {
            let reason = "the network component has shut down";
            Err(FetchError::new(FetchErrorKind::Aborted, url, reason))
        });
        let request = Box::new(request);
        // The message of a component that is gone is dropped, and with it answered.
        let _ = self.sender.send(NetMessage::Fetch { id, request, done });
        id
    }

    /// Stop a fetch; it ends with [`FetchErrorKind::Aborted`], unless it has ended already.
    pub fn cancel(&self, id: FetchId) {
        // A component that is gone has aborted everything.
        let _ = self.sender.send(NetMessage::Cancel { id });
    }

    /// The cookies that a script of the document with this URL sees, as `document.cookie` has them.
    /// `is_same_site` says whether the document is in a page of its own site. `done` is called
    /// exactly once; when the component has shut down there are no cookies.
    ///
    /// <https://html.spec.whatwg.org/multipage/dom.html#dom-document-cookie>
    pub fn cookies(&self, url: Url, is_same_site: bool, done: Callback<String>) {
        let done = done.exactly_once(String::new);
        let _ = self.sender.send(NetMessage::Cookies {
            url,
            is_same_site,
            done,
        });
    }

    /// Set a cookie for a script of the document with this URL. Fetches that are started afterwards
    /// have it. What may not be set is ignored.
    pub fn set_cookie(&self, url: Url, is_same_site: bool, cookie: String) {
        // A component that is gone has no cookies.
        let _ = self.sender.send(NetMessage::SetCookie {
            url,
            is_same_site,
            cookie,
        });
    }

    /// Abort all fetches and shut the component down. `done` is called, exactly once, when it has
    /// ended, at once if it already has.
    pub fn exit(&self, done: Callback<()>) {
        let done = done.exactly_once(|| ());
        let _ = self.sender.send(NetMessage::Exit { done });
    }
}

impl fmt::Debug for NetHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NetHandle")
    }
}
