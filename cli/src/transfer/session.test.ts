/** A session that the server has forgotten leaves one batch in doubt: the user decides, nobody else. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ErrorReason, GomsgError } from '@gomsg/client/errors';
import type { RawClient } from '@gomsg/client/raw';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importMessages } from '../commands/queue/import.ts';
import type { CommandContext } from '../context.ts';
import { CommandError } from '../errors.ts';
import { ExitCode } from '../exit-codes.ts';
import { Output } from '../output/output.ts';
import { captureStreams } from '../testing/captured-streams.ts';

interface Sent {
  readonly payloads: readonly string[];
  readonly session: string;
  readonly sequence: string;
  readonly retry: boolean;
}

/** A server of which only what an import calls is there; `answer` may refuse. */
function fakeContext(answer: (sent: Sent) => void): {
  context: CommandContext;
  sent: Sent[];
  opened: string[];
} {
  const sent: Sent[] = [];
  const opened: string[] = [];
  const streams = captureStreams();
  const client = {
    pipeline: {
      openSession: async () => {
        opened.push(String(opened.length + 1));
        return { sessionId: BigInt(opened.length) };
      },
      closeSession: async () => ({}),
    },
    queue: {
      pushBatch: async (
        { messages }: { messages: { payload: Uint8Array }[] },
        { metadata }: { metadata: { get(name: string): string | undefined } },
      ) => {
        const call = {
          payloads: messages.map(({ payload }) => Buffer.from(payload).toString()),
          session: metadata.get('gomsg-session') ?? '',
          sequence: metadata.get('gomsg-sequence') ?? '',
          retry: metadata.get('gomsg-retry') === 'true',
        };
        sent.push(call);
        answer(call);
        return { messageIds: [] };
      },
    },
  } as unknown as RawClient;
  const context: CommandContext = {
    client,
    server: 'nowhere',
    output: new Output({ stdout: streams.stdout, stderr: streams.stderr, format: 'text', color: false }),
    stdin: streams.stdin,
    stderr: streams.stderr,
    signal: new AbortController().signal,
    call: () => ({}),
    stream: () => ({}),
  };
  return { context, sent, opened };
}

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gomsg-session-test-'));
  file = join(folder, 'rows.csv');
  writeFileSync(file, 'p\na\nb\nc\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const importOptions = () => ({
  queue: 'jobs',
  file,
  payloadField: 'p',
  batch: 1,
  batchBytes: 1024,
  retryFor: 0,
  wholeRecord: false,
  skipBad: false,
  resume: false,
  restart: false,
});

const refuse = (reason: ErrorReason) => new GomsgError({ reason, message: 'refused' });

/** An import whose second batch ended in nobody knows what. */
async function stoppedAtSecond(): Promise<void> {
  const { context } = fakeContext(({ sequence }) => {
    if (sequence === '2') throw refuse(ErrorReason.DEADLINE_EXCEEDED);
  });
  await expect(importMessages.run(context, importOptions())).rejects.toThrow(CommandError);
}

describe('an import in a session', () => {
  it('sends the batch in doubt again under its first sequence, as a retry, and later ones as new', async () => {
    await stoppedAtSecond();
    const { context, sent, opened } = fakeContext(() => {});
    expect(await importMessages.run(context, { ...importOptions(), resume: true })).toBe(ExitCode.done);
    expect(opened).toEqual([]);
    expect(sent).toEqual([
      { payloads: ['b'], session: '1', sequence: '2', retry: true },
      { payloads: ['c'], session: '1', sequence: '3', retry: false },
    ]);
  });

  it('never repeats the batch by itself when the server has forgotten the session', async () => {
    await stoppedAtSecond();
    const { context, sent } = fakeContext(() => {
      throw refuse(ErrorReason.SESSION_EXPIRED);
    });
    await expect(importMessages.run(context, { ...importOptions(), resume: true })).rejects.toMatchObject({
      message: expect.stringContaining('rows 2 to 2 may or may not be in'),
      action: expect.stringContaining('--doubtful skip'),
    });
    expect(sent).toHaveLength(1);
  });

  it.each([
    ['skip', ['c']],
    ['repeat', ['b', 'c']],
  ])('goes on in a new session with --doubtful %s', async (doubtful, payloads) => {
    await stoppedAtSecond();
    const { context, sent, opened } = fakeContext(() => {});
    expect(await importMessages.run(context, { ...importOptions(), resume: true, doubtful })).toBe(
      ExitCode.done,
    );
    expect(opened).toHaveLength(1);
    expect(sent.flatMap((call) => call.payloads)).toEqual(payloads);
    expect(sent.every(({ retry }) => !retry)).toBe(true);
  });

  it('waits for room in a full queue under a new sequence: the refusal is the old one’s outcome', async () => {
    let full = 2;
    const { context, sent } = fakeContext(() => {
      full -= 1;
      if (full >= 0) throw refuse(ErrorReason.QUEUE_FULL);
    });
    expect(await importMessages.run(context, { ...importOptions(), retryFor: 10_000 })).toBe(ExitCode.done);
    expect(sent.map(({ payloads, sequence }) => [payloads[0], sequence])).toEqual([
      ['a', '1'],
      ['a', '2'],
      ['a', '3'],
      ['b', '4'],
      ['c', '5'],
    ]);
  });
});
