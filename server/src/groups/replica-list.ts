/**
 * Which replicas live on this node, and which ones did: durable before anything is done as one of them, so that a
 * restart finds all, and that a message that was long on its way brings none back.
 *
 * A small file of its own, written whole and put in place by a rename, because it changes a few times in a node's life.
 * Rows of the store would reach the disk only with a checkpoint of everything else, and the log is cut; neither can be
 * read without the program.
 */
import { type Configuration, decodeConfiguration, encodeConfiguration } from '../raft/index.ts';
import { crc32c } from '../wal/checksum.ts';
import { type LogFiles, promised } from '../wal/log-files.ts';

/** A replica that lives here. */
export interface ReplicaRecord {
  readonly group: number;
  readonly replicaId: number;
  /** The members before the first entry that says who they are; empty for a replica that joined. */
  readonly configuration: Configuration;
}

/** The list is damaged, or a newer program wrote it. */
export class ReplicaListError extends Error {
  override readonly name = 'ReplicaListError';
}

const FILE = 'replicas';
const FRESH_FILE = 'replicas.new';
const FORMAT_VERSION = 1;

interface Stored {
  readonly formatVersion: number;
  /** Group, replica id, configuration as the core encodes it (base64). */
  readonly replicas: readonly (readonly [number, number, string])[];
  /** Group, highest id that was destroyed. */
  readonly buried: readonly (readonly [number, number])[];
}

export class ReplicaList {
  readonly #files: LogFiles | undefined;
  readonly #replicas = new Map<number, ReplicaRecord>();
  readonly #buried = new Map<number, number>();
  /** The write under way, and the one that takes in everything that changes until it begins. */
  #underWay: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** Reads the list of a folder; an empty one when there is none. `files` undefined: kept in memory. @throws ReplicaListError */
  constructor(files: LogFiles | undefined) {
    this.#files = files;
    if (files === undefined || !files.list().includes(FILE)) return;
    const { replicas, buried } = read(files);
    for (const [group, replicaId, configuration] of replicas) {
      const members = decodeConfiguration(Buffer.from(configuration, 'base64'));
      this.#replicas.set(group, { group, replicaId, configuration: members });
    }
    for (const [group, replicaId] of buried) this.#buried.set(group, replicaId);
  }

  /** By rising group. */
  all(): readonly ReplicaRecord[] {
    return [...this.#replicas.values()].sort((a, b) => a.group - b.group);
  }

  get(group: number): ReplicaRecord | undefined {
    return this.#replicas.get(group);
  }

  /** Groups of which a replica was destroyed here. */
  buriedGroups(): Iterable<number> {
    return this.#buried.keys();
  }

  /** Highest replica id of the group that ever was here, 0 when none was: the next one has to be above. */
  highest(group: number): number {
    return Math.max(this.#replicas.get(group)?.replicaId ?? 0, this.#buried.get(group) ?? 0);
  }

  /** Resolves when the replica is on record for good. Rejects when that could not be written: then it is on none. */
  async add(record: ReplicaRecord): Promise<void> {
    const { group } = record;
    this.#replicas.set(group, record);
    try {
      await this.#write();
    } catch (error) {
      this.#replicas.delete(group);
      throw error;
    }
  }

  /**
   * Resolves when it is for good that the group's replica is none any more. Rejects when that could not be written: then
   * it still is one.
   */
  async bury(group: number): Promise<void> {
    const record = this.#replicas.get(group);
    if (record === undefined) return;
    const before = this.#buried.get(group);
    this.#replicas.delete(group);
    this.#buried.set(group, Math.max(record.replicaId, before ?? 0));
    try {
      await this.#write();
    } catch (error) {
      this.#replicas.set(group, record);
      if (before === undefined) this.#buried.delete(group);
      else this.#buried.set(group, before);
      throw error;
    }
  }

  /** What changes while a write is under way goes with one more, for all that came by then. */
  #write(): Promise<void> {
    const files = this.#files;
    if (files === undefined) return Promise.resolve();
    this.#next ??= (async () => {
      // The whole list is written each time: one that failed is made up for by the next.
      await this.#underWay?.catch(() => {});
      this.#underWay = this.#next;
      this.#next = undefined;
      await replace(files, this.#stored());
    })();
    return this.#next;
  }

  #stored(): Stored {
    return {
      formatVersion: FORMAT_VERSION,
      replicas: this.all().map(({ group, replicaId, configuration }) => [
        group,
        replicaId,
        Buffer.from(encodeConfiguration(configuration)).toString('base64'),
      ]),
      buried: [...this.#buried],
    };
  }
}

/** The file: checksum of the rest in hex, line feed, JSON. */
async function replace(files: LogFiles, stored: Stored): Promise<void> {
  const body = Buffer.from(`${JSON.stringify(stored)}\n`);
  const bytes = Buffer.concat([Buffer.from(`${checksumOf(body)}\n`), body]);
  if (files.list().includes(FRESH_FILE)) await files.unlink(FRESH_FILE);
  const file = files.open(FRESH_FILE, true);
  try {
    await promised((done) => file.write(bytes, 0, done));
    await promised((done) => file.fdatasync(done));
  } finally {
    file.close();
  }
  await files.rename(FRESH_FILE, FILE);
  await files.syncDirectory();
}

function read(files: LogFiles): Stored {
  const file = files.open(FILE, false);
  const bytes = Buffer.alloc(file.size());
  try {
    file.readSync(bytes, 0);
  } finally {
    file.close();
  }
  const at = bytes.indexOf('\n');
  const body = bytes.subarray(at + 1);
  if (at < 0 || bytes.toString('latin1', 0, at) !== checksumOf(body)) {
    throw new ReplicaListError(
      'the list of replicas is damaged: put the whole data folder back from one copy',
    );
  }
  const stored = JSON.parse(body.toString()) as Stored;
  if (stored.formatVersion !== FORMAT_VERSION) {
    throw new ReplicaListError(
      `the list of replicas has format version ${stored.formatVersion}, and this gomsg knows ${FORMAT_VERSION}: run the version that wrote it`,
    );
  }
  return stored;
}

function checksumOf(bytes: Uint8Array): string {
  return (crc32c(bytes, 0, bytes.length) >>> 0).toString(16).padStart(8, '0');
}
