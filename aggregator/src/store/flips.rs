//! Flips as rows: columns for people, and the rest in a message.

use nodegrace_core::{
    ConditionStatus, GapStart, WallTime,
    cluster::{Flip, LostAddress, Machine, Service},
};
use nodegrace_proto::store::v1;
use prost::Message as _;
use rusqlite::{Connection, Row, Transaction, params};

use super::{
    Database, OpenError,
    row::KeptFlip,
    snapshot::{duration, nanos, posts, since, to_posts},
};

/// Writes a flip, in place of what was written of it before.
pub(super) fn save(transaction: &Transaction<'_>, kept: &KeptFlip) -> Result<(), rusqlite::Error> {
    let flip = &kept.flip;
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO flip VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            flip.node,
            flip.transition.unix_nanos(),
            status(flip.status),
            flip.reason,
            kept.kind.name(),
            flip.seen.map(WallTime::unix_nanos),
            flip.agent_seen.map(WallTime::unix_nanos),
            flip.after.map(|after| nanos(after).cast_signed()),
            flip.ready_again.map(WallTime::unix_nanos),
            flip.deleted.map(WallTime::unix_nanos),
            flip.lost_count.cast_signed(),
            detail(flip).encode_to_vec(),
            kept.kept.unix_nanos(),
        ])?;
    Ok(())
}

impl Database {
    /// The flips kept last, at most `most`, oldest first.
    pub(crate) fn flips(&self, most: usize) -> Result<Vec<Flip>, OpenError> {
        let mut flips = read(&self.connection, most)?;
        flips.reverse();
        Ok(flips)
    }
}

fn read(connection: &Connection, most: usize) -> Result<Vec<Flip>, OpenError> {
    let mut query = connection.prepare(
        "SELECT node, transition_ns, status, reason, seen_ns, agent_seen_ns, after_ns, ready_again_ns, deleted_ns,
        lost_addresses, detail FROM flip ORDER BY kept_ns DESC, transition_ns DESC LIMIT ?1",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = query.query([most])?;
    let mut flips = Vec::new();
    while let Some(row) = rows.next()? {
        flips.push(flip(row)?);
    }
    Ok(flips)
}

fn flip(row: &Row<'_>) -> Result<Flip, OpenError> {
    let node: String = row.get(0)?;
    let detail = row.get_ref(10)?.as_blob().map_err(rusqlite::Error::from)?;
    let detail = v1::FlipDetail::decode(detail).map_err(|reason| OpenError::Damaged {
        what: "a flip",
        node: node.clone(),
        reason: reason.into(),
    })?;
    let time = |column: usize| {
        let nanos: Option<i64> = row.get(column)?;
        Ok::<_, rusqlite::Error>(nanos.map(WallTime::from_unix_nanos))
    };
    let after: Option<i64> = row.get(6)?;
    let text: String = row.get(2)?;
    let reason: String = row.get(3)?;
    let lost: i64 = row.get(9)?;
    Ok(Flip {
        node: node.into(),
        transition: WallTime::from_unix_nanos(row.get(1)?),
        status: if text == "False" {
            ConditionStatus::False
        } else {
            ConditionStatus::Unknown
        },
        reason: reason.into(),
        seen: time(4)?,
        agent_seen: time(5)?,
        after: after.map(|after| duration(after.unsigned_abs())),
        start: GapStart::after(
            detail.since_lease_nanos.map(since),
            posts(&detail.earlier_post_micros),
        ),
        uncertainty: duration(detail.uncertainty_nanos),
        went_on: detail.went_on_unix_nanos.map(WallTime::from_unix_nanos),
        ready_again: time(7)?,
        deleted: time(8)?,
        ended_unseen: detail.ended_unseen,
        machine: Machine {
            uid: detail.node_uid.into(),
            boot_id: detail.boot_id.into(),
        },
        rebooted: detail.rebooted,
        taints: detail.taints.into_iter().map(Into::into).collect(),
        lost: detail.addresses.into_iter().map(address).collect(),
        lost_count: lost.unsigned_abs(),
    })
}

fn detail(flip: &Flip) -> v1::FlipDetail {
    let (since_lease, earlier) = match flip.start {
        GapStart::Once => (None, Vec::new()),
        GapStart::StatusPost {
            since_lease,
            earlier_posts,
        } => (Some(nanos(since_lease)), to_posts(earlier_posts)),
    };
    v1::FlipDetail {
        since_lease_nanos: since_lease,
        earlier_post_micros: earlier,
        rebooted: flip.rebooted,
        taints: flip.taints.iter().map(ToString::to_string).collect(),
        addresses: flip.lost.iter().map(to_address).collect(),
        uncertainty_nanos: nanos(flip.uncertainty),
        went_on_unix_nanos: flip.went_on.map(WallTime::unix_nanos),
        ended_unseen: flip.ended_unseen,
        node_uid: flip.machine.uid.to_string(),
        boot_id: flip.machine.boot_id.to_string(),
    }
}

fn to_address(lost: &LostAddress) -> v1::FlippedAddress {
    v1::FlippedAddress {
        namespace: lost.service.namespace.to_string(),
        service: lost.service.name.to_string(),
        address: lost.address.to_string(),
        pod: lost.pod.as_ref().map(ToString::to_string),
        left_unix_nanos: lost.left.unix_nanos(),
        returned_unix_nanos: lost.returned.map(WallTime::unix_nanos),
        gone_unix_nanos: lost.gone.map(WallTime::unix_nanos),
        late: lost.late,
    }
}

fn address(lost: v1::FlippedAddress) -> LostAddress {
    LostAddress {
        service: Service {
            namespace: lost.namespace.into(),
            name: lost.service.into(),
        },
        address: lost.address.into(),
        pod: lost.pod.map(Into::into),
        left: WallTime::from_unix_nanos(lost.left_unix_nanos),
        returned: lost.returned_unix_nanos.map(WallTime::from_unix_nanos),
        gone: lost.gone_unix_nanos.map(WallTime::from_unix_nanos),
        late: lost.late,
    }
}

const fn status(status: ConditionStatus) -> &'static str {
    match status {
        ConditionStatus::True => "True",
        ConditionStatus::False => "False",
        ConditionStatus::Unknown => "Unknown",
    }
}
