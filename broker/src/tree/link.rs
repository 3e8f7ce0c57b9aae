//! The states of a link between two brokers, one table for each end (protocol/20 sections
//! 4, 6 and 7). `doc/states/link.md` is printed from here by the test below.

use proto::overlay::Status;

/// Something that happens to a child, as its parent sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The child has been let in, and reports the status of its subtree.
    Hello(Status),
    /// The child reports the present status of its subtree.
    Says(Status),
    /// The child has said goodbye.
    Goodbye,
    /// The connection is lost.
    Break,
    /// We do not listen to it any more, because a user wants so.
    CutOff,
}

/// State of a child after a step, with the reason if it is offline; `None` for a step that
/// does not fit: of a child that is offline, or a second hello of one that is online.
pub(crate) fn next(child: Status, step: Step) -> Option<(Status, Option<&'static str>)> {
    match (child.is_online(), step) {
        (false, Step::Hello(to)) | (true, Step::Says(to)) => to.is_online().then_some((to, None)),
        (true, Step::Goodbye) => Some((Status::Offline, Some("administrative shutdown"))),
        (true, Step::Break) => Some((Status::Lost, Some("lost connection"))),
        (true, Step::CutOff) => Some((Status::Lost, Some("administrative disconnect"))),
        _ => None,
    }
}

/// State of the link to our parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    /// There is none: rank 0.
    None,
    /// We have not been let in yet.
    Joining,
    /// We are let in.
    Here,
    /// The parent was lost, or we have left.
    Gone,
}

/// Something that happens between us and our parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Climb {
    /// The parent has let us in.
    Welcome,
    /// The parent has sent the reason for which it does not let us in.
    Refusal,
    /// The parent has cut us off.
    CutOff,
    /// The connection is lost.
    Break,
    /// The parent has received our goodbye.
    Goodbye,
}

/// State after a step; `None` for a step that does not fit.
pub(crate) fn climb(parent: Parent, step: Climb) -> Option<Parent> {
    match (parent, step) {
        (Parent::Joining, Climb::Welcome) => Some(Parent::Here),
        (Parent::Joining, Climb::Refusal) => Some(Parent::Gone),
        (Parent::Here, Climb::Goodbye) => Some(Parent::Gone),
        (Parent::Joining | Parent::Here, Climb::CutOff | Climb::Break) => Some(Parent::Gone),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHILD: [Status; 5] = [
        Status::Offline,
        Status::Full,
        Status::Partial,
        Status::Degraded,
        Status::Lost,
    ];

    const STEPS: [Step; 5] = [
        Step::Hello(Status::Full),
        Step::Says(Status::Degraded),
        Step::Goodbye,
        Step::Break,
        Step::CutOff,
    ];

    #[test]
    fn the_printed_tables_are_those_in_doc_states() {
        let head = "# States of a link between brokers\n\nPrinted from `broker/src/tree/link.rs` \
             by its test (`UPDATE=1 cargo test -p broker`).\nRows are what happens; a dash is a \
             step that does not fit and changes nothing.\n\n## A child, as its parent sees it\n\n\
             A hello says how the subtree is, here `Full`, and so does what a child says later, \
             here `Degraded`.\nA hello of a child that is there is that of another incarnation: \
             the old one breaks first.";
        let child = node::written::table_of_moves(head, &CHILD, &STEPS, |child, step| {
            next(child, step).map(|(child, _)| child)
        });
        let states = [Parent::None, Parent::Joining, Parent::Here, Parent::Gone];
        let steps = [
            Climb::Welcome,
            Climb::Refusal,
            Climb::CutOff,
            Climb::Break,
            Climb::Goodbye,
        ];
        let head = "\n## The parent, as a child sees it\n\nA broker whose parent is gone before \
             it has said goodbye ends.";
        let parent = node::written::table_of_moves(head, &states, &steps, climb);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../doc/states/link.md");
        node::written::check(path, &format!("{child}{parent}"));
    }

    #[test]
    fn only_a_hello_brings_a_child_back() {
        for gone in [Status::Offline, Status::Lost] {
            for step in &STEPS[1..] {
                assert_eq!(next(gone, *step), None, "{gone:?} {step:?}");
            }
            assert_eq!(
                next(gone, Step::Hello(Status::Partial)),
                Some((Status::Partial, None))
            );
        }
    }

    #[test]
    fn a_child_cannot_say_that_it_is_not_there() {
        for said in [Status::Offline, Status::Lost] {
            assert_eq!(next(Status::Offline, Step::Hello(said)), None);
            assert_eq!(next(Status::Full, Step::Says(said)), None);
        }
    }
}
