//! What the page is shown of the world, and how often: layout, actors, snapshot, timeline, frames.

use serde::Deserialize;
use sorted::SortedMap;
use world::{Actors, MemberPosition, TickKind, World};

use crate::frames::{Frame, LaneView, Marker, ProducerView};
use crate::lanes::{Keys, Lane, Progress};
use crate::push::{LaneName, Layout, MemberName, Outbox, Push, SnapshotView, Tick, Timeline};

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
/// World milliseconds over which rates are smoothed.
const RATE_MS: f64 = 900.0;

/// Which cells the page wants in frames. A cell holds 10^decade records, bins start at its multiples.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Watch {
    lanes: Vec<WatchLane>,
    /// From 0 to 4.
    decade: u32,
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
    lanes: SortedMap<LaneName, Lane>,
    keys: SortedMap<String, Keys>,
    rates: Rates,
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
        self.lanes.clear();
        self.rates = Rates::default();
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
        self.layout = Layout {
            id: layout.id + 1,
            ..layout
        };
        self.rates = Rates::default();
        let known = &self.layout.lanes;
        self.lanes.retain(|lane, _| known.contains(lane));
        self.keys
            .retain(|topic, _| known.iter().any(|lane| lane.topic == *topic));
        out.push(&Push::Layout {
            layout: &self.layout,
        });
    }

    fn frame(&mut self, world: &World, pace: Pace) -> Frame {
        let watched = std::mem::take(&mut self.watch.lanes);
        let mut pieces = PIECES_MAX;
        let positions = world.positions();
        let millis = world.world_millis() as f64;
        self.rates.tick(millis);
        let began = world.now().millis() - i64::try_from(world.world_millis()).unwrap_or(0);
        let layout = std::mem::take(&mut self.layout);
        let mut lanes = Vec::with_capacity(layout.lanes.len());
        for (number, name) in layout.lanes.iter().enumerate() {
            let wanted = watched
                .iter()
                .find(|lane| lane.topic == name.topic && lane.partition == name.partition);
            let mut view = LaneView::default();
            if let Some(log) = world.partition_log(&name.topic, name.partition) {
                view.start = log.log_start().0;
                view.high_watermark = log.high_watermark().0;
                view.end = log.log_end().0;
                if let Some(wanted) = wanted {
                    let lane = self.lanes.entry(name.clone()).or_default();
                    let keys = self.keys.entry(name.topic.clone()).or_default();
                    while pieces > 0 {
                        if let Progress::Done = lane.extend(log, keys, began) {
                            break;
                        }
                        pieces -= 1;
                    }
                    cells(&mut view, lane, wanted, self.watch.decade, self.watch.times);
                }
            }
            view.appended = self.rates.of(Measure::End(number), view.end as f64);
            view.markers = self.markers(&layout, name, &positions);
            view.fetched = view.markers.iter().map(|marker| marker.rate).sum();
            lanes.push(view);
        }
        let mut sent: SortedMap<&str, u64> = SortedMap::new();
        sent.extend(world.sent().map(|(name, sent, _)| (name, sent)));
        let producers = layout.producers.iter().enumerate();
        let producers = producers.map(|(number, name)| {
            let sent = sent.get(name.as_str()).copied().unwrap_or(0);
            let rate = self.rates.of(Measure::Sent(number), sent as f64);
            ProducerView { sent, rate }
        });
        let producers = producers.collect();
        self.layout = layout;
        self.watch.lanes = watched;
        Frame {
            layout: self.layout.id,
            world_time: millis,
            journal: world.journal_length(),
            decade: self.watch.decade,
            running: pace.running,
            past: world.is_in_the_past(),
            speed: pace.speed,
            lanes,
            producers,
        }
    }

    /// Where each group is in a lane: its member as of now, what it committed as of the last snapshot.
    fn markers(
        &mut self,
        layout: &Layout,
        lane: &LaneName,
        positions: &[MemberPosition],
    ) -> Vec<Marker> {
        let mut markers = Vec::new();
        let groups = self.snapshot.iter().flat_map(|s| &s.world.groups);
        for (number, group) in groups.enumerate() {
            let offsets = group.offsets.iter();
            let mut offsets =
                offsets.filter(|o| o.topic == lane.topic && o.partition == lane.partition);
            let owner = positions.iter().find(|position| {
                *position.group == *group.group_id
                    && *position.topic == *lane.topic
                    && position.partition.0 == lane.partition
            });
            let offset = offsets.next();
            if offset.is_none() && owner.is_none() {
                continue;
            }
            let committed =
                offset.and_then(|offset| offset.committed.as_ref()?.parse::<i64>().ok());
            let position = owner.and_then(|owner| owner.position);
            let position = position.map_or(-1.0, |position| position.0 as f64);
            let member = owner.and_then(|owner| {
                layout.members.iter().position(|member| {
                    *member.group_id == *owner.group && *member.name == *owner.name
                })
            });
            let measure = Measure::Position(number, lane.clone());
            let rate = if position < 0.0 {
                0.0
            } else {
                self.rates.of(measure, position)
            };
            markers.push(Marker {
                group: number as u32,
                member: member.map_or(0, |index| index as u32 + 1),
                position,
                committed: committed.map_or(-1.0, |offset| offset as f64),
                rate,
            });
        }
        markers
    }
}

/// The cells of a window of a lane.
fn cells(view: &mut LaneView, lane: &Lane, wanted: &WatchLane, decade: u32, times: bool) {
    let decade = decade.min(4);
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

/// What a rate is taken of.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Measure {
    End(usize),
    Sent(usize),
    Position(usize, LaneName),
}

/// Smoothed rates per second of world time.
#[derive(Default)]
struct Rates {
    millis: f64,
    /// World milliseconds since the last frame.
    step: f64,
    values: SortedMap<Measure, (f64, f64)>,
}

impl Rates {
    fn tick(&mut self, millis: f64) {
        self.step = if self.millis > 0.0 {
            (millis - self.millis).max(0.0)
        } else {
            0.0
        };
        self.millis = millis;
    }

    fn of(&mut self, measure: Measure, value: f64) -> f32 {
        let (last, rate) = self.values.entry(measure).or_insert((value, 0.0));
        if self.step > 0.0 {
            let now = (value - *last).max(0.0) * 1_000.0 / self.step;
            *rate += (now - *rate) * (1.0 - (-self.step / RATE_MS).exp());
            *last = value;
        }
        if *rate < 0.01 { 0.0 } else { *rate as f32 }
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
