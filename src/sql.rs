//! How are features and scores computed where the data live? The same definitions as a query.
