//! Rules as teams write them.
