exec(open('/tmp/roles-next/apply3.py').read().split("shutil.copy(")[0])
shutil.copy('/tmp/roles-next/following.rs','replicas/following.rs')
shutil.copy('/tmp/roles-next/fetcher.rs','fetcher.rs')
sub('fetcher.rs',('fn number(&self, name: &str)',"fn number(&self, name: &'static str)"),('fn size(&self, name: &str)',"fn size(&self, name: &'static str)"))
sub('lib.rs',('mod event;\n','mod event;\nmod fetcher;\n'),('Event, Note,','Event, Lost, Note,'))
sub('event.rs',('''    /// Time has passed; whatever''','''    /// Another broker has answered [`Effect::Call`], or has not.
    Called {
        /// The call's token.
        token: Token,
        /// The response frame.
        answer: Result<Bytes, Lost>,
    },
    /// Time has passed; whatever'''),
('''/// What a client does.
''','''/// A call has no answer: the other could not be reached, or the connection is broken. Whether the request
/// was carried out is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// What a client does.
'''),
('''    /// Something a person may want to know.
    Note(Note),''','''    /// Send a request to another broker, then say `Called`.
    Call {
        /// The other broker.
        to: NodeId,
        /// Comes back with the answer.
        token: Token,
        /// The request frame.
        frame: Bytes,
    },
    /// Something a person may want to know.
    Note(Note),'''),
('use ids::{ConnId, ErrorCode, Token,','use ids::{ConnId, ErrorCode, NodeId, Token,'))
sub('broker.rs',
('            Event::Tick => {}\n','''            Event::Called { token, answer } => {
                self.called(now, token, answer, out);
                self.hand_out(now, out);
            }
            Event::Tick => {}
'''),
('''        self.expire(now, out);
    }

    fn hear_client''','''        self.expire(now, out);
        self.run_fetchers(now, out);
    }

    fn hear_client'''),
('    pub(crate) isr_asks: IsrAsks,\n','    pub(crate) isr_asks: IsrAsks,\n    pub(crate) fetchers: Fetchers,\n'),
('            isr_asks: IsrAsks::default(),\n','            isr_asks: IsrAsks::default(),\n            fetchers: Fetchers::default(),\n'),
('use crate::forward::Forwards;','use crate::fetcher::Fetchers;\nuse crate::forward::Forwards;'),
('            self.isr_asks.next_deadline(),\n','            self.isr_asks.next_deadline(),\n            self.fetchers.next_deadline(),\n'),
('self.replicas.loaded(log, token, bytes)','{\n                self.replicas.loaded(now, log, token, bytes, out);\n            }'))
sub('replicas/orders.rs',
('pub(crate) fn loaded(&mut self, id: LogId, token: Token, bytes: Bytes) {','''pub(crate) fn loaded(
        &mut self,
        now: Time,
        id: LogId,
        token: Token,
        bytes: Bytes,
        out: &mut Vec<Effect>,
    ) {'''),
('''        self.news.push(News::Loaded { id, is_readable });
''','''        self.news.push(News::Loaded { id, is_readable });
        if is_readable {
            self.cut_on(now, id, out);
        }
'''),
('''impl Orders {
''','''impl Orders {
    pub(super) fn is_storing(&self) -> bool {
        !self.stores.is_empty()
    }

    /// The log was cut: what is stored of it by an order from before ends there at most.
    pub(super) fn cut(&mut self, end: Offset) {
        for (_, stored) in &mut self.stores {
            *stored = end.min(*stored);
        }
    }

'''))
sub('replicas/role.rs',
('    /// Another broker leads.\n    Following,','    /// Another broker leads.\n    Following(Following),'),
('''impl Role {''','''/// What a follower knows beside its log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Following {
    pub(super) leader: NodeId,
    pub(super) fetching: Fetching,
}

/// Whether a follower fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetching {
    Ready,
    /// Its leader did not serve it.
    Resting(Time),
    /// Its leader knows a later epoch: the metadata will tell.
    Stopped,
    /// The log has to be cut there once some bytes are in memory.
    Cutting(Offset),
}

impl Role {'''),
('Role::Following |','Role::Following(_) |'),
('use ids::Offset;','use ids::{NodeId, Offset, Time};'))
s=open('replicas/replica.rs').read(); s=s.replace('Role::Following |','Role::Following(_) |').replace('Role::Following)','Role::Following(_))')
open('replicas/replica.rs','w').write(s)
sub('replicas.rs',
('mod followers;','mod followers;\nmod following;'),
('pub(crate) use followers::Heard;','pub(crate) use followers::Heard;\npub(crate) use following::{Brought, Next, Wish};'),
('use role::{Leading, Role};','use role::{Fetching, Following, Leading, Role};'),
('use sorted::SortedMap;','use sorted::{SortedMap, SortedSet};'),
('''    /// In the order of the topics' names.
    by_name''','''    /// Those that follow, by their leader.
    followed: SortedMap<NodeId, SortedSet<LogId>>,
    /// In the order of the topics' names.
    by_name'''),
('            by_name: Vec::new(),\n','            followed: SortedMap::new(),\n            by_name: Vec::new(),\n'),
('''    pub(crate) fn assign(&mut self, now: Time, id: LogId, assignment: Assignment) {
        let Some''','''    pub(crate) fn assign(
        &mut self,
        now: Time,
        id: LogId,
        assignment: Assignment,
        out: &mut Vec<Effect>,
    ) {
        self.unfollow(id);
        let follows = assignment.leader.filter(|leader| *leader != self.node);
        self.take_part(now, id, assignment);
        if let Some(leader) = follows {
            self.followed.entry(leader).or_default().insert(id);
            self.begin_following(now, id, out);
        }
    }

    /// Takes a replica out of those that follow.
    fn unfollow(&mut self, id: LogId) {
        let Some(Role::Following(following)) = self.get(id).map(|replica| &replica.role) else {
            return;
        };
        let leader = following.leader;
        if let Some(ids) = self.followed.get_mut(&leader) {
            ids.remove(&id);
            if ids.is_empty() {
                self.followed.remove(&leader);
            }
        }
    }

    /// A log that knows no epoch says nothing about where it parts from its leader's: what is not known to
    /// be committed goes.
    fn begin_following(&mut self, now: Time, id: LogId, out: &mut Vec<Effect>) {
        let log = self.get(id).map(|replica| &replica.log);
        if let Some(log) = log
            && log.latest_epoch().is_none()
            && log.log_end() > log.high_watermark()
        {
            self.cut(now, id, log.high_watermark(), out);
        }
    }

    fn take_part(&mut self, now: Time, id: LogId, assignment: Assignment) {
        let Some'''),
('''            Some(_) => replica.resign(id, Role::Following, news),''','''            // News of the replicas alone leaves the fetching as it is.
            Some(_) if !is_new && replica.follows() => {}
            Some(leader) => {
                let fetching = Fetching::Ready;
                let following = Role::Following(Following { leader, fetching });
                replica.resign(id, following, news);
            }'''),
('''    pub(crate) fn remove(&mut self, id: LogId, out: &mut Vec<Effect>) {
''','''    pub(crate) fn remove(&mut self, id: LogId, out: &mut Vec<Effect>) {
        self.unfollow(id);
'''))
sub('replicas/following.rs',('''    /// The leaders whom''','''    pub(crate) fn follows_any(&self) -> bool {
        !self.followed.is_empty()
    }

    /// The leaders whom'''),('use super::{News, Replicas};','use super::Replicas;'),
 ('''        let (mut wishes, mut later) = (Vec::new(), None::<Time>);''','''        let mut wishes = Vec::new();
        let mut later = None::<Time>;'''))
sub('topics.rs',('self.replicas.assign(self.now, id, assignment)','self.replicas.assign(self.now, id, assignment, self.out)'))
sub('../../metadata/src/config.rs',('''    ("replica.lag.time.max.ms", "30000"),
''','''    ("replica.fetch.backoff.ms", "1000"),
    ("replica.fetch.max.bytes", "1048576"),
    ("replica.fetch.min.bytes", "1"),
    ("replica.fetch.response.max.bytes", "10485760"),
    ("replica.fetch.wait.max.ms", "500"),
    ("replica.lag.time.max.ms", "30000"),
    ("replica.socket.timeout.ms", "30000"),
'''))
sub('../../cluster/src/node.rs',
('''    /// What the broker says in a step; empty''','''    /// Calls to other brokers that nothing carries yet: they are lost.
    lost: Vec<Token>,
    /// What the broker says in a step; empty'''),
('            said: Vec::new(),\n','            lost: Vec::new(),\n            said: Vec::new(),\n'),
('''        while !talk.is_empty() {
''','''        while let Some(token) = self.lost.pop() {
            let answer = Err(broker::Lost);
            self.tell_broker(now, broker::Event::Called { token, answer }, talk, out);
        }
        while !talk.is_empty() {
'''),
('''                Said::Note(note) =>''','''                Said::Call { token, .. } => self.lost.push(token),
                Said::Note(note) =>'''))
