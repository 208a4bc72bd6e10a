//! What the page is shown of the world, and how often: layout, actors, snapshot, timeline, frames.

use serde::Deserialize;
use sorted::{SortedMap, SortedSet};
use world::{Actors, TickKind, World};

use crate::frames::{Frame, LaneView, Marker, ProducerView};
use crate::lanes::{Keys, Lane, Progress};
use crate::places::Places;
use crate::push::{LaneName, Layout, MemberName, Outbox, Push, SnapshotView, Tick, Timeline};
use crate::rates::{Clock, Rates};

/// Real milliseconds between two frames at least.
const FRAME_MS: f64 = 14.0;
/// Real milliseconds between two snapshots at least.
const SLOW_MS: f64 = 125.0;
/// Pieces of logs that one frame takes in at most.
const PIECES_MAX: u32 = 8;
/// Cells of a lane at most.
const CELLS_MAX: i64 = 400;
/// Slices of the timeline's rates at most.
const RATES_MAX: u64 = 240;
/// World milliseconds within which one topic is made but once, however many clients name it.
const MADE_MS: u64 = 2_000;

/// Which cells the page wants in frames.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Watch {
    lanes: Vec<WatchLane>,
    /// Also send the timestamp of the first record in each cell (for "align time").
    times: bool,
}

#[derive(Clone, Deserialize)]
struct WatchLane {
    topic: String,
    partition: i32,
    /// How many cells fit, at most 400.
    cells: i64,
    /// Offset whose cell is the last one shown; null follows the log end.
    until: Option<i64>,
    /// From 0 to 4: a cell holds 10^decade records, bins start at its multiples.
    decade: u32,
}

/// Lanes that are watched at most.
const LANES_MAX: usize = 4_096;

impl Watch {
    /// Whether it asks for no more than can be shown.
    pub(crate) fn is_bounded(&self) -> bool {
        self.lanes.len() <= LANES_MAX
    }
}

/// How the world runs, for what is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    pub(crate) running: bool,
    pub(crate) speed: f64,
}

/// What undo and redo lead to beyond what was done in this world: another world of its workspace.
#[derive(Clone, Default)]
pub(crate) struct Beyond {
    pub(crate) undo: Option<String>,
    pub(crate) redo: Option<String>,
}

impl Beyond {
    /// Where undo leads when there is nothing to take back in this world.
    pub(crate) fn back(&self, world: &World) -> Option<&String> {
        self.undo.as_ref().filter(|_| world.to_undo().is_none())
    }

    /// Where redo leads when there is nothing to do again in this world; a deed leaves that behind.
    pub(crate) fn forth(&self, world: &World) -> Option<&String> {
        self.redo.as_ref().filter(|_| world.to_redo().is_none())
    }
}

/// What is shown and what was shown last.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) watch: Watch,
    pub(crate) beyond: Beyond,
    layout: Layout,
    actors: Option<Actors>,
    snapshot: Option<SnapshotView>,
    timeline: Option<Timeline>,
    /// The layout's names by number.
    places: Places,
    /// Of each lane of the layout: the number of its topic, and its records.
    lanes: Vec<(usize, Lane)>,
    /// The keys of each topic of the layout.
    keys: Vec<Keys>,
    rates: Rates,
    /// Topics that have been there, and when those were made that nobody created.
    seen: SortedSet<String>,
    made: SortedMap<String, u64>,
    frame_at: f64,
    slow_at: f64,
    /// Something changed that the next look must show, whenever the last one was.
    pub(crate) stale: bool,
    last: Option<Vec<u8>>,
    /// What is placed is not what it was at the last look of whoever asked.
    placed: bool,
}

impl Stage {
    pub(crate) fn new(watch: Watch, layout: u32) -> Stage {
        Stage {
            watch,
            layout: Layout {
                id: layout,
                ..Layout::default()
            },
            stale: true,
            ..Stage::default()
        }
    }

    /// Number of the layout in force.
    pub(crate) fn layout(&self) -> u32 {
        self.layout.id
    }

    /// Whether something was placed, changed or taken away since the last call.
    pub(crate) fn take_placed(&mut self) -> bool {
        std::mem::take(&mut self.placed)
    }

    /// How many producers and groups are placed.
    pub(crate) fn actors(&self) -> usize {
        let actors = self.actors.as_ref();
        actors.map_or(0, |actors| actors.producers.len() + actors.groups.len())
    }

    /// What lanes show is no longer true: the world was taken to another moment.
    pub(crate) fn moved(&mut self) {
        for (_, lane) in &mut self.lanes {
            *lane = Lane::default();
        }
        self.rates = Rates::default();
        self.seen.clear();
        self.made.clear();
        self.stale = true;
    }

    /// Shows what has changed and is due; says in how many milliseconds more may be due.
    pub(crate) fn show(&mut self, world: &World, pace: Pace, real: f64, out: &mut Outbox) {
        if self.stale || real - self.slow_at >= SLOW_MS {
            self.slow_at = real;
            self.show_slow(world, pace, out);
        }
        if self.stale || real - self.frame_at >= FRAME_MS {
            self.frame_at = real;
            let bytes = self.frame(world, pace).encode();
            if self.last.as_ref() != Some(&bytes) {
                out.frame(&bytes);
                self.last = Some(bytes);
            }
        }
        self.stale = false;
    }

    fn show_slow(&mut self, world: &World, pace: Pace, out: &mut Outbox) {
        let snapshot = SnapshotView {
            world: world.snapshot(),
            running: pace.running,
            speed: pace.speed,
        };
        let actors = world.actors();
        self.lay_out(&snapshot, &actors, out);
        if self.actors.as_ref() != Some(&actors) {
            out.push(&Push::Actors { actors: &actors });
            self.actors = Some(actors);
            self.placed = true;
        }
        if self.snapshot.as_ref() != Some(&snapshot) {
            out.push(&Push::Snapshot {
                snapshot: &snapshot,
            });
            self.snapshot = Some(snapshot);
        }
        if let Some(snapshot) = &self.snapshot {
            self.places.commit(&snapshot.world.groups);
        }
        let timeline = timeline(world, &self.beyond);
        if self.timeline.as_ref() != Some(&timeline) {
            out.push(&Push::Timeline {
                timeline: &timeline,
            });
            self.timeline = Some(timeline);
        }
    }

    /// A new layout where the world has other lanes, groups, producers or members than before.
    fn lay_out(&mut self, snapshot: &SnapshotView, actors: &Actors, out: &mut Outbox) {
        let topics = snapshot.world.topics.iter();
        let lanes = topics.flat_map(|topic| {
            topic.partitions.iter().map(|partition| LaneName {
                topic: topic.name.clone(),
                partition: partition.partition,
            })
        });
        let members = actors.groups.iter().flat_map(|group| {
            group.members.iter().map(|member| MemberName {
                group_id: group.group_id.clone(),
                name: member.name.clone(),
            })
        });
        let groups = snapshot.world.groups.iter();
        let layout = Layout {
            id: self.layout.id,
            lanes: lanes.collect(),
            groups: groups.map(|group| group.group_id.clone()).collect(),
            producers: actors.producers.iter().map(|p| p.name.clone()).collect(),
            members: members.collect(),
        };
        if layout == self.layout {
            return;
        }
        let next = Layout {
            id: layout.id + 1,
            ..layout
        };
        let before = std::mem::replace(&mut self.layout, next);
        self.renumber(before);
        out.push(&Push::Layout {
            layout: &self.layout,
        });
    }

    /// What was kept by the numbers of the layout before goes over to those of this one.
    fn renumber(&mut self, before: Layout) {
        self.rates = Rates::default();
        self.places = Places::of(&self.layout);
        let mut keys: SortedMap<String, Keys> = SortedMap::new();
        let mut lanes: SortedMap<LaneName, Lane> = SortedMap::new();
        for (name, (topic, lane)) in before.lanes.into_iter().zip(self.lanes.drain(..)) {
            if let Some(of_topic) = self.keys.get_mut(topic) {
                keys.entry(name.topic.clone())
                    .or_insert_with(|| std::mem::take(of_topic));
            }
            lanes.insert(name, lane);
        }
        self.keys.clear();
        let mut last: Option<&String> = None;
        for name in &self.layout.lanes {
            if last != Some(&name.topic) {
                self.keys.push(keys.remove(&name.topic).unwrap_or_default());
                self.seen.insert(name.topic.clone());
                last = Some(&name.topic);
            }
            let lane = lanes.remove(name).unwrap_or_default();
            self.lanes.push((self.keys.len() - 1, lane));
        }
    }

    /// A topic is made because a client named it: whether there was one of this name before; `None` when
    /// that has been told.
    pub(crate) fn made(&mut self, topic: &str, millis: u64) -> Option<bool> {
        let before = self.made.insert(topic.to_string(), millis);
        let told = before.is_some_and(|before| millis.saturating_sub(before) < MADE_MS);
        (!told).then(|| self.seen.contains(topic))
    }

    fn frame(&mut self, world: &World, pace: Pace) -> Frame {
        let millis = world.world_millis() as f64;
        let clock = self.rates.tick(millis);
        self.places.look(&world.positions());
        let mut wanted = vec![None; self.layout.lanes.len()];
        for lane in &self.watch.lanes {
            if let Some(number) = self.places.lane(&lane.topic, lane.partition) {
                wanted[number] = Some(lane);
            }
        }
        let began = world.now().millis() - i64::try_from(world.world_millis()).unwrap_or(0);
        let mut pieces = PIECES_MAX;
        let mut lanes = Vec::with_capacity(wanted.len());
        let of_lanes = self.layout.lanes.iter().zip(&mut self.lanes).zip(&wanted);
        for (number, ((name, (topic, lane)), wanted)) in of_lanes.enumerate() {
            let mut view = LaneView::default();
            if let Some(log) = world.partition_log(&name.topic, name.partition) {
                view.start = log.log_start().0;
                view.high_watermark = log.high_watermark().0;
                view.end = log.log_end().0;
                if let Some((wanted, keys)) = wanted.zip(self.keys.get_mut(*topic)) {
                    while pieces > 0 {
                        if let Progress::Done = lane.extend(log, keys, began) {
                            break;
                        }
                        pieces -= 1;
                    }
                    cells(&mut view, lane, wanted, self.watch.times);
                }
            }
            let end = view.end as f64;
            view.appended = self.rates.appended.of(number, end, clock);
            let groups = self.layout.groups.len();
            for (group, place) in self.places.in_lane(number) {
                let measure = number * groups + group;
                let rate = if place.position < 0.0 {
                    0.0
                } else {
                    self.rates.handled.of(measure, place.position, clock)
                };
                view.fetched += rate;
                view.markers.push(Marker {
                    group: group as u32,
                    member: place.member,
                    position: place.position,
                    committed: place.committed,
                    rate,
                });
            }
            lanes.push(view);
        }
        Frame {
            layout: self.layout.id,
            world_time: millis,
            journal: world.journal_length(),
            running: pace.running,
            past: world.is_in_the_past(),
            speed: pace.speed,
            lanes,
            producers: self.producers(world, clock),
        }
    }

    fn producers(&mut self, world: &World, clock: Clock) -> Vec<ProducerView> {
        let mut views = Vec::with_capacity(self.layout.producers.len());
        for (number, name) in self.layout.producers.iter().enumerate() {
            // In the order of the layout, as long as that is true.
            let at_its_place = world.sent().nth(number).filter(|(each, ..)| each == name);
            let found = at_its_place.or_else(|| world.sent().find(|(each, ..)| each == name));
            let sent = found.map_or(0, |(_, sent, _)| sent);
            let rate = self.rates.sent.of(number, sent as f64, clock);
            views.push(ProducerView { sent, rate });
        }
        views
    }
}

/// The cells of a window of a lane.
fn cells(view: &mut LaneView, lane: &Lane, wanted: &WatchLane, times: bool) {
    let decade = wanted.decade.min(4);
    view.decade = decade;
    let size = 10i64.pow(decade);
    let upto = view.high_watermark;
    let count = wanted.cells.clamp(0, CELLS_MAX);
    let last = wanted.until.unwrap_or(upto).clamp(0, upto) / size;
    let first = (last - count + 1).max(0) * size;
    view.first = first;
    let shown = (upto - first + size - 1).div_euclid(size).clamp(0, count);
    view.cells = u32::try_from(shown).unwrap_or(0);
    let offsets = (0..shown).map(|cell| first + cell * size);
    if decade == 0 {
        view.bytes = offsets
            .clone()
            .map(|offset| match offset < view.start {
                true => crate::lanes::GAP,
                false => lane.class(offset),
            })
            .collect();
    } else {
        #[allow(clippy::little_endian_bytes, reason = "as typed arrays read them")]
        for offset in offsets.clone() {
            for count in lane.mix(offset, decade, upto) {
                view.bytes.extend_from_slice(&count.to_le_bytes());
            }
        }
    }
    if times {
        view.times = Some(offsets.map(|offset| lane.time(offset, size)).collect());
    }
}

fn timeline(world: &World, beyond: &Beyond) -> Timeline {
    let view = world.timeline();
    let ticks = view.ticks.iter().map(|(t, kind)| Tick {
        t: *t,
        kind: match kind {
            TickKind::Rebalance => "rebalance",
            TickKind::User => "user",
            TickKind::Crash => "crash",
        },
    });
    Timeline {
        ticks: ticks.collect(),
        rates: rates(&view.appended, view.start, view.end),
        undo: view.undo.or_else(|| beyond.back(world).cloned()),
        redo: view.redo.or_else(|| beyond.forth(world).cloned()),
        start: view.start,
        end: view.end,
        now: view.now,
    }
}

/// Records a second in equal slices, from running totals.
fn rates(appended: &[(u64, u64)], start: u64, end: u64) -> Vec<f64> {
    let span = end.saturating_sub(start);
    let slices = (span / 1_000).clamp(1, RATES_MAX);
    let total = |at: f64| {
        let after = appended.partition_point(|(t, _)| (*t as f64) <= at);
        let before = after.checked_sub(1).and_then(|index| appended.get(index));
        match (before, appended.get(after)) {
            (Some((t0, n0)), Some((t1, n1))) => {
                let part = (at - *t0 as f64) / (t1.saturating_sub(*t0).max(1)) as f64;
                *n0 as f64 + part * (n1.saturating_sub(*n0)) as f64
            }
            (Some((_, n)), None) | (None, Some((_, n))) => *n as f64,
            (None, None) => 0.0,
        }
    };
    let width = span as f64 / slices as f64;
    let bound = |slice: u64| total(start as f64 + width * slice as f64);
    (0..slices)
        .map(|slice| (bound(slice + 1) - bound(slice)).max(0.0) * 1_000.0 / width.max(1.0))
        .collect()
}
