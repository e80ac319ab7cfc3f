use base::channel::Callback;
use base::exception::DomException;
use net::{
    CacheMode, CredentialsMode, Destination, NetHandle, RedirectMode, Request, RequestMode,
    RequestOrigin, Response,
};
use sw_traits::{LoadedScript, ScriptLoader, ScriptRequest, ScriptResource, WorkerType};
use url::Url;

/// Loads the scripts of service workers over HTTP.
pub(crate) struct NetScriptLoader {
    net: NetHandle,
}

impl NetScriptLoader {
    pub(crate) fn new(net: NetHandle) -> Self {
        Self { net }
    }
}

impl ScriptLoader for NetScriptLoader {
    fn load(&mut self, request: ScriptRequest, done: Callback<Result<LoadedScript, DomException>>) {
        let url = request.url.clone();
        self.net.fetch(
            http_request(request),
            Callback::new(move |result: net::FetchResult| {
                done.call(match result {
                    Ok(response) => Ok(loaded_script(&url, &response)),
                    Err(error) => Err(error.exception()),
                });
            }),
        );
    }
}

/// <https://w3c.github.io/ServiceWorker/#update-algorithm>, its steps that set up the request.
fn http_request(request: ScriptRequest) -> Request {
    let mode = match (request.is_top_level, request.worker_type) {
        (true, _) => RequestMode::SameOrigin,
        (false, WorkerType::Module) => RequestMode::Cors,
        (false, WorkerType::Classic) => RequestMode::NoCors,
    };
    let top_level = request.is_top_level;
    let is_module = request.worker_type == WorkerType::Module;
    Request {
        credentials: if is_module {
            CredentialsMode::Omit
        } else {
            CredentialsMode::SameOrigin
        },
        headers: if top_level {
            vec![("Service-Worker".to_owned(), b"script".to_vec())]
        } else {
            Vec::new()
        },
        mode,
        // A redirect is an error, which is not the loader's to report.
        redirect: if top_level {
            RedirectMode::Manual
        } else {
            RedirectMode::Follow
        },
        cache: if request.bypass_cache {
            CacheMode::NoCache
        } else {
            CacheMode::Default
        },
        origin: RequestOrigin::Tuple(request.storage_key),
        destination: if top_level || is_module {
            Destination::ServiceWorker
        } else {
            Destination::Script
        },
        referrer: request.referrer,
        ..Request::new(request.url)
    }
}

fn loaded_script(url: &Url, response: &Response) -> LoadedScript {
    // A script of another origin may be run though it may not be read.
    let response = response.unfiltered();
    LoadedScript {
        resource: ScriptResource {
            url: url.clone(),
            response_url: response.url.clone().unwrap_or_else(|| url.clone()),
            body: response.body.as_slice().into(),
            headers: response.headers_without_cookies(),
        },
        status: response.status,
        from_cache: response.from_cache,
    }
}
