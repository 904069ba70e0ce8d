import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IdentityError, loadIdentity, readIdentity, saveIdentity } from './identity.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gomsg-identity-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const anyone = { nodeId: undefined, groups: 1 };

describe('the identity of a node', () => {
  it('is made once and stays', () => {
    const first = loadIdentity(directory, { nodeId: undefined, groups: 4 }, 1000);
    expect(first.nodeId).toMatch(/^node-[0-9a-f]{8}$/);
    expect(loadIdentity(directory, { nodeId: undefined, groups: 9 }, 2000)).toEqual(first);
    expect(readdirSync(directory)).toEqual(['node.json']);
  });

  it('takes the name that the settings give, and is then held to it', () => {
    expect(loadIdentity(directory, { nodeId: 'node1', groups: 1 }, 1).nodeId).toBe('node1');
    expect(() => loadIdentity(directory, { nodeId: 'node2', groups: 1 }, 2)).toThrow(/belongs to node node1/);
  });

  it('is not made up for a folder that has a log already', () => {
    mkdirSync(join(directory, 'wal'));
    expect(() => loadIdentity(directory, anyone, 1)).toThrow(IdentityError);
  });

  it.each([
    ['{', /damaged/],
    ['[]', /format version/],
    ['{"formatVersion":3}', /format version 3/],
    ['{"formatVersion":2,"nodeId":"a","clusterId":"b","groups":1,"createdAt_ms":1}', /damaged/],
    ['{"formatVersion":1,"nodeId":7}', /damaged/],
  ])('is refused when the file holds %s', (text, message) => {
    writeFileSync(join(directory, 'node.json'), text);
    expect(() => loadIdentity(directory, anyone, 1)).toThrow(message);
  });

  it('of a member of a cluster is not taken for that of a node on its own', () => {
    const lone = loadIdentity(directory, anyone, 1);
    expect(lone).toMatchObject({ nodeNumber: 1, clustered: false });
    const member = { ...lone, nodeNumber: 3, clustered: true };
    saveIdentity(directory, member);
    expect(readIdentity(directory, undefined)).toEqual(member);
    expect(() => loadIdentity(directory, anyone, 1)).toThrow(/start it with --cluster/);
  });

  it('of a folder from before there were clusters is that of a node on its own', () => {
    writeFileSync(
      join(directory, 'node.json'),
      '{"formatVersion":1,"nodeId":"a","clusterId":"b","groups":1,"createdAt_ms":1}',
    );
    expect(loadIdentity(directory, anyone, 1)).toMatchObject({ nodeNumber: 1, clustered: false });
  });

  it('is nothing in a new folder', () => {
    expect(readIdentity(directory, 'node1')).toBeUndefined();
  });
});
