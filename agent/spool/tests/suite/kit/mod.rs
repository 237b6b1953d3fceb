//! What the tests are told with: a disk to torment, and a world that remembers what the spool was given.

mod disk;
mod world;

pub(crate) use self::{
    disk::{Crash, Disk},
    world::{Replica, World, limits},
};
