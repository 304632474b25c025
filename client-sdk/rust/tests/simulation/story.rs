//! The log of a run, told call by call.

use std::time::Duration;

use crate::{
    plan::Plan,
    record::{Event, Outcome, What},
};

/// What became of one call.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) called: Option<Duration>,
    pub(crate) ended: Option<(Duration, Outcome)>,
    /// Each time a replica began to act on it: when, and which one.
    pub(crate) executions: Vec<(Duration, usize)>,
    pub(crate) refusals: Vec<(Duration, usize)>,
    /// The replicas that finished it, if it is unary.
    pub(crate) answers: Vec<usize>,
    /// The numbers of the messages that came.
    pub(crate) messages: Vec<u32>,
}

/// One story for each call of the plan.
pub(crate) fn stories(plan: &Plan, events: &[Event]) -> Vec<Story> {
    let mut stories: Vec<Story> = plan.calls.iter().map(|_| Story::default()).collect();
    for Event { at, what } in events {
        match what {
            What::Fault { .. } | What::Connecting { .. } | What::Heard { .. } => {}
            What::Called(call) => stories[*call].called = Some(*at),
            What::Refused { call, replica } => stories[*call].refusals.push((*at, *replica)),
            What::Executed { call, replica } => stories[*call].executions.push((*at, *replica)),
            What::Answered { call, replica } => stories[*call].answers.push(*replica),
            What::Message { call, number } => stories[*call].messages.push(*number),
            What::Ended { call, outcome } => stories[*call].ended = Some((*at, outcome.clone())),
        }
    }
    stories
}
