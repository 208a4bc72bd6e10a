//! How a client asks what the cluster looks like: brokers for metadata, controllers for the controllers.

use super::conn;
use super::{Event, Loss, Net, Node};
use crate::io::Output;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::Time;
use wire::describe_cluster_request::DescribeClusterRequest;
use wire::metadata_request::MetadataRequest;

/// The endpoints of DescribeCluster that are controllers.
const CONTROLLERS: i8 = 2;

impl Net {
    pub(super) fn pump_metadata(&mut self, now: Time, out: &mut Vec<Output>) {
        if !self.metadata.should_ask(now) {
            return;
        }
        let Some(node) = self.any_ready(now, out) else {
            return;
        };
        let sent = match self.config.controllers {
            true => self.ask_controllers(now, node, out),
            false => self.ask_metadata(now, node, out),
        };
        let Some(correlation) = sent else {
            self.drop_link(now, node, Loss::Disconnected, out);
            return;
        };
        self.mark_ours(node, conn::Ours::Metadata);
        self.metadata.in_flight = Some(correlation);
        self.metadata.wanted = false;
    }

    fn ask_metadata(&mut self, now: Time, node: Node, out: &mut Vec<Output>) -> Option<i32> {
        let version = self.version::<MetadataRequest>(node, i16::MAX)?;
        let auto_create = self.config.auto_create_topics;
        let request = self.metadata.request(version, auto_create);
        self.send(now, node, version, &request, out)
    }

    /// Controllers know no Metadata; what they are is told by DescribeCluster.
    fn ask_controllers(&mut self, now: Time, node: Node, out: &mut Vec<Output>) -> Option<i32> {
        let version = self.version::<DescribeClusterRequest>(node, 1)?;
        let request = DescribeClusterRequest {
            endpoint_type: CONTROLLERS,
            ..Default::default()
        };
        self.send(now, node, version, &request, out)
    }

    pub(super) fn on_metadata(
        &mut self,
        now: Time,
        node: Node,
        version: i16,
        frame: &Bytes,
        out: &mut Vec<Output>,
    ) {
        self.metadata.in_flight = None;
        let max_age = u64::from(self.config.metadata_max_age_ms);
        let taken = match self.config.controllers {
            true => self
                .metadata
                .take_controllers(now, frame.clone(), version, max_age),
            false => self.metadata.take(now, frame.clone(), version, max_age),
        };
        if !taken {
            self.drop_link(now, node, Loss::Disconnected, out);
            return;
        }
        let failures = self.metadata.failures;
        if failures > 0 {
            let wait = self.backoff(failures);
            self.metadata.not_before = now.plus_millis(wait);
        }
        self.adopt_bootstrap(node);
        self.forget_gone(out);
        self.events.push_back(Event::Metadata);
    }
}
