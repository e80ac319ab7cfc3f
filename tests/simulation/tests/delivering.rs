//! What the comparison of policies is to show, on fewer days than the report has.

use std::time::Duration;

use simulation::delivery::{self, Contender, Kind, Outcome, percentile};

fn of(outcomes: &[Outcome], kind: Kind, contender: Contender) -> &Outcome {
    outcomes
        .iter()
        .find(|outcome| (outcome.kind, outcome.contender) == (kind, contender))
        .expect("each contender is tried on each kind of network")
}

#[test]
fn more_is_delivered_sooner_and_with_less_waste_than_by_the_shipping_browser() {
    let outcomes = delivery::compare(4, 2);
    for kind in Kind::ALL {
        let ours = of(&outcomes, kind, Contender::Default);
        let chromium = of(&outcomes, kind, Contender::Chromium);
        assert_eq!(ours.registrations, chromium.registrations, "{kind:?}");
        assert!(ours.share() >= chromium.share(), "{kind:?}");
        let late = |outcome: &Outcome| percentile(&outcome.since_possible, 95);
        // What a probe takes is lost where it finds nothing out.
        let of_probe = Duration::from_millis(250);
        assert!(
            late(ours) <= late(chromium).saturating_add(of_probe),
            "{kind:?}"
        );
        assert!(ours.wasted() <= chromium.wasted(), "{kind:?}");
    }
}
