import { describe, expect, it } from 'vitest';
import { ErrorReason } from '../../gen/gomsg/v1/common_pb.js';
import type { Failure } from '../../state/failure.ts';
import { StreamMachine } from '../../state/stream/stream-machine.ts';
import { ModelStore } from '../../state/testing/model-store.ts';
import { type Listening, StreamHub } from './stream-hub.ts';
import { StreamNode, settled } from './testing/stream-node.ts';

class Noted implements Listening {
  readonly topicId: number;
  readonly consumer: string | undefined;
  woken = 0;
  readonly movedIn: number[] = [];
  rowsForgotten = 0;
  readonly failures: Failure[] = [];

  constructor(topicId: number, consumer?: string) {
    this.topicId = topicId;
    this.consumer = consumer;
  }
  wake(): void {
    this.woken++;
  }
  moved(partition: number): void {
    this.movedIn.push(partition);
  }
  forgetRow(): void {
    this.rowsForgotten++;
  }
  fail(failure: Failure): void {
    this.failures.push(failure);
  }
}

describe('the hub of a group', () => {
  it('wakes those whom a change is for, until they are removed', () => {
    const hub = new StreamHub();
    const [plain, named, other] = [new Noted(1), new Noted(1, 'c'), new Noted(2, 'c')];
    for (const each of [plain, named, other]) hub.add(each);
    hub.appended(1);
    hub.topicChanged(1);
    hub.assigned(1, 'c');
    hub.committed(1, 'c');
    hub.moved(1, 'c', 7);
    expect([plain.woken, named.woken, other.woken]).toEqual([2, 4, 0]);
    expect([plain.movedIn, named.movedIn, other.movedIn]).toEqual([[], [7], []]);
    for (const each of [plain, named]) hub.remove(each);
    hub.appended(1);
    hub.committed(1, 'c');
    expect([plain.woken, named.woken]).toEqual([2, 4]);
  });

  it('ends one that throws, and tells the others', () => {
    const hub = new StreamHub();
    const [first, broken, last] = [new Noted(1), new Noted(1), new Noted(1)];
    broken.wake = () => {
      throw new Error('a bug');
    };
    for (const each of [first, broken, last]) hub.add(each);
    expect(() => hub.appended(1)).toThrow('a bug');
    expect([first.woken, last.woken]).toEqual([1, 1]);
    expect(broken.failures).toEqual([expect.objectContaining({ reason: ErrorReason.INTERNAL })]);
    expect([first.failures, last.failures]).toEqual([[], []]);
  });

  it('bounds how many subscriptions keep a row, and takes it from the one that waits longest', () => {
    const hub = new StreamHub();
    const many = Array.from({ length: 257 }, () => new Noted(1));
    for (const each of many.slice(0, 256)) hub.keepsRow(each);
    hub.keepsRow(many[0]!);
    hub.keepsRow(many[256]!);
    expect(many.flatMap(({ rowsForgotten }, i) => (rowsForgotten > 0 ? [i] : []))).toEqual([1]);
  });

  it('listens to one machine at a time, and wakes everybody when it is another', () => {
    const hub = new StreamHub();
    const [first, second] = [1, 2].map((group) => new StreamMachine(new ModelStore(), group));
    hub.attach(first!);
    const noted = new Noted(1);
    hub.add(noted);
    hub.attach(first!);
    expect(noted.woken).toBe(0);
    hub.attach(second!);
    expect([first!.listener, second!.listener]).toEqual([undefined, hub]);
    expect(noted.woken).toBe(1);
  });

  it('lets subscriptions go on when the machine reads its state anew', async () => {
    const node = new StreamNode();
    const reader = node.subscribe({ topic: 't', group: 'g' });
    await reader.until(({ responses }) => responses.length === 1);
    await node.publish('t', ['before']);
    await reader.until(({ messages }) => messages.length === 1);
    node.machine.save();
    node.machine.load();
    await settled();
    await node.publish('t', ['after']);
    await reader.until(({ messages }) => messages.length === 2);
    expect(reader.texts).toEqual(['before', 'after']);
    await reader.leave();
    node.server.close();
  });
});
