//! What the agent knows and has not delivered: records in a bounded spool, and the present state of everything else.
//!
//! Watches and the sampler write; each uplink reads as a replica of its own and is woken by every change. Writers never wait
//! for a disk: on the very nodes that matter it stands still for seconds, and a heartbeat must not seem late because of it. So
//! records are numbered and queued under one lock, which nobody holds for long, and whoever reads or keeps house moves them to
//! the spool under another, away from the tasks that measure ([`Journal::aside`]). Only so many wait ([`Waiting`]).

mod batch;
mod open;
mod record;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod upkeep;
mod waiting;

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{BlindSpell, ChannelView, KubeletSettings, Sample};
use nodegrace_spool::{Cursor, HistoryId, Ledger, Moment, NameTooLong, PerClass, Spool};
use tokio::{sync::watch, task::spawn_blocking};

pub(crate) use self::batch::{BatchLimits, Contents, Next, Reader};
use self::{
    record::{Explanation, Record},
    state::State,
    upkeep::Said,
    waiting::{Unwritten, Waiting},
};
use crate::{came_home::came_home, metrics::Tally, observe::Observation};

/// The agent's journal.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Taken before `entries` where both are.
    spool: Mutex<Spool>,
    entries: Mutex<Entries>,
    /// True when the spool is on disk, so that it may make its caller wait.
    on_disk: bool,
    /// What of it the agent's own metrics tell.
    tally: Tally,
    clock: Clock,
    changed: watch::Sender<()>,
    /// What was said of the spool so far.
    said: Mutex<Said>,
}

#[derive(Debug)]
struct Entries {
    /// Number of the newest record; 0 before the first.
    newest: u64,
    /// Records on their way into the spool.
    unwritten: Waiting,
    /// How many records somebody took from there and is giving to the spool.
    in_hand: usize,
    /// What is known to have become of every record: as the spool was left by whoever used it last, and with everything since.
    known: PerClass<Ledger>,
    /// How many readers are about to move them there themselves.
    readers: usize,
    /// True while somebody moves them there who looks for more to do before he leaves.
    moving: bool,
    /// True when he is to make them survive a crash of the machine as well.
    sync: bool,
    /// True when the disk refused what it was given last.
    refused: bool,
    /// What replicas acknowledged and the spool was not told yet.
    acknowledged: BTreeMap<String, (Cursor, Moment)>,
    state: State,
}

impl Journal {
    /// Wakes on every change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// What the agent's own metrics tell.
    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What became of every record, as far as it is known without waiting for a disk: what the spool itself let go of is known
    /// once whoever uses it is done.
    pub(crate) fn ledger(&self) -> PerClass<Ledger> {
        if !self.on_disk {
            self.flush();
        }
        match self.spool.try_lock() {
            Ok(spool) => self.note(&spool),
            Err(TryLockError::Poisoned(spool)) => self.note(spool.get_ref()),
            Err(TryLockError::WouldBlock) => {}
        }
        self.entries().known
    }

    /// Writes down a blind spell that ended.
    pub(crate) fn spell(&self, spell: BlindSpell) {
        self.tally.spell(&spell);
        self.record(Record::Explanation(Explanation::BlindSpell(spell)));
    }

    /// Writes down a sample.
    pub(crate) fn sample(&self, sample: Sample) {
        self.tally.sample(&sample);
        self.record(Record::Sample(Box::new(sample)));
    }

    /// Writes down a sample that nobody waits for: it is read with the next change, or once [`Journal::announce`] is called.
    pub(crate) fn sample_unhurried(&self, sample: Sample) {
        self.tally.sample(&sample);
        let now = self.now();
        self.write_unhurried(|entries| entries.push(Record::Sample(Box::new(sample)), now));
    }

    /// Wakes the readers.
    pub(crate) fn announce(&self) {
        self.changed.send_replace(());
    }

    /// Writes down what an observer learned.
    pub(crate) fn learn(&self, learned: Vec<Observation>) {
        if learned.is_empty() {
            return;
        }
        self.tally.learn(&learned);
        let now = self.now();
        self.write(|entries| {
            for one in learned {
                match one {
                    Observation::Heartbeat(heartbeat) => {
                        entries.push(Record::Heartbeat(heartbeat), now);
                    }
                    Observation::ReadyChange(change) => {
                        let change = Explanation::ReadyChange(change);
                        entries.push(Record::Explanation(change), now);
                    }
                    Observation::Facts(facts) => entries.state.learn_facts(facts),
                    Observation::LeaseDuration(duration) => {
                        entries.state.learn_lease_duration(duration);
                    }
                }
            }
        });
    }

    /// Notes what is seen of a channel now.
    pub(crate) fn view(&self, view: ChannelView) {
        self.tally.view(&view);
        self.write(|entries| entries.state.view(view));
    }

    /// Notes the kubelet's settings, as /configz tells them.
    pub(crate) fn configured(&self, settings: KubeletSettings) {
        self.write(|entries| entries.state.configured(settings));
    }

    /// A reader for this replica, from where it acknowledged everything.
    ///
    /// # Errors
    /// When the name is longer than any DNS name.
    pub(crate) fn connect(&self, replica: &str) -> Result<Reader, NameTooLong> {
        let cursor = self.spool().connect(replica, self.now())?;
        Ok(Reader::after(cursor))
    }

    /// A reader for a connected replica that turned out to keep another history than the one it was known for. `None`: it is
    /// the same, or nobody can tell.
    pub(crate) fn identify(&self, replica: &str, history: Option<HistoryId>) -> Option<Reader> {
        let cursor = self.spool().identify(replica, history)?;
        Some(Reader::after(cursor))
    }

    /// A reader is about to call [`Journal::next`], which moves what waits into the spool: nobody else has to.
    pub(crate) fn reads(&self) {
        self.entries().readers += 1;
    }

    /// This replica keeps everything up to `cursor`. The spool is told by whoever uses it next, for it may have to wait for a disk.
    pub(crate) fn acknowledge(&self, replica: &str, cursor: Cursor) {
        let now = self.now();
        let acknowledged = &mut self.entries().acknowledged;
        match acknowledged.get_mut(replica) {
            Some(before) => *before = (cursor, now),
            None => {
                acknowledged.insert(replica.to_owned(), (cursor, now));
            }
        }
    }

    /// Does work that may have to wait for the disk, away from the tasks that measure.
    pub(crate) async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        if !self.on_disk {
            return work(self);
        }
        let journal = Arc::clone(self);
        match came_home(spawn_blocking(move || work(&journal)).await) {
            Some(done) => done,
            // It is cancelled only with the runtime, and this task with it.
            None => std::future::pending().await,
        }
    }

    fn record(&self, record: Record) {
        let now = self.now();
        self.write(|entries| entries.push(record, now));
    }

    fn write(&self, change: impl FnOnce(&mut Entries)) {
        self.write_unhurried(change);
        self.announce();
    }

    fn write_unhurried(&self, change: impl FnOnce(&mut Entries)) {
        change(&mut self.entries());
        if !self.on_disk {
            self.flush();
        }
    }

    /// Moves every record that waits into the spool.
    fn flush(&self) {
        let mut spool = self.spool();
        let unwritten = self.entries().take();
        unwritten.append_to(&mut spool);
        self.note(&spool);
    }

    /// Notes what became of every record. Nothing is on its way from the one lock to the other while somebody has the spool to
    /// call this.
    fn note(&self, spool: &Spool) {
        let mut entries = self.entries();
        entries.in_hand = 0;
        entries.known = entries.unwritten.added_to(spool.ledger());
    }

    fn now(&self) -> Moment {
        Moment {
            monotonic: self.clock.now(),
            wall: self.clock.wall(),
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // A writer that panicked left at worst one record half noted; the rest of the journal is still true.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spool(&self) -> MutexGuard<'_, Spool> {
        let mut spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        let acknowledged = mem::take(&mut self.entries().acknowledged);
        for (replica, (cursor, at)) in acknowledged {
            spool.acknowledge(&replica, &cursor, at);
        }
        spool
    }
}

impl Entries {
    /// Everything that waits for the spool, for the one who has that.
    fn take(&mut self) -> Waiting {
        self.in_hand = self.unwritten.len();
        mem::take(&mut self.unwritten)
    }

    /// Numbers a record and lines it up for the spool.
    fn push(&mut self, record: Record, at: Moment) {
        self.newest += 1;
        let (class, payload) = record.encode(self.newest);
        let dropped = self.unwritten.push(Unwritten {
            sequence: self.newest,
            class,
            payload,
            at,
        });
        self.known[class].appended += 1;
        self.known[class].held += 1;
        if let Some(class) = dropped {
            self.known[class].held -= 1;
            self.known[class].dropped += 1;
        }
    }
}
