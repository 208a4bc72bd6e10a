//! What a layout's names are by number, found once, so that no frame searches for a name.

use sorted::SortedMap;
use world::{GroupView, MemberPosition};

use crate::push::Layout;

/// Where a group is in a lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    /// Index of the member that owns the partition plus 1; 0 is nobody.
    pub(crate) member: u32,
    /// The next record it will handle; -1 where that is not known.
    pub(crate) position: f64,
    /// -1 where nothing is committed.
    pub(crate) committed: f64,
}

const NOBODY: Place = Place {
    member: 0,
    position: -1.0,
    committed: -1.0,
};

/// A layout's names by number, and every group's place in every lane.
#[derive(Default)]
pub(crate) struct Places {
    /// Per topic, the lane of each partition.
    lanes: SortedMap<String, Vec<usize>>,
    groups: SortedMap<String, usize>,
    /// Per group, the members' indexes by name.
    members: Vec<SortedMap<String, u32>>,
    /// What is committed, per lane and group: `None` where the group has nothing to do with the lane.
    committed: Vec<Option<f64>>,
    /// The same with members and positions, as of the last look.
    now: Vec<Option<Place>>,
}

impl Places {
    pub(crate) fn of(layout: &Layout) -> Places {
        let mut lanes: SortedMap<String, Vec<usize>> = SortedMap::new();
        for (number, lane) in layout.lanes.iter().enumerate() {
            let of_topic = lanes.entry(lane.topic.clone()).or_default();
            let partition = usize::try_from(lane.partition).unwrap_or(0);
            if of_topic.len() <= partition {
                of_topic.resize(partition + 1, usize::MAX);
            }
            of_topic[partition] = number;
        }
        let groups = layout.groups.iter().enumerate();
        let groups: SortedMap<String, usize> = groups.map(|(n, id)| (id.clone(), n)).collect();
        let mut members = vec![SortedMap::new(); layout.groups.len()];
        for (number, member) in (0..).zip(&layout.members) {
            if let Some(group) = groups.get(&member.group_id) {
                members[*group].insert(member.name.clone(), number);
            }
        }
        let cells = layout.lanes.len() * layout.groups.len();
        Places {
            lanes,
            groups,
            members,
            committed: vec![None; cells],
            now: vec![None; cells],
        }
    }

    /// Number of a partition's lane.
    pub(crate) fn lane(&self, topic: &str, partition: i32) -> Option<usize> {
        let of_topic = self.lanes.get(topic)?;
        let lane = of_topic.get(usize::try_from(partition).ok()?)?;
        (*lane != usize::MAX).then_some(*lane)
    }

    /// Notes what groups have committed.
    pub(crate) fn commit(&mut self, groups: &[GroupView]) {
        self.committed.fill(None);
        for group in groups {
            let Some(number) = self.groups.get(&group.group_id).copied() else {
                continue;
            };
            for row in &group.offsets {
                let offset = row.committed.as_ref().and_then(|text| text.parse().ok());
                if let Some(lane) = self.lane(&row.topic, row.partition) {
                    let at = lane * self.groups.len() + number;
                    self.committed[at] = Some(offset.unwrap_or(-1.0));
                }
            }
        }
    }

    /// Notes where members are now.
    pub(crate) fn look(&mut self, positions: &[MemberPosition]) {
        for (now, committed) in self.now.iter_mut().zip(&self.committed) {
            *now = committed.map(|committed| Place {
                committed,
                ..NOBODY
            });
        }
        for each in positions {
            let (Some(lane), Some(group)) = (
                self.lane(&each.topic, each.partition.0),
                self.groups.get(&*each.group).copied(),
            ) else {
                continue;
            };
            let member = self.members[group].get(&*each.name).map_or(0, |n| n + 1);
            let place = self.now[lane * self.groups.len() + group].get_or_insert(NOBODY);
            if place.member == 0 {
                place.member = member;
                place.position = each.position.map_or(-1.0, |offset| offset.0 as f64);
            }
        }
    }

    /// Groups that are in a lane, with their places.
    pub(crate) fn in_lane(&self, lane: usize) -> impl Iterator<Item = (usize, Place)> + '_ {
        let count = self.groups.len();
        let of_lane = self.now.get(lane * count..(lane + 1) * count);
        let places = of_lane.into_iter().flatten().enumerate();
        places.filter_map(|(group, place)| Some((group, (*place)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::{LaneName, MemberName};
    use ids::{Offset, PartitionIndex};
    use world::OffsetView;

    fn layout() -> Layout {
        let lanes = [("orders", 0), ("orders", 1), ("clicks", 0)];
        let lanes = lanes.map(|(topic, partition)| LaneName {
            topic: topic.to_string(),
            partition,
        });
        let members = [("audit", "a1"), ("billing", "b1"), ("billing", "b2")];
        let members = members.map(|(group, name)| MemberName {
            group_id: group.to_string(),
            name: name.to_string(),
        });
        Layout {
            id: 1,
            lanes: lanes.to_vec(),
            groups: vec!["audit".to_string(), "billing".to_string()],
            producers: Vec::new(),
            members: members.to_vec(),
        }
    }

    fn committed(partition: i32, offset: Option<&str>) -> OffsetView {
        OffsetView {
            topic: "orders".to_string(),
            partition,
            committed: offset.map(str::to_string),
            position: None,
            lag: None,
        }
    }

    fn group(group_id: &str, offsets: Vec<OffsetView>) -> GroupView {
        GroupView {
            group_id: group_id.to_string(),
            state: "Stable".to_string(),
            generation: 1,
            protocol: String::new(),
            members: Vec::new(),
            offsets,
        }
    }

    #[test]
    fn a_group_is_where_its_members_and_commits_are_and_nowhere_else() {
        let mut places = Places::of(&layout());
        places.commit(&[group(
            "billing",
            vec![committed(0, Some("7")), committed(1, None)],
        )]);
        places.look(&[MemberPosition {
            group: "billing".into(),
            name: "b2".into(),
            topic: "orders".into(),
            partition: PartitionIndex(0),
            position: Some(Offset(9)),
        }]);
        let place = |member, position, committed| Place {
            member,
            position,
            committed,
        };
        let in_lane = |lane| places.in_lane(lane).collect::<Vec<_>>();
        assert_eq!(in_lane(0), [(1, place(3, 9.0, 7.0))]);
        assert_eq!(in_lane(1), [(1, place(0, -1.0, -1.0))]);
        assert_eq!(in_lane(2), []);
    }

    #[test]
    fn a_partition_is_found_by_its_topic_and_number() {
        let places = Places::of(&layout());
        assert_eq!(places.lane("clicks", 0), Some(2));
        assert_eq!(places.lane("clicks", 1), None);
        assert_eq!(places.lane("none", 0), None);
    }
}
