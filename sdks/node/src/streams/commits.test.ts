import { describe, expect, it } from 'vitest';
import { ErrorReason, gomsgError } from '../errors.ts';
import { type Commit, Commits } from './commits.ts';

interface Sent {
  readonly partition: number;
  readonly offset: bigint;
  readonly memberId: string;
  readonly answer: PromiseWithResolvers<void>;
}

function recorder() {
  const sent: Sent[] = [];
  let told: (() => void) | undefined;
  const commit: Commit = (partition, offset, memberId) => {
    const answer = Promise.withResolvers<void>();
    sent.push({ partition, offset, memberId, answer });
    told?.();
    return answer.promise;
  };
  const until = async (count: number) => {
    while (sent.length < count) {
      await new Promise<void>((resolve) => {
        told = resolve;
      });
    }
  };
  return { sent, commit, until };
}

const fenced = () => gomsgError({ reason: ErrorReason.MEMBER_FENCED, message: 'fenced' });

describe('acknowledgements of a consumer', () => {
  it('are one call at a time in a partition, of which the newest wins', async () => {
    const { sent, commit, until } = recorder();
    const commits = new Commits(commit);
    commits.connected('m');
    const first = commits.commit(0, 0n);
    await until(1);
    const others = [1n, 3n, 2n].map((offset) => commits.commit(0, offset));
    sent[0]!.answer.resolve();
    await first;
    await until(2);
    sent[1]!.answer.resolve();
    await Promise.all(others);
    expect(sent.map(({ offset }) => offset)).toEqual([0n, 3n]);
  });

  it('of several partitions do not wait for each other', async () => {
    const { sent, commit, until } = recorder();
    const commits = new Commits(commit);
    void commits.commit(0, 5n);
    const other = commits.commit(1, 7n);
    await until(2);
    sent.find(({ partition }) => partition === 1)!.answer.resolve();
    await other;
  });

  it('fail those that were sent, and go on with the next', async () => {
    const { sent, commit, until } = recorder();
    const commits = new Commits(commit);
    const failing = commits.commit(0, 1n);
    await until(1);
    const next = commits.commit(0, 2n);
    sent[0]!.answer.reject(new Error('no'));
    await expect(failing).rejects.toThrow('no');
    await until(2);
    sent[1]!.answer.resolve();
    await next;
    await commits.settled();
  });

  it('count although the membership was lost while they were under way', async () => {
    const { sent, commit, until } = recorder();
    const commits = new Commits(commit);
    commits.connected('old');
    const ack = commits.commit(0, 4n);
    await until(1);
    commits.disconnected();
    sent[0]!.answer.reject(fenced());
    await until(2);
    expect(sent[1]).toMatchObject({ offset: 4n, memberId: '' });
    sent[1]!.answer.resolve();
    await ack;
  });

  it('are refused to a member that lost its place while its connection stood', async () => {
    const { sent, commit, until } = recorder();
    const commits = new Commits(commit);
    commits.connected('m');
    const ack = commits.commit(0, 4n);
    await until(1);
    sent[0]!.answer.reject(fenced());
    await expect(ack).rejects.toMatchObject({ reason: ErrorReason.MEMBER_FENCED });
  });
});
