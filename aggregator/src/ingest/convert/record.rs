//! The numbered records: heartbeats, blind spells, changes of Ready, samples.

use std::time::Duration;

use nodegrace_core::{
    Channel, ConditionStatus,
    event::{BlindReason, BlindSpell, Heartbeat, ReadyChange, Record},
};
use nodegrace_proto::v1;

use super::{bounds, facts::facts, sample};
use crate::ingest::{fields, invalid::Invalid};

/// A record as it comes from the wire.
pub(super) trait WireRecord {
    /// Its number within the agent instance.
    fn sequence_number(&self) -> u64;

    /// The record as the core takes it. `sent`: when its batch was sent, since boot.
    fn convert(&self, sent: Duration) -> Result<Record, Invalid>;
}

impl WireRecord for v1::Heartbeat {
    fn sequence_number(&self) -> u64 {
        self.sequence_number
    }

    fn convert(&self, sent: Duration) -> Result<Record, Invalid> {
        let arrival = fields::moment("arrival_monotonic", self.arrival_monotonic, sent)?;
        let uncertainty = "arrival_uncertainty";
        let arrival_uncertainty =
            fields::optional_duration(uncertainty, self.arrival_uncertainty)?.unwrap_or_default();
        if arrival_uncertainty > arrival {
            return Err(Invalid::new(
                uncertainty,
                "is longer than arrival_monotonic",
            ));
        }
        Ok(Record::Heartbeat(Heartbeat {
            channel: channel(self.channel)?,
            stamp: fields::time("stamp_time", self.stamp_time)?,
            arrival,
            arrival_time: fields::time("arrival_time", self.arrival_time)?,
            resource_version: fields::text("resource_version", &self.resource_version)?,
            arrival_uncertainty,
            baseline: self.baseline,
            uncredited_renewals: self.uncredited_renewals,
        }))
    }
}

impl WireRecord for v1::BlindSpell {
    fn sequence_number(&self) -> u64 {
        self.sequence_number
    }

    fn convert(&self, sent: Duration) -> Result<Record, Invalid> {
        let start = fields::moment("start_monotonic", self.start_monotonic, sent)?;
        let end = fields::moment("end_monotonic", self.end_monotonic, sent)?;
        if end < start {
            return Err(Invalid::new(
                "end_monotonic",
                "is earlier than start_monotonic",
            ));
        }
        fields::short("message", &self.message)?;
        Ok(Record::BlindSpell(BlindSpell {
            channel: channel(self.channel)?,
            start,
            end,
            reason: blind_reason(self.reason)?,
            resumed: self.resumed,
        }))
    }
}

impl WireRecord for v1::ReadyChange {
    fn sequence_number(&self) -> u64 {
        self.sequence_number
    }

    fn convert(&self, sent: Duration) -> Result<Record, Invalid> {
        let status = match v1::ConditionStatus::try_from(self.status) {
            Ok(v1::ConditionStatus::True) => ConditionStatus::True,
            Ok(v1::ConditionStatus::False) => ConditionStatus::False,
            Ok(v1::ConditionStatus::Unknown) => ConditionStatus::Unknown,
            Ok(v1::ConditionStatus::Unspecified) | Err(_) => {
                return Err(Invalid::new("status", "must be TRUE, FALSE or UNKNOWN"));
            }
        };
        Ok(Record::ReadyChange(ReadyChange {
            status,
            reason: fields::text("reason", &self.reason)?,
            transition: fields::time("transition_time", self.transition_time)?,
            arrival: fields::moment("arrival_monotonic", self.arrival_monotonic, sent)?,
            arrival_time: fields::time("arrival_time", self.arrival_time)?,
            baseline: self.baseline,
        }))
    }
}

impl WireRecord for v1::Sample {
    fn sequence_number(&self) -> u64 {
        self.sequence_number
    }

    fn convert(&self, sent: Duration) -> Result<Record, Invalid> {
        let at = fields::moment("sample_monotonic", self.sample_monotonic, sent)?;
        let wall = fields::time("sample_time", self.sample_time)?;
        fields::size(self)?;
        for (index, report) in self.sources.iter().enumerate() {
            source(report).map_err(|invalid| invalid.within(format!("sources[{index}]")))?;
        }
        bounds::sample(self)?;
        sample::check(self)?;
        Ok(Record::Sample(Box::new(facts(self, at, wall, sent))))
    }
}

fn source(report: &v1::SourceReport) -> Result<(), Invalid> {
    if matches!(
        v1::Source::try_from(report.source),
        Ok(v1::Source::Unspecified) | Err(_)
    ) {
        return Err(Invalid::new("source", "must name a source"));
    }
    if matches!(
        v1::Outcome::try_from(report.outcome),
        Ok(v1::Outcome::Unspecified) | Err(_)
    ) {
        return Err(Invalid::new("outcome", "must be OK, ABSENT or ERROR"));
    }
    Ok(())
}

/// The channel of a record or view.
pub(super) fn channel(value: i32) -> Result<Channel, Invalid> {
    match v1::Channel::try_from(value) {
        Ok(v1::Channel::Lease) => Ok(Channel::Lease),
        Ok(v1::Channel::NodeStatus) => Ok(Channel::NodeStatus),
        Ok(v1::Channel::Unspecified) | Err(_) => {
            Err(Invalid::new("channel", "must be LEASE or NODE_STATUS"))
        }
    }
}

/// Why a channel could not be seen.
pub(super) fn blind_reason(value: i32) -> Result<BlindReason, Invalid> {
    match v1::BlindReason::try_from(value) {
        Ok(v1::BlindReason::Connection) => Ok(BlindReason::Connection),
        Ok(v1::BlindReason::ServerError) => Ok(BlindReason::ServerError),
        Ok(v1::BlindReason::Forbidden) => Ok(BlindReason::Forbidden),
        Ok(v1::BlindReason::Expired) => Ok(BlindReason::Expired),
        Ok(v1::BlindReason::AgentStalled) => Ok(BlindReason::AgentStalled),
        Ok(v1::BlindReason::Unspecified) | Err(_) => Err(Invalid::new(
            "reason",
            "must be CONNECTION, SERVER_ERROR, FORBIDDEN, EXPIRED or AGENT_STALLED",
        )),
    }
}
