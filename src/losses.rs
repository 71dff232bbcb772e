//! Whom did we lose, how fast, for which causes, is it us, and who will follow?
