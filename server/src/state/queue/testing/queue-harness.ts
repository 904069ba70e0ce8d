/** Runs the steps of `queue-steps.ts` on two machines and on the model, and holds them against each other. */
import { create } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { ErrorReason } from '../../../gen/gomsg/v1/common_pb.js';
import { MessageState, QueueMessageSchema, QueueService } from '../../../gen/gomsg/v1/queue_pb.js';
import { msToDuration, msToTimestamp } from '../../durations.ts';
import type { Failure } from '../../failure.ts';
import { defaultSettings, mergeSettings, settingsMessage } from '../settings.ts';
import { MachineDriver } from './machine-driver.ts';
import { type ModelMessage, ModelQueue, QueueModel } from './queue-model.ts';
import { type Step, states } from './queue-steps.ts';

const rpc = QueueService.method;

/** Two machines that must agree in every byte, and the model that both must agree with. */
export class QueueHarness {
  readonly leader = new MachineDriver(false);
  readonly replica = new MachineDriver(true);
  readonly model = new QueueModel();
  readonly deliveryIds: string[] = [];
  now_ms = this.leader.now_ms;

  run(given: Step) {
    switch (given.do) {
      case 'push':
        return this.#push(given.queue, given.message);
      case 'pushBatch':
        return this.#pushBatch(given.queue, given.messages);
      case 'pop':
        return this.#pop(given.queue, given.max, given.lease_ms);
      case 'ack':
        return this.#ack(this.#delivery(given.which));
      case 'nack':
        return this.#nack(this.#delivery(given.which), given);
      case 'extend':
        return this.#extend(this.#delivery(given.which), given.lease_ms);
      case 'release':
        return this.#release(
          given.whiches.map((one) => this.#delivery(one)),
          given.neverSent,
        );
      case 'purge':
        return this.#purge(given.queue, given.state);
      case 'delete':
        return this.#delete(given.queue);
      case 'redrive':
        return this.#redrive(given.queue, given.limit);
      case 'configure':
      case 'create':
        return this.#settings(given.do, given.queue, given.settings);
      case 'wait':
        this.now_ms += given.ms;
        this.leader.now_ms = this.now_ms;
        this.replica.now_ms = this.now_ms;
        return;
      case 'expireDue':
        for (const queue of this.model.queues.values()) queue.pass(this.now_ms);
        expect(this.leader.expireDue()).toBe(this.replica.expireDue());
        return;
      case 'restart':
        return this.replica.restart();
    }
  }

  /** Runs a command on both machines, which must answer alike. */
  #both<T>(act: (driver: MachineDriver) => T): T {
    const answer = act(this.leader);
    expect(act(this.replica)).toEqual(answer);
    return answer;
  }

  #delivery(which: number): string {
    return this.deliveryIds[which % Math.max(1, this.deliveryIds.length)] ?? 'a#1.1';
  }

  #push(queue: string, message: { payload: string; priority: number; delay_ms: number; dedupId: string }) {
    const known = this.model.queues.get(queue)?.dedup.get(message.dedupId);
    const expected = this.model.push(queue, [message], this.now_ms);
    const answer = this.#both((driver) => driver.try(rpc.push, { queue, ...request(message) }));
    if (expected === 'full') expectFailure(answer, ErrorReason.QUEUE_FULL);
    else {
      const deduplicated = known !== undefined && known.expiry_ms > this.now_ms;
      expect(answer).toMatchObject({ messageId: expected[0], deduplicated });
    }
  }

  #pushBatch(queue: string, messages: Parameters<typeof request>[0][]) {
    const expected = this.model.push(queue, messages, this.now_ms);
    const answer = this.#both((driver) =>
      driver.try(rpc.pushBatch, {
        queue,
        messages: messages.map((one) => create(QueueMessageSchema, request(one))),
      }),
    );
    if (expected === 'full') expectFailure(answer, ErrorReason.QUEUE_FULL);
    else expect(answer).toMatchObject({ messageIds: expected });
  }

  #pop(queue: string, max: number, lease_ms: number | undefined) {
    const expected = this.model.pop(queue, max || 1, lease_ms, this.now_ms);
    const { deliveries } = this.#both((driver) =>
      driver.call(rpc.pop, {
        queue,
        maxMessages: max,
        ...(lease_ms !== undefined && { lease: msToDuration(lease_ms) }),
      }),
    );
    expect(deliveries).toMatchObject(
      expected.map((message) => ({
        deliveryId: `${queue}#${message.sequence}.${message.deliveries}`,
        messageId: `${queue}#${message.sequence}`,
        queue,
        payload: bytes(message.payload),
        priority: message.priority,
        attempt: message.attempts,
        pushedAt: msToTimestamp(message.pushed_ms),
        leaseExpiresAt: msToTimestamp(message.at_ms),
      })),
    );
    expect(deliveries.length).toBe(expected.length);
    for (const { deliveryId } of deliveries) {
      expect(this.deliveryIds).not.toContain(deliveryId);
      this.deliveryIds.push(deliveryId);
    }
  }

  #ack(deliveryId: string) {
    const found = this.model.find(deliveryId, this.now_ms);
    const answer = this.#both((driver) => driver.try(rpc.ack, { deliveryId }));
    if (!found) return expectFailure(answer, ErrorReason.DELIVERY_NOT_FOUND);
    expect(answer).not.toHaveProperty('reason');
    found.queue.remove(found.message);
    found.queue.totals.acked++;
  }

  #nack(deliveryId: string, given: { delay_ms: number | undefined; deadLetter: boolean; error: string }) {
    const found = this.model.find(deliveryId, this.now_ms);
    const answer = this.#both((driver) =>
      driver.try(rpc.nack, {
        deliveryId,
        deadLetter: given.deadLetter,
        error: given.error,
        ...(given.delay_ms !== undefined && { delay: msToDuration(given.delay_ms) }),
      }),
    );
    if (!found) return expectFailure(answer, ErrorReason.DELIVERY_NOT_FOUND);
    const { queue, message } = found;
    const reason = given.error || 'rejected by the consumer';
    const { retryBackoff_ms: backoff_ms, retryBackoffMax_ms } = queue.settings;
    const delay_ms = given.delay_ms ?? Math.min(backoff_ms * 2 ** (message.attempts - 1), retryBackoffMax_ms);
    if (given.deadLetter) queue.die(message, this.now_ms, reason);
    else queue.giveBack(message, this.now_ms, delay_ms, reason);
    expect(answer).toMatchObject({ state: message.state });
  }

  #extend(deliveryId: string, lease_ms: number | undefined) {
    const found = this.model.find(deliveryId, this.now_ms);
    const answer = this.#both((driver) =>
      driver.try(rpc.extend, {
        deliveryId,
        ...(lease_ms !== undefined && { lease: msToDuration(lease_ms) }),
      }),
    );
    if (!found) return expectFailure(answer, ErrorReason.DELIVERY_NOT_FOUND);
    found.message.at_ms = this.now_ms + (lease_ms ?? found.queue.settings.lease_ms);
    expect(answer).toMatchObject({ leaseExpiresAt: msToTimestamp(found.message.at_ms) });
  }

  #release(deliveryIds: string[], neverSent: boolean) {
    this.#both((driver) => driver.release('a', deliveryIds, neverSent));
    for (const deliveryId of deliveryIds) {
      const found = this.model.find(deliveryId, this.now_ms);
      if (!found) continue;
      const { queue, message } = found;
      if (neverSent) {
        message.attempts--;
        queue.totals.returned++;
        queue.ready(message, this.now_ms);
      } else queue.giveBack(message, this.now_ms, 0, 'consumer left');
    }
  }

  #purge(name: string, state: MessageState) {
    const queue = this.model.queues.get(name);
    const answer = this.#both((driver) => driver.try(rpc.purge, { queue: name, state }));
    if (!queue) return expectFailure(answer, ErrorReason.QUEUE_NOT_FOUND);
    const purged = queue.messages.filter((one) => state === MessageState.UNSPECIFIED || one.state === state);
    for (const message of purged) queue.remove(message);
    expect(answer).toMatchObject({ purged: BigInt(purged.length) });
  }

  #delete(name: string) {
    const answer = this.#both((driver) => driver.call(rpc.delete, { queue: name }));
    expect(answer.deleted).toBe(this.model.queues.delete(name));
  }

  #redrive(name: string, limit: number) {
    const queue = this.model.queues.get(name);
    const answer = this.#both((driver) => driver.try(rpc.redrive, { queue: name, limit }));
    if (!queue) return expectFailure(answer, ErrorReason.QUEUE_NOT_FOUND);
    const redriven = queue.of(MessageState.DEAD).slice(0, limit || Infinity);
    for (const message of redriven) {
      message.attempts = 0;
      message.error = '';
      queue.ready(message, this.now_ms);
    }
    expect(answer).toMatchObject({ redriven: BigInt(redriven.length) });
  }

  #settings(what: 'configure' | 'create', name: string, given: SettingsInit) {
    const queue = this.model.queues.get(name);
    const answer = this.#both((driver) =>
      what === 'create'
        ? driver.try(rpc.create, { queue: name, settings: given })
        : driver.try(rpc.configure, { queue: name, settings: given }),
    );
    if (what === 'create' && queue) return expectFailure(answer, ErrorReason.ALREADY_EXISTS);
    if (what === 'configure' && !queue) return expectFailure(answer, ErrorReason.QUEUE_NOT_FOUND);
    const made = queue ?? new ModelQueue(this.now_ms, defaultSettings);
    made.settings = mergeSettings(made.settings, { ...settingsMessage(made.settings), ...given });
    this.model.queues.set(name, made);
    expect(answer).toMatchObject({ settings: settingsMessage(made.settings) });
  }

  /** Everything that can be seen of the machines is what the model says. */
  check(): void {
    for (const name of ['a', 'b']) {
      const queue = this.model.queues.get(name);
      const stats = this.#both(({ machine }) => machine.stats(name, this.now_ms));
      if (!queue) {
        expect(stats).toBeUndefined();
        continue;
      }
      const [ready, delayed, inFlight, dead] = states.map((state) => queue.of(state));
      const oldest_ms = Math.min(...ready!.map((message) => message.pushed_ms));
      expect(stats).toMatchObject({
        ready: BigInt(ready!.length),
        delayed: BigInt(delayed!.length),
        inFlight: BigInt(inFlight!.length),
        dead: BigInt(dead!.length),
        size: BigInt(queue.messages.length),
        bytes: BigInt(queue.messages.reduce((sum, { size }) => sum + size, 0)),
        pushedTotal: BigInt(queue.totals.pushed),
        deliveredTotal: BigInt(queue.totals.delivered),
        ackedTotal: BigInt(queue.totals.acked),
        returnedTotal: BigInt(queue.totals.returned),
        deadTotal: BigInt(queue.totals.dead),
        expiredTotal: BigInt(queue.totals.expired),
        createdAt: msToTimestamp(queue.created_ms),
        ...(ready!.length > 0 && { oldestReadyAge: msToDuration(this.now_ms - oldest_ms) }),
      });
      for (const state of states) this.#checkPeek(name, queue, state);
    }
    const due_ms = Math.min(...[...this.model.queues.values()].flatMap(dueTimes));
    expect(this.leader.machine.nextDue_ms() ?? Infinity).toBeLessThanOrEqual(due_ms);
    expect(this.replica.machine.nextDue_ms() ?? Infinity).toBeLessThanOrEqual(due_ms);
  }

  #checkPeek(name: string, queue: ModelQueue, state: MessageState) {
    const expected = queue
      .of(state)
      .filter(({ at_ms }) => state !== MessageState.READY || at_ms > this.now_ms);
    const pages: unknown[] = [];
    let after: string | undefined;
    do {
      const page = this.#both(({ machine }) => machine.peek(name, state, after, 2, this.now_ms));
      pages.push(...page!.messages);
      after = page!.next;
    } while (after !== undefined);
    expect(pages).toMatchObject(expected.map((message) => peekedAs(name, message)));
    expect(pages.length).toBe(expected.length);
  }
}

type SettingsInit = Partial<ReturnType<typeof settingsMessage>>;

function request({ payload, priority, delay_ms, dedupId }: Parameters<QueueModel['push']>[1][number]) {
  return {
    payload: bytes(payload),
    priority,
    dedupId,
    ...(delay_ms > 0 && { delay: msToDuration(delay_ms) }),
  };
}

function peekedAs(queue: string, message: ModelMessage) {
  const { state } = message;
  return {
    messageId: `${queue}#${message.sequence}`,
    state,
    payload: bytes(message.payload),
    priority: message.priority,
    deliveries: message.attempts,
    pushedAt: msToTimestamp(message.pushed_ms),
    deliveryId: state === MessageState.IN_FLIGHT ? `${queue}#${message.sequence}.${message.deliveries}` : '',
    error: state === MessageState.DEAD ? message.error : '',
    ...(state !== MessageState.READY && { dueAt: msToTimestamp(message.at_ms) }),
  };
}

function dueTimes({ messages, dedup, settings }: ModelQueue): number[] {
  return [
    ...messages.map(({ state, at_ms }) => {
      if (state !== MessageState.DEAD) return at_ms;
      return settings.deadLetterTtl_ms > 0 ? at_ms + settings.deadLetterTtl_ms : Infinity;
    }),
    ...[...dedup.values()].map(({ expiry_ms }) => expiry_ms),
  ];
}

function expectFailure(answer: object, reason: ErrorReason): void {
  expect((answer as Failure).reason).toBe(reason);
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
