//! The kinds of records: each has a log and a budget of its own, so that one can never push out another.

use std::ops::{Index, IndexMut};

/// What kind of record it is. Declared in the order of rank: when the disk itself is full, the last one gives way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A heartbeat: the one thing that cannot be measured again.
    Heartbeat,
    /// What explains heartbeats: blind spells, changes of Ready. Rare and small.
    Other,
    /// A sample of the node: a missing one leaves a gap less well explained.
    Sample,
}

impl Class {
    /// Every class, the highest rank first.
    pub const ALL: [Self; 3] = [Self::Heartbeat, Self::Other, Self::Sample];

    /// The name in file names.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Other => "other",
            Self::Sample => "sample",
        }
    }

    /// The number in segment headers.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Heartbeat => 1,
            Self::Other => 2,
            Self::Sample => 3,
        }
    }

    /// The class with this number. `None`: there is none.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }
}

/// One value for each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerClass<T>([T; 3]);

impl<T> PerClass<T> {
    /// The value of each class by `value`.
    pub fn from_fn(mut value: impl FnMut(Class) -> T) -> Self {
        Self(Class::ALL.map(&mut value))
    }

    /// Each class with its value, the highest rank first.
    pub fn iter(&self) -> impl Iterator<Item = (Class, &T)> {
        Class::ALL.into_iter().zip(&self.0)
    }
}

impl<T> Index<Class> for PerClass<T> {
    type Output = T;

    fn index(&self, class: Class) -> &T {
        &self.0[class as usize]
    }
}

impl<T> IndexMut<Class> for PerClass<T> {
    fn index_mut(&mut self, class: Class) -> &mut T {
        &mut self.0[class as usize]
    }
}
