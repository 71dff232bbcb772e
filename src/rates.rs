//! How large is a rate, how do two differ, and how sure is that? Pure functions on counts and slices.
