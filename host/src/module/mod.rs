//! Files: what each one is, what it is called, and its compiled form.
//!
//! [`identify`] tells a file's format and harness from its bytes alone, of which [`read`] says
//! how many there may be, [`names`] gives it a name, [`cache`] keeps compiled forms and listings, [`compile`] makes forms in a process
//! of its own, [`forms`] says which is used and what is made next. No guest code runs in here.

pub mod cache;
pub mod compile;
pub mod forms;
pub mod identify;
pub mod names;
pub mod read;
mod sections;
