//! Places for those who come, of which one alone can only have some: whoever takes all that he can get leaves room for others.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// So many places in all, and so many for one.
#[derive(Debug)]
pub(crate) struct Places<Who> {
    taken: Arc<Mutex<Taken<Who>>>,
    most: usize,
    most_of_one: usize,
}

#[derive(Debug)]
struct Taken<Who> {
    by: HashMap<Who, usize>,
    all: usize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<Who: Eq + Hash> {
    who: Who,
    taken: Arc<Mutex<Taken<Who>>>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// All are taken.
    All,
    /// This one has as many as one may have.
    OfOne,
}

impl<Who: Eq + Hash + Clone> Places<Who> {
    /// Places that nobody has taken yet.
    pub(crate) fn new(most: usize, most_of_one: usize) -> Self {
        let taken = Taken {
            by: HashMap::new(),
            all: 0,
        };
        Self {
            taken: Arc::new(Mutex::new(taken)),
            most,
            most_of_one,
        }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// When there is none for `who`.
    pub(crate) fn take(&self, who: Who) -> Result<Place<Who>, Full> {
        let mut taken = lock(&self.taken);
        if taken.all >= self.most {
            return Err(Full::All);
        }
        let own = taken.by.entry(who.clone()).or_default();
        if *own >= self.most_of_one {
            return Err(Full::OfOne);
        }
        *own += 1;
        taken.all += 1;
        let taken = Arc::clone(&self.taken);
        Ok(Place { who, taken })
    }
}

impl<Who: Eq + Hash> Drop for Place<Who> {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        if let Some(own) = taken.by.get_mut(&self.who) {
            *own -= 1;
            if *own == 0 {
                taken.by.remove(&self.who);
            }
        }
    }
}

fn lock<Who>(taken: &Mutex<Taken<Who>>) -> MutexGuard<'_, Taken<Who>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_all_he_can_get_leaves_room_for_others_until_there_is_none() {
        let places = Places::new(3, 2);
        let _first = places.take("greedy").unwrap();
        let second = places.take("greedy").unwrap();
        assert_eq!(places.take("greedy").unwrap_err(), Full::OfOne);
        let _other = places.take("modest").unwrap();
        assert_eq!(places.take("late").unwrap_err(), Full::All);
        drop(second);
        let last = places.take("late").unwrap();
        drop(last);
        assert_eq!(lock(&places.taken).by.len(), 2, "who has none is forgotten");
    }
}
