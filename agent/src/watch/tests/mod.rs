//! What a follower writes down through everything an API server may do, in virtual time and against a scripted server.

mod blindness;
mod fellows;
mod hangs;
mod kit;
mod polls;
mod presence;
mod refusals;
mod rhythm;
mod stalls;
mod steps;
