//! Why a heartbeat was late: causes, each measured in the seconds of the lateness that it accounts for.
//!
//! Lateness is how much longer a gap was than gaps of the node usually are. What a sample says ([`Facts`]) is held against
//! what is usual on the node itself, over the part of the gap in which the heartbeat was due and did not come. No cause
//! accounts for more than the lateness; where none accounts for much, the answer is [`CauseKind::Unknown`].

mod baseline;
mod case;
mod clock;
mod consequences;
mod delivery;
mod explanation;
mod facts;
mod figure;
mod habit;
mod history;
mod judge;
mod kind;
mod knobs;
mod kubelet;
mod order;
mod process;
mod reboot;
mod requests;
mod rhythm;
mod seen;
mod shared;
mod stalls;
mod values;
mod wall;
mod window;
mod words;

pub use baseline::{Baseline, Row};
pub use explanation::{Cause, CauseTotal, Evidence, Explanation, LateChannels};
pub use facts::{Facts, Figures, KubeletSight, Source, Sources};
pub use figure::{Figure, Reading, Unit};
pub use habit::Habit;
pub use history::{CauseHistory, Explained};
pub use kind::{CauseKind, Vantage};
pub use knobs::Knob;
pub use kubelet::Kubelet;
pub use seen::{Moment, Part, Seen};
pub use shared::{Scope, SharedCause, Traits};
pub use values::Series;
pub use wall::WallClock;
pub(crate) use window::{Beat, EXPLAINED, LATE};
pub use window::{Ended, Window};
