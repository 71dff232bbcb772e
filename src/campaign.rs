//! What did it really bring? Holdout against treated.
