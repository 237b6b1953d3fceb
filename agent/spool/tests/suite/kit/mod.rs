//! What the tests are told with: a disk to torment, and a world that remembers what the spool was given.

mod disk;
mod platter;
mod truth;
mod world;

pub(crate) use self::{
    disk::{Crash, Disk},
    world::{World, limits, soon},
};
