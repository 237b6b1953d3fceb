//! The parameters of each path, and the request that they make.

use std::time::Duration;

use nodegrace_proto::{prost_types, v1};
use serde::Deserialize;
use tonic::Request;

use super::Failed;
use crate::wire;

/// Of `nodes.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Nodes {
    page_size: i32,
    page_token: String,
    order_by: String,
    filter: String,
    view: String,
}

impl Nodes {
    pub(super) fn request(self) -> Result<Request<v1::ListNodesRequest>, Failed> {
        let view = match &*self.view {
            "" | "BASIC" => v1::NodeView::Basic,
            "FULL" => v1::NodeView::Full,
            _ => return Err(Failed::argument("view", "must be BASIC or FULL")),
        };
        Ok(Request::new(v1::ListNodesRequest {
            page_size: self.page_size,
            page_token: self.page_token,
            order_by: self.order_by,
            filter: self.filter,
            view: view.into(),
        }))
    }
}

/// Of `course.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Course {
    node_name: String,
}

impl Course {
    pub(super) fn request(self) -> Request<v1::GetNodeCourseRequest> {
        let node_name = self.node_name;
        Request::new(v1::GetNodeCourseRequest { node_name })
    }
}

/// Of `gaps.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Gaps {
    node_name: String,
    min_duration: Option<String>,
    page_size: i32,
    page_token: String,
    order_by: String,
}

impl Gaps {
    pub(super) fn request(self) -> Result<Request<v1::ListGapsRequest>, Failed> {
        Ok(Request::new(v1::ListGapsRequest {
            min_duration: optional("min_duration", self.min_duration.as_deref())?,
            node_name: self.node_name,
            page_size: self.page_size,
            page_token: self.page_token,
            order_by: self.order_by,
        }))
    }
}

/// Of `flips.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Flips {
    node_name: String,
    /// By its name, such as `HEARTBEAT_LOST`. Empty: every kind.
    kind: String,
    page_size: i32,
    page_token: String,
    order_by: String,
    addresses: bool,
}

impl Flips {
    pub(super) fn request(self) -> Result<Request<v1::ListFlipsRequest>, Failed> {
        let kind = match &*self.kind {
            "" => v1::FlipKind::Unspecified,
            name => v1::FlipKind::from_str_name(&format!("FLIP_KIND_{name}"))
                .or_else(|| v1::FlipKind::from_str_name(name))
                .ok_or_else(|| Failed::argument("kind", format!("there is no kind {name:?}")))?,
        };
        Ok(Request::new(v1::ListFlipsRequest {
            page_size: self.page_size,
            page_token: self.page_token,
            node_name: self.node_name,
            kind: kind.into(),
            order_by: self.order_by,
            addresses: self.addresses,
        }))
    }
}

/// Of `explain-endpoint.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Endpoint {
    namespace: String,
    service: String,
    /// In RFC 3339.
    since_time: Option<String>,
    max_entries: i32,
}

impl Endpoint {
    pub(super) fn request(self) -> Result<Request<v1::ExplainEndpointRequest>, Failed> {
        let since = self.since_time.map(|text| {
            let time = text.parse::<prost_types::Timestamp>();
            time.map_err(|error| Failed::argument("since_time", error))
        });
        Ok(Request::new(v1::ExplainEndpointRequest {
            namespace: self.namespace,
            service: self.service,
            since_time: since.transpose()?,
            max_entries: self.max_entries,
        }))
    }
}

/// Of `services-at-risk.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ServicesAtRisk {
    page_size: i32,
    page_token: String,
}

impl ServicesAtRisk {
    pub(super) fn request(self) -> Request<v1::ListServicesAtRiskRequest> {
        Request::new(v1::ListServicesAtRiskRequest {
            page_size: self.page_size,
            page_token: self.page_token,
        })
    }
}

/// Of `what-if.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WhatIf {
    /// Comma-separated; each makes a candidate.
    grace_period: String,
    /// Of every candidate. Absent: the present one.
    monitor_period: Option<String>,
    max_nodes: i32,
}

impl WhatIf {
    pub(super) fn request(self) -> Result<Request<v1::SimulateGraceRequest>, Failed> {
        let monitor_period = optional("monitor_period", self.monitor_period.as_deref())?;
        let graces = self.grace_period.split(',');
        let candidates = graces
            .filter(|text| !text.is_empty())
            .map(|text| {
                Ok(v1::GraceCandidate {
                    grace_period: Some(duration("grace_period", text)?),
                    monitor_period,
                })
            })
            .collect::<Result<_, Failed>>()?;
        Ok(Request::new(v1::SimulateGraceRequest {
            candidates,
            max_nodes: self.max_nodes,
        }))
    }
}

/// Of `recommend.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Recommend {
    flips_per_thousand_nodes_month: Option<f64>,
    max_nodes: i32,
}

impl Recommend {
    pub(super) fn request(self) -> Request<v1::RecommendRequest> {
        Request::new(v1::RecommendRequest {
            flips_per_thousand_nodes_month: self.flips_per_thousand_nodes_month,
            max_nodes: self.max_nodes,
        })
    }
}

fn optional(field: &str, text: Option<&str>) -> Result<Option<prost_types::Duration>, Failed> {
    text.map(|text| duration(field, text)).transpose()
}

/// A duration as gRPC's JSON has it ("2.5s"), and as people write it ("1m 30s").
fn duration(field: &str, text: &str) -> Result<prost_types::Duration, Failed> {
    let seconds = text
        .strip_suffix('s')
        .and_then(|seconds| seconds.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .map_or_else(|| humantime::parse_duration(text), Ok)
        .map(wire::to_duration)
        .map_err(|error| Failed::argument(field, error))
}
