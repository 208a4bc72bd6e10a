//! How a group's leader divides partitions among the members.
//!
//! Each function is pure and its result complete: every member is in it, and
//! every partition of a subscribed topic has exactly one owner (but for
//! [`cooperative_sticky`], which leaves out what its owner must first give up).

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use ids::{Mutant, PartitionIndex, TopicPartition, is_planted};
use sorted::{SortedMap, SortedSet};

/// A member of the group, as the leader knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The member's id.
    pub member_id: Arc<str>,
    /// Its name if it is static (KIP-345).
    pub instance_id: Option<Arc<str>>,
    /// Topics it wants.
    pub topics: Vec<Arc<str>>,
    /// What it says it owns; used by the sticky assignors.
    pub owned: Vec<TopicPartition>,
    /// The generation in which it got what it owns; -1 if it does not say.
    pub generation: i32,
}

/// Number of partitions by topic; topics that do not exist are left out.
pub type TopicSizes = SortedMap<Arc<str>, i32>;

/// Partitions by member id, in the order in which they were given.
pub type Assignment = SortedMap<Arc<str>, Vec<TopicPartition>>;

/// Kafka's `range`: each topic by itself is cut into contiguous ranges, the first
/// ones longer by one. Members come in the order static ones by name, then
/// dynamic ones by id.
#[must_use]
pub fn range(sizes: &TopicSizes, subscribers: &[Subscriber]) -> Assignment {
    let mut assignment = nothing_for(subscribers);
    let members = sorted(subscribers);
    for (topic, &size) in sizes {
        let takers: Vec<&&Subscriber> = members.iter().filter(|m| m.wants(topic)).collect();
        let count = i32::try_from(takers.len()).unwrap_or(i32::MAX).max(1);
        let (share, longer) = (size / count, size % count);
        let mut first = 0;
        for (index, taker) in (0..).zip(takers) {
            let longer = index < longer && !is_planted(Mutant::RemainderLeftOut);
            let end = first + share + i32::from(longer);
            give(&mut assignment, taker, (first..end).map(|p| at(topic, p)));
            first = match is_planted(Mutant::PartitionSharedTwice) {
                true => (end - 1).max(0),
                false => end,
            };
        }
    }
    assignment
}

/// Kafka's `roundrobin`: all partitions are dealt like cards, skipping members
/// that do not want the topic.
#[must_use]
pub fn round_robin(sizes: &TopicSizes, subscribers: &[Subscriber]) -> Assignment {
    let mut assignment = nothing_for(subscribers);
    let members = sorted(subscribers);
    let mut turn = 0;
    for (topic, &size) in sizes {
        for partition in 0..size {
            let taker = (0..members.len())
                .map(|ahead| (turn + ahead) % members.len())
                .find(|&index| members[index].wants(topic));
            let Some(taker) = taker else { break };
            give(&mut assignment, members[taker], [at(topic, partition)]);
            turn = taker + 1;
        }
    }
    assignment
}

/// Kafka's `sticky`: as balanced as possible first, then as little moved as
/// possible.
///
/// With equal subscriptions the result is Kafka's. With different ones it obeys
/// the same rules; where several plans are equally good it may choose another.
#[must_use]
pub fn sticky(sizes: &TopicSizes, subscribers: &[Subscriber]) -> Assignment {
    let kept = still_owned(sizes, subscribers);
    let topics = |member: &Subscriber| member.topics.iter().cloned().collect::<SortedSet<_>>();
    let mut wishes = subscribers.iter().map(topics);
    let first = wishes.next().unwrap_or_default();
    if wishes.all(|other| other == first) {
        sticky_when_all_want_the_same(sizes, &first, kept)
    } else {
        sticky_when_wishes_differ(sizes, subscribers, kept)
    }
}

/// Kafka's `cooperative-sticky` (KIP-429): the sticky plan without the partitions
/// that change owners. Their owners see that they lost them, give them up and
/// rejoin; the next round assigns them.
#[must_use]
pub fn cooperative_sticky(sizes: &TopicSizes, subscribers: &[Subscriber]) -> Assignment {
    let mut owners: SortedMap<TopicPartition, Arc<str>> = SortedMap::new();
    for (member, partitions) in still_owned(sizes, subscribers) {
        owners.extend(partitions.into_iter().map(|p| (p, member.clone())));
    }
    let mut assignment = sticky(sizes, subscribers);
    for (member, partitions) in assignment.iter_mut() {
        partitions.retain(|partition| owners.get(partition).is_none_or(|owner| owner == member));
    }
    assignment
}

impl Subscriber {
    fn wants(&self, topic: &str) -> bool {
        self.topics.iter().any(|wanted| **wanted == *topic)
    }
}

fn at(topic: &Arc<str>, partition: i32) -> TopicPartition {
    TopicPartition {
        topic: topic.clone(),
        partition: PartitionIndex(partition),
    }
}

fn nothing_for(subscribers: &[Subscriber]) -> Assignment {
    subscribers
        .iter()
        .map(|member| (member.member_id.clone(), Vec::new()))
        .collect()
}

fn give(
    assignment: &mut Assignment,
    member: &Subscriber,
    partitions: impl IntoIterator<Item = TopicPartition>,
) {
    if let Some(share) = assignment.get_mut(&member.member_id) {
        share.extend(partitions);
    }
}

/// Static members by name before dynamic ones by id, so that a static member keeps
/// its share although its id changes with every start.
fn sorted(subscribers: &[Subscriber]) -> Vec<&Subscriber> {
    let mut members: Vec<&Subscriber> = subscribers.iter().collect();
    sorted::sort_by(&mut members, |a, b| {
        match (&a.instance_id, &b.instance_id) {
            (Some(a), Some(b)) => java_order(a, b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => java_order(&a.member_id, &b.member_id),
        }
    });
    members
}

/// Java orders strings by UTF-16 units.
fn java_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// What each member owns rightfully: wanted, existing, and claimed by nobody of a
/// later generation. What two of one generation claim belongs to neither.
fn still_owned(sizes: &TopicSizes, subscribers: &[Subscriber]) -> Assignment {
    let mut best: SortedMap<&TopicPartition, (i32, Option<&Arc<str>>)> = SortedMap::new();
    for member in subscribers {
        for partition in &member.owned {
            let claim = best.entry(partition).or_insert((i32::MIN, None));
            match member.generation.cmp(&claim.0) {
                Ordering::Greater => *claim = (member.generation, Some(&member.member_id)),
                Ordering::Equal if claim.1 != Some(&member.member_id) => claim.1 = None,
                Ordering::Equal | Ordering::Less => {}
            }
        }
    }
    let mut kept = nothing_for(subscribers);
    for member in subscribers {
        let mine = member.owned.iter().filter(|partition| {
            let exists = sizes
                .get(&partition.topic)
                .is_some_and(|size| (0..*size).contains(&partition.partition.0));
            exists
                && member.wants(&partition.topic)
                && best.get(partition).and_then(|claim| claim.1) == Some(&member.member_id)
        });
        // A member may list a partition twice.
        let mut seen = SortedSet::new();
        give(
            &mut kept,
            member,
            mine.filter(|partition| seen.insert(*partition)).cloned(),
        );
    }
    kept
}

/// Everybody gets the smaller share, and the first to be found as many as there
/// are left over one more.
fn sticky_when_all_want_the_same(
    sizes: &TopicSizes,
    topics: &SortedSet<Arc<str>>,
    kept: Assignment,
) -> Assignment {
    let all: Vec<TopicPartition> = sizes
        .iter()
        .filter(|(topic, _)| topics.contains(*topic))
        .flat_map(|(topic, &size)| (0..size).map(move |partition| at(topic, partition)))
        .collect();
    let count = kept.len().max(1);
    let (share, mut left_over) = (all.len() / count, all.len() % count);
    let mut free: SortedSet<TopicPartition> = all.into_iter().collect();
    let mut assignment = kept;
    // Members below the share, and those that have it and may get one more.
    let (mut hungry, mut content) = (VecDeque::new(), VecDeque::new());
    for (member, partitions) in assignment.iter_mut() {
        if partitions.len() > share && left_over > 0 {
            left_over -= 1;
            partitions.truncate(share + 1);
        } else {
            partitions.truncate(share);
            let queue = if partitions.len() < share {
                &mut hungry
            } else {
                &mut content
            };
            queue.push_back(member.clone());
        }
        for partition in &*partitions {
            free.remove(partition);
        }
    }
    for partition in free {
        let Some(member) = hungry.pop_front().or_else(|| content.pop_front()) else {
            break;
        };
        let partitions = assignment.entry(member.clone()).or_default();
        partitions.push(partition);
        match partitions.len().cmp(&share) {
            Ordering::Less => hungry.push_back(member),
            Ordering::Equal => content.push_back(member),
            Ordering::Greater => {}
        }
    }
    assignment
}

/// Free partitions go to whoever has least, those with the fewest takers first;
/// then single partitions move as long as that makes two members more equal.
fn sticky_when_wishes_differ(
    sizes: &TopicSizes,
    subscribers: &[Subscriber],
    kept: Assignment,
) -> Assignment {
    let mut assignment = kept;
    let mut members: Vec<&Subscriber> = subscribers.iter().collect();
    sorted::sort_by(&mut members, |a, b| java_order(&a.member_id, &b.member_id));
    let taken: SortedSet<TopicPartition> = assignment.values().flatten().cloned().collect();
    let mut topics: Vec<(&Arc<str>, i32)> = sizes.iter().map(|(t, size)| (t, *size)).collect();
    sorted::sort_by_key(&mut topics, |(topic, _)| {
        members.iter().filter(|m| m.wants(topic)).count()
    });
    for (topic, size) in topics {
        for partition in (0..size)
            .map(|p| at(topic, p))
            .filter(|p| !taken.contains(p))
        {
            let takers = members.iter().filter(|m| m.wants(topic));
            let poorest = takers.min_by_key(|m| load(&assignment, m));
            let Some(poorest) = poorest else { break };
            give(&mut assignment, poorest, [partition]);
        }
    }
    while let Some((from, to, index)) = next_move(&assignment, &members) {
        let moved = assignment
            .get_mut(&from.member_id)
            .map(|share| share.remove(index));
        give(&mut assignment, to, moved);
    }
    assignment
}

fn load(assignment: &Assignment, member: &Subscriber) -> usize {
    assignment.get(&member.member_id).map_or(0, Vec::len)
}

/// A partition whose move makes its owner and a poorer member more equal. Each such
/// move lowers the sum of the squared loads, so there is a last one.
fn next_move<'a>(
    assignment: &Assignment,
    members: &[&'a Subscriber],
) -> Option<(&'a Subscriber, &'a Subscriber, usize)> {
    for from in members {
        let share = assignment.get(&from.member_id)?;
        for to in members {
            if load(assignment, to) + 1 >= share.len() {
                continue;
            }
            // The last one came last, so moving it disturbs least.
            let index = share
                .iter()
                .rposition(|partition| to.wants(&partition.topic));
            if let Some(index) = index {
                return Some((from, to, index));
            }
        }
    }
    None
}
