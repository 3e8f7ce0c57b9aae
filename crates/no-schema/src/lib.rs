//! Stands in for the derive macro `schemars::JsonSchema` and derives nothing.
//!
//! Every type of `proto` derives a schema, from which `doc/rpc` is printed. Builds that print
//! no page take this macro instead and need not compile the schemas
//! (`crates/proto/src/schema.rs` chooses).

use proc_macro::TokenStream;

/// Accepts what the macro of the same name accepts, and adds no code.
#[proc_macro_derive(JsonSchema, attributes(schemars))]
pub fn json_schema(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
