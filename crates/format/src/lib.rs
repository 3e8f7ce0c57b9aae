//! The format language of listings: `{id.f58:>12} ?:{queue:<8.8} +:{username:<8}`.
//!
//! It knows nothing of jobs. A command resolves the names of fields once, when the
//! format is read, to a key that tells quickly what to show; rows are then rendered
//! without looking at the text of the format again. Read on in `parse.rs` (the text),
//! `spec.rs` (widths and precisions), `value.rs` (what a field holds, and conversions),
//! `table.rs` (columns, header and rows), and `configured.rs` and `yaml.rs` (formats in
//! files).

mod configured;
mod options;
mod parse;
mod spec;
mod table;
mod value;
mod yaml;

pub use configured::{File, configured_list};
pub use options::{FormatOptions, Formats, Named, in_user_format};
pub use parse::{Format, SortKey, sort_keys};
pub use table::{Table, TableOptions};
pub use value::Value;
