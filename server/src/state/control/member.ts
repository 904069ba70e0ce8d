/** A node as the cluster knows it. */
import { levelSent } from '../level.ts';

/**
 * - `active`: takes replicas;
 * - `leaving`: gets nothing any more and gives away what it has;
 * - `left`: gone for good, and kept so that its id and number are never used again.
 */
export type Standing = 'active' | 'leaving' | 'left';

export interface MemberView {
  /** Given at its admission, 1 to 65,535. */
  readonly number: number;
  readonly nodeId: string;
  /** `host:port` where clients and nodes reach it. */
  readonly address: string;
  /** What fails together with it; empty = nothing but the node itself. */
  readonly hostLabel: string;
  /** Version of its program. */
  readonly version: string;
  /** Highest level that its program applies: see `state/level.ts`. */
  readonly level: number;
  readonly standing: Standing;
  /** Stamp of the entry that admitted it, in Unix milliseconds. */
  readonly admittedAt_ms: number;
}

export class Member implements MemberView {
  readonly number: number;
  readonly nodeId: string;
  /** Of its founding or joining: tells a repeated request from another node's. */
  readonly nonce: Uint8Array;
  readonly admittedAt_ms: number;
  address: string;
  hostLabel: string;
  version: string;
  level: number;
  standing: Standing = 'active';

  constructor(
    number: number,
    facts: { nodeId: string; address: string; hostLabel: string; version: string; level: number },
    nonce: Uint8Array,
    admittedAt_ms: number,
  ) {
    this.number = number;
    this.nodeId = facts.nodeId;
    this.address = facts.address;
    this.hostLabel = facts.hostLabel;
    this.version = facts.version;
    this.level = levelSent(facts.level);
    this.nonce = nonce;
    this.admittedAt_ms = admittedAt_ms;
  }
}
