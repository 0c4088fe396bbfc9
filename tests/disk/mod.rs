//! What runs and their tests leave on the disk: nothing, however they end.

mod full;
mod left_over;
mod quota;
