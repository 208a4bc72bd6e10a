exec(open('/tmp/roles-next/apply3.py').read().split("shutil.copy(")[0])
sub('api/fetch.rs',
 ('//! Left out: fetches by followers (answered 6) and from the nearest replica (KIP-392).','''//! A follower that fetches is believed to be one, as in Kafka, if it is assigned (else 75): its offset says
//! what it has, and it gets all that is stored. A consumer from v11 on may read at a follower, too.
//!
//! Left out: naming the nearest replica (KIP-392).'''),
 ('''    replica_id: i32,
}

/// One look''','''    /// The follower that fetches; negative for a consumer.
    replica_id: i32,
    /// Its broker epoch; -1 if it tells none.
    replica_epoch: i64,
}

/// One look'''),
 ('''    cold: Vec<(LogId, LogSlice)>,
}

pub(crate) fn handle''','''    cold: Vec<(LogId, LogSlice)>,
    /// The logs that a follower may read, and where its own end.
    followed: Vec<(LogId, Offset)>,
}

pub(crate) fn handle'''),
 ('''    let look = broker.look(&ask, cx.caller.version, None);
    if''','''    let look = broker.look(&ask, cx.caller.version, None);
    // Only now, so that a follower learns of a high watermark that it moves with its next fetch.
    broker.hear_fetch(cx.now, &ask, &look);
    if'''),
 ('found.readers.insert(id);','found.note_reader(id, ask.is_follower());'),
 ('found.readers.remove(&id);','found.forget_reader(id);'),
 ('''impl Look {''','''impl Ask {
    fn is_follower(&self) -> bool {
        self.replica_id >= 0
    }
}

impl Look {'''),
 ('''        let replica_id = if cx.caller.version >= 15 {
            request.replica_state.replica_id
        } else {
            request.replica_id
        };''','''        let (replica_id, replica_epoch) = if cx.caller.version >= 15 {
            let state = &request.replica_state;
            (state.replica_id, state.replica_epoch)
        } else {
            (request.replica_id, -1)
        };'''),
 ('            replica_id,\n        })','            replica_id,\n            replica_epoch,\n        })'),
 ('            cold: Vec::new(),\n        };','            cold: Vec::new(),\n            followed: Vec::new(),\n        };'),
 ('''        let bound = if ask.isolation == 1 {''','''        let bound = if ask.is_follower() {
            look.followed.push((id, wanted.offset));
            log.stored_end()
        } else if ask.isolation == 1 {'''),
 ('''        let led = self.led_replica(&topic.name, index).ok();
        let found = led.and_then(|id| Some((id, self.replicas.get(id)?)));
        let Some((id, replica)) = found.filter(|_| ask.replica_id < 0) else {
            let data = refusal(index, ErrorCode::NOT_LEADER_OR_FOLLOWER, None);
            return Err(Box::new(with_leader(data, partition, version)));
        };
        let code = match epoch_refusal(wanted.current_epoch, replica.epoch()) {
            None if unreadable == Some(id) => ErrorCode::KAFKA_STORAGE_ERROR,
            None => return Ok((id, replica)),
            Some(code) => code,
        };
        let data = refusal(index, code, None);
        Err(Box::new(match code {
            ErrorCode::FENCED_LEADER_EPOCH => with_leader(data, partition, version),
            _ => data,
        }))
    }
''','''        let id = self.replicas.find(&topic.name, index);
        let found = id.and_then(|id| Some((id, self.replicas.get(id)?)));
        let code = match found {
            None => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            Some((id, replica)) => match self.read_refusal(ask, wanted, version, replica) {
                None if unreadable == Some(id) => ErrorCode::KAFKA_STORAGE_ERROR,
                None => return Ok((id, replica)),
                Some(code) => code,
            },
        };
        let data = refusal(index, code, None);
        Err(Box::new(match code {
            ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::NOT_LEADER_OR_FOLLOWER => {
                with_leader(data, partition, version)
            }
            _ => data,
        }))
    }

    /// Why a replica is not read by this fetch.
    fn read_refusal(
        &self,
        ask: &Ask,
        wanted: &Wanted,
        version: i16,
        replica: &Replica,
    ) -> Option<ErrorCode> {
        if let Some(code) = epoch_refusal(wanted.current_epoch, replica.epoch()) {
            return Some(code);
        }
        let serves_here = !ask.is_follower() && version >= FOLLOWERS_FROM && replica.follows();
        if !replica.leads() && !serves_here {
            return Some(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        if !ask.is_follower() {
            return None;
        }
        let node = NodeId(ask.replica_id);
        if node == self.config.node || !replica.is_assigned_to(node) {
            return Some(ErrorCode::UNKNOWN_LEADER_EPOCH);
        }
        let entry = self.image.brokers().get(&node);
        let is_stale = |epoch| ask.replica_epoch != -1 && ask.replica_epoch < epoch;
        let is_stale = entry.is_some_and(|entry| is_stale(entry.epoch));
        is_stale.then_some(ErrorCode::NOT_LEADER_OR_FOLLOWER)
    }

    /// Takes note of what a follower's fetch tells of its logs. Looking again later tells nothing new.
    fn hear_fetch(&mut self, now: Time, ask: &Ask, look: &Look) {
        if look.followed.is_empty() {
            return;
        }
        let node = NodeId(ask.replica_id);
        let entry = self.image.brokers().get(&node).filter(|entry| !entry.fenced);
        let is_eligible =
            entry.is_some_and(|entry| [-1, entry.epoch].contains(&ask.replica_epoch));
        for &(id, end) in &look.followed {
            let heard = Heard {
                node,
                end,
                broker_epoch: ask.replica_epoch,
                is_eligible,
            };
            self.replicas.hear_follower(now, id, heard);
        }
    }
'''),
 ('''/// One partition a fetch asks for.''','''/// The first version in which a consumer may read at a follower (KIP-392).
const FOLLOWERS_FROM: i16 = 11;

/// One partition a fetch asks for.'''),
 ('use crate::replicas::{Replica, epoch_refusal};','use crate::replicas::{Heard, Replica, epoch_refusal};'),
 ('use ids::{ErrorCode, LeaderEpoch, Offset,','use ids::{ErrorCode, LeaderEpoch, NodeId, Offset,'),
)
sub('replicas/replica.rs',('''    pub(super) fn leading_mut(''','''    /// Whether another broker leads the partition.
    pub(crate) fn follows(&self) -> bool {
        matches!(self.role, Role::Following)
    }

    pub(super) fn leading_mut('''))
sub('api/list_offsets.rs',
 ('found.readers.insert(id);','found.note_reader(id, false);'),
 ('found.readers.remove(&id);','found.forget_reader(id);'),
 ('''    let id = broker.led_replica(topic, partition)?;
    let replica = broker
        .replicas
        .get(id)
        .ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
    if let Some(code) = epoch_refusal(LeaderEpoch(ask.current_leader_epoch), replica.epoch()) {
        return Err(code.into());
    }
''','''    let epoch = LeaderEpoch(ask.current_leader_epoch);
    let (id, replica) = if request.replica_id == DEBUGGER {
        let id = broker.replicas.find(topic, partition);
        let found = id.and_then(|id| Some((id, broker.replicas.get(id)?)));
        found.ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?
    } else {
        broker.led_replica_in(topic, partition, epoch)?
    };
'''),
 ('''    let bound = if request.isolation_level == 1 {''','''    // A follower, too, is told what is there, committed or not.
    let bound = if request.replica_id != CONSUMER {
        log.stored_end()
    } else if request.isolation_level == 1 {'''),
 ('''const NOTHING: Found''','''/// The `ReplicaId` of a consumer.
const CONSUMER: i32 = -1;
/// The `ReplicaId` of who wants to know what any replica has.
const DEBUGGER: i32 = -2;

const NOTHING: Found'''),
)
sub('api/offset_for_leader_epoch.rs',())if 0 else None
sub('view.rs',('''    pub(crate) fn leads(''','''    /// The same for someone who believes `epoch` to be current: 74 and 75 come before 6.
    pub(crate) fn led_replica_in(
        &self,
        topic: &str,
        partition: PartitionIndex,
        epoch: LeaderEpoch,
    ) -> Result<(LogId, &Replica), ErrorCode> {
        let id = self.replicas.find(topic, partition);
        let found = id.and_then(|id| Some((id, self.replicas.get(id)?)));
        let Some((id, replica)) = found else {
            return Err(self.led_refusal(topic, partition));
        };
        match epoch_refusal(epoch, replica.epoch()) {
            Some(code) => Err(code),
            None if replica.leads() => Ok((id, replica)),
            None => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        }
    }

    pub(crate) fn leads('''),
 ('use crate::replicas::Replica;','use crate::replicas::{Replica, epoch_refusal};'),
 ('use ids::{ErrorCode, PartitionIndex,','use ids::{ErrorCode, LeaderEpoch, PartitionIndex,'))
sub('broker.rs',('''        while let Some(conn) = self.ready.pop_front() {
            self.serve(now, conn, out);
        }
''','''        loop {
            while let Some(conn) = self.ready.pop_front() {
                self.serve(now, conn, out);
            }
            self.hand_out(now, out);
            if self.ready.is_empty() {
                return;
            }
        }
'''))
sub('api/offset_for_leader_epoch.rs',('''    let id = broker.led_replica(topic, PartitionIndex(ask.partition))?;
    let replica = broker
        .replicas
        .get(id)
        .ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
    if let Some(code) = epoch_refusal(LeaderEpoch(ask.current_leader_epoch), replica.epoch()) {
        return Err(code);
    }
''','''    let current = LeaderEpoch(ask.current_leader_epoch);
    let partition = PartitionIndex(ask.partition);
    let (_, replica) = broker.led_replica_in(topic, partition, current)?;
'''))
