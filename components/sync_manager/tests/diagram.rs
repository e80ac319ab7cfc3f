//! The state diagrams in the crate's documentation are made from the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use sync_traits::{SyncRegistrationInfo, SyncRegistrationState};

use crate::table::{self, Row, rows};
use crate::table_periodic;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/states.md");
const STATES: [SyncRegistrationState; 5] = [
    SyncRegistrationState::Pending,
    SyncRegistrationState::Waiting,
    SyncRegistrationState::Firing,
    SyncRegistrationState::ReregisteredWhileFiring,
    SyncRegistrationState::Suspended,
];

/// A name that the language of diagrams takes.
fn node(state: SyncRegistrationState) -> String {
    state.to_string().replace(' ', "_")
}

fn end_of_arrow(info: Option<&SyncRegistrationInfo>) -> String {
    info.map_or("[*]".to_owned(), |info| node(info.state))
}

fn diagram(rows: &[Row]) -> String {
    let mut arrows: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    let mut nodes = BTreeSet::new();
    for row in rows {
        let (from, to) = (
            end_of_arrow(row.before.as_ref()),
            end_of_arrow(row.after.as_ref()),
        );
        if from != to {
            nodes.extend([from.clone(), to.clone()]);
            arrows.entry((from, to)).or_default().insert(row.input);
        }
    }
    let mut diagram = "```mermaid\nstateDiagram-v2\n".to_owned();
    for state in STATES
        .into_iter()
        .filter(|state| nodes.contains(&node(*state)))
    {
        writeln!(diagram, "    state \"{state}\" as {}", node(state)).unwrap();
    }
    for ((from, to), inputs) in arrows {
        let inputs: Vec<_> = inputs.into_iter().collect();
        writeln!(diagram, "    {from} --> {to}: {}", inputs.join("<br/>")).unwrap();
    }
    diagram + "```\n"
}

fn diagrams() -> String {
    let one_shot = rows(&table::policy(), table::STATES, table::INPUTS);
    let policy = table_periodic::periodic_policy();
    let periodic = rows(&policy, table_periodic::STATES, table_periodic::INPUTS);
    format!(
        "# States\n\n\
         Each arrow names the inputs that can bring a registration from one state to another; \
         inputs\nthat leave it in its state are left out. What comes out with each is in the \
         snapshots of the\ntests. The arrows are drawn from the same tables.\n\n\
         ## One-shot\n\n{}\n## Periodic\n\n{}",
        diagram(&one_shot),
        diagram(&periodic)
    )
}

#[test]
fn the_diagrams_are_those_of_the_tables() {
    let stored = std::fs::read_to_string(Path::new(FILE)).unwrap();
    assert_eq!(
        diagrams(),
        stored,
        "out of date: run the ignored test draw_the_diagrams"
    );
}

#[test]
#[ignore = "writes into the sources"]
fn draw_the_diagrams() {
    std::fs::write(FILE, diagrams()).unwrap();
}
