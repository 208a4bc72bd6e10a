//! The controller itself: requests in, records out.

use crate::brokers::Session;
use crate::leadership::Checks;
use crate::room::RECORDS_MAX;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use ids::{ErrorCode, LeaderEpoch, NodeId, Offset, Rng, Time, Uuid};
use metadata::{Catalog, ConfigView, Image, MetadataRecord, Snapshot};
use records::{BatchBuilder, BatchOptions, BatchView, ValidBatch};
use sorted::SortedMap;
use wire::{Message, Reader, RequestFrame, RequestHeader, Str};

/// `metadata.version` of Kafka 4.3.
pub(crate) const METADATA_VERSION: i16 = 30;
/// Producer ids given to a broker at a time.
pub(crate) const PRODUCER_ID_BLOCK: i32 = 1000;

/// What a controller is told once, at its start.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// `node.id`.
    pub node: NodeId,
    /// New with every start of the process.
    pub incarnation: Uuid,
    /// What `server.properties` says.
    pub properties: SortedMap<String, String>,
    /// Where all the controller's chance comes from: topic ids, placement.
    pub seed: u64,
    /// What the shell knows of configs; it may be empty.
    pub catalog: Catalog,
    /// Whether a new cluster keeps eligible leaders (KIP-966), as Kafka's formatting makes it.
    pub keeps_eligible_leaders: bool,
}

/// Names a request until it is answered; whoever sent it chose the number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// A fact the controller is told.
#[derive(Clone, Debug)]
pub enum Event {
    /// Its node leads the quorum, and everything that was ever committed has been told: it decides from now on.
    Leading {
        /// The epoch in which it does.
        epoch: LeaderEpoch,
    },
    /// Its node leads no more: what is not committed may never be.
    Resigned {
        /// What those who wait are told.
        code: ErrorCode,
    },
    /// A batch of the metadata log is committed; they come in order.
    Committed {
        /// The batch as it lies in the log.
        batch: Bytes,
    },
    /// This takes the place of everything that was told before.
    Loaded {
        /// What everything below its end adds up to.
        snapshot: Snapshot,
    },
    /// A request from a broker: its own, or a client's passed on.
    Request {
        /// Comes back with the answer.
        id: RequestId,
        /// Header and body.
        frame: Bytes,
    },
    /// Time has passed.
    Tick,
}

/// An order the controller gives. They are carried out in order, and before it is told anything else.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Append this to the metadata log.
    Append {
        /// The epoch it leads in.
        epoch: LeaderEpoch,
        /// The batch; its first record gets the log's next offset.
        batch: ValidBatch<'static>,
    },
    /// Answer a request.
    Reply {
        /// The request.
        id: RequestId,
        /// The response frame, without its four bytes of length.
        frame: Bytes,
    },
    /// Tell whoever sent a request that it will have no answer, and why: every request gets one or the other.
    Refused {
        /// The request.
        id: RequestId,
        /// Why.
        code: ErrorCode,
    },
}

/// A batch that is not committed, with the answers that rest on it.
#[derive(Clone, Debug)]
struct Pending {
    end: Offset,
    replies: Vec<(RequestId, Bytes)>,
}

/// The controller. `Clone` is a snapshot.
#[derive(Clone, Debug)]
pub struct Controller {
    pub(crate) config: ControllerConfig,
    /// With everything appended, committed or not: what the next request is judged by. It means nothing
    /// while another controller leads.
    pub(crate) image: Image,
    /// With what is committed: where to go back to when the lead is lost.
    committed: Image,
    /// The offset that the next record will get.
    next: Offset,
    pending: VecDeque<Pending>,
    /// The brokers that are heard of.
    pub(crate) heartbeats: SortedMap<NodeId, Session>,
    pub(crate) checks: Checks,
    /// Where other nodes come to it.
    pub(crate) listeners: Vec<(Str, Str, u16)>,
    /// Whose brokers may register; any cluster's while it is not told.
    pub(crate) cluster_id: Option<Arc<str>>,
    pub(crate) rng: Rng,
    /// The epoch in which it leads, if it does.
    epoch: Option<LeaderEpoch>,
    /// `broker.session.timeout.ms`, which never changes while a process runs, in microseconds.
    pub(crate) session_micros: u64,
    /// Microseconds by which the wall's clock is ahead of the time of events.
    wall_ahead: i64,
}

/// What a request asks to be written, and what is answered once it is.
pub(crate) struct Decided {
    pub(crate) records: Vec<MetadataRecord>,
    pub(crate) reply: Bytes,
}

/// Reads a request, has it judged, and writes the answer.
macro_rules! decide_with {
    ($self:ident, $now:ident, $header:ident, $body:ident, $request:ty, $handle:ident) => {{
        let request = <$request>::decode(&mut $body, $header.api_version);
        let request = request.map_err(|_| ErrorCode::INVALID_REQUEST)?;
        let (records, answer) = $self.$handle($now, $header.api_version, &request);
        if is_of_client($header.api_key) && records.len() > RECORDS_MAX {
            return Err(ErrorCode::POLICY_VIOLATION);
        }
        Ok(Decided {
            records,
            reply: encode($header, &answer),
        })
    }};
}

impl Controller {
    /// A controller that knows nothing yet.
    #[must_use]
    pub fn new(config: ControllerConfig) -> Controller {
        let image = Image::default();
        let view = ConfigView {
            image: &image,
            properties: &config.properties,
            node: None,
        };
        let session = view.broker_number("broker.session.timeout.ms");
        Controller {
            rng: Rng::new(config.seed),
            session_micros: u64::try_from(session).unwrap_or(0).saturating_mul(1000),
            config,
            committed: image.clone(),
            image,
            next: Offset(0),
            pending: VecDeque::new(),
            heartbeats: SortedMap::new(),
            checks: Checks::default(),
            listeners: Vec::new(),
            cluster_id: None,
            epoch: None,
            wall_ahead: 0,
        }
    }

    /// Tells the controller one fact; its orders are appended to `out`. `next` is the end of the metadata log.
    pub fn step(&mut self, now: Time, next: Offset, event: Event, out: &mut Vec<Effect>) {
        self.next = next;
        match event {
            Event::Leading { epoch } => self.lead(now, epoch, out),
            Event::Resigned { code } => self.resign(code, out),
            Event::Committed { batch } => self.commit(&batch, out),
            Event::Loaded { snapshot } => self.load(&snapshot),
            Event::Request { id, frame } => self.request(now, id, frame, out),
            Event::Tick if self.is_leading() => self.judge(now, out),
            Event::Tick => {}
        }
    }

    /// Whether it leads: what it decides holds.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.epoch.is_some()
    }

    /// Fences the brokers whose session is over, and looks after leaders. Only when time is all there is to
    /// hear of: after a stall their heartbeats have come meanwhile, and are heard first.
    fn judge(&mut self, now: Time, out: &mut Vec<Effect>) {
        while let Some(records) = self.expire_session(now) {
            self.append(now, records, Vec::new(), out);
        }
        let elected = self.check_leaders(now);
        self.append(now, elected, Vec::new(), out);
    }

    /// Tells which cluster this is: brokers of another one are refused from then on.
    pub fn set_cluster_id(&mut self, id: Arc<str>) {
        self.cluster_id = Some(id);
    }

    /// Tells where it listens: names, hosts and ports.
    pub fn set_listeners(&mut self, listeners: Vec<(Str, Str, u16)>) {
        self.listeners = listeners;
    }

    /// Tells by how many microseconds the clock on the wall is ahead of the time of events.
    pub fn set_wall_ahead(&mut self, micros: i64) {
        self.wall_ahead = micros;
    }

    /// The next moment at which [`Event::Tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.epoch?;
        let checks = [self.checks.preferred, self.checks.unclean];
        let checks = checks.into_iter().flatten();
        checks.chain(self.next_session_end()).min()
    }

    /// The metadata as it is committed.
    #[must_use]
    #[allow(
        clippy::misnamed_getters,
        reason = "what is not committed yet is nobody's business"
    )]
    pub fn image(&self) -> &Image {
        &self.committed
    }

    /// Everything committed is known: from here on it decides.
    fn lead(&mut self, now: Time, epoch: LeaderEpoch, out: &mut Vec<Effect>) {
        self.epoch = Some(epoch);
        self.image = self.committed.clone();
        let mut records = Vec::new();
        if self.image.feature("metadata.version") == 0 {
            records = self.first_records();
        }
        let own = self.registration();
        let (own, _) = self.register_controller(now, 0, &own);
        records.extend(own);
        // Brokers that were alive get a whole session to be heard of again.
        let alive: Vec<NodeId> = self.image.live_brokers().map(|(id, _)| id).collect();
        let session = |id| (id, Session::new(now));
        self.heartbeats = alive.into_iter().map(session).collect();
        self.begin_checks(now);
        self.append(now, records, Vec::new(), out);
    }

    /// Leads no more: what it has decided and is not committed is taken back.
    fn resign(&mut self, code: ErrorCode, out: &mut Vec<Effect>) {
        if self.epoch.take().is_none() {
            return;
        }
        let lost = self.pending.drain(..).flat_map(|pending| pending.replies);
        out.extend(lost.map(|(id, _)| Effect::Refused { id, code }));
        self.image = Image::default();
        self.heartbeats = SortedMap::new();
        self.checks = Checks::default();
    }

    fn commit(&mut self, batch: &Bytes, out: &mut Vec<Effect>) {
        let Ok(view) = BatchView::parse(batch) else {
            return;
        };
        let end = view.next_offset();
        apply(&mut self.committed, batch);
        self.committed.advance(end);
        while let Some(pending) = self.pending.pop_front_if(|pending| pending.end <= end) {
            let replies = pending.replies.into_iter();
            out.extend(replies.map(|(id, frame)| Effect::Reply { id, frame }));
        }
    }

    fn load(&mut self, snapshot: &Snapshot) {
        self.committed = Image::default();
        self.committed.load(snapshot);
    }

    fn request(&mut self, now: Time, id: RequestId, frame: Bytes, out: &mut Vec<Effect>) {
        if !self.is_leading() {
            let code = ErrorCode::NOT_CONTROLLER;
            return out.push(Effect::Refused { id, code });
        }
        let decided = match self.decide(now, frame) {
            Ok(decided) => decided,
            Err(code) => return out.push(Effect::Refused { id, code }),
        };
        if decided.records.is_empty() && self.pending.is_empty() {
            out.push(Effect::Reply {
                id,
                frame: decided.reply,
            });
            return;
        }
        // An answer that writes nothing may still rest on records that are not committed yet.
        self.append(now, decided.records, alloc::vec![(id, decided.reply)], out);
    }

    /// Judges a request.
    ///
    /// # Errors
    /// 42 for one that the controller does not know (brokers never send such), 44 for one that makes more
    /// records than a request may.
    fn decide(&mut self, now: Time, frame: Bytes) -> Result<Decided, ErrorCode> {
        const NONE: ErrorCode = ErrorCode::INVALID_REQUEST;
        let RequestFrame { header, mut body } = RequestFrame::decode(frame).map_err(|_| NONE)?;
        let header = &header;
        macro_rules! decide {
            ($request:ty, $handle:ident) => {
                decide_with!(self, now, header, body, $request, $handle)
            };
        }
        match header.api_key {
            19 => decide!(
                wire::create_topics_request::CreateTopicsRequest,
                create_topics
            ),
            62 => decide!(
                wire::broker_registration_request::BrokerRegistrationRequest,
                register_broker
            ),
            63 => decide!(
                wire::broker_heartbeat_request::BrokerHeartbeatRequest,
                heartbeat
            ),
            67 => decide!(
                wire::allocate_producer_ids_request::AllocateProducerIdsRequest,
                allocate_producer_ids
            ),
            _ => self.decide_later(now, header, body),
        }
    }

    /// Judges a request without which a cluster begins; it stays by itself, so that a page that begins need
    /// not load it.
    #[inline(never)]
    fn decide_later(
        &mut self,
        now: Time,
        header: &RequestHeader,
        mut body: Reader,
    ) -> Result<Decided, ErrorCode> {
        macro_rules! decide {
            ($request:ty, $handle:ident) => {
                decide_with!(self, now, header, body, $request, $handle)
            };
        }
        match header.api_key {
            20 => decide!(
                wire::delete_topics_request::DeleteTopicsRequest,
                delete_topics
            ),
            33 => decide!(
                wire::alter_configs_request::AlterConfigsRequest,
                alter_configs
            ),
            37 => decide!(
                wire::create_partitions_request::CreatePartitionsRequest,
                create_partitions
            ),
            43 => decide!(
                wire::elect_leaders_request::ElectLeadersRequest,
                elect_leaders
            ),
            44 => decide!(
                wire::incremental_alter_configs_request::IncrementalAlterConfigsRequest,
                incremental_alter_configs
            ),
            45 => decide!(
                wire::alter_partition_reassignments_request::AlterPartitionReassignmentsRequest,
                alter_reassignments
            ),
            46 => decide!(
                wire::list_partition_reassignments_request::ListPartitionReassignmentsRequest,
                list_reassignments
            ),
            56 => decide!(
                wire::alter_partition_request::AlterPartitionRequest,
                alter_partition
            ),
            57 => decide!(
                wire::update_features_request::UpdateFeaturesRequest,
                update_features
            ),
            64 => decide!(
                wire::unregister_broker_request::UnregisterBrokerRequest,
                unregister_broker
            ),
            70 => decide!(
                wire::controller_registration_request::ControllerRegistrationRequest,
                register_controller
            ),
            73 => decide!(
                wire::assign_replicas_to_dirs_request::AssignReplicasToDirsRequest,
                assign_directories
            ),
            _ => Err(ErrorCode::INVALID_REQUEST),
        }
    }

    /// Appends records as one batch and keeps the answers until it is committed.
    fn append(
        &mut self,
        now: Time,
        records: Vec<MetadataRecord>,
        replies: Vec<(RequestId, Bytes)>,
        out: &mut Vec<Effect>,
    ) {
        if records.is_empty() {
            match self.pending.back_mut() {
                Some(pending) => pending.replies.extend(replies),
                None => out.extend(
                    replies
                        .into_iter()
                        .map(|(id, frame)| Effect::Reply { id, frame }),
                ),
            }
            return;
        }
        let wall = now.shifted(self.wall_ahead);
        let mut builder = BatchBuilder::new(BatchOptions::default());
        for record in &records {
            let added = builder.append(wall.millis(), None, Some(&record.encode()), &[]);
            assert!(
                added.is_ok(),
                "one request made two gibibytes of metadata records"
            );
        }
        let first = self.next;
        for (record, offset) in records.iter().zip(first.0..) {
            self.image.apply(Offset(offset), record);
            self.plan_checks(now, record);
            self.next = Offset(offset).plus(1);
        }
        let end = self.next;
        self.pending.push_back(Pending { end, replies });
        let batch = builder.into_valid();
        out.extend(self.epoch.map(|epoch| Effect::Append { epoch, batch }));
    }

    /// The controller's own `ErrorCode` for a broker it does not know or whose epoch is old.
    pub(crate) fn check_broker(&self, node: NodeId, epoch: i64) -> Result<(), ErrorCode> {
        match self.image.brokers().get(&node) {
            Some(entry) if entry.epoch == epoch => Ok(()),
            _ => Err(ErrorCode::STALE_BROKER_EPOCH),
        }
    }

    pub(crate) fn new_uuid(&mut self) -> Uuid {
        loop {
            let id = Uuid::random_for_people(&mut self.rng);
            if self.image.topic_by_id(id).is_none() {
                return id;
            }
        }
    }

    /// The offset that the next record will get.
    pub(crate) fn next_offset(&self) -> Offset {
        self.next
    }
}

/// Applies the records of a batch; those that cannot be read are left out.
fn apply(image: &mut Image, batch: &Bytes) {
    for (offset, record) in metadata::records_of(batch) {
        if let Ok(record) = record {
            image.apply(offset, &record);
        }
    }
}

/// Whether a request comes from a client. A broker's own may concern all of its partitions, and so does its
/// unregistration.
fn is_of_client(api_key: i16) -> bool {
    !matches!(api_key, 56 | 62 | 63 | 64 | 67 | 73)
}

/// Answers are encoded at once: what they say is decided, only their time is not.
fn encode<M: Message>(header: &RequestHeader, message: &M) -> Bytes {
    match wire::encode_response(
        header.correlation_id,
        header.api_key,
        header.api_version,
        message,
    ) {
        Ok(encoded) => encoded.bytes,
        Err(why) => panic!("an answer of the controller does not fit its version: {why:?}"),
    }
}
