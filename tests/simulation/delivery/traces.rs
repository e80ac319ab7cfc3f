//! Bad networks: what happens to links and servers in some days, made from a seed.

use std::time::Duration;

use network_traits::LinkSnapshot;

use crate::nodes::internet::{Server, offline, online};
use crate::random::Random;
use crate::sites::ScopeIndex;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many sites there are, each with an origin of its own.
pub(crate) const SITES: usize = 4;

/// What happens in the world at some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WorldEvent {
    Link(LinkSnapshot),
    /// Somebody on the way answers in place of the servers, or does not any more.
    Portal(bool),
    /// The link stays up, and nothing comes through; or something does again.
    Stalled(bool),
    Server(usize, Server),
    /// The machine sleeps until this time.
    SleepUntil(Duration),
    /// The user writes something that is to be sent.
    Write(ScopeIndex),
}

/// One kind of bad network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Train rides with a link that comes and goes.
    Commuter,
    /// A link that is up, behind which nothing comes through for some time.
    LieFi,
    /// Networks whose users have to log in first.
    CaptivePortal,
    /// A machine that sleeps at night and at times of the day, and has no network on the way.
    NightsOff,
    /// Servers that are down for minutes or hours.
    ServerOutages,
}

impl Kind {
    /// Every one that there is.
    pub const ALL: [Self; 5] = [
        Self::Commuter,
        Self::LieFi,
        Self::CaptivePortal,
        Self::NightsOff,
        Self::ServerOutages,
    ];

    /// What it is called in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Commuter => "commuter",
            Self::LieFi => "lie-fi",
            Self::CaptivePortal => "captive portal",
            Self::NightsOff => "nights off",
            Self::ServerOutages => "server outages",
        }
    }

    /// Its parameters, in words.
    pub fn description(self) -> &'static str {
        match self {
            Self::Commuter => {
                "Good networks at home and at work. From 7:30 to 8:30 and from 17:30 to 18:30 a \
                 mobile one that is up for 5 to 90 s and gone for 2 to 60 s, in turns. Two thirds \
                 of the writes are made on the way."
            }
            Self::LieFi => {
                "The link is always up. For 1 to 20 minutes nothing comes through, then for 10 to \
                 60 minutes everything does, in turns."
            }
            Self::CaptivePortal => {
                "Every 2 to 6 hours the machine joins another network, whose portal answers in \
                 place of every server until somebody logs in 1 to 30 minutes later."
            }
            Self::NightsOff => {
                "Asleep from 22:00 to 7:00, and three times a day for 10 to 60 minutes. In \
                 between there is no network for 20 to 120 minutes and one for 5 to 60, in turns."
            }
            Self::ServerOutages => {
                "The link is always up. Each server is up for 2 to 12 hours, then down for 2 \
                 minutes to 4 hours: one half of the outages refuses connections, the other \
                 answers nothing."
            }
        }
    }

    /// The events of so many days, in order. On the last day nothing is written.
    pub(crate) fn events(self, days: u32, random: &mut Random) -> Vec<(Duration, WorldEvent)> {
        let mut maker = Maker {
            events: Vec::new(),
            random: random.fork(),
        };
        match self {
            Self::Commuter => maker.commuter(days),
            Self::LieFi => maker.lie_fi(days),
            Self::CaptivePortal => maker.portals(days),
            Self::NightsOff => maker.nights(days),
            Self::ServerOutages => maker.outages(days),
        }
        maker.events.sort_by_key(|(at, _)| *at);
        maker.events
    }
}

struct Maker {
    events: Vec<(Duration, WorldEvent)>,
    random: Random,
}

impl Maker {
    fn at(&mut self, at: Duration, event: WorldEvent) {
        self.events.push((at, event));
    }

    /// So many writes between these times.
    fn write(&mut self, count: usize, from: Duration, to: Duration) {
        for _ in 0..count {
            let at = self.random.between(from, to);
            let site = self.random.below(SITES);
            self.at(at, WorldEvent::Write(site));
        }
    }

    /// Writes between 8:00 and 21:00 of each day but the last.
    fn write_by_day(&mut self, days: u32, per_day: usize) {
        for day in 0..days.saturating_sub(1) {
            let start = DAY * day;
            self.write(per_day, start + 8 * HOUR, start + 21 * HOUR);
        }
    }

    fn commuter(&mut self, days: u32) {
        for day in 0..days {
            let start = DAY * day;
            let rides = [15 * HOUR / 2, 35 * HOUR / 2];
            let networks = [3, 1];
            for (ride, network) in rides.into_iter().zip(networks) {
                let (from, to) = (start + ride, start + ride + HOUR);
                self.flaps(from, to);
                self.at(to, WorldEvent::Link(online(network)));
                if day + 1 < days {
                    self.write(13, from, to);
                }
            }
        }
        self.write_by_day(days, 14);
    }

    fn flaps(&mut self, from: Duration, to: Duration) {
        let mut at = from;
        while at < to {
            self.at(at, WorldEvent::Link(offline()));
            at += self.random.between(2 * MINUTE / 60, MINUTE);
            if at >= to {
                return;
            }
            self.at(at, WorldEvent::Link(online(2)));
            at += self.random.between(5 * MINUTE / 60, 90 * MINUTE / 60);
        }
    }

    fn lie_fi(&mut self, days: u32) {
        let mut at = Duration::ZERO;
        while at < DAY * days {
            at += self.random.between(10 * MINUTE, 60 * MINUTE);
            self.at(at, WorldEvent::Stalled(true));
            at += self.random.between(MINUTE, 20 * MINUTE);
            self.at(at, WorldEvent::Stalled(false));
        }
        self.write_by_day(days, 40);
    }

    fn portals(&mut self, days: u32) {
        let mut at = Duration::ZERO;
        let mut network = 10;
        while at < DAY * days {
            at += self.random.between(2 * HOUR, 6 * HOUR);
            network += 1;
            self.at(at, WorldEvent::Link(offline()));
            self.at(at + MINUTE, WorldEvent::Portal(true));
            self.at(at + MINUTE, WorldEvent::Link(online(network)));
            let log_in = at + self.random.between(2 * MINUTE, 31 * MINUTE);
            self.at(log_in, WorldEvent::Portal(false));
            // Whoever waits for the log-in has time to write.
            self.write(6, at, log_in);
        }
        self.write_by_day(days, 14);
        let last = DAY * days.saturating_sub(1);
        self.events
            .retain(|(at, event)| *at < last || !matches!(event, WorldEvent::Write(_)));
    }

    fn nights(&mut self, days: u32) {
        let mut at = Duration::ZERO;
        while at < DAY * days {
            self.at(at, WorldEvent::Link(offline()));
            at += self.random.between(20 * MINUTE, 120 * MINUTE);
            self.at(at, WorldEvent::Link(online(1)));
            at += self.random.between(5 * MINUTE, 60 * MINUTE);
        }
        for day in 0..days {
            let start = DAY * day;
            for nap in [9, 13, 17] {
                let from = start + self.random.between(nap * HOUR, (nap + 2) * HOUR);
                let to = from + self.random.between(10 * MINUTE, 60 * MINUTE);
                self.at(from, WorldEvent::SleepUntil(to));
            }
            self.at(
                start + 22 * HOUR,
                WorldEvent::SleepUntil(start + DAY + 7 * HOUR),
            );
        }
        self.write_by_day(days, 40);
    }

    fn outages(&mut self, days: u32) {
        for site in 0..SITES {
            let mut at = Duration::ZERO;
            while at < DAY * days {
                at += self.random.between(2 * HOUR, 12 * HOUR);
                let how = *self.random.pick(&[Server::Down, Server::BlackHole]);
                self.at(at, WorldEvent::Server(site, how));
                at += self.random.between(2 * MINUTE, 4 * HOUR);
                self.at(at, WorldEvent::Server(site, Server::Up));
            }
        }
        self.write_by_day(days, 40);
    }
}
