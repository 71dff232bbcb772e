//! What does the business itself know? Its tables of reasons, incidents and changes.

mod cause;

pub use cause::Cause;
