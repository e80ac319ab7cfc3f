use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::route::RouteMessage;
use network_traits::LinkSnapshot;

use super::link_table::{LinkTable, Listing};
use super::parse;

/// Of a message's header, in bytes.
const HEADER_LENGTH: usize = 16;

/// The kernel refused to list something.
#[derive(Debug)]
pub(super) struct ListingRefused {
    listing: Listing,
    error: io::Error,
}

impl fmt::Display for ListingRefused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "listing {:?} was refused: {}",
            self.listing, self.error
        )
    }
}

/// The talk with the kernel over one socket, without the socket: what to ask, and what the answers
/// and notifications come to.
///
/// Everything is listed once at the start, the routes again whenever the table is in doubt about
/// them, and the neighbours when there is a gateway that is not known. The kernel makes one list at a
/// time for a socket.
pub(super) struct Conversation {
    port_number: u32,
    table: LinkTable,
    /// Listings still to be asked for.
    wanted: BTreeSet<Listing>,
    /// The listing that is under way, and whether it has to be repeated.
    running: Option<Running>,
    sequence_number: u32,
    /// The gateway that was last looked for among the neighbours.
    asked_for: Option<(u32, IpAddr)>,
    /// The listings of the start are through.
    complete: bool,
    last_snapshot: Option<LinkSnapshot>,
}

struct Running {
    listing: Listing,
    repeat: bool,
}

impl Conversation {
    /// A talk over the socket to which the kernel gave `port_number`.
    pub(super) fn new(port_number: u32) -> Self {
        Self {
            port_number,
            table: LinkTable::default(),
            wanted: BTreeSet::from([Listing::Links, Listing::Addresses, Listing::Routes]),
            running: None,
            sequence_number: 0,
            asked_for: None,
            complete: false,
            last_snapshot: None,
        }
    }

    /// What to send now, if anything.
    pub(super) fn poll_request(&mut self) -> Option<Vec<u8>> {
        if self.running.is_some() {
            return None;
        }
        let listing = self.wanted.pop_first()?;
        self.running = Some(Running {
            listing,
            repeat: false,
        });
        self.table.begin_listing();
        self.sequence_number += 1;
        Some(request(listing, self.sequence_number))
    }

    /// The news, if there is some and the table is complete.
    pub(super) fn poll_snapshot(&mut self) -> Option<LinkSnapshot> {
        // Most gateways are known to the kernel already, so the list brings the identity right away.
        let is_identity_on_its_way = self.wanted.contains(&Listing::Neighbours)
            || matches!(&self.running, Some(running) if running.listing == Listing::Neighbours);
        if !self.complete || is_identity_on_its_way {
            return None;
        }
        let snapshot = self.table.snapshot();
        (self.last_snapshot.replace(snapshot) != Some(snapshot)).then_some(snapshot)
    }

    /// Takes what was received: one or more messages.
    pub(super) fn handle_datagram(&mut self, mut datagram: &[u8]) -> Result<(), ListingRefused> {
        while let Some((message, rest)) = split_message(datagram) {
            match NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) {
                Ok(message) => self.handle_message(message)?,
                Err(error) => log::warn!("a netlink message cannot be read: {error}"),
            }
            datagram = rest;
        }
        if self.table.take_routes_in_doubt() {
            self.wanted.insert(Listing::Routes);
        }
        self.look_for_gateway();
        Ok(())
    }

    /// Whether notifications about neighbours are needed. There are many, since they follow what the
    /// machine sends, so they are not asked for when the gateway is known.
    pub(super) fn wants_neighbours(&self) -> bool {
        self.complete && self.table.unknown_gateway().is_some()
    }

    /// What is not in the list comes as a notification, when something is first sent.
    fn look_for_gateway(&mut self) {
        let unknown = self.table.unknown_gateway().filter(|_| self.complete);
        if unknown != self.asked_for {
            self.asked_for = unknown;
            if unknown.is_some() {
                self.wanted.insert(Listing::Neighbours);
            }
        }
    }

    fn handle_message(
        &mut self,
        message: NetlinkMessage<RouteNetlinkMessage>,
    ) -> Result<(), ListingRefused> {
        let (header, payload) = message.into_parts();
        // A notification carries the numbers of the request that made the change, which is
        // somebody else's.
        let is_answer = header.port_number == self.port_number
            && header.sequence_number == self.sequence_number;
        if is_answer
            && header.flags & NLM_F_DUMP_INTR != 0
            && let Some(running) = &mut self.running
        {
            running.repeat = true;
        }
        match payload {
            NetlinkPayload::InnerMessage(message) => self.handle_entry(&header, &message),
            NetlinkPayload::Done(done) if is_answer => return self.handle_end(done.code),
            NetlinkPayload::Error(error) if is_answer => return self.handle_end(error.raw_code()),
            _ => {}
        }
        Ok(())
    }

    fn handle_entry(&mut self, header: &NetlinkHeader, message: &RouteNetlinkMessage) {
        let Some(notification) = parse::notification(header, message) else {
            return;
        };
        if let Some(running) = &mut self.running
            && running.listing == notification.listing()
            && notification.is_removal()
        {
            // The list may have been made before the removal and still be on its way.
            running.repeat = true;
        }
        self.table.apply(notification);
    }

    /// A listing has ended; `code` is zero or the negative of an error number.
    fn handle_end(&mut self, code: i32) -> Result<(), ListingRefused> {
        let Some(Running { listing, repeat }) = self.running.take() else {
            return Ok(());
        };
        if code != 0 {
            let error = io::Error::from_raw_os_error(code.saturating_neg());
            return Err(ListingRefused { listing, error });
        }
        self.table.end_listing(listing);
        if repeat {
            self.wanted.insert(listing);
        }
        self.complete |= self.wanted.is_empty();
        Ok(())
    }
}

/// The first message of a datagram, and what follows it.
fn split_message(datagram: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_ne_bytes(*datagram.first_chunk()?);
    let length = usize::try_from(length).ok()?;
    if length < HEADER_LENGTH || length > datagram.len() {
        return None;
    }
    let (message, _) = datagram.split_at(length);
    // Messages start at multiples of four bytes.
    Some((
        message,
        datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default(),
    ))
}

fn request(listing: Listing, sequence_number: u32) -> Vec<u8> {
    let payload = match listing {
        Listing::Links => RouteNetlinkMessage::GetLink(LinkMessage::default()),
        Listing::Addresses => RouteNetlinkMessage::GetAddress(AddressMessage::default()),
        Listing::Routes => RouteNetlinkMessage::GetRoute(RouteMessage::default()),
        Listing::Neighbours => RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()),
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    header.sequence_number = sequence_number;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(payload));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::DoneMessage;
    use netlink_packet_route::AddressFamily;
    use netlink_packet_route::address::{AddressAttribute, AddressHeader};
    use netlink_packet_route::link::{LinkFlags, LinkHeader};
    use netlink_packet_route::neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourHeader, NeighbourState,
    };
    use netlink_packet_route::route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteScope, RouteType,
    };
    use network_traits::LinkState;

    use super::*;

    const PORT: u32 = 4711;

    /// A kernel that answers what the conversation asks for.
    struct Kernel {
        conversation: Conversation,
        sequence_number: u32,
    }

    impl Kernel {
        fn new() -> Self {
            Self {
                conversation: Conversation::new(PORT),
                sequence_number: 0,
            }
        }

        /// Takes the request that the conversation makes now.
        fn take_request(&mut self) -> Option<RouteNetlinkMessage> {
            let request = self.conversation.poll_request()?;
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&request).unwrap();
            self.sequence_number = message.header.sequence_number;
            let NetlinkPayload::InnerMessage(message) = message.payload else {
                panic!("a request is a message");
            };
            Some(message)
        }

        fn answer(&mut self, flags: u16, message: RouteNetlinkMessage) {
            self.deliver(PORT, flags, NetlinkPayload::from(message));
        }

        fn notify(&mut self, message: RouteNetlinkMessage) {
            self.deliver(0, 0, NetlinkPayload::from(message));
        }

        fn end(&mut self) {
            let mut done = DoneMessage::default();
            done.code = 0;
            self.deliver(PORT, 0, NetlinkPayload::Done(done));
        }

        fn deliver(&mut self, port: u32, flags: u16, payload: NetlinkPayload<RouteNetlinkMessage>) {
            let mut header = NetlinkHeader::default();
            header.port_number = port;
            header.flags = flags;
            header.sequence_number = self.sequence_number;
            let mut message = NetlinkMessage::new(header, payload);
            message.finalize();
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            self.conversation.handle_datagram(&bytes).unwrap();
        }

        /// Goes through the listings of the start, on a machine with one link that has all.
        fn started() -> Self {
            let mut kernel = Self::new();
            assert!(matches!(
                kernel.take_request(),
                Some(RouteNetlinkMessage::GetLink(_))
            ));
            kernel.answer(0, RouteNetlinkMessage::NewLink(link()));
            assert!(kernel.take_request().is_none(), "one listing at a time");
            kernel.end();
            assert!(matches!(
                kernel.take_request(),
                Some(RouteNetlinkMessage::GetAddress(_))
            ));
            kernel.answer(0, RouteNetlinkMessage::NewAddress(address()));
            kernel.end();
            assert!(matches!(
                kernel.take_request(),
                Some(RouteNetlinkMessage::GetRoute(_))
            ));
            kernel.answer(0, RouteNetlinkMessage::NewRoute(route()));
            assert_eq!(
                kernel.conversation.poll_snapshot(),
                None,
                "not before all is known"
            );
            kernel.end();
            assert!(kernel.conversation.wants_neighbours());
            assert!(matches!(
                kernel.take_request(),
                Some(RouteNetlinkMessage::GetNeighbour(_))
            ));
            assert_eq!(
                kernel.conversation.poll_snapshot(),
                None,
                "which network it is comes right away"
            );
            kernel.answer(0, RouteNetlinkMessage::NewNeighbour(gateway()));
            kernel.end();
            kernel
        }

        fn link_state(&mut self) -> Option<LinkState> {
            self.conversation
                .poll_snapshot()
                .map(|snapshot| snapshot.link)
        }
    }

    fn link() -> LinkMessage {
        let flags = LinkFlags::Up | LinkFlags::Running;
        let mut message = LinkMessage::default();
        message.header = LinkHeader {
            index: 2,
            flags,
            ..LinkHeader::default()
        };
        message
    }

    fn address() -> AddressMessage {
        let family = AddressFamily::Inet;
        let mut message = AddressMessage::default();
        message.header = AddressHeader {
            index: 2,
            family,
            prefix_len: 24,
            ..Default::default()
        };
        message.attributes = vec![AddressAttribute::Local("10.9.0.1".parse().unwrap())];
        message
    }

    fn gateway() -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header = NeighbourHeader {
            family: AddressFamily::Inet,
            ifindex: 2,
            state: NeighbourState::Reachable,
            ..NeighbourHeader::default()
        };
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::Inet("10.9.0.2".parse().unwrap())),
            NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 2]),
        ];
        message
    }

    fn route() -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: AddressFamily::Inet,
            table: RouteHeader::RT_TABLE_MAIN,
            scope: RouteScope::Universe,
            kind: RouteType::Unicast,
            ..RouteHeader::default()
        };
        message.attributes = vec![
            RouteAttribute::Gateway(RouteAddress::Inet("10.9.0.2".parse().unwrap())),
            RouteAttribute::Oif(2),
        ];
        message
    }

    #[test]
    fn the_first_news_come_when_everything_has_been_listed() {
        let mut kernel = Kernel::started();
        assert_eq!(kernel.link_state(), Some(LinkState::Routable));
        assert_eq!(kernel.link_state(), None, "and only once");
        assert!(kernel.take_request().is_none());
    }

    #[test]
    fn a_doubt_about_routes_is_settled_by_listing_them() {
        let mut kernel = Kernel::started();
        kernel.link_state();
        kernel.notify(RouteNetlinkMessage::DelAddress(address()));
        assert_eq!(kernel.link_state(), Some(LinkState::NoAddress));
        kernel.notify(RouteNetlinkMessage::NewAddress(address()));
        assert_eq!(kernel.link_state(), Some(LinkState::NoRoute));
        assert!(matches!(
            kernel.take_request(),
            Some(RouteNetlinkMessage::GetRoute(_))
        ));
        kernel.answer(0, RouteNetlinkMessage::NewRoute(route()));
        kernel.end();
        assert!(kernel.take_request().is_some(), "for the gateway");
        kernel.end();
        assert_eq!(kernel.link_state(), Some(LinkState::Routable));
        assert!(kernel.take_request().is_none());
    }

    #[test]
    fn a_gateway_that_nobody_has_talked_to_is_heard_of_when_somebody_does() {
        let mut kernel = Kernel::started();
        let identity = kernel.conversation.poll_snapshot().unwrap().identity;
        assert!(identity.is_some());
        assert!(!kernel.conversation.wants_neighbours(), "it is known");
        let mut down = link();
        down.header.flags = LinkFlags::Up;
        for message in [down, link()] {
            kernel.notify(RouteNetlinkMessage::NewLink(message));
        }
        while kernel.take_request().is_some() {
            kernel.answer(0, RouteNetlinkMessage::NewRoute(route()));
            kernel.end();
        }
        let snapshot = kernel.conversation.poll_snapshot().unwrap();
        assert_eq!(snapshot.link, LinkState::Routable);
        assert_eq!(snapshot.identity, None);
        assert!(kernel.conversation.wants_neighbours());
        let mut unanswered = gateway();
        unanswered.header.state = NeighbourState::Incomplete;
        for (message, known) in [(unanswered, None), (gateway(), identity)] {
            kernel.notify(RouteNetlinkMessage::NewNeighbour(message));
            assert!(kernel.take_request().is_none(), "it has been asked for");
            let news = kernel.conversation.poll_snapshot();
            assert_eq!(news.and_then(|news| news.identity), known);
        }
        assert!(!kernel.conversation.wants_neighbours());
        kernel.notify(RouteNetlinkMessage::DelNeighbour(gateway()));
        assert_eq!(
            kernel.conversation.poll_snapshot(),
            None,
            "it is remembered"
        );
    }

    #[test]
    fn a_listing_that_was_overtaken_by_a_change_is_repeated() {
        let mut kernel = Kernel::new();
        assert!(kernel.take_request().is_some());
        kernel.answer(NLM_F_DUMP_INTR, RouteNetlinkMessage::NewLink(link()));
        kernel.end();
        assert!(matches!(
            kernel.take_request(),
            Some(RouteNetlinkMessage::GetLink(_))
        ));
        kernel.notify(RouteNetlinkMessage::DelLink(link()));
        kernel.answer(0, RouteNetlinkMessage::NewLink(link()));
        kernel.end();
        assert!(matches!(
            kernel.take_request(),
            Some(RouteNetlinkMessage::GetLink(_))
        ));
        kernel.end();
        assert!(matches!(
            kernel.take_request(),
            Some(RouteNetlinkMessage::GetAddress(_))
        ));
        kernel.end();
        assert!(matches!(
            kernel.take_request(),
            Some(RouteNetlinkMessage::GetRoute(_))
        ));
        kernel.end();
        assert_eq!(kernel.link_state(), Some(LinkState::None));
    }

    #[test]
    fn somebody_elses_messages_end_no_listing() {
        let mut kernel = Kernel::new();
        assert!(kernel.take_request().is_some());
        kernel.deliver(PORT + 1, 0, NetlinkPayload::Done(DoneMessage::default()));
        assert!(
            kernel.take_request().is_none(),
            "the listing is still under way"
        );
        kernel.end();
        assert!(kernel.take_request().is_some());
    }

    #[test]
    fn a_refused_listing_says_which_and_why() {
        let mut kernel = Kernel::new();
        assert!(kernel.take_request().is_some());
        let error = kernel.conversation.handle_end(-1).unwrap_err().to_string();
        assert!(
            error.contains("Links") && error.contains("not permitted"),
            "{error}"
        );
    }

    #[test]
    fn garbage_is_passed_over() {
        let mut kernel = Kernel::started();
        for garbage in [&b""[..], b"x", &[0; 16], &[255; 40], &[16, 0, 0, 0, 16, 0]] {
            kernel.conversation.handle_datagram(garbage).unwrap();
        }
        let mut cut_off = request(Listing::Links, 9);
        cut_off.truncate(17);
        cut_off[0] = 17;
        kernel.conversation.handle_datagram(&cut_off).unwrap();
        assert_eq!(kernel.link_state(), Some(LinkState::Routable));
    }
}
