//! Requester: the credential and origin of a request.

use wire::{Identity, Message, Role};

use crate::recall::number_of;

/// The sender of a request as its handler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// User id that the request was stamped with.
    pub userid: u32,
    /// Role bits that it was stamped with.
    pub rolemask: Role,
    /// The sender as its broker knows it, with its own statement about programs behind
    /// it; `None` when there is no return address.
    pub sender: Option<Identity>,
    /// The request's matchtag, by which its sender may cancel it.
    pub matchtag: u32,
    /// The number by which [`crate::Recall`] knows a request that comes again; only
    /// methods that are declared `recognised` have one.
    pub number: Option<u64>,
}

impl Peer {
    /// See [`crate::Host::HOPS_SINCE_STAMP`].
    pub(crate) fn of(message: &Message, hops_since_stamp: usize) -> Peer {
        // The broker, where requests are stamped, gets none with a number.
        let number = number_of(message).filter(|_| hops_since_stamp > 0);
        Peer {
            userid: message.userid,
            rolemask: message.rolemask,
            sender: message.sender(hops_since_stamp + usize::from(number.is_some())),
            matchtag: message.matchtag(),
            number,
        }
    }

    /// True if the sender acts as the instance owner.
    pub fn is_owner(&self) -> bool {
        self.rolemask.meets(Role::OWNER)
    }

    /// True if the sender may act for `userid`: as the owner, or as a guest for itself
    /// (RFC 12).
    pub fn may_act_for(&self, userid: u32) -> bool {
        self.is_owner() || (self.rolemask.meets(Role::USER) && self.userid == userid)
    }

    /// True if `other` is the same client with a credential that covers ours (protocol/01
    /// section 6.2).
    pub(crate) fn is_covered_by(&self, other: &Peer) -> bool {
        self.sender.is_some() && self.sender == other.sender && other.may_act_for(self.userid)
    }
}
