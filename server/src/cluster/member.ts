/**
 * A node as a member of a cluster: what ties its replicas, its links, the control state and what it heard of the others
 * together. Decides little itself: replicas follow the control state (reconciler.ts), the control state follows the
 * balancer (balancer.ts), and calls follow the leaders (forwarding.ts).
 */
import { create } from '@bufbuild/protobuf';
import { LedGroupSchema, NodeReportSchema } from '../gen/gomsg/internal/v1/report_pb.js';
import { NodeState } from '../gen/gomsg/v1/cluster_pb.js';
import type { Group } from '../groups/group.ts';
import type { GroupHost } from '../groups/host.ts';
import type { Health } from '../observe/health.ts';
import type { Logger } from '../observe/logger.ts';
import type { NodeMetrics } from '../observe/node-metrics.ts';
import { type Message, makeConfiguration, type SnapshotMessage } from '../raft/index.ts';
import { ErrorReason, GomsgError } from '../services/errors.ts';
import type { Method, Reply, ServerStreamingMethod, UnaryMethod } from '../services/method.ts';
import type { ControlView } from '../state/control/control-machine.ts';
import { CONTROL_GROUP } from '../state/control/limits.ts';
import type { MemberView } from '../state/control/member.ts';
import { SLOTS, slotOf } from '../state/crc16.ts';
import { msToTimestamp } from '../state/durations.ts';
import type { Failure } from '../state/failure.ts';
import type { GroupState } from '../state/group-state.ts';
import type { ReportBug } from '../transport/failures.ts';
import type { TlsOptions } from '../transport/port.ts';
import { Admin } from './admin.ts';
import { Balancer } from './control/balancer.ts';
import { clusterPicture, type Hearsay } from './control/cluster-picture.ts';
import { ControlProposals } from './control/control-proposals.ts';
import { forwarding } from './forwarding.ts';
import { gathering } from './gather/gathering.ts';
import { partOf } from './gather/part.ts';
import type { Identity } from './identity.ts';
import { LeaderTable } from './leader-table.ts';
import type { Leadership } from './leadership.ts';
import type { ForwardedCall, ReceivedCall } from './links/forwarded-call.ts';
import type { JoinAnswer, JoinedMember, JoinRequest } from './links/join.ts';
import type { LinkEvents, LinkLimits, NodeLocation } from './links/options.ts';
import { PeerLinks } from './links/peer-links.ts';
import { MemberClusterView } from './member-view.ts';
import { NO_CONTROL_STATE } from './no-control-state.ts';
import { figureSampler, type NodeFigures } from './node-figures.ts';
import { NodesDown } from './nodes-down.ts';
import { Reconciler } from './reconciler.ts';
import { nodeOf, replicaId } from './replica-id.ts';
import { encodeReport, isDraining, type LedGroup, type NodeReport, Reports } from './reports.ts';
import { proposalGroup, RoutedGroup, RoutedGroups } from './routed-groups.ts';
import { evenRanges, FIRST_DATA_GROUP } from './slot-map.ts';

export interface MemberOptions {
  readonly identity: Identity;
  /** Members that its admission named: all that it knows of until it holds the control state. */
  readonly seeds: readonly JoinedMember[];
  /** `host:port` at which the others and clients reach this node. */
  readonly address: string;
  readonly hostLabel: string | undefined;
  readonly version: string;
  /** Replicas of each group, which the founding node asks for. */
  readonly replication: number;
  readonly secret: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly links?: Partial<LinkLimits>;
  /** Largest answer that can travel. */
  readonly maxFrameBytes: number;
  readonly dataDir: string | undefined;
  readonly health: Health;
  readonly metrics: NodeMetrics;
  readonly logger: Logger;
  readonly reportBug: ReportBug;
  readonly clock: () => number;
  readonly monotonic: () => number;
  /** Asks the node that waits at an address to join the cluster by way of this one. Rejects with `GomsgError`. */
  readonly invite: (nodeId: string, address: string) => Promise<void>;
  /** This node was taken out of the cluster: it has nothing left to do. */
  readonly onLeft: () => void;
}

/** How often everything is looked at again, whether or not anything was heard. */
const LOOK_INTERVAL_MS = 250;
/** How often a node reports that has nothing new to say, in looks. */
const REPORT_LOOKS = 4;
/** How often the leader of the control group plans, in looks. */
const BALANCE_LOOKS = 4;

export class Member implements Leadership {
  readonly links: PeerLinks;
  readonly view: MemberClusterView;
  readonly router: RoutedGroups;
  readonly down: NodesDown;
  readonly #options: MemberOptions;
  readonly #leaders = new LeaderTable();
  readonly #reports: Reports;
  readonly #reconciler: Reconciler;
  readonly #balancer: Balancer;
  readonly #proposals: ControlProposals;
  readonly #seeds: ReadonlyMap<number, JoinedMember>;
  readonly #services = new Map<number, UnaryMethod | ServerStreamingMethod>();
  readonly #sampleFigures: () => NodeFigures;
  readonly #startedAt_ms: number;
  #figures: NodeFigures = {};
  #host: GroupHost | undefined;
  #looking: NodeJS.Timeout | undefined;
  #looks = 0;
  #reportDue = false;
  #lookDue = false;
  /** A change of the control state that this node asked for is under way. */
  #asking = false;
  #epoch = -1;
  #otherNodes: readonly number[] = [];
  #closed = false;

  constructor(options: MemberOptions) {
    const { identity, logger, clock, monotonic, health, metrics, dataDir } = options;
    this.#options = options;
    this.#startedAt_ms = clock();
    this.#seeds = new Map(options.seeds.map((seed) => [seed.number, seed]));
    this.#reports = new Reports(monotonic);
    this.down = new NodesDown((node) => this.#reports.isAlive(node));
    this.links = new PeerLinks({
      self: {
        number: identity.nodeNumber,
        nodeId: identity.nodeId,
        clusterId: identity.clusterId,
        version: options.version,
      },
      secret: options.secret,
      tls: options.tls,
      locate: (node) => this.#locate(node),
      events: this.#linkEvents(),
      logger,
      reportBug: options.reportBug,
      monotonic,
      ...(options.links && { limits: options.links }),
    });
    const replicas = {
      replica: (group: number) => this.#host?.group(group),
      onReplicaChange: (id: number, listener: () => void) =>
        this.#requireHost().onReplicaChange((group) => {
          if (group.id === id) listener();
        }),
    };
    const control = new RoutedGroup(CONTROL_GROUP, replicas, this, this.links);
    this.#proposals = new ControlProposals(control);
    this.router = new RoutedGroups(
      evenRanges(identity.groups).map(
        (_, i) => new RoutedGroup(FIRST_DATA_GROUP + i, replicas, this, this.links),
      ),
      (slot) => this.#groupOfSlot(slot),
    );
    this.#reconciler = new Reconciler({
      replicas: () => this.#host?.groups ?? [],
      placement: (group) => this.#control.placement(group),
      report: (group) => this.#ledReport(group),
      destroy: (group, replicaId) => {
        logger.info({ group }, 'the group has moved to other nodes: its data here is removed');
        this.#host
          ?.destroy(group, replicaId)
          .catch((error: unknown) => options.reportBug(error, `removing group ${group}`));
      },
      onRefused: (group, error) => logger.debug({ group, err: error }, 'a change of replicas has to wait'),
    });
    this.#balancer = new Balancer({
      proposals: this.#proposals,
      picture: () => clusterPicture(this.#control, this.#hearsay()),
      onRefused: (error) => logger.debug({ err: error }, 'a change of the plan did not go through yet'),
    });
    // What a report sums up, so that the sum over all nodes counts everything once: groups that are led here.
    const states = (): GroupState[] =>
      (this.#host?.groups ?? [])
        .filter(({ id, isLeader }) => id !== CONTROL_GROUP && isLeader)
        .map(({ state }) => state);
    const sources = { metrics, states, dataDir, startedAt_ms: this.#startedAt_ms, clock };
    this.#sampleFigures = figureSampler(sources);
    this.view = new MemberClusterView({
      identity,
      control: () => this.#control,
      leaders: this.#leaders,
      reports: this.#reports,
      ledReport: (group) => this.#ledReport(group),
      ownReport: () => this.#ownReport(),
      sampleFigures: () => figureSampler(sources),
      health,
      admin: new Admin({
        control: () => this.#control,
        proposals: this.#proposals,
        links: this.links,
        invite: options.invite,
      }),
      clock,
    });
  }

  /** Opens the replicas that the host has; the founding node makes the first ones. Before the host starts. */
  async open(host: GroupHost): Promise<void> {
    this.#host = host;
    host.onLeaderChange((group) => this.#leaderChanged(group));
    host.onReplicaChange(() => this.#reportSoon());
    await host.open();
    const { identity } = this.#options;
    const isFounder = identity.nodeNumber === 1 && host.highestReplicaId(CONTROL_GROUP) === 0;
    if (!isFounder) return;
    const first = replicaId(identity.nodeNumber, 0);
    const founding = { replicaId: first, configuration: makeConfiguration([first]) };
    // The control group last: once it is there, everything is.
    for (let group = FIRST_DATA_GROUP; group < FIRST_DATA_GROUP + identity.groups; group++) {
      await host.create(group, founding);
    }
    await host.create(CONTROL_GROUP, founding);
  }

  /** The methods of the services, wherever the leaders are. */
  serve(services: readonly Method[]): Method[] {
    const { maxFrameBytes } = this.#options;
    for (const method of services) {
      if (method.kind !== 'bidi_streaming') this.#services.set(method.number, method);
    }
    const links = {
      call: (node: number, call: ForwardedCall, reply: Reply) => this.links.call(node, call, reply),
      stream: (node: number, call: ForwardedCall) => this.links.stream(node, call),
    };
    const { router } = this;
    const gathered = gathering(services, { router, leadership: this, links, maxFrameBytes });
    const isGathered = new Set(gathered.map(({ desc }) => desc));
    const others = services.filter(({ desc }) => !isGathered.has(desc));
    return [...gathered, ...forwarding(others, this, links)];
  }

  /** Begins to talk to the others, once the port is open. */
  start(): void {
    this.#look();
    this.#looking = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
  }

  /** Hands over what this node leads, so that nobody has to wait for an election when it stops. */
  resign(): void {
    this.#reconciler.resignAll();
    this.#sendReport();
  }

  /** Whether it leads no group that another could lead. */
  get hasResigned(): boolean {
    return !(this.#host?.groups ?? []).some(({ isLeader, isAlone }) => isLeader && !isAlone);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#looking);
    this.links.close();
  }

  // --- leadership, as forwarding and routed groups ask for it ---

  get self(): number {
    return this.#options.identity.nodeNumber;
  }

  groupOf(name: string): number {
    return this.#groupOfSlot(slotOf(name));
  }

  leaderOf(group: number): number | undefined {
    return this.#leaders.leaderOf(group);
  }

  hasReplica(group: number): boolean {
    const replica = this.#host?.group(group);
    return replica !== undefined && replica.configuration.voters.length > 0;
  }

  onLeaderChange(group: number, listener: () => void): () => void {
    return this.#leaders.onChange(group, listener);
  }

  noLeader(group: number): Failure {
    const voters = this.#control.placement(group)?.desired.voters.map(nodeOf) ?? [];
    const silent = voters.filter((node) => node !== this.self && !this.#reports.isAlive(node));
    const names = silent.map((node) => this.#control.member(node)?.nodeId ?? `node number ${node}`);
    const missing =
      names.length > 0 ? `: ${names.join(' and ')} ${names.length > 1 ? 'do' : 'does'} not answer` : '';
    return {
      reason: ErrorReason.NO_QUORUM,
      message: `group ${group} has no leader at this moment${missing}; nothing was done`,
    };
  }

  // --- what comes in over the links ---

  #linkEvents(): LinkEvents {
    return {
      onMessages: (group: number, messages: readonly Message[]) => this.#host?.receive(group, messages),
      onSnapshot: (group: number, message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>) =>
        this.#requireHost().receiveSnapshot(group, message, chunks),
      onCall: (call, reply) => this.#answer(call, reply),
      onStream: (call) => this.#answerStream(call),
      onReport: (from, bytes) => this.#takeReport(from, bytes),
      onJoin: (request) => this.#admit(request),
      onLinkChange: (node, up) => {
        // Nobody is sent there until it is heard of again, whoever leads.
        if (!up) this.#leaders.forget(node);
      },
    };
  }

  #answer(call: ReceivedCall, reply: Reply): void {
    const group = proposalGroup(call);
    if (group !== undefined) {
      const { method, payload, session } = call;
      const replica = this.#host?.group(group);
      if (replica === undefined) reply.fail(this.#notHere(group));
      else replica.submit({ method, payload, request: undefined, session, reply });
      return;
    }
    const method = this.#services.get(call.method);
    if (method?.kind === 'unary') method.handle(call.payload, contextOf(call), reply);
    else reply.fail(unknownMethod(call.method));
  }

  #answerStream(call: ReceivedCall): AsyncIterable<Uint8Array> {
    const method = this.#services.get(call.method);
    if (method?.kind === 'server_streaming') return method.handle(call.payload, contextOf(call));
    throw new GomsgError(unknownMethod(call.method));
  }

  #notHere(group: number): Failure {
    return { reason: ErrorReason.NOT_LEADER, message: `group ${group} has no replica on this node` };
  }

  #takeReport(from: number, bytes: Uint8Array): void {
    const report = this.#reports.take(from, bytes);
    this.#leaders.claims(
      from,
      report.led.map(({ group, term }) => ({ group, term: Number(term) })),
    );
  }

  async #admit(request: JoinRequest): Promise<JoinAnswer> {
    const { cluster } = this.#control;
    const leader = this.#leaders.leaderOf(CONTROL_GROUP);
    const at = leader === undefined ? undefined : this.#locate(leader);
    if (cluster === undefined || leader === undefined || at === undefined) {
      return {
        kind: 'refused',
        reason: 'unavailable',
        message: 'nobody leads the cluster just now; ask again',
      };
    }
    if (leader !== this.self) return { kind: 'ask', ...at };
    const { nodeId, address, hostLabel, version, token } = request;
    try {
      const { node, clusterId } = await this.#proposals.admit(
        { nodeId, address, hostLabel: hostLabel ?? '', version },
        Buffer.from(token),
      );
      this.#options.logger.info({ node: nodeId, address }, 'a node joins the cluster');
      return {
        kind: 'admitted',
        admission: {
          clusterId,
          nodeNumber: node,
          groups: this.#options.identity.groups,
          members: this.#members(),
        },
      };
    } catch (error) {
      if (!(error instanceof GomsgError)) throw error;
      const reason = error.reason === ErrorReason.ALREADY_EXISTS ? 'id-in-use' : 'unavailable';
      return { kind: 'refused', reason, message: error.message };
    }
  }

  // --- what is looked at again and again ---

  #look(): void {
    this.#lookDue = false;
    if (this.#closed) return;
    this.#looks++;
    this.#followMembers();
    this.down.look(this.#otherNodes);
    this.#askForChanges();
    this.#reconciler.run();
    if (this.#looks % BALANCE_LOOKS === 0 && this.#host?.group(CONTROL_GROUP)?.isLeader)
      void this.#balancer.run();
    if (this.#looks % REPORT_LOOKS === 0) {
      this.#figures = this.#sampleFigures();
      this.#sendReport();
    }
    this.#options.health.check('consensus', ...this.#consensus());
  }

  /** Links go to whoever is a member now. */
  #followMembers(): void {
    const epoch = this.#control.cluster?.epoch ?? 0;
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    const nodes = this.#members().map(({ number }) => number);
    this.links.setNodes(nodes);
    this.#otherNodes = nodes.filter((node) => node !== this.self);
    if (this.#control.member(this.self)?.standing === 'left') this.#options.onLeft();
  }

  /** The cluster is founded, and knows where this node is: asked for until it is so. */
  #askForChanges(): void {
    const host = this.#host;
    if (this.#asking || host?.group(CONTROL_GROUP) === undefined) return;
    const { identity, address, hostLabel, version, replication, logger } = this.#options;
    const facts = { nodeId: identity.nodeId, address, hostLabel: hostLabel ?? '', version };
    const own = this.#control.member(this.self);
    let asked: Promise<unknown> | undefined;
    if (this.#control.cluster === undefined) {
      if (!host.group(CONTROL_GROUP)!.isLeader) return;
      asked = this.#proposals.found({
        clusterId: identity.clusterId,
        node: facts,
        nonce: Buffer.from(identity.clusterId),
        groups: identity.groups,
        replication,
      });
    } else if (own !== undefined && own.standing === 'active' && !isSame(own, facts)) {
      const { nodeId: _nodeId, ...changeable } = facts;
      asked = this.#proposals.update({ node: this.self, ...changeable });
    }
    if (asked === undefined) return;
    this.#asking = true;
    asked
      .catch((error: unknown) => logger.debug({ err: error }, 'the control group did not take a change yet'))
      .finally(() => {
        this.#asking = false;
      });
  }

  #consensus(): [ok: boolean, detail: string] {
    const groups = this.#host?.groups ?? [];
    if (groups.length === 0) return [false, 'it holds nothing of the cluster yet'];
    const without = groups.filter((group) => group.leader === 0);
    return without.length === 0
      ? [true, `leads ${groups.filter(({ isLeader }) => isLeader).length} of ${groups.length} groups`]
      : [false, `${without.length} of ${groups.length} groups have no leader`];
  }

  #leaderChanged(group: Group): void {
    const { term } = group;
    if (group.leader === 0) this.#leaders.leaderless(group.id, term);
    else this.#leaders.claim(group.id, { node: nodeOf(group.leader), term });
    this.#reportSoon();
  }

  #reportSoon(): void {
    if (!this.#reportDue) {
      this.#reportDue = true;
      setImmediate(() => {
        this.#reportDue = false;
        if (!this.#closed) this.#sendReport();
      });
    }
    if (this.#lookDue) return;
    this.#lookDue = true;
    setImmediate(() => {
      if (this.#lookDue) this.#look();
    });
  }

  #sendReport(): void {
    this.links.report(encodeReport(this.#ownReport()));
  }

  #ownReport(): NodeReport {
    const { health, version } = this.#options;
    const groups = this.#host?.groups ?? [];
    return create(NodeReportSchema, {
      state: health.report().state === 'draining' ? NodeState.DRAINING : NodeState.UP,
      version,
      startedAt: msToTimestamp(this.#startedAt_ms),
      led: groups.filter(({ isLeader }) => isLeader).map(ledGroup),
      replicas: groups.filter(({ id }) => id !== CONTROL_GROUP).map(({ id }) => id),
      stats: this.#figures,
    });
  }

  #hearsay(): Hearsay {
    return {
      down_ms: (node) =>
        node === this.self || this.#reports.isAlive(node) ? 0 : Math.max(1, this.#reports.silence_ms(node)),
      isDraining: (node) => isDraining(node === this.self ? this.#ownReport() : this.#reports.of(node)),
      led: (group) => {
        const node = this.#leaders.leaderOf(group);
        const heard = this.#ledReport(group);
        return node === undefined || heard === undefined ? undefined : { node, heard };
      },
      loadOf: () => undefined,
    };
  }

  #ledReport(group: number): LedGroup | undefined {
    const leader = this.#leaders.leaderOf(group);
    if (leader === undefined) return undefined;
    if (leader !== this.self) return this.#reports.led(leader, group);
    const own = this.#host?.group(group);
    return own?.isLeader ? create(LedGroupSchema, ledGroup(own)) : undefined;
  }

  // --- what is known ---

  get #control(): ControlView {
    return this.#host?.group(CONTROL_GROUP)?.state.control ?? NO_CONTROL_STATE;
  }

  /** Slots do not move between groups: whoever knows how many groups there are knows where they are. */
  #groupOfSlot(slot: number): number {
    return FIRST_DATA_GROUP + Math.floor((slot * this.#options.identity.groups) / SLOTS);
  }

  #members(): JoinedMember[] {
    const known = this.#control.members().filter(({ standing }) => standing !== 'left');
    if (known.length === 0) return [...this.#seeds.values()];
    return known.map(({ number, nodeId, address }) => ({ number, nodeId, address }));
  }

  #locate(node: number): NodeLocation | undefined {
    if (this.#control.cluster === undefined) return this.#seeds.get(node);
    const member = this.#control.member(node);
    if (member !== undefined && member.standing !== 'left') return member;
    // A node that was admitted a moment ago may know more members than its control state does yet.
    return member === undefined ? this.#seeds.get(node) : undefined;
  }

  #requireHost(): GroupHost {
    if (this.#host === undefined) throw new Error('the node has not opened its replicas yet');
    return this.#host;
  }
}

function ledGroup(group: Group) {
  const { voters, votersOutgoing, learners } = group.configuration;
  return {
    group: group.id,
    term: BigInt(group.term),
    commitIndex: BigInt(group.status().commit),
    voters: voters.map(BigInt),
    votersOutgoing: votersOutgoing.map(BigInt),
    learners: learners.map(BigInt),
    caughtUp: group
      .progress()
      .filter(({ caughtUp, active }) => caughtUp && active)
      .map((member) => BigInt(member.replicaId)),
  };
}

function contextOf(call: ReceivedCall) {
  const { from, session, timeout_ms, headers } = call;
  return {
    protocol: 'grpc' as const,
    peer: `node ${from}`,
    deadline_ms: timeout_ms === undefined ? undefined : Date.now() + timeout_ms,
    get signal() {
      return call.signal;
    },
    header: (name: string) => headers?.[name],
    session,
    groups: partOf(headers),
  };
}

function unknownMethod(number: number): Failure {
  return {
    reason: ErrorReason.METHOD_NOT_FOUND,
    message: `method ${number} was passed on to a node that does not have it: the nodes have different versions`,
  };
}

function isSame(member: MemberView, facts: { address: string; hostLabel: string; version: string }): boolean {
  return (
    member.address === facts.address &&
    member.hostLabel === facts.hostLabel &&
    member.version === facts.version
  );
}
