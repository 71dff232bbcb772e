//! How is it used, one matter at a time? Pages to read; there is no code here.

#[doc = include_str!("guide/beyond_one_machine.md")]
pub mod beyond_one_machine {}
