//! Conversations with the kvs, as text (`transcripts/*.txt`): a command, a line of dashes,
//! the output, an empty line. `UPDATE=1 cargo test -p kvs` writes the output; the diff is
//! read.

mod stage;
mod stats;
mod tree;

use stage::Stage;

node::transcripts! {
    Stage:
    commits_that_arrive_during_another_are_the_next_batch = "batches",
    a_failed_transaction_does_not_take_others_along = "failed-merge",
    what_may_not_be_merged_is_a_version_of_its_own = "no-merge",
    a_sync_makes_a_checkpoint = "sync",
    a_batch_that_fails_takes_along_what_builds_on_it = "batch-fails",
    content_refuses_a_batch = "content-refuses",
    a_batch_is_refused_before_the_one_before_it_is_answered = "content-leaves",
    a_kvs_that_is_killed_loses_nothing = "killed",
    a_kvs_that_is_loaded_again_has_all_namespaces = "reload",
    a_token_is_applied_once = "once",
    a_request_that_comes_again_is_done_once = "again",
    namespaces_come_and_go = "namespaces",
    guests_have_limits = "guests",
    lookups_wait_for_blobs = "lookups",
    versions_are_waited_for = "wait-version",
    a_paused_namespace_gets_no_version = "pause",
    the_start_goes_on_from_what_was_saved = "start",
    requests_wait_for_the_start = "early",
    requests_have_their_form = "requests",
    links_lead_into_other_namespaces = "links",
    a_commit_does_not_keep_others_waiting = "limits",
    arguments_and_configuration_are_obeyed = "settings",
    another_rank_asks_for_a_root_once_and_follows_it = "follower-roots",
    another_rank_does_not_follow_what_nobody_uses = "follower-rests",
    another_rank_has_its_commits_done_by_rank_0 = "follower-commits",
    a_router_passes_on_what_comes_from_below = "router",
    a_transaction_of_another_rank_is_done_once = "relayed",
    what_is_no_tree_object_is_not_recoverable = "garbled",
}
