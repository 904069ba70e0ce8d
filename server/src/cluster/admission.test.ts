import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from '../observe/logger.ts';
import { type AdmissionOptions, admission } from './admission.ts';
import type { JoinRequest } from './links/join.ts';
import { JoinError } from './links/join-cluster.ts';
import { openNode, SECRET } from './links/testing/linked-nodes.ts';

/** A member that refuses the ids of `taken`, and a folder to join it with. */
async function candidate(taken: readonly string[]) {
  const member = await openNode(1);
  const requests: JoinRequest[] = [];
  member.onJoin = async (request) => {
    requests.push(request);
    if (taken.includes(request.nodeId)) {
      return { kind: 'refused', reason: 'id-in-use', message: `${request.nodeId} is or was a member` };
    }
    const { nodeId, address } = request;
    const members = [{ number: 2, nodeId, address }];
    return { kind: 'admitted', admission: { clusterId: 'c', nodeNumber: 2, groups: 4, members } };
  };
  const dataDir = mkdtempSync(join(tmpdir(), 'gomsg-admission-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const start = (nodeId: string | undefined, more: Partial<AdmissionOptions> = {}) =>
    admission({
      dataDir,
      nodeId,
      groups: undefined,
      bootstrap: false,
      join: [member.address],
      address: '127.0.0.1:1',
      hostLabel: undefined,
      version: '1.2.3',
      secret: SECRET,
      tls: undefined,
      logger: createLogger({ level: 'error', format: 'json', output: process.stderr }),
      signal: new AbortController().signal,
      now_ms: 0,
      waitForInvitation: () => Promise.reject(new Error('it was told whom to join')),
      ...more,
    });
  return { member, requests, start };
}

test('a node that was refused its id joins under another, with the same folder', async () => {
  const { start } = await candidate(['node2']);
  await expect(start('node2')).rejects.toBeInstanceOf(JoinError);
  expect((await start('node3')).identity).toMatchObject({ nodeId: 'node3', nodeNumber: 2, clustered: true });
});

test('a node that dies before it has its answer asks again as the same one', async () => {
  const { start, requests, member } = await candidate([]);
  const dies = new AbortController();
  const answer = member.onJoin;
  member.onJoin = async (request) => {
    await answer(request);
    dies.abort();
    return { kind: 'refused', reason: 'unavailable', message: 'the answer is lost' };
  };
  await expect(start(undefined, { signal: dies.signal })).rejects.toBeInstanceOf(JoinError);
  member.onJoin = answer;
  const { identity } = await start(undefined);
  expect(requests).toHaveLength(2);
  expect(requests[1]).toEqual(requests[0]);
  expect(identity.nodeId).toBe(requests[0]!.nodeId);
});
