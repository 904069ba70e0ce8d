/** Nodes that are nothing but a port and its links, and what came over them. */
import { onTestFinished, vi } from 'vitest';
import { createLogger } from '../../../observe/logger.ts';
import { NodeMetrics } from '../../../observe/node-metrics.ts';
import type { Message, SnapshotMessage } from '../../../raft/index.ts';
import { makeConfiguration } from '../../../raft/index.ts';
import type { Method, Reply } from '../../../services/method.ts';
import type { Failure, Outcome } from '../../../state/failure.ts';
import { WAIT } from '../../../testing/wait.ts';
import { openPort, type Port, type PortLimits, type TlsOptions } from '../../../transport/port.ts';
import type { ForwardedCall, ReceivedCall } from '../forwarded-call.ts';
import type { JoinAnswer, JoinRequest } from '../join.ts';
import type { LinkLimits, NodeLocation } from '../options.ts';
import { PeerLinks } from '../peer-links.ts';

export const CLUSTER_ID = 'cluster-of-tests';
export const SECRET = 'a-secret-of-sixteen-or-more';

export interface LinkedNodeOptions {
  readonly clusterId?: string;
  readonly nodeId?: string;
  readonly secret?: string | undefined;
  readonly tls?: TlsOptions;
  readonly limits?: Partial<LinkLimits>;
  readonly portLimits?: Partial<PortLimits>;
  readonly monotonic?: () => number;
  /** Wraps PeerService's methods. */
  readonly wrap?: (methods: readonly Method[]) => readonly Method[];
}

/** Quick to notice and to try again. */
const TEST_LIMITS: Partial<LinkLimits> = {
  reconnectMin_ms: 5,
  reconnectMax_ms: 50,
  handshakeTimeout_ms: 3_000,
};

export class LinkedNode {
  readonly number: number;
  readonly nodeId: string;
  readonly links: PeerLinks;
  readonly members = new Map<number, NodeLocation>();
  readonly received: { readonly group: number; readonly message: Message }[] = [];
  /** Sizes of the lists that `onMessages` got. */
  readonly batches: number[] = [];
  readonly reports: { readonly from: number; readonly text: string }[] = [];
  readonly calls: ReceivedCall[] = [];
  readonly linkChanges: string[] = [];
  readonly bugs: string[] = [];
  readonly logLines: string[] = [];
  onCall: (call: ReceivedCall, reply: Reply) => void = (call, reply) => reply.ok(call.payload);
  onStream: (call: ReceivedCall) => AsyncIterable<Uint8Array> = () => {
    throw new Error('no stream was expected');
  };
  onSnapshot: (group: number, message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>) => Promise<void> =
    () => Promise.reject(new Error('no snapshot was expected'));
  onJoin: (request: JoinRequest) => Promise<JoinAnswer> = () =>
    Promise.reject(new Error('no candidate was expected'));
  #port: Port | undefined;

  constructor(number: number, options: LinkedNodeOptions) {
    this.number = number;
    this.nodeId = options.nodeId ?? `node${number}`;
    this.links = new PeerLinks({
      self: {
        number,
        nodeId: this.nodeId,
        clusterId: options.clusterId ?? CLUSTER_ID,
        version: '1.2.3',
      },
      secret: 'secret' in options ? options.secret : SECRET,
      tls: options.tls,
      locate: (node) => this.members.get(node),
      events: {
        onMessages: (group, messages) => {
          this.batches.push(messages.length);
          for (const message of messages) this.received.push({ group, message });
        },
        onSnapshot: (group, message, chunks) => this.onSnapshot(group, message, chunks),
        onCall: (call, reply) => {
          this.calls.push(call);
          this.onCall(call, reply);
        },
        onStream: (call) => this.onStream(call),
        onReport: (from, report) => this.reports.push({ from, text: Buffer.from(report).toString() }),
        onJoin: (request) => this.onJoin(request),
        onLinkChange: (node, up) => this.linkChanges.push(`${node} ${up ? 'up' : 'down'}`),
      },
      logger: createLogger({
        level: 'info',
        format: 'json',
        output: { write: (line: string) => void this.logLines.push(line) },
      }),
      reportBug: (error, where) => this.bugs.push(`${where}: ${error}`),
      limits: { ...TEST_LIMITS, ...options.limits },
      ...(options.monotonic && { monotonic: options.monotonic }),
    });
  }

  get port(): Port {
    if (this.#port === undefined) throw new Error('the port is not open');
    return this.#port;
  }

  get address(): string {
    return `127.0.0.1:${this.port.port}`;
  }

  async open(options: LinkedNodeOptions): Promise<void> {
    const methods = this.links.methods();
    this.#port = await openPort({
      host: '127.0.0.1',
      port: 0,
      methods: options.wrap?.(methods) ?? methods,
      meters: new NodeMetrics().transport,
      reportBug: (error, where) => this.bugs.push(`${where}: ${error}`),
      ...(options.tls && { tls: options.tls }),
      ...(options.portLimits && { limits: options.portLimits }),
    });
  }

  /** Takes another node for a member, at its own address or behind a proxy. */
  knows(other: LinkedNode, address = other.address): void {
    this.members.set(other.number, { nodeId: other.nodeId, address });
  }

  link(): void {
    this.links.setNodes(this.members.keys());
  }

  async close(): Promise<void> {
    this.links.close();
    await this.port.drain(0);
  }
}

/** A node with its port open, linked to nobody; closed when the test ends. */
export async function openNode(number: number, options: LinkedNodeOptions = {}): Promise<LinkedNode> {
  const node = new LinkedNode(number, options);
  await node.open(options);
  onTestFinished(() => node.close());
  return node;
}

/** Nodes 1 to `count`, each linked to all others. */
export async function openNodes(count: number, options: LinkedNodeOptions = {}): Promise<LinkedNode[]> {
  const nodes: LinkedNode[] = [];
  for (let number = 1; number <= count; number++) nodes.push(await openNode(number, options));
  for (const node of nodes) for (const other of nodes) if (other !== node) node.knows(other);
  for (const node of nodes) node.link();
  await Promise.all(
    nodes.flatMap((node) => nodes.filter((other) => other !== node).map((other) => untilUp(node, other))),
  );
  return nodes;
}

export async function untilUp(node: LinkedNode, other: LinkedNode): Promise<void> {
  await vi.waitFor(() => {
    if (!node.links.isLinked(other.number)) throw new Error(`no link: ${node.logLines.at(-1)}`);
  }, WAIT);
}

export async function untilDown(node: LinkedNode, other: LinkedNode): Promise<void> {
  await vi.waitFor(() => {
    if (node.links.isLinked(other.number)) throw new Error('the link is up');
  }, WAIT);
}

/** Resolves once a figure has risen and rises no more, as when what it counts is held back. */
export async function untilStill(figure: () => number): Promise<void> {
  let before = 0;
  await vi.waitFor(
    () => {
      const now = figure();
      const isStill = now > 0 && now === before;
      before = now;
      if (!isStill) throw new Error(`it is at ${now} and goes on`);
    },
    { ...WAIT, interval: 100 },
  );
}

export { WAIT };

/** A call whose payload is a text. */
export function textCall(text: string, more: Partial<ForwardedCall> = {}): ForwardedCall {
  return { method: 101, payload: Buffer.from(text), ...more };
}

/** The outcome of a call that is passed on. */
export function outcomeOf(node: LinkedNode, to: LinkedNode, call: ForwardedCall): Promise<Outcome> {
  return new Promise((resolve) => {
    node.links.call(to.number, call, { ok: resolve, fail: resolve });
  });
}

export function textOf(outcome: Outcome | undefined): string {
  if (!(outcome instanceof Uint8Array)) throw new Error(`the call failed: ${outcome?.message}`);
  return Buffer.from(outcome).toString();
}

export function failureIn(outcome: Outcome): Failure {
  if (outcome instanceof Uint8Array) throw new Error('the call succeeded');
  return outcome;
}

export function snapshotMessage(from: number, to: number): SnapshotMessage {
  return {
    type: 'snapshot',
    from,
    to,
    term: 7,
    snapshot: { index: 1000, term: 6, configuration: makeConfiguration([1, 2], [3]) },
  };
}
