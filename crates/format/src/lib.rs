//! The format language of listings: `{id.f58:>12} ?:{queue:<8.8} +:{username:<8}`.
//!
//! It knows nothing of jobs. A command resolves the names of fields once, when the format
//! is read, to a key that quickly gives the value; rows are then rendered without looking
//! at the text of the format again. The text is parsed in `parse.rs`, widths and
//! precisions are in `spec.rs`, values of fields and conversions in `value.rs`, columns,
//! header and rows in `table.rs`, and formats in files in `configured.rs` and `yaml.rs`.

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
