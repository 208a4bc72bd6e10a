/**
 * Every word the page shows, in English. Another language is another object of the type `Words`. What the first
 * picture does not need stands in `en.*.ts` beside this, and is loaded with the part that says it.
 */

export type Params = Record<string, string>;
export type Say = (p: Params) => string;

export const plural = (n: number, one: string, many: string) => `${number(n)} ${n === 1 ? one : many}`;

/** 83214 -> 83 214, with narrow spaces. */
export function number(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

export const en = {
  lang: "en",
  name: "Brooklet",
  number,
  starting: "Starting the broker …",

  top: {
    undo: "Undo",
    undoWhat: (what: string) => `Undo: ${what}`,
    redo: "Redo",
    redoWhat: (what: string) => `Redo: ${what}`,
    toDark: "Dark",
    toLight: "Light",
    fresh: "Start over",
    sandbox: "Sandbox",
    workspaces: "Workspaces",
    open: "open",
  },

  learn: {
    title: "Learn",
    minutes: (n: number) => `about ${plural(n, "minute", "minutes")}`,
    lesson: (n: number, of: number) => `Lesson ${n} of ${of}`,
    hide: "Hide the lesson",
    show: "Show the lesson",
    done: "Done",
    open: "To do",
    finished: "That is the whole lesson. The world keeps running: change anything you like.",
    knob: (value: string) => `${value}. Drag, or use the arrow keys.`,
    less: (name: string) => `Less: ${name}`,
    more: (name: string) => `More: ${name}`,
    perSecond: (n: number) => `${number(n)} ${n === 1 ? "record" : "records"}/s`,
    progress: (n: number, of: number) => `${n} of ${of} done`,
  },

  stage: {
    title: "Stage",
    producers: "Producers",
    groups: "Groups",
    addProducer: "producer",
    addTopic: "topic",
    addGroup: "group",
    empty: "No topics yet. A topic is a named log, split into partitions.",
    createFirst: "Create a topic",
    partitions: (n: number) => plural(n, "partition", "partitions"),
    replication: (n: number) => `RF ${n}`,
    retention: (text: string) => `retention ${text}`,
    align: "align",
    alignNewest: "newest",
    alignOffset: "offset",
    alignTime: "time",
    scale: (n: number) => `1 cell = ${plural(n, "record", "records")}`,
    zoomIn: "Fewer records per cell",
    zoomOut: "More records per cell",
    zoomAuto: "Choose records per cell by itself",
    newest: "Back to the newest records",
    tableHint: "View as a table",
    lanes: "Lanes",
    edit: (name: string) => `Change ${name}`,
    hw: "HW",
    lag: (n: number) => `lag ${number(n)}`,
    deleted: "deleted by retention",
    dropBeside: "Drop a file on a producer, which then sends its lines.",
    dropHere: (name: string) => `Drop: ${name} sends the lines`,
    lane: (topic: string, partition: number) => `${topic}, partition ${partition}`,
    laneValue: (offset: number, start: number, hw: number, end: number) =>
      `offset ${offset}; log starts at ${start}, high watermark ${hw}, log end ${end}`,
    laneEmpty: "no records yet",
    laneHelp:
      "Arrows move over records, Enter inspects. [ and ] go to the groups' markers: arrows move a marker then, Escape comes back.",
    position: (group: string, topic: string, partition: number) =>
      `Position of ${group}, ${topic} P${partition}`,
    committed: (group: string, topic: string, partition: number) =>
      `Committed offset of ${group}, ${topic} P${partition}`,
    positionValue: (group: string, topic: string, partition: number, position: number) =>
      `${group}, ${topic} P${partition}, position ${position}`,
    committedValue: (group: string, topic: string, partition: number, committed: number, lag: number) =>
      `${group}, ${topic} P${partition}, committed ${committed}, lag ${lag}`,
    again: (n: number) => `${plural(n, "record", "records")} will be read again`,
    skipped: (n: number) => `${plural(n, "record", "records")} will be skipped`,
    same: "drag to move",
    commitHere: (offset: number, lag: number) => `commit ${number(offset)}, lag ${number(lag)}`,
    rate: (n: number) => `${number(n)} rec/s`,
    paused: "paused",
    byHand: "by hand",
    noKey: "no key",
    keysCycle: (n: number) => `${plural(n, "key", "keys")}`,
    keyFixed: (key: string) => `key ${key}`,
    by: { key: "by key", sticky: "sticky", roundRobin: "round robin", manual: "by hand" },
    toPartition: (p: number) => `to P${p}`,
    acks: (a: string) => `acks ${a}`,
    pause: (name: string) => `Pause ${name}`,
    resume: (name: string) => `Resume ${name}`,
    members: (n: number) => plural(n, "member", "members"),
    /** Of a group: null where it has committed nothing; not all where some of its partitions have no commit. */
    lagSum: (n: number | null, all: boolean) => (n === null ? "lag –" : `lag ${all ? "" : "≥ "}${number(n)}`),
    outside: "by a client",
    outsideHelp: (name: string) => `${name}: started from a terminal or from outside`,
    noMarkers: "markers are not shown by time",
    madeAgain: (by: string, sends: boolean) =>
      `made again by ${by || "a client"}, which still ${sends ? "sends to it" : "asks for it"}`,
    states: {
      Empty: "no members",
      PreparingRebalance: "rebalancing",
      CompletingRebalance: "rebalancing",
      Stable: "stable",
      Dead: "gone",
    } as Record<string, string>,
    refusedActive: (group: string) => `Kafka refuses this while members of ${group} are active.`,
    cancel: "Leave it",
  },

  /** Spans of time, in whole units. */
  spans: {
    forever: "for ever",
    seconds: (n: number) => plural(n, "second", "seconds"),
    minutes: (n: number) => plural(n, "minute", "minutes"),
    days: (n: number) => plural(n, "day", "days"),
  },

  inspector: {
    title: "Inspector",
    empty: "Click any record.",
    emptyMore: "You will see its key, its value, why it is in this partition, and its bytes.",
  },

  drawer: {
    terminal: "Terminal",
    events: "Events",
    hide: "Fold the drawer",
    show: "Open the drawer",
  },

  terminal: {
    tab: (n: number) => `Terminal ${n}`,
    add: "New terminal",
    close: (n: number) => `Close terminal ${n}`,
  },

  timeline: {
    title: "Time",
    toStart: "To the start of history",
    pause: "Pause",
    resume: "Run",
    step: "Step",
    stepHint: "One event forward",
    stepRecord: "One record forward",
    speed: "Speed",
    times: (x: number) => `${x}×`,
    now: "Back to now",
    past: "looking at the past",
    playhead: "Moment shown",
    of: (end: string) => ` / ${end}`,
    since: (start: string) => `since ${start}`,
    reach: (start: string) => `History reaches back to ${start}; what came before was let go.`,
    spark: "Records appended per second",
    kinds: { rebalance: "rebalance", topic: "topic changed", user: "you did something", crash: "crash" },
  },

  /** What undo would take back, by command. */
  actions: {
    addProducer: "producer added",
    updateProducer: "producer changed",
    removeProducer: "producer removed",
    send: "lines sent",
    createTopic: "topic created",
    configureTopic: "topic configured",
    addPartitions: "partitions added",
    deleteTopic: "topic deleted",
    addGroup: "group added",
    updateGroup: "group changed",
    removeGroup: "group removed",
    killBroker: "broker stopped",
    startBroker: "broker started",
    fault: "something broken or mended",
    addMember: "member added",
    removeMember: "member removed",
    seekMember: "position moved",
    resetOffsets: "offsets reset",
    startOver: "started over",
  } as Record<string, string>,

  gone: "its worker is gone",
  dismiss: "Dismiss",

  lazy: {
    failed: "This part of the page could not be fetched.",
    still:
      "It still could not be fetched. You may be offline, or there is a newer version: then load the page again.",
    again: "Try again",
    reload: "Load the page again",
  },
};
export type Words = typeof en;
