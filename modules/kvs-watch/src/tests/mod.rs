//! Conversations with kvs-watch, as text (`transcripts/*.txt`): a command, a line of dashes,
//! the output, an empty line. `UPDATE=1 cargo test -p kvs-watch` writes the output; the diff
//! is read.

mod costs;
mod stage;

use stage::Stage;

node::transcripts! {
    Stage:
    a_watch_answers_at_every_commit_of_its_key = "watch",
    a_full_or_uniq_watch_answers_when_the_value_is_another = "full-uniq",
    a_growing_value_is_sent_piece_by_piece = "append",
    a_key_that_is_not_there_is_waited_for = "waitcreate",
    a_stream_sends_a_value_and_ends = "stream",
    bad_flags_are_refused = "refused",
    answers_that_cross_are_sent_in_order = "crossing",
    a_kvs_that_restarts_is_asked_again = "restart",
    watches_end_when_they_are_cancelled_or_left = "cancel",
    guests_watch_what_is_theirs = "guests",
    keys_are_watched_by_their_text_and_values_through_links = "keys",
    a_blob_that_is_gone_ends_what_needs_it = "lost-blob",
    each_client_has_its_own_watches = "clients",
}
