//! Why a heartbeat was late: causes, each measured in the seconds of the lateness that it accounts for.
//!
//! Lateness is how much longer a gap was than gaps of the node usually are. What a sample says ([`Facts`]) is held against
//! what is usual on the node itself, over the part of the gap in which the heartbeat was due and did not come. No cause
//! accounts for more than the lateness; where none accounts for much, the answer is [`CauseKind::Unknown`].

mod explanation;
mod facts;
mod figure;
mod kind;

pub use explanation::{Cause, CauseTotal, Evidence, Explanation, LateChannels};
pub use facts::{Facts, Figures, KubeletSight, Source, Sources};
pub use figure::{Figure, Reading, Unit};
pub use kind::{CauseKind, Vantage};
