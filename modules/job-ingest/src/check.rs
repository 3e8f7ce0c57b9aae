//! Admission of submit requests: the checks of protocol/11 section 2.1, in their order.
//! Its jobspec is checked later (`pipeline.rs`).

use proto::data::job::{SubmitFlags, Urgency};
use proto::data::sign::unwrap_none;
use proto::data::{Jobspec, jobspec::JobspecError};
use proto::job_ingest::{Submit, SubmitError};

use crate::config::Settings;
use crate::limits::{JOBSPEC_BYTES_MAX, SIGNED_BYTES_MAX};

/// Requester.
#[derive(Debug, Clone, Copy)]
pub struct Requestor {
    /// User id.
    pub userid: u32,
    /// Acts as the instance owner.
    pub is_owner: bool,
}

/// A job that may go on.
#[derive(Debug)]
pub struct Checked {
    /// As submitted.
    pub urgency: Urgency,
    /// As submitted.
    pub flags: SubmitFlags,
    /// As submitted.
    pub jobspec: Jobspec,
    /// Bytes of the jobspec as submitted.
    pub bytes: usize,
}

/// Checks a submission; `owner` is the user id of the instance owner.
pub fn check(
    request: &Submit,
    from: Requestor,
    owner: u32,
    settings: &Settings,
) -> Result<Checked, SubmitError> {
    let flags = u32::try_from(request.flags).map_err(|_| SubmitError::Flags)?;
    let flags = SubmitFlags(flags);
    if !SubmitFlags::ON_THE_WIRE.contains(flags) {
        return Err(SubmitError::Flags);
    }
    if flags.contains(SubmitFlags::NOVALIDATE) && !from.is_owner {
        return Err(SubmitError::NovalidateNotYours);
    }
    let urgency = Urgency::new(request.urgency).map_err(|_| SubmitError::UrgencyRange)?;
    if urgency.is_for_owner() && !from.is_owner {
        return Err(SubmitError::UrgencyNotYours);
    }
    if flags.contains(SubmitFlags::WAITABLE) && !from.is_owner {
        return Err(SubmitError::WaitableNotYours);
    }
    if request.j.len() > SIGNED_BYTES_MAX {
        return Err(too_long());
    }
    let unwrapped = unwrap_none(&request.j).map_err(|error| {
        tracing::debug!("cannot unwrap a job of user {}: {error}", from.userid);
        SubmitError::Unwrap("Invalid argument".to_owned())
    })?;
    if unwrapped.userid != from.userid {
        return Err(SubmitError::Signer(unwrapped.userid, from.userid));
    }
    if !from.is_owner {
        return Err(SubmitError::SignType);
    }
    let jobspec = decode(&unwrapped.payload)?;
    if from.userid == 0 && owner != 0 && !settings.allow_root_jobs {
        return Err(SubmitError::Root);
    }
    Ok(Checked {
        urgency,
        flags,
        jobspec,
        bytes: unwrapped.payload.len(),
    })
}

fn too_long() -> SubmitError {
    SubmitError::Invalid(format!("jobspec must be <= {JOBSPEC_BYTES_MAX} bytes"))
}

fn decode(payload: &[u8]) -> Result<Jobspec, SubmitError> {
    if payload.len() > JOBSPEC_BYTES_MAX {
        return Err(too_long());
    }
    let not_utf8 = || SubmitError::InvalidJson("unable to decode byte 0x80".to_owned());
    let text = std::str::from_utf8(payload).map_err(|_| not_utf8())?;
    Jobspec::decode(text).map_err(|error| match error {
        JobspecError::Json(why) => SubmitError::InvalidJson(why),
        other => SubmitError::Invalid(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use proto::Coded;
    use proto::data::sign::wrap_none;

    use super::*;

    const JOBSPEC: &str = r#"{"resources":[{"type":"slot","count":1,"with":[{"type":"core","count":1}],"label":"task"}],"tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0}},"version":1}"#;

    /// Submits as the owner, 100, or as a guest, 101, signed by that user.
    fn check_as(userid: u32, urgency: i64, flags: i64, jobspec: &str, expect: &str) {
        let j = wrap_none(userid, jobspec.as_bytes());
        let request = Submit { j, urgency, flags };
        check_request(&request, userid, expect);
    }

    fn check_request(request: &Submit, userid: u32, expect: &str) {
        let settings = Settings::new(&[], &Default::default()).unwrap();
        let from = Requestor {
            userid,
            is_owner: userid == 100,
        };
        let outcome = match check(request, from, 100, &settings) {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{:?} {error}", error.refusal().errno),
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn the_owner_may_do_what_guests_may_not() {
        for flags in [0, 2, 4, 8, 14] {
            check_as(100, 31, flags, JOBSPEC, "ok");
        }
        let owner = "only the instance owner can submit with";
        check_as(
            101,
            16,
            8,
            JOBSPEC,
            &format!("EPERM {owner} FLUX_JOB_NOVALIDATE"),
        );
        check_as(101, 17, 0, JOBSPEC, &format!("EINVAL {owner} urgency >16"));
        check_as(
            101,
            16,
            4,
            JOBSPEC,
            &format!("EINVAL {owner} FLUX_JOB_WAITABLE"),
        );
        check_as(
            101,
            16,
            0,
            JOBSPEC,
            "EPERM only instance owner can use sign-type=none",
        );
    }

    #[test]
    fn flags_and_urgency_have_their_range() {
        for flags in [1, 16, -1, 1 << 40] {
            check_as(100, 16, flags, JOBSPEC, "EPROTO invalid job flags");
        }
        for urgency in [-1, 32] {
            check_as(100, urgency, 0, JOBSPEC, "EINVAL urgency range is [0:31]");
        }
    }

    #[test]
    fn earlier_checks_come_first() {
        check_as(101, 99, 1, "x", "EPROTO invalid job flags");
        check_as(101, 99, 4, "x", "EINVAL urgency range is [0:31]");
        let signed_by_other = Submit {
            j: wrap_none(102, JOBSPEC.as_bytes()),
            urgency: 16,
            flags: 0,
        };
        check_request(&signed_by_other, 101, "EPERM signer=102 != requestor=101");
        check_request(&signed_by_other, 100, "EPERM signer=102 != requestor=100");
    }

    #[test]
    fn what_is_not_signed_or_not_json_is_refused() {
        for j in ["", "a.b", "a.b.c", "=.=.none"] {
            let request = Submit {
                j: j.to_owned(),
                urgency: 16,
                flags: 0,
            };
            check_request(
                &request,
                100,
                "EINVAL could not unwrap jobspec: Invalid argument",
            );
        }
        let text = "EINVAL jobspec: invalid JSON: '[' or '{' expected near 'xx'";
        check_as(100, 16, 0, "xx", text);
    }

    #[test]
    fn a_jobspec_is_an_object() {
        check_as(100, 16, 0, "{}", "ok");
        check_as(100, 16, 8, "[]", "EPERM jobspec is not an object");
    }

    #[test]
    fn a_jobspec_has_a_size_and_a_depth() {
        let spaces = " ".repeat(JOBSPEC_BYTES_MAX);
        let most = &spaces[..JOBSPEC_BYTES_MAX - JOBSPEC.len()];
        check_as(100, 16, 0, &format!("{JOBSPEC}{most}"), "ok");
        let text = "EPERM jobspec must be <= 16777216 bytes";
        for flags in [0, 8] {
            check_as(100, 16, flags, &format!("{JOBSPEC}{spaces}"), text);
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let text = "EINVAL jobspec: invalid JSON: recursion limit exceeded at line 1 column 128";
        check_as(100, 16, 8, &deep, text);
    }

    #[test]
    fn root_is_an_ordinary_user_only_where_it_owns_the_instance() {
        let request = Submit {
            j: wrap_none(0, JOBSPEC.as_bytes()),
            urgency: 16,
            flags: 0,
        };
        let from = Requestor {
            userid: 0,
            is_owner: true,
        };
        let mut settings = Settings::new(&[], &Default::default()).unwrap();
        let refused = check(&request, from, 100, &settings).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "submission of jobs as user root not supported"
        );
        assert!(check(&request, from, 0, &settings).is_ok());
        settings.allow_root_jobs = true;
        assert!(check(&request, from, 100, &settings).is_ok());
    }
}
