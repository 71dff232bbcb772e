//! How is it used, one matter at a time? Pages to read; there is no code here.
//!
//! They go through one example, the bundled log of a gift wholesaler:
//!
//! 1. [Get started](get_started): from a file of orders to customers worth a call.
//! 2. [The words](words), with their units.
//! 3. [Leakage and cutoffs](leakage): how a model sees the future, and how it is kept from it.
//! 4. [Reading a model](reading_a_model): is it good, what drives it, when is it too old?
//! 5. [What the model sees](what_the_model_sees): each feature with its formula, shrinkage, season, drivers.
//! 6. [Losses](losses): who is lost, why, is it us, and who may follow?
//! 7. [Planning](planning): whom to win back, with what, within what limits?
//! 8. [Measuring](measuring): what did it bring?
//! 9. [Beyond one machine](beyond_one_machine): where the log is too large, or must not be copied.
//! 10. [Compared with others](comparison): lifetimes, pymc-marketing, CLVTools, scikit-learn, commercial tools.
//! 11. [Design and invariants](design): what you can rely on.

#[doc = include_str!("guide/get_started.md")]
pub mod get_started {}
#[doc = include_str!("guide/words.md")]
pub mod words {}
#[doc = include_str!("guide/leakage.md")]
pub mod leakage {}
#[doc = include_str!("guide/reading_a_model.md")]
pub mod reading_a_model {}
#[doc = include_str!("guide/what_the_model_sees.md")]
pub mod what_the_model_sees {}
#[doc = include_str!("guide/losses.md")]
pub mod losses {}
#[doc = include_str!("guide/planning.md")]
pub mod planning {}
#[doc = include_str!("guide/measuring.md")]
pub mod measuring {}
#[doc = include_str!("guide/beyond_one_machine.md")]
pub mod beyond_one_machine {}
#[doc = include_str!("guide/comparison.md")]
pub mod comparison {}
#[doc = include_str!("guide/design.md")]
pub mod design {}
