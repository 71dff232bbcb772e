//! How does an engine spell things? Quoting, and expressions of SQL.
