/**
 * Members of another cluster that take this node for one of theirs. Either an address is used again, or a founder lost its
 * data folder and `--bootstrap`, which its unit file still says, has made a second, empty cluster of it. In the second
 * case clients would get nothing from it where they get their data from the others, so it ends
 * (docs/decisions/024-second-foundings.md).
 */
import type { Logger } from '../observe/logger.ts';
import type { ControlView } from '../state/control/control-machine.ts';
import type { GroupState } from '../state/group-state.ts';
import type { ForeignMember } from './links/options.ts';
import type { SupersededError } from './superseded.ts';

/**
 * What a cluster was given in its first minute, by clients that took it for another, is no reason to go on with it: it
 * stays in the folder. Members of the other cluster try at least every two seconds.
 */
const FOUNDING_MS = 60_000;

/** How long a member is remembered that does not try any more. */
const REMEMBERED_MS = 30_000;

/** Members that are told of, of however many try. */
const REMEMBERED_MAX = 16;

export interface ForeignMembersParts {
  readonly clusterId: string;
  /** Reading of the monotonic clock at which this process founded the cluster; undefined = it was founded before. */
  readonly foundedAt_ms: number | undefined;
  readonly control: () => ControlView;
  /** States of the data groups here. */
  readonly states: () => readonly GroupState[];
  readonly monotonic: () => number;
  readonly logger: Logger;
  /** Keeps the folder from being served again, and says why. */
  readonly supersede: (by: ForeignMember) => SupersededError;
  /** The node must not go on. */
  readonly end: (why: SupersededError) => void;
}

export class ForeignMembers {
  readonly #parts: ForeignMembersParts;
  readonly #seen = new Map<string, { readonly member: ForeignMember; readonly at_ms: number }>();

  constructor(parts: ForeignMembersParts) {
    this.#parts = parts;
  }

  /** One has just been refused. */
  met(member: ForeignMember): void {
    const { logger, clusterId, monotonic, supersede, end } = this.#parts;
    if (this.#isOfNoUse()) {
      end(supersede(member));
      return;
    }
    const key = `${member.clusterId} ${member.nodeId}`;
    if (!this.#seen.has(key)) logger.error({ ...member, own: clusterId }, sentence(member));
    this.#seen.delete(key);
    this.#seen.set(key, { member, at_ms: monotonic() });
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= REMEMBERED_MAX) break;
      this.#seen.delete(oldest);
    }
  }

  /** One sentence for each that still tries. */
  problems(): string[] {
    const since_ms = this.#parts.monotonic() - REMEMBERED_MS;
    return [...this.#seen.values()]
      .filter(({ at_ms }) => at_ms >= since_ms)
      .map(({ member }) => sentence(member));
  }

  /** Nobody else belongs to the cluster, and nothing is in it, or what is there came by mistake. */
  #isOfNoUse(): boolean {
    const { control, states, monotonic, foundedAt_ms } = this.#parts;
    if (control().members().length > 1) return false;
    if (foundedAt_ms !== undefined && monotonic() - foundedAt_ms < FOUNDING_MS) return true;
    return states().every(
      ({ kv, queue, stream }) => kv.keys === 0 && queue.totals().queues === 0 && stream.totals().topics === 0,
    );
  }
}

function sentence({ nodeId, clusterId }: ForeignMember): string {
  return `node ${nodeId} of another cluster (${clusterId}) takes this node for one of its members: take the member that had this address out of that cluster`;
}
