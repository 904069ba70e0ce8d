/** Nodes that share groups which apply at once: each node answers for the groups that it leads, as in a cluster. */
import { ErrorReason, GomsgError } from '../../../services/errors.ts';
import type { GroupRouter, ServiceGroup } from '../../../services/groups.ts';
import { kvMethods } from '../../../services/kv-service.ts';
import type { CallContext, Method } from '../../../services/method.ts';
import { queueMethods } from '../../../services/queue-service.ts';
import { streamServer } from '../../../services/stream-service.ts';
import { callContext } from '../../../services/testing/call.ts';
import { InstantGroup } from '../../../services/testing/instant-group.ts';
import type { Failure } from '../../../state/failure.ts';
import { KvMachine } from '../../../state/kv/kv-machine.ts';
import { QueueMachine } from '../../../state/queue/queue-machine.ts';
import { StreamMachine } from '../../../state/stream/stream-machine.ts';
import { defaultTopicSettings } from '../../../state/stream/topic.ts';
import { ModelStore } from '../../../state/testing/model-store.ts';
import type { Leadership, Links } from '../../leadership.ts';
import type { ForwardedCall } from '../../links/forwarded-call.ts';
import { gathering } from '../gathering.ts';
import { partOf } from '../part.ts';

export const MAX_FRAME_BYTES = 8192;

const NOT_LEADER: Failure = { reason: ErrorReason.NOT_LEADER, message: 'another node leads the group' };

export class SimulatedNodes {
  /** What the caller's node, number 1, serves. */
  readonly gathered: readonly Method[];
  /** What a single node with all groups serves. */
  readonly whole: readonly Method[];
  readonly groups: readonly InstantGroup[];
  /** Node that leads each group, from group 1. What the caller's node believes may differ: `believed`. */
  readonly leaders: number[];
  readonly believed: (number | undefined)[];
  /** Groups that the caller's node has a replica of. */
  readonly replicas = new Set<number>();
  /** Nodes that the caller's node has no link to. */
  readonly unlinked = new Set<number>();
  /** Parts that were passed on: node and groups. */
  readonly passedOn: { readonly node: number; readonly groups: readonly number[] }[] = [];
  readonly #pick: (name: string) => number;
  readonly #nodes = new Map<number, readonly Method[]>();
  readonly #listeners = new Map<number, Set<() => void>>();
  readonly #closing: (() => void)[] = [];
  #openStreams = 0;

  /** @param leaders node that leads each group: 1 is the caller's */
  constructor(leaders: readonly number[], pick: (name: string) => number) {
    this.leaders = [...leaders];
    this.believed = [...leaders];
    this.#pick = pick;
    this.groups = leaders.map((_, i) => {
      const kv = new KvMachine(new ModelStore(), i + 1);
      const queue = new QueueMachine(new ModelStore(), i + 1);
      const stream = new StreamMachine(new ModelStore(), i + 1);
      for (const machine of [kv, queue, stream]) machine.load();
      return new InstantGroup({ kv, queue, stream }, i + 1);
    });
    this.whole = this.#services(this.groups);
    for (const node of new Set([1, ...leaders])) this.#addNode(node);
    const own = this.#nodes.get(1)!;
    this.gathered = gathering(own, {
      router: this.#router(this.groups),
      leadership: this.#leadership,
      links: this.#links,
      maxFrameBytes: MAX_FRAME_BYTES,
    });
  }

  /** Another node leads a group from now on; the caller's node hears of it, or not yet. */
  move(group: number, leader: number, heard = true): void {
    if (!this.#nodes.has(leader)) this.#addNode(leader);
    this.leaders[group - 1] = leader;
    if (heard) this.hear(group, leader);
  }

  /** The caller's node hears who leads a group. */
  hear(group: number, leader: number | undefined): void {
    this.believed[group - 1] = leader;
    for (const listener of [...(this.#listeners.get(group) ?? [])]) listener();
  }

  /** Listeners for changes of leaders. */
  get listening(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Streams that were passed on and are not ended. */
  get openStreams(): number {
    return this.#openStreams;
  }

  close(): void {
    for (const close of this.#closing) close();
  }

  #addNode(node: number): void {
    const groups = this.groups.map((group): ServiceGroup => {
      const leads = () => this.leaders[group.id - 1] === node;
      const hasState = () => leads() || (node === 1 && this.replicas.has(group.id));
      return {
        id: group.id,
        get isLeader() {
          return leads();
        },
        onRoleChange: () => () => {},
        submit: (proposal) => group.submit(proposal),
        read: (consistency, query, fail) =>
          hasState() ? group.read(consistency, query, fail) : fail(NOT_LEADER),
      };
    });
    this.#nodes.set(node, this.#services(groups));
  }

  #services(groups: readonly ServiceGroup[]): Method[] {
    const router = this.#router(groups);
    const limits = {
      maxKeyBytes: 64,
      maxValueBytes: 4096,
      maxMessageBytes: 4096,
      maxFrameBytes: MAX_FRAME_BYTES,
    };
    const streams = streamServer({
      router,
      limits,
      topicDefaults: defaultTopicSettings,
      nodes: { self: 'n1', leaderOf: () => 'n1' },
    });
    this.#closing.push(() => streams.close());
    return [...kvMethods({ router, limits }), ...queueMethods({ router, limits }), ...streams.methods];
  }

  #router(groups: readonly ServiceGroup[]): GroupRouter {
    return {
      groupOf: (name) => groups[this.#pick(name) % groups.length]!,
      dataGroups: () => groups,
    };
  }

  readonly #leadership: Leadership = {
    self: 1,
    groupOf: (name) => (this.#pick(name) % this.leaders.length) + 1,
    leaderOf: (group) => this.believed[group - 1],
    hasReplica: (group) => this.replicas.has(group),
    majoritySilence_ms: () => 0,
    onLeaderChange: (group, listener) => {
      const listeners = this.#listeners.get(group) ?? new Set();
      this.#listeners.set(group, listeners.add(listener));
      return () => listeners.delete(listener);
    },
    isOver: false,
    noLeader: (group) => ({ reason: ErrorReason.NO_QUORUM, message: `nobody leads group ${group}` }),
  };

  readonly #links: Links = {
    call: (node, call, reply) => {
      const method = this.#take(node, call);
      if (method.kind !== 'unary') throw new Error(`${call.method} is no unary call`);
      method.handle(call.payload, contextOf(call), reply);
      return { cancel: () => {} };
    },
    // As `PeerLinks.stream`: the stream is opened by whoever iterates, who also hears that there is no link.
    stream: (node, call) => ({ [Symbol.asyncIterator]: () => this.#open(node, call) }),
  };

  #open(node: number, call: ForwardedCall): AsyncIterator<Uint8Array> {
    if (this.unlinked.has(node)) throw new GomsgError({ ...NOT_LEADER, message: `no link to node ${node}` });
    const method = this.#take(node, call);
    if (method.kind !== 'server_streaming') throw new Error(`${call.method} is no stream`);
    const caller = new AbortController();
    const messages = method.handle(call.payload, contextOf(call, caller.signal))[Symbol.asyncIterator]();
    this.#openStreams++;
    caller.signal.addEventListener('abort', () => this.#openStreams--);
    return {
      next: () => messages.next(),
      async return() {
        caller.abort(new GomsgError({ reason: ErrorReason.CANCELED, message: 'the caller gave up' }));
        return { done: true as const, value: undefined };
      },
    };
  }

  #take(node: number, call: ForwardedCall): Method {
    this.passedOn.push({ node, groups: [...(partOf(call.headers) ?? [])] });
    const method = this.#nodes.get(node)!.find((candidate) => candidate.number === call.method);
    if (method === undefined) throw new Error(`no node has method ${call.method}`);
    return method;
  }
}

function contextOf({ headers }: ForwardedCall, signal?: AbortSignal): CallContext {
  return callContext({ groups: partOf(headers), ...(signal && { signal }) });
}
