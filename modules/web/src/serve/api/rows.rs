//! Jobs as the API has them: ids as text, which JavaScript would round as numbers, and words for
//! states, results and users.

use proto::data::JobId;
use proto::data::job::{JobResult, States};
use serde_json::{Map, Value, json};

use super::users::Users;

/// The attributes in listings.
pub const LISTED: [&str; 22] = [
    "userid",
    "urgency",
    "priority",
    "state",
    "name",
    "queue",
    "ntasks",
    "ncores",
    "nnodes",
    "nodelist",
    "duration",
    "expiration",
    "t_submit",
    "t_depend",
    "t_run",
    "t_cleanup",
    "t_inactive",
    "result",
    "waitstatus",
    "exception_type",
    "exception_note",
    "dependencies",
];

/// A job of job-list in the words of the API.
pub fn shown(job: Map<String, Value>, users: &Users) -> Map<String, Value> {
    let mut shown = Map::new();
    for (name, value) in job {
        let bits = value.as_u64().and_then(|bits| u32::try_from(bits).ok());
        let value = match name.as_str() {
            "id" => value.as_u64().map(|id| json!(JobId(id).to_string())),
            "state" => bits
                .and_then(States::from_bits)
                .map(|state| json!(state.name().to_lowercase())),
            "result" => bits
                .and_then(JobResult::from_bit)
                .map(|result| json!(result.name().to_lowercase())),
            "userid" => {
                let user = bits.map(|userid| json!(users.name(userid)));
                shown.extend(user.map(|user| ("user".to_owned(), user)));
                Some(value)
            }
            _ => Some(value),
        };
        shown.extend(value.map(|value| (name, value)));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_states_and_results_are_words() {
        let job = json!({"id": 2_882_303_761_517_117_440_u64, "userid": 0, "state": 64, "result": 2, "name": "a"});
        let Value::Object(job) = job else {
            panic!("an object")
        };
        let shown = shown(job, &Users::default());
        let expect = json!({"id": JobId(2_882_303_761_517_117_440).to_string(), "user": "root", "userid": 0,
            "state": "inactive", "result": "failed", "name": "a"});
        assert_eq!(Value::Object(shown), expect);
    }
}
