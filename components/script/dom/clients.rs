//! <https://w3c.github.io/ServiceWorker/#clients-interface>

use base::ids::ClientId;
use sw_traits::{ClientTypeFilter, SwRequest};

use crate::bindings::generated::{ClientQueryOptions, ClientType, ClientsMethods};
use crate::bindings::{Dom, DomString, Error, Fallible, Promise, Realm, Reflector, UsvString};
use crate::environment::Environment;
use crate::service_worker::client::ServiceWorkerClient;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#clients-interface>
    pub struct Clients {
        pub(crate) reflector: Reflector,
    }
}

impl Clients {
    /// The clients of a service worker's global object.
    pub(crate) fn create(realm: &Realm) -> Fallible<Dom<Self>> {
        let reflector = Reflector::default();
        Dom::new(realm, Self { reflector })
    }
}

impl ClientsMethods for Clients {
    /// <https://w3c.github.io/ServiceWorker/#clients-get>
    fn get(&self, realm: &Realm, id: DomString) -> Fallible<Promise> {
        let id = id.to_string().parse().ok().map(ClientId);
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::GetClient { id })
    }

    /// <https://w3c.github.io/ServiceWorker/#clients-matchall>
    fn match_all(&self, realm: &Realm, options: ClientQueryOptions) -> Fallible<Promise> {
        let request = SwRequest::MatchAllClients {
            include_uncontrolled: options.include_uncontrolled,
            client_type: match options.type_ {
                ClientType::Window => ClientTypeFilter::Window,
                ClientType::Worker => ClientTypeFilter::Worker,
                ClientType::Sharedworker => ClientTypeFilter::SharedWorker,
                ClientType::All => ClientTypeFilter::All,
            },
        };
        ServiceWorkerClient::of(realm)?.request(realm, request)
    }

    /// <https://w3c.github.io/ServiceWorker/#clients-openwindow>
    fn open_window(&self, realm: &Realm, url: UsvString) -> Fallible<Promise> {
        // Step 1 to 3
        let url = Environment::of(realm)?.parse_url(&url)?;
        if url.as_str() == "about:blank" {
            return Err(Error::Type("about:blank cannot be opened.".to_owned()));
        }
        // Step 4 is up to the host of the windows.
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::OpenWindow { url })
    }

    /// <https://w3c.github.io/ServiceWorker/#clients-claim>
    fn claim(&self, realm: &Realm) -> Fallible<Promise> {
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::ClaimClients)
    }
}
