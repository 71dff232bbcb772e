//! Whom did we lose, how fast, for which causes, is it us, and who will follow?

#[allow(dead_code, reason = "asked for when all parts are tied together")]
mod neighbours;
#[allow(dead_code, reason = "asked for when all parts are tied together")]
mod similar;
#[allow(dead_code, reason = "asked for when all parts are tied together")]
mod followers;

pub use self::followers::{Follower, Followers, Similar};
pub use self::similar::{CausesTold, LikelyCause};
