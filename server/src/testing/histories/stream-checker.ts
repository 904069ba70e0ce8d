/**
 * Did a stream keep its promises? Held against docs/guarantees.md: offsets without gaps, every acknowledged publish in
 * its place, the order of publishes within a partition, one member of a group at a time, commits that never go back.
 *
 * The log that the run left is read whole at its end. As with queues, only what no choice of moments explains counts.
 */
import type { Outcome } from './history.ts';
import { Findings, type Violation } from './violation.ts';

interface During {
  readonly invokedAt_us: number;
  /** Infinity for what had no answer. */
  readonly endedAt_us: number;
}

export interface StreamPublish extends During {
  /** Unique in the topic: part of the payload. */
  readonly message: string;
  readonly partition: number;
  readonly outcome: Outcome;
  /** Of `ok` alone. */
  readonly offset?: number;
}

export interface StreamRecord {
  readonly offset: number;
  readonly message: string;
}

/** What a subscription without interruption gave from one partition, in the order it came. */
export interface StreamReading {
  readonly reader: string;
  readonly partition: number;
  readonly records: readonly StreamRecord[];
}

/** A member of the group got a message. */
export interface GroupDelivery extends During, StreamRecord {
  readonly member: string;
  readonly partition: number;
}

/** A member said that it is done with everything below `next`. */
export interface GroupCommit extends During {
  readonly partition: number;
  readonly next: number;
  readonly outcome: Outcome;
}

/** Somebody asked how far the group is, and was told `next`. */
export interface GroupPosition extends During {
  readonly partition: number;
  readonly next: number;
}

/** Partitions may have changed hands, and what was not committed come again: a member came or went, a leader changed. */
export type GroupChange = During;

export interface GroupHistory {
  readonly group: string;
  readonly deliveries: readonly GroupDelivery[];
  readonly commits: readonly GroupCommit[];
  readonly positions: readonly GroupPosition[];
  readonly changes: readonly GroupChange[];
  /** Members waited until nothing came any more. */
  readonly isDrained: boolean;
}

export interface StreamHistory {
  readonly publishes: readonly StreamPublish[];
  /** By partition: what it holds at the end, from the first offset that retention left. */
  readonly log: ReadonlyMap<number, readonly StreamRecord[]>;
  /** By partition: its first offset. Missing: 0. */
  readonly firstOffsets?: ReadonlyMap<number, number>;
  readonly readings: readonly StreamReading[];
  readonly groups: readonly GroupHistory[];
}

export function checkStream(history: StreamHistory): readonly Violation[] {
  const findings = new Findings();
  const partitions = new Set([...history.log.keys(), ...history.publishes.map(({ partition }) => partition)]);
  for (const partition of partitions) {
    const log = history.log.get(partition) ?? [];
    const publishes = history.publishes.filter((publish) => publish.partition === partition);
    const first = history.firstOffsets?.get(partition) ?? 0;
    checkLog(partition, log, first, findings);
    checkPublishes(partition, log, first, publishes, findings);
    checkOrder(partition, log, publishes, findings);
  }
  for (const reading of history.readings)
    checkReading(reading, history.log.get(reading.partition) ?? [], findings);
  for (const group of history.groups) checkGroup(group, history, findings);
  return findings.violations;
}

function checkLog(partition: number, log: readonly StreamRecord[], first: number, findings: Findings): void {
  for (const [index, { offset }] of log.entries()) {
    if (offset === first + index) continue;
    findings.add(
      'offsets have no gap',
      `partition ${partition}: ${offset} is where ${first + index} should be`,
    );
    return;
  }
}

function checkPublishes(
  partition: number,
  log: readonly StreamRecord[],
  first: number,
  publishes: readonly StreamPublish[],
  findings: Findings,
): void {
  const byMessage = new Map(publishes.map((publish) => [publish.message, publish]));
  const seen = new Map<string, number>();
  for (const { offset, message } of log) {
    const publish = byMessage.get(message);
    const at = `partition ${partition} offset ${offset}`;
    if (publish === undefined)
      findings.add('what is there was published', `${at}: nobody published ${message}`);
    else if (publish.outcome === 'fail')
      findings.add('what is there was published', `${at}: ${message} was refused`);
    const before = seen.get(message);
    if (before !== undefined) {
      findings.add('a message is there once', `${at}: ${message}, which is at ${before} already`);
    }
    seen.set(message, offset);
  }
  for (const { message, outcome, offset } of publishes) {
    if (outcome !== 'ok' || offset === undefined || offset < first) continue;
    const found = seen.get(message);
    if (found === undefined) {
      findings.add(
        'what was acknowledged is there',
        `partition ${partition}: ${message}, acknowledged at ${offset}`,
      );
    } else if (found !== offset) {
      findings.add(
        'a message is where the answer said',
        `partition ${partition}: ${message} is at ${found}, and was acknowledged at ${offset}`,
      );
    }
  }
}

/** What was answered before another was begun is before it. */
function checkOrder(
  partition: number,
  log: readonly StreamRecord[],
  publishes: readonly StreamPublish[],
  findings: Findings,
): void {
  const byMessage = new Map(publishes.map((publish) => [publish.message, publish]));
  let latest: StreamPublish | undefined;
  for (const { message } of log) {
    const publish = byMessage.get(message);
    if (publish === undefined) continue;
    if (latest !== undefined && publish.endedAt_us < latest.invokedAt_us) {
      findings.add(
        'messages are in the order of their publishes',
        `partition ${partition}: ${latest.message} was begun after ${message} was answered, and is before it`,
      );
    }
    if (latest === undefined || publish.invokedAt_us > latest.invokedAt_us) latest = publish;
  }
}

function checkReading(
  { reader, partition, records }: StreamReading,
  log: readonly StreamRecord[],
  findings: Findings,
): void {
  const first = log[0]?.offset ?? 0;
  for (const [index, { offset, message }] of records.entries()) {
    const previous = records[index - 1];
    if (previous !== undefined && offset !== previous.offset + 1) {
      findings.add(
        'a subscription skips and repeats nothing',
        `${reader}, partition ${partition}: ${offset} after ${previous.offset}`,
      );
    }
    const kept = log[offset - first];
    // Retention may have taken it since.
    if (offset >= first && kept?.message !== message) {
      findings.add(
        'all readers see the same',
        `${reader}, partition ${partition} offset ${offset}: ${message}, and at the end ${kept?.message ?? 'nothing'}`,
      );
    }
  }
}

function checkGroup(group: GroupHistory, history: StreamHistory, findings: Findings): void {
  for (const [partition, deliveries] of Map.groupBy(group.deliveries, (delivery) => delivery.partition)) {
    const log = history.log.get(partition) ?? [];
    const commits = group.commits.filter(
      (commit) => commit.partition === partition && commit.outcome !== 'fail',
    );
    checkGroupRecords(group.group, partition, deliveries, log, findings);
    checkOneMember(group, partition, deliveries, findings);
    checkCommitted(group.group, partition, deliveries, commits, findings);
  }
  for (const partition of new Set(group.positions.map((position) => position.partition))) {
    checkPositions(group, partition, findings);
  }
  if (!group.isDrained) return;
  for (const [partition, log] of history.log) {
    const got = new Set(
      group.deliveries.filter((each) => each.partition === partition).map(({ offset }) => offset),
    );
    const missed = log.find(({ offset }) => !got.has(offset));
    if (missed === undefined) continue;
    findings.add(
      'a group gets every message',
      `${group.group}, partition ${partition}: nobody got ${missed.offset} (${missed.message})`,
    );
  }
}

function checkGroupRecords(
  group: string,
  partition: number,
  deliveries: readonly GroupDelivery[],
  log: readonly StreamRecord[],
  findings: Findings,
): void {
  const first = log[0]?.offset ?? 0;
  for (const { member, offset, message } of deliveries) {
    const kept = log[offset - first];
    if (offset < first || kept?.message === message) continue;
    findings.add(
      'all readers see the same',
      `${member} of ${group}, partition ${partition} offset ${offset}: ${message}, and at the end ${kept?.message ?? 'nothing'}`,
    );
  }
}

/** A message comes to another member, or again to the same, only after something changed. */
function checkOneMember(
  { group, changes }: GroupHistory,
  partition: number,
  deliveries: readonly GroupDelivery[],
  findings: Findings,
): void {
  for (const [offset, all] of Map.groupBy(deliveries, (delivery) => delivery.offset)) {
    const inTurn = all.toSorted((a, b) => a.endedAt_us - b.endedAt_us);
    for (let index = 1; index < inTurn.length; index++) {
      const [before, next] = [inTurn[index - 1]!, inTurn[index]!];
      const changed = changes.some(
        ({ invokedAt_us, endedAt_us }) =>
          invokedAt_us <= next.endedAt_us && endedAt_us >= Math.min(before.invokedAt_us, next.invokedAt_us),
      );
      if (changed) continue;
      findings.add(
        'a message is with one member at a time',
        `${group}, partition ${partition} offset ${offset}: ${before.member} got it by ${before.endedAt_us} µs and ${next.member} by ${next.endedAt_us} µs, and no member came or went`,
      );
    }
  }
}

function checkCommitted(
  group: string,
  partition: number,
  deliveries: readonly GroupDelivery[],
  commits: readonly GroupCommit[],
  findings: Findings,
): void {
  const answered = commits
    .filter(({ outcome }) => outcome === 'ok')
    .sort((a, b) => a.endedAt_us - b.endedAt_us);
  let at = 0;
  let committed = 0;
  for (const { member, offset, invokedAt_us } of deliveries.toSorted(
    (a, b) => a.invokedAt_us - b.invokedAt_us,
  )) {
    for (; at < answered.length && answered[at]!.endedAt_us < invokedAt_us; at++) {
      committed = Math.max(committed, answered[at]!.next);
    }
    if (offset >= committed) continue;
    findings.add(
      'what was committed never comes back',
      `${group}, partition ${partition}: ${member} got ${offset} after ${invokedAt_us} µs, when ${committed} was committed`,
    );
  }
}

/** A position is at least the highest commit answered before, at most the highest begun, and never goes back. */
function checkPositions(
  { group, commits, positions }: GroupHistory,
  partition: number,
  findings: Findings,
): void {
  const ofPartition = commits.filter((commit) => commit.partition === partition && commit.outcome !== 'fail');
  const seen = positions.filter((position) => position.partition === partition);
  const highest = (some: readonly { readonly next: number }[]): number =>
    some.reduce((max, { next }) => Math.max(max, next), 0);
  for (const position of seen) {
    const least = Math.max(
      highest(ofPartition.filter((each) => each.outcome === 'ok' && each.endedAt_us < position.invokedAt_us)),
      highest(seen.filter((each) => each.endedAt_us < position.invokedAt_us)),
    );
    const most = highest(ofPartition.filter((each) => each.invokedAt_us <= position.endedAt_us));
    if (position.next >= least && position.next <= most) continue;
    findings.add(
      'a committed offset never goes back',
      `${group}, partition ${partition}: ${position.next} by ${position.endedAt_us} µs; it was at least ${least} and at most ${most}`,
    );
  }
}
