/** The two ways in which lanes of keys call: as programs do, by the SDK, and by hand at one node. */
import { type Client, GomsgError, ErrorReason as SdkReason } from '@gomsg/client';
import { ErrorReason } from '../src/gen/gomsg/v1/common_pb.js';
import { KVService } from '../src/gen/gomsg/v1/kv_pb.js';
import { CallError, isReason } from '../src/testing/call-error.ts';
import { NodeClient } from '../src/testing/node-client.ts';

/** Refused for certain: nothing was written, and nothing will be. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

export interface Entry {
  readonly value: string;
  readonly version: bigint;
}

/** Every method throws `Refused`, or another error when nobody knows whether a write was applied. */
export interface KeyCaller {
  get(key: string): Promise<Entry | undefined>;
  set(key: string, value: string): Promise<void>;
  /** @param version undefined: the key must not exist @returns whether the condition held */
  cas(key: string, value: string, version: bigint | undefined): Promise<boolean>;
  /** @returns whether the key existed */
  delete(key: string): Promise<boolean>;
  add(key: string, delta: number): Promise<number>;
  /** The value of a counter. */
  sum(key: string): Promise<number>;
}

/** By the SDK: to the node that leads the key, in a session, repeated until answered. */
export class RoutedCaller implements KeyCaller {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async get(key: string): Promise<Entry | undefined> {
    try {
      const { value, version } = await this.#client.kv.getEntry(key);
      return { value, version: BigInt(version) };
    } catch (error) {
      if (error instanceof GomsgError && error.reason === SdkReason.KEY_NOT_FOUND) return undefined;
      throw error;
    }
  }

  set(key: string, value: string): Promise<void> {
    return this.#client.kv.set(key, value);
  }

  async cas(key: string, value: string, version: bigint | undefined): Promise<boolean> {
    const condition = version === undefined ? { ifAbsent: true } : { ifVersion: version };
    try {
      await this.#client.kv.set(key, value, condition);
      return true;
    } catch (error) {
      if (error instanceof GomsgError && error.reason === SdkReason.CONDITION_FAILED) return false;
      throw error;
    }
  }

  delete(key: string): Promise<boolean> {
    return this.#client.kv.del(key);
  }

  add(key: string, delta: number): Promise<number> {
    return this.#client.kv.incrBy(key, delta);
  }

  async sum(key: string): Promise<number> {
    return Number((await this.get(key))?.value ?? 0);
  }
}

/** How long a call at one node may take: shorter than its pause or isolation, so that lanes go on meanwhile. */
const PINNED_TIMEOUT_MS = 3_000;

/** Plain calls to one node, which passes them on; nothing is repeated. What it says when it is cut off counts too. */
export class PinnedCaller implements KeyCaller, Disposable {
  readonly #client: NodeClient;

  /** @param address the node's door, or the node itself to reach it whatever the network does */
  constructor(address: string) {
    this.#client = new NodeClient(address);
  }

  async get(key: string): Promise<Entry | undefined> {
    try {
      const { value, version } = await this.#call(KVService.method.get, { key });
      return { value: Buffer.from(value).toString(), version };
    } catch (error) {
      if (isReason(error, ErrorReason.KEY_NOT_FOUND)) return undefined;
      throw error;
    }
  }

  async set(key: string, value: string): Promise<void> {
    await this.#call(KVService.method.set, { key, value: Buffer.from(value) });
  }

  async cas(key: string, value: string, version: bigint | undefined): Promise<boolean> {
    try {
      await this.#call(KVService.method.set, {
        key,
        value: Buffer.from(value),
        condition:
          version === undefined ? { case: 'ifAbsent', value: true } : { case: 'ifVersion', value: version },
      });
      return true;
    } catch (error) {
      if (isReason(error, ErrorReason.CONDITION_FAILED)) return false;
      throw error;
    }
  }

  async delete(key: string): Promise<boolean> {
    const { deleted } = await this.#call(KVService.method.delete, { key });
    return deleted;
  }

  async add(key: string, delta: number): Promise<number> {
    const { value } = await this.#call(KVService.method.increment, { key, delta: BigInt(delta) });
    return Number(value);
  }

  async sum(key: string): Promise<number> {
    return Number((await this.get(key))?.value ?? 0);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  readonly #call: NodeClient['unary'] = async (desc, request) => {
    try {
      return await this.#client.unary(desc, request, { timeout_ms: PINNED_TIMEOUT_MS });
    } catch (error) {
      throw error instanceof CallError && wasRefused(error)
        ? new Refused(error.message, { cause: error })
        : error;
    }
  };
}

/** Decided by the state of the key: an answer, not a refusal. */
const ANSWERS: ReadonlySet<ErrorReason> = new Set([ErrorReason.KEY_NOT_FOUND, ErrorReason.CONDITION_FAILED]);

/** Errors after which, by docs/guarantees.md, a write may have been applied. UNSPECIFIED: the connection failed. */
const UNCERTAIN: ReadonlySet<ErrorReason> = new Set([
  ErrorReason.UNSPECIFIED,
  ErrorReason.DEADLINE_EXCEEDED,
  ErrorReason.CANCELED,
  ErrorReason.INTERNAL,
]);

function wasRefused({ reason, message }: CallError): boolean {
  if (ANSWERS.has(reason) || UNCERTAIN.has(reason)) return false;
  // It says which of the two it is.
  return reason !== ErrorReason.NO_QUORUM || message.includes('nothing was');
}
