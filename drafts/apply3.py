import os,shutil
os.chdir('/work/wt/roles/crates/broker/src')
def sub(f,*pairs):
    s=open(f).read()
    for a,b in pairs:
        if a not in s: print('MISSING in',f,':',a[:70].replace('\n','|')); continue
        s=s.replace(a,b,1)
    open(f,'w').write(s)
shutil.copy('/tmp/roles-next/followers.rs','replicas/followers.rs')
shutil.copy('/tmp/roles-next/isr.rs','isr.rs')
sub('lib.rs',('mod forward;\n','mod forward;\nmod isr;\n'))
sub('replicas/replica.rs',
 ('''    /// How many replicas the partition is assigned to.
    pub(crate) replication: usize,
}''','''    /// All replicas that the partition is assigned to.
    pub(crate) replicas: Vec<NodeId>,
    /// Grows with every change of the partition.
    pub(crate) partition_epoch: i32,
}'''),
 ('            replication: 1,\n','            replicas: Vec::new(),\n            partition_epoch: -1,\n'),
 ('needed.min(self.assignment.replication)','needed.min(self.assignment.replicas.len())'),
 ('''    pub(super) fn leading_mut(''','''    pub(crate) fn partition_epoch(&self) -> i32 {
        self.assignment.partition_epoch
    }

    /// Whether a node is one of the partition's replicas.
    pub(crate) fn is_assigned_to(&self, node: NodeId) -> bool {
        self.assignment.replicas.contains(&node)
    }

    /// The change of the in-sync replicas that the controller is asked for, with broker epochs.
    pub(crate) fn proposed_isr(&self) -> Option<impl Iterator<Item = (NodeId, i64)>> {
        match &self.role {
            Role::Leading(leading) => leading.followers.proposed(),
            Role::Following | Role::Offline => None,
        }
    }

    /// Notes a parked request that reads it. A follower's looks again when more is stored.
    pub(crate) fn note_reader(&mut self, id: WaitId, is_follower: bool) {
        match &mut self.role {
            Role::Leading(leading) if is_follower => leading.fetching.insert(id),
            _ => self.readers.insert(id),
        };
    }

    /// A request that read it is not parked any more.
    pub(crate) fn forget_reader(&mut self, id: WaitId) {
        self.readers.remove(&id);
        if let Some(leading) = self.leading_mut() {
            leading.fetching.remove(&id);
        }
    }

    pub(super) fn leading_mut('''),
 ('''    pub(super) fn settle(&mut self, node: NodeId, news: &mut Vec<News>) {
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
''','''    ///
    /// Below `min.insync.replicas` it stands still, for every `acks` alike.
    pub(super) fn settle(&mut self, now: Time, lag_ms: u64, news: &mut Vec<News>) {
        let is_enough = self.has_enough_in_sync();
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
'''),
 ('''        // With this broker alone in sync, what is stored is committed. Followers will
        // hold it back once there are any.
        if self.assignment.isr.as_slice() == [node] {
            let committed = if is_planted(Mutant::CommittedUnstored) {
                self.log.log_end()
            } else {
                self.log.stored_end()
            };
            self.log.advance_high_watermark(committed);
        }
''','''        if is_enough {
            let own = if is_planted(Mutant::CommittedUnstored) {
                self.log.log_end()
            } else {
                self.log.stored_end()
            };
            let times = (now, lag_ms);
            let committed = (leading.followers).committed(times, own, &self.assignment.isr);
            self.log.advance_high_watermark(committed);
        }
'''),
 ('''        leading.settle(stored, committed, news);
''','''        leading.settle((stored, committed), is_enough, news);
'''),
 ('use ids::{LeaderEpoch,','use ids::{LeaderEpoch,'),
 ('TopicIdPartition, is_planted}','Time, TopicIdPartition, is_planted}'),
)
sub('replicas/role.rs',
 ('''    awaiting_committed: VecDeque<(Offset, Awaiter)>,
}''','''    awaiting_committed: VecDeque<(Offset, Awaiter)>,
    pub(super) followers: Followers,
    /// Parked fetches of followers: they look again when more is stored.
    pub(super) fetching: SortedSet<WaitId>,
    /// The end that those have seen.
    shown: Offset,
}'''),
 ('''    /// Everything below these ends is stored and committed.
    pub(super) fn settle(&mut self, stored: Offset, committed: Offset, news: &mut Vec<News>) {
        for (queue, end) in [
            (&mut self.awaiting_stored, stored),
            (&mut self.awaiting_committed, committed),
        ] {
            while let Some(&(needed, awaiter)) = queue.front()
                && needed <= end
            {
                queue.pop_front();
                news.push(Ending::Done.of(awaiter));
            }
        }
    }
''','''    /// Everything below these ends is stored and committed; whether that is on enough replicas is told
    /// to those who wanted to have it on all.
    pub(super) fn settle(
        &mut self,
        (stored, committed): (Offset, Offset),
        is_enough: bool,
        news: &mut Vec<News>,
    ) {
        let safe = if is_enough {
            Ending::Done
        } else {
            Ending::TooFewInSync
        };
        for (queue, end, ending) in [
            (&mut self.awaiting_stored, stored, Ending::Done),
            (&mut self.awaiting_committed, committed, safe),
        ] {
            while let Some(&(needed, awaiter)) = queue.front()
                && needed <= end
            {
                queue.pop_front();
                news.push(ending.of(awaiter));
            }
        }
        if stored != self.shown {
            self.shown = stored;
            self.tell_followers(news);
        }
    }

    fn tell_followers(&self, news: &mut Vec<News>) {
        let fetches = self.fetching.iter();
        news.extend(fetches.map(|&reader| News::Look {
            reader,
            unreadable: None,
        }));
    }
'''),
 ('''        let awaiters = self.awaiting_stored.into_iter();''','''        self.tell_followers(news);
        let awaiters = self.awaiting_stored.into_iter();'''),
 ('use super::{Awaiter, Ending, News};','use super::followers::Followers;\nuse super::{Awaiter, Ending, News};\nuse crate::waiting::WaitId;'),
 ('use ids::Offset;','use ids::Offset;\nuse sorted::SortedSet;'),
)
sub('replicas/orders.rs',
 ('pub(crate) fn stored(&mut self, id: LogId,','pub(crate) fn stored(&mut self, now: Time, id: LogId,'),
 ('replica.settle(self.node, &mut self.news);','replica.settle(now, self.lag_ms, &mut self.news);'),
 ('''        replica.tell_readers(unreadable, &mut self.news);
''','''        replica.tell_readers(unreadable, &mut self.news);
        if let Some(leading) = replica.leading_mut() {
            leading.tell_followers(unreadable, &mut self.news);
        }
'''))
sub('replicas/role.rs',
 ('fn tell_followers(&self, news: &mut Vec<News>) {','/// Has followers that wait for more look again.\n    pub(super) fn tell_followers(&self, unreadable: Option<LogId>, news: &mut Vec<News>) {'),
 ('            unreadable: None,\n','            unreadable,\n'),
 ('self.tell_followers(news);','self.tell_followers(None, news);'),
 ('self.tell_followers(news);','self.tell_followers(None, news);'),
 ('use ids::Offset;\n','use ids::Offset;\nuse log::LogId;\n'),
)
sub('replicas.rs',
 ('mod memory;','mod followers;\nmod memory;'),
 ('pub(crate) use replica::{','pub(crate) use followers::Heard;\npub(crate) use replica::{'),
 ('''    /// This broker does not lead the partition any more.
''','''    /// It is committed, but fewer replicas are in sync than should be.
    TooFewInSync,
    /// This broker does not lead the partition any more.
'''),
 ('''    /// This broker leads a partition, from now''','''    /// A leader proposes other in-sync replicas.
    IsrProposed { id: LogId },
    /// This broker leads a partition, from now'''),
 ('''    node: NodeId,
    by_id''','''    node: NodeId,
    /// `replica.lag.time.max.ms`.
    lag_ms: u64,
    by_id'''),
 ('pub(crate) fn new(node: NodeId, unclaimed','pub(crate) fn new(\n        node: NodeId,\n        lag_ms: u64,\n        unclaimed'),
 ('''            node,
            by_id''','''            node,
            lag_ms,
            lag_due: None,
            by_id'''),
 ('''    /// When silent producers''','''    /// When lagging followers are looked for next; `None` until this broker leads any.
    lag_due: Option<Time>,
    /// When silent producers'''),
 ('let due = [self.retention_due, self.expiration_due];','let due = [self.retention_due, self.expiration_due, self.lag_due];'),
 ('pub(crate) fn assign(&mut self, id: LogId, assignment: Assignment) {','pub(crate) fn assign(&mut self, now: Time, id: LogId, assignment: Assignment) {'),
 ('''                if is_new {
                    replica.log.become_leader(epoch);
                }
                replica.settle(self.node, news);
''','''                if is_new {
                    replica.log.become_leader(epoch);
                }
                replica.lead(now, is_new, self.node);
                if replica.assignment.replicas.len() > 1 {
                    let due = now.plus_millis(self.lag_ms / 2);
                    self.lag_due.get_or_insert(due);
                }
                replica.settle(now, self.lag_ms, news);
'''),
 ('''    /// Producers that are silent for too long''','''    /// A follower has fetched from the leader here.
    pub(crate) fn hear_follower(&mut self, now: Time, id: LogId, heard: Heard) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        let (end, committed) = (replica.log.stored_end(), replica.log.high_watermark());
        let Some(leading) = replica.role.leading_mut() else {
            return;
        };
        leading.followers.hear(now, heard, end);
        let isr = &replica.assignment.isr;
        if let Some(grown) = leading.followers.grown(heard.node, committed, isr) {
            leading.followers.propose(grown);
            self.news.push(News::IsrProposed { id });
        }
        replica.settle(now, self.lag_ms, &mut self.news);
    }

    /// The controller will not have the in-sync replicas that were proposed.
    pub(crate) fn withdraw_isr(&mut self, now: Time, id: LogId) {
        let Some(replica) = self.by_id.get_mut(id) else {
            return;
        };
        if let Some(leading) = replica.leading_mut() {
            leading.followers.withdraw();
        }
        replica.settle(now, self.lag_ms, &mut self.news);
    }

    /// The metadata has news of a broker: the epoch in which it may be in sync, if it may.
    pub(crate) fn judge_follower(&mut self, node: NodeId, epoch: Option<i64>) {
        for replica in self.by_id.iter_mut() {
            if let Some(leading) = replica.leading_mut() {
                leading.followers.judge(node, epoch);
            }
        }
    }

    /// Followers that lag for too long are to leave the in-sync replicas.
    fn expire_followers(&mut self, now: Time) {
        if self.lag_due.is_none_or(|due| due > now) {
            return;
        }
        self.lag_due = None;
        let ids: Vec<LogId> = self.iter().map(|(id, _)| id).collect();
        for id in ids {
            let Some(replica) = self.by_id.get_mut(id) else {
                continue;
            };
            let (end, isr) = (replica.log.stored_end(), &replica.assignment.isr);
            let Some(leading) = replica.role.leading_mut() else {
                continue;
            };
            if replica.assignment.replicas.len() > 1 {
                self.lag_due = Some(now.plus_millis(self.lag_ms / 2));
            }
            if let Some(kept) = leading.followers.shrunk((now, self.lag_ms), end, isr) {
                leading.followers.propose(kept);
                self.news.push(News::IsrProposed { id });
            }
        }
    }

    /// Producers that are silent for too long'''),
 ('''        if self.expiration_due.is_some_and(''','''        self.expire_followers(now);
        if self.expiration_due.is_some_and('''),
)
sub('replicas/role.rs',('''impl Leading {''','''impl Role {
    pub(super) fn leading_mut(&mut self) -> Option<&mut Leading> {
        match self {
            Role::Leading(leading) => Some(leading),
            Role::Following | Role::Offline => None,
        }
    }
}

impl Leading {'''))
sub('replicas/replica.rs',('''        match &mut self.role {
            Role::Leading(leading) => Some(leading),
            Role::Following | Role::Offline => None,
        }
    }

    /// Whether enough''','''        self.role.leading_mut()
    }

    /// Takes note of an epoch of this leader's, or of other replicas in it.
    pub(super) fn lead(&mut self, now: Time, is_new: bool, own: NodeId) {
        let end = self.log.log_end();
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        if is_new {
            leading.followers.begin(now, end, &self.assignment, own);
        } else {
            leading.followers.follow(now, &self.assignment, own);
        }
    }

    /// Whether enough'''))
sub('topics.rs',
 ('            replication: entry.replicas.len(),\n','            replicas: entry.replicas.clone(),\n            partition_epoch: entry.partition_epoch,\n'),
 ('self.replicas.assign(id,','self.replicas.assign(self.now, id,'),
 ('            Change::Config { .. } | Change::Broker(_) => {}','''            Change::Config { .. } => {}
            Change::Broker(node) => {
                let entry = self.configs.image.brokers().get(node);
                let epoch = entry.filter(|entry| !entry.fenced).map(|entry| entry.epoch);
                self.replicas.judge_follower(*node, epoch);
            }'''))
sub('broker.rs',
 ('Replicas::new(config.node, unclaimed.collect())','Replicas::new(config.node, limits.lag_ms, unclaimed.collect())'),
 ('''    /// `offset.metadata.max.bytes`.
''','''    /// `replica.lag.time.max.ms`.
    pub(crate) lag_ms: u64,
    /// `offset.metadata.max.bytes`.
'''),
 ('''            offset_metadata: size(''','''            lag_ms: u64::try_from(number("replica.lag.time.max.ms")).unwrap_or(0).max(1),
            offset_metadata: size('''),
 ('self.replicas.stored(log, token)','self.replicas.stored(now, log, token)'),
 ('self.refused(token, code, out)','self.refused(now, token, code, out)'),
 ('''            ControllerEvent::Metadata { batch } => self.apply_metadata(now, &batch, out),
        }
''','''            ControllerEvent::Metadata { batch } => self.apply_metadata(now, &batch, out),
        }
        self.hand_out(now, out);
'''),
 ('    pub(crate) registration: Registration,\n','    pub(crate) registration: Registration,\n    pub(crate) isr_asks: IsrAsks,\n'),
 ('            registration: Registration::default(),\n','            registration: Registration::default(),\n            isr_asks: IsrAsks::default(),\n'),
 ('use crate::parked::Parked;','use crate::isr::IsrAsks;\nuse crate::parked::Parked;'),
 ('            self.replicas.next_deadline(),\n','            self.replicas.next_deadline(),\n            self.isr_asks.next_deadline(),\n'),
)
sub('forward.rs',
 ('''            || self.producer_ids_answered(now, token, &frame, out)''','''            || self.producer_ids_answered(now, token, &frame, out)
            || self.isr_answered(now, token, &frame)'''),
 ('pub(crate) fn refused(&mut self, token: Token, code: ErrorCode, out: &mut Vec<Effect>) {\n        if self.producer_ids_refused(token, out) {','pub(crate) fn refused(\n        &mut self,\n        now: Time,\n        token: Token,\n        code: ErrorCode,\n        out: &mut Vec<Effect>,\n    ) {\n        if self.producer_ids_refused(token, out) || self.isr_refused(now, token) {'))
sub('parked.rs',
 ('                    News::Elected','                    News::IsrProposed { id } => self.ask_for_isr(id, out),\n                    News::Elected'),
 ('''        self.expire_replicas(now, out);
        self.run''','''        self.expire_replicas(now, out);
        self.expire_isr_asks(now, out);
        self.hand_out(now, out);
        self.run'''))
sub('api/produce.rs',
 ('            Ending::LeaderLost =>','            Ending::TooFewInSync => Some(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND),\n            Ending::LeaderLost =>'))
