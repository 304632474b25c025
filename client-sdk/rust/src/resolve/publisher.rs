//! How a resolver's findings become its watched set: sorted, without duplicates, and never emptied.

use std::sync::Arc;

use tokio::sync::watch;

use super::{MEMBERS_MAX, Member, Resolution};

/// Where a resolver's task puts what it finds.
#[derive(Clone, Debug)]
pub(super) struct Publisher {
    /// What is resolved, for the log.
    target: Arc<str>,
    resolution: watch::Sender<Resolution>,
}

impl Publisher {
    pub(super) fn new(target: impl Into<Arc<str>>) -> Self {
        Self { target: target.into(), resolution: watch::Sender::default() }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Resolution> {
        self.resolution.subscribe()
    }

    /// Puts a set in place; nobody is woken when it is the present one. An empty set, or one beyond
    /// [`MEMBERS_MAX`], counts as a failure. Answers whether it was taken.
    pub(super) fn publish(&self, mut members: Vec<Member>) -> bool {
        if members.is_empty() {
            self.fail("no replica is listed".into());
            return false;
        }
        if members.len() > MEMBERS_MAX {
            self.fail(format!("{} replicas are listed, and {MEMBERS_MAX} is the limit", members.len()));
            return false;
        }
        // By address, and the best of one address first.
        members.sort_by(|left, right| {
            let rank = |member: &Member| (member.priority, u32::MAX - member.weight);
            (&left.address, rank(left)).cmp(&(&right.address, rank(right)))
        });
        members.dedup_by(|later, earlier| later.address == earlier.address);
        let count = members.len();
        let resolution = Resolution::new(members);
        let is_new = self.resolution.send_if_modified(|present| {
            let is_new = *present != resolution;
            *present = resolution;
            is_new
        });
        if is_new {
            tracing::debug!(target = %self.target, members = count, "resolved");
        }
        true
    }

    /// Keeps the present set, and says why there is no new one. Each reason is logged once in a row.
    pub(super) fn fail(&self, error: String) {
        if fail(&self.resolution, error.as_str().into()) {
            tracing::warn!(target = %self.target, error, "cannot resolve; the last set stays");
        }
    }
}

/// Notes why there is no new set; answers whether the reason is new.
pub(super) fn fail(resolution: &watch::Sender<Resolution>, error: Arc<str>) -> bool {
    resolution.send_if_modified(|present| {
        let is_new = present.error.as_ref() != Some(&error);
        present.error = Some(error);
        is_new
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(port: u16) -> Member {
        Member::from(std::net::SocketAddr::from(([10, 0, 0, 7], port)))
    }

    #[test]
    fn an_empty_or_failed_resolution_keeps_the_last_good_set_and_says_why() {
        let publisher = Publisher::new("quota");
        let watched = publisher.subscribe();
        assert!(publisher.publish(vec![member(1)]));
        assert!(!publisher.publish(Vec::new()));
        assert_eq!(watched.borrow().members[..], [member(1)]);
        assert_eq!(watched.borrow().error.as_deref(), Some("no replica is listed"));
        publisher.fail("refused".to_owned());
        assert_eq!(watched.borrow().members[..], [member(1)]);
        assert_eq!(watched.borrow().error.as_deref(), Some("refused"));
        assert!(publisher.publish(vec![member(2)]));
        assert_eq!(*watched.borrow(), Resolution::new([member(2)]));
    }

    #[test]
    fn the_same_set_in_another_order_wakes_nobody() {
        let publisher = Publisher::new("quota");
        publisher.publish(vec![member(1), member(2)]);
        let mut watched = publisher.subscribe();
        watched.mark_unchanged();
        publisher.publish(vec![member(2), member(1)]);
        assert!(!watched.has_changed().unwrap());
    }

    #[test]
    fn an_address_that_is_listed_twice_is_one_member_of_the_better_priority() {
        let publisher = Publisher::new("quota");
        publisher.publish(vec![member(1).priority(1), member(1).weight(3), member(1)]);
        assert_eq!(publisher.subscribe().borrow().members[..], [member(1).weight(3)]);
    }

    #[test]
    fn a_set_beyond_the_limit_is_refused() {
        let publisher = Publisher::new("quota");
        publisher.publish(vec![member(1)]);
        let members = (0..=u16::try_from(MEMBERS_MAX).unwrap()).map(member).collect();
        assert!(!publisher.publish(members));
        assert_eq!(publisher.subscribe().borrow().members[..], [member(1)]);
    }
}
