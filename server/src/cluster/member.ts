/**
 * A node as a member of a cluster: what ties its replicas, its links, the control state and what it heard of the others
 * together. Decides little itself: replicas follow the control state (reconciler.ts), the control state follows the
 * balancer (balancer.ts), and calls follow the leaders (forwarding.ts).
 */
import { CheckpointAbandonedError } from '../groups/checkpoints.ts';
import type { Group } from '../groups/group.ts';
import type { GroupHost } from '../groups/host.ts';
import { doNotAnswer, RETRY_AFTER_MS } from '../groups/refusals.ts';
import { CUT_OFF_AFTER_MS } from '../groups/timing.ts';
import type { Health } from '../observe/health.ts';
import type { Logger } from '../observe/logger.ts';
import type { NodeMetrics } from '../observe/node-metrics.ts';
import { type Message, makeConfiguration, type SnapshotMessage } from '../raft/index.ts';
import { ErrorReason } from '../services/errors.ts';
import type { Method, Reply } from '../services/method.ts';
import { CONTROL_GROUP } from '../state/control/limits.ts';
import { SLOTS, slotOf } from '../state/crc16.ts';
import type { Failure } from '../state/failure.ts';
import type { GroupState } from '../state/group-state.ts';
import { LEVEL, LEVEL_OLDEST, LevelTooNewError } from '../state/level.ts';
import { DRAINING, type ReportBug } from '../transport/failures.ts';
import type { TlsOptions } from '../transport/port.ts';
import { Admin } from './admin.ts';
import { admitNode } from './admitting.ts';
import { Answering } from './answering.ts';
import { Balancer } from './control/balancer.ts';
import { clusterPicture } from './control/cluster-picture.ts';
import { ControlProposals } from './control/control-proposals.ts';
import { Directory } from './directory.ts';
import { ForeignMembers } from './foreign-members.ts';
import { forwarding } from './forwarding.ts';
import { gathering } from './gather/gathering.ts';
import type { Identity } from './identity.ts';
import { LeaderTable } from './leader-table.ts';
import type { Leadership } from './leadership.ts';
import type { ForwardedCall } from './links/forwarded-call.ts';
import type { JoinedMember } from './links/join.ts';
import type { ForeignMember, LinkEvents, LinkLimits } from './links/options.ts';
import { PeerLinks } from './links/peer-links.ts';
import { majoritySilence_ms } from './majority-silence.ts';
import { MemberClusterView } from './member-view.ts';
import { figureSampler } from './node-figures.ts';
import { NodesDown } from './nodes-down.ts';
import { defaultPlacementOptions } from './placement/options.ts';
import { Reconciler } from './reconciler.ts';
import { Registration } from './registration.ts';
import { nodeOf, replicaId } from './replica-id.ts';
import { Reporting } from './reporting.ts';
import { isDraining, Reports } from './reports.ts';
import { RoutedGroup, RoutedGroups } from './routed-groups.ts';
import { evenRanges, FIRST_DATA_GROUP } from './slot-map.ts';
import type { SupersededError } from './superseded.ts';

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
  /** How long a node is down before its replicas are made anew on others. */
  readonly replaceAfter_ms: number;
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
  /** It has just founded the cluster, on an empty folder. */
  readonly isFresh: boolean;
  /** Keeps the folder from being served again for a member of another cluster, and says why. */
  readonly supersede: (by: ForeignMember) => SupersededError;
  /** Its cluster was found not to be the one that its address stands for. */
  readonly onSuperseded: (why: SupersededError) => void;
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
  readonly #directory: Directory;
  readonly #reports: Reports;
  readonly #reporting: Reporting;
  readonly #answering: Answering;
  readonly #foreign: ForeignMembers;
  readonly #registration: Registration;
  readonly #reconciler: Reconciler;
  readonly #balancer: Balancer;
  readonly #proposals: ControlProposals;
  #host: GroupHost | undefined;
  #looking: NodeJS.Timeout | undefined;
  #looks = 0;
  #reportDue = false;
  #lookDue = false;
  #epoch = -1;
  #saidLevel = LEVEL_OLDEST;
  #otherNodes: readonly number[] = [];
  /** When it began to listen to the others, by the clock that is never set. */
  #startedAt_ms: number;
  #hasLeft = false;
  #closed = false;

  constructor(options: MemberOptions) {
    const { identity, version, logger, clock, monotonic, health, metrics, dataDir } = options;
    this.#options = options;
    this.#startedAt_ms = monotonic();
    const replica = (group: number) => this.#host?.group(group);
    this.#directory = new Directory(() => replica(CONTROL_GROUP)?.state.control, options.seeds);
    this.#reports = new Reports(monotonic);
    this.#foreign = new ForeignMembers({
      clusterId: identity.clusterId,
      foundedAt_ms: options.isFresh ? monotonic() : undefined,
      control: () => this.#directory.control,
      states: () => this.#replicas.filter(({ id }) => id !== CONTROL_GROUP).map(({ state }) => state),
      monotonic,
      logger,
      supersede: options.supersede,
      end: options.onSuperseded,
    });
    this.down = new NodesDown((node) => this.#reports.isAlive(node));
    this.#answering = new Answering(replica);
    this.links = new PeerLinks({
      self: {
        number: identity.nodeNumber,
        nodeId: identity.nodeId,
        clusterId: identity.clusterId,
        version,
        lastGroup: FIRST_DATA_GROUP + identity.groups - 1,
        level: () => this.level,
      },
      secret: options.secret,
      tls: options.tls,
      locate: (node) => this.#directory.locate(node),
      hasLeft: (node, nodeId) => this.#directory.hasLeft(node, nodeId),
      events: this.#linkEvents(),
      logger,
      reportBug: options.reportBug,
      monotonic,
      ...(options.links && { limits: options.links }),
    });
    const replicas = {
      replica,
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
    this.#registration = new Registration({
      ...options,
      directory: this.#directory,
      proposals: this.#proposals,
      controlGroup: () => replica(CONTROL_GROUP),
    });
    const startedAt_ms = clock();
    // What a report sums up, so that the sum over all nodes counts everything once: groups that are led here.
    const states = (): GroupState[] =>
      this.#replicas.filter(({ id, isLeader }) => id !== CONTROL_GROUP && isLeader).map(({ state }) => state);
    const figures = { metrics, states, dataDir, startedAt_ms, clock };
    this.#reporting = new Reporting({
      self: identity.nodeNumber,
      version,
      startedAt_ms,
      replicas: () => this.#replicas,
      replica,
      snapshotSentBytes: (group, replicaId) => this.#host?.snapshotSentBytes(group, replicaId),
      leaders: this.#leaders,
      reports: this.#reports,
      isDraining: () => health.report().state === 'draining' || this.#lacksRoom,
      sampleFigures: figureSampler(figures),
      send: (report) => this.links.report(report),
      monotonic,
    });
    this.#reconciler = new Reconciler({
      replicas: () => this.#replicas,
      placement: (group) => this.#directory.control.placement(group),
      wasGiven: (group, replica) => {
        const { control } = this.#directory;
        return control.wasGiven(group, replica) || control.member(nodeOf(replica))?.standing === 'left';
      },
      mayLead: (node) => !isDraining(this.#reports.of(node)),
      report: (group) => this.#reporting.led(group),
      destroy: (group, replicaId) => {
        logger.info({ group }, 'the group has moved to other nodes: its data here is removed');
        this.#host?.destroy(group, replicaId).catch((error: unknown) => {
          // The node stops: its next start completes the removal.
          if (!(error instanceof CheckpointAbandonedError))
            options.reportBug(error, `removing group ${group}`);
        });
      },
      onRefused: (group, error) => logger.debug({ group, err: error }, 'a change of replicas has to wait'),
    });
    this.#balancer = new Balancer({
      proposals: this.#proposals,
      picture: (mayMoveForLoad) =>
        clusterPicture(this.#directory.control, this.#reporting.hearsay(), mayMoveForLoad),
      options: { ...defaultPlacementOptions, downAfter_ms: options.replaceAfter_ms },
      monotonic,
      onRefused: (error) => logger.debug({ err: error }, 'a change of the plan did not go through yet'),
    });
    this.view = new MemberClusterView({
      identity,
      control: () => this.#directory.control,
      leaders: this.#leaders,
      reports: this.#reports,
      ledReport: (group) => this.#reporting.led(group),
      indexesOf: (group) => {
        const own = replica(group);
        return own && { applied: own.state.appliedIndex, flushed: this.#requireHost().flushedIndex(group) };
      },
      ownReport: () => this.#reporting.own(),
      sampleFigures: () => figureSampler(figures),
      health,
      whyDown: (node) => this.links.whyDown(node),
      foreign: () => this.#foreign.problems(),
      admin: new Admin({
        control: () => this.#directory.control,
        proposals: this.#proposals,
        links: this.links,
        isUp: (node) => node === identity.nodeNumber || this.#reports.isAlive(node),
        invite: options.invite,
      }),
      clock,
    });
  }

  /**
   * Opens the replicas that the host has; the founding node makes the first ones. Before the host starts.
   * @throws LevelTooNewError
   */
  async open(host: GroupHost): Promise<void> {
    this.#host = host;
    host.onLeaderChange((group) => this.#leaderChanged(group));
    host.onReplicaChange(() => this.#reportSoon());
    await host.open();
    const { level } = this;
    if (level > LEVEL) throw new LevelTooNewError('what the cluster writes', level);
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
    this.#answering.serve(services);
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
    this.#startedAt_ms = this.#options.monotonic();
    this.#look();
    this.#looking = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
  }

  /** Hands over what this node leads, so that nobody has to wait for an election when it stops. */
  resign(): void {
    this.#reconciler.resignAll();
    this.#reporting.send();
  }

  /** Whether it leads no group that another could lead. */
  get hasResigned(): boolean {
    return !this.#replicas.some(({ isLeader, isAlone }) => isLeader && !isAlone);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#looking);
    this.links.close();
    this.#leaders.end();
  }

  // --- leadership, as forwarding and routed groups ask for it ---

  get self(): number {
    return this.#options.identity.nodeNumber;
  }

  /** Level at which it writes: the cluster's, or what is right for any cluster while it does not know that. */
  get level(): number {
    return this.#directory.control.cluster?.level ?? LEVEL_OLDEST;
  }

  /**
   * Whether a replica may be made here on the word of another node. Only a node that has yet to learn who belongs to the
   * cluster, and where its groups are, has to believe it.
   */
  isGiven(group: number, replica: number): boolean {
    const { control } = this.#directory;
    return control.cluster === undefined || control.wasGiven(group, replica);
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

  majoritySilence_ms(group: number): number {
    // Of a node that was not heard yet nothing else is known.
    const listened_ms = this.#options.monotonic() - this.#startedAt_ms;
    return majoritySilence_ms(this.#voterSets(group), (node) =>
      node === this.self ? 0 : Math.min(listened_ms, this.links.silence_ms(node)),
    );
  }

  /** Nodes that vote in a group: by the replica here, or else where the control state wants them. */
  #voterSets(group: number): number[][] {
    const known = this.#host?.group(group)?.configuration;
    if (known === undefined || known.voters.length === 0) {
      return [this.#directory.control.placement(group)?.desired.voters.map(nodeOf) ?? []];
    }
    return [known.voters.map(nodeOf), known.votersOutgoing.map(nodeOf)];
  }

  onLeaderChange(group: number, listener: () => void): () => void {
    return this.#leaders.onChange(group, listener);
  }

  get isOver(): boolean {
    return this.#closed;
  }

  noLeader(group: number): Failure {
    if (this.#closed) return DRAINING;
    const voters = this.#directory.control.placement(group)?.desired.voters.map(nodeOf) ?? [];
    const silent = voters.filter(
      (node) => node !== this.self && this.links.silence_ms(node) >= CUT_OFF_AFTER_MS,
    );
    const missing = doNotAnswer(silent.map((node) => this.#directory.nameOf(node)));
    return {
      reason: ErrorReason.NO_QUORUM,
      message: `group ${group} has no leader at this moment${missing}; nothing was done`,
      retryAfter_ms: RETRY_AFTER_MS,
    };
  }

  // --- what comes in over the links ---

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#options.logger.info(
      'this node has left its cluster for good, and its data is on the others; to come back it joins with a new id and an empty data folder',
    );
    this.#options.onLeft();
  }

  #linkEvents(): LinkEvents {
    return {
      onMessages: (group: number, messages: readonly Message[]) => this.#host?.receive(group, messages),
      onSnapshot: (group: number, message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>) =>
        this.#requireHost().receiveSnapshot(group, message, chunks),
      onCall: (call, reply) => this.#answering.call(call, reply),
      onStream: (call) => this.#answering.stream(call),
      onReport: (from, bytes) => this.#reporting.take(from, bytes),
      onJoin: (request) =>
        admitNode(request, {
          identity: this.#options.identity,
          directory: this.#directory,
          proposals: this.#proposals,
          controlLeader: () => this.#leaders.leaderOf(CONTROL_GROUP),
          logger: this.#options.logger,
        }),
      onLeft: () => this.#leave(),
      onForeignMember: (member) => this.#foreign.met(member),
      onLinkChange: (node, up) => {
        // Nobody is sent there until it is heard of again, whoever leads.
        if (!up) this.#leaders.forget(node);
      },
    };
  }

  // --- what is looked at again and again ---

  #look(): void {
    this.#lookDue = false;
    if (this.#closed) return;
    this.#looks++;
    this.#followMembers();
    this.down.look(this.#otherNodes);
    // A link takes longer to notice that the other end is silent.
    for (const node of this.#otherNodes) if (!this.#reports.isAlive(node)) this.#leaders.forget(node);
    this.links.endSilent();
    this.#registration.run();
    this.#reconciler.run();
    // The others can go on with what this node cannot write.
    if (this.#lacksRoom) this.#reconciler.resignAll();
    if (this.#looks % BALANCE_LOOKS === 0 && this.#host?.group(CONTROL_GROUP)?.isLeader)
      void this.#balancer.run();
    if (this.#looks % REPORT_LOOKS === 0) this.#reporting.sendFigures();
    this.#options.health.check('consensus', ...this.#consensus());
  }

  /** Links go to whoever is a member now. */
  #followMembers(): void {
    const { control } = this.#directory;
    const epoch = control.cluster?.epoch ?? 0;
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    this.#sayLevel();
    const nodes = this.#directory.members().map(({ number }) => number);
    this.links.setNodes(nodes);
    this.#otherNodes = nodes.filter((node) => node !== this.self);
    if (control.member(this.self)?.standing === 'left') this.#leave();
  }

  #sayLevel(): void {
    if (this.level === this.#saidLevel) return;
    this.#saidLevel = this.level;
    this.#options.logger.info(`the cluster writes at level ${this.level}`);
  }

  #consensus(): [ok: boolean, detail: string] {
    const groups = this.#replicas;
    if (groups.length === 0) return [false, 'it holds nothing of the cluster yet'];
    const without = groups.filter((group) => group.leader === 0);
    return without.length === 0
      ? [true, `leads ${groups.filter(({ isLeader }) => isLeader).length} of ${groups.length} groups`]
      : [false, `${without.length} of ${groups.length} groups have no leader`];
  }

  #leaderChanged(group: Group): void {
    const { term } = group;
    if (group.leader === 0) this.#leaders.leaderless(group.id, term, this.self);
    else this.#leaders.claim(group.id, { node: nodeOf(group.leader), term });
    this.#reportSoon();
  }

  #reportSoon(): void {
    if (!this.#reportDue) {
      this.#reportDue = true;
      setImmediate(() => {
        this.#reportDue = false;
        if (!this.#closed) this.#reporting.send();
      });
    }
    if (this.#lookDue) return;
    this.#lookDue = true;
    setImmediate(() => {
      if (this.#lookDue) this.#look();
    });
  }

  // --- what is known ---

  get #replicas(): readonly Group[] {
    return this.#host?.groups ?? [];
  }

  get #lacksRoom(): boolean {
    return this.#host !== undefined && !this.#host.hasRoom;
  }

  /** Slots do not move between groups: whoever knows how many groups there are knows where they are. */
  #groupOfSlot(slot: number): number {
    return FIRST_DATA_GROUP + Math.floor((slot * this.#options.identity.groups) / SLOTS);
  }

  #requireHost(): GroupHost {
    if (this.#host === undefined) throw new Error('the node has not opened its replicas yet');
    return this.#host;
  }
}
