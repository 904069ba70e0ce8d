/** Groups at rest: who stops its clock and when, and what makes it go on. */
import { describe, expect, test } from 'vitest';
import type { Message } from './messages.ts';
import { Cluster } from './testing/cluster.ts';
import type { ReplicaOptions } from './testing/replica.ts';

const ELECTION_TICKS = 10;
/** Long enough for a quorum check in between: who was not heard since does not count as there. */
const AFTER_TICKS = 2 * ELECTION_TICKS;
/** By then a group at rest hibernates. */
const REST_TICKS = AFTER_TICKS + 3;
const OPTIONS: ReplicaOptions = { electionTicks: ELECTION_TICKS, hibernateAfterTicks: AFTER_TICKS };

function hibernating(cluster: Cluster, ids = [1, 2, 3]): number[] {
  return ids.filter((id) => cluster.core(id).isHibernating);
}

/** Three voters at rest, led by 1. */
function atRest(options: ReplicaOptions = OPTIONS): Cluster {
  const cluster = new Cluster([1, 2, 3], options).elect(1);
  cluster.propose(1, 'a').run();
  return cluster.pass(REST_TICKS);
}

/** Messages sent since the last call. */
function sent(cluster: Cluster): Message[] {
  return cluster.sent.splice(0);
}

describe('a group at rest', () => {
  test('stops all of its clocks, and says nothing any more', () => {
    const cluster = atRest();
    expect(hibernating(cluster)).toEqual([1, 2, 3]);
    sent(cluster);
    cluster.pass(100);
    expect(sent(cluster)).toEqual([]);
    expect(cluster.leaders()).toEqual([1]);
    expect(cluster.core(2).status()).toMatchObject({ leader: 1, term: 1, commit: 2, applied: 2 });
  });

  test('does not when that was not asked for', () => {
    const cluster = atRest({ electionTicks: ELECTION_TICKS }).pass(100);
    expect(hibernating(cluster)).toEqual([]);
    expect(sent(cluster).some(({ type }) => type === 'hibernate')).toBe(false);
  });

  test('tells its learners too', () => {
    const cluster = new Cluster([1, 2], OPTIONS, [3]).elect(1);
    cluster.core(1).proposeConfiguration({
      kind: 'change',
      changes: [{ type: 'add-learner', node: 3 }],
      transition: 'automatic',
    });
    cluster.run().pass(REST_TICKS + 1);
    expect(hibernating(cluster)).toEqual([1, 2, 3]);
  });

  test('brings the commit index with the last word', () => {
    const cluster = new Cluster([1, 2, 3], OPTIONS).elect(1);
    cluster.loses = ({ type, to }) => to === 3 && type === 'heartbeat';
    cluster.propose(1, 'a').run().pass(REST_TICKS);
    expect(cluster.core(3).status()).toMatchObject({ commit: 2, applied: 2 });
  });
});

describe('a group is not at rest', () => {
  test('while a member does not answer', () => {
    const cluster = new Cluster([1, 2, 3], OPTIONS)
      .elect(1)
      .isolate(3)
      .pass(3 * ELECTION_TICKS);
    expect(hibernating(cluster)).toEqual([]);
    expect(cluster.leaders()).toEqual([1]);
    // Back, it has first to be brought up to date.
    cluster.heal().pass(2 * REST_TICKS);
    expect(hibernating(cluster)).toEqual([1, 2, 3]);
  });

  test('while a member lacks something', () => {
    const cluster = new Cluster([1, 2, 3], OPTIONS).elect(1);
    cluster.slowDisks.add(3);
    cluster
      .propose(1, 'a')
      .run()
      .pass(2 * REST_TICKS);
    expect(hibernating(cluster)).toEqual([]);
  });

  test('while its leader has something to apply', () => {
    const cluster = new Cluster([1, 2, 3], OPTIONS).elect(1);
    cluster.slowAppliers.add(1);
    cluster
      .propose(1, 'a')
      .run()
      .pass(2 * REST_TICKS);
    expect(hibernating(cluster)).toEqual([]);
  });

  test('while writes come', () => {
    const cluster = new Cluster([1, 2, 3], OPTIONS).elect(1);
    for (let i = 0; i < 2 * REST_TICKS; i++) cluster.propose(1, `${i}`).run().pass(1);
    expect(hibernating(cluster)).toEqual([]);
  });
});

describe('what wakes a group', () => {
  test('a proposal, which commits as ever', () => {
    const cluster = atRest().propose(1, 'b').run();
    expect(hibernating(cluster)).toEqual([]);
    expect(cluster.texts(3)).toEqual(['a', 'b']);
    expect(hibernating(cluster.pass(REST_TICKS))).toEqual([1, 2, 3]);
  });

  test('a read, which a majority confirms as ever', () => {
    const cluster = atRest();
    cluster.core(1).readIndex(7);
    cluster.run();
    expect(cluster.reads(1)).toEqual([{ index: 2, context: 7 }]);
  });

  test('a transfer, a change of the members, a campaign', () => {
    const transferred = atRest();
    transferred.core(1).transferLeadership(2);
    expect(transferred.run().leaders()).toEqual([2]);

    const changed = atRest();
    changed.core(1).proposeConfiguration({
      kind: 'change',
      changes: [{ type: 'remove', node: 3 }],
      transition: 'automatic',
    });
    expect(changed.run().core(2).configuration.voters).toEqual([1, 2]);

    const contested = atRest();
    contested.core(2).campaign();
    contested.run();
    // It only asked: those that hear their leader do not answer, but look again whether they do.
    expect(hibernating(contested)).toEqual([]);
    expect(contested.pass(3 * ELECTION_TICKS).leaders()).toEqual([1]);
  });

  test('a late answer to the last heartbeat does not', () => {
    const cluster = atRest();
    cluster.deliver({ type: 'heartbeat-response', from: 2, to: 1, term: 1, context: 0 });
    expect(hibernating(cluster)).toEqual([1, 2, 3]);
  });

  test('a follower that was not told: it asks for votes, and the leader beats again', () => {
    const cluster = new Cluster([1, 2, 3], OPTIONS).elect(1);
    let told = false;
    cluster.loses = ({ type, to }) => {
      const isFirst = type === 'hibernate' && to === 3 && !told;
      if (isFirst) told = true;
      return isFirst;
    };
    cluster.pass(REST_TICKS);
    expect(hibernating(cluster)).toEqual([1, 2]);
    cluster.pass(3 * ELECTION_TICKS + REST_TICKS);
    expect(hibernating(cluster)).toEqual([1, 2, 3]);
    expect(cluster.core(3).status()).toMatchObject({ leader: 1, term: 1 });
  });

  test('a last word that comes late puts a follower to sleep only until the next heartbeat', () => {
    const cluster = atRest().propose(1, 'b').run();
    cluster.deliver({ type: 'hibernate', from: 1, to: 2, term: 1, commit: 2 });
    expect(hibernating(cluster)).toEqual([2]);
    expect(hibernating(cluster.pass(1))).toEqual([]);
    expect(cluster.core(2).commitIndex).toBe(3);
  });
});

/** Nothing comes from 1 any more, which the owners of the others notice. */
function silence(cluster: Cluster): Cluster {
  cluster.isolate(1);
  cluster.core(2).wake(ELECTION_TICKS);
  // Timeouts differ; here they are all the same, so that something else has to: 3 is the second to lose patience.
  cluster.core(3).wake(ELECTION_TICKS / 2);
  return cluster;
}

describe('when the node of a member falls silent', () => {
  test('followers count the silence as if their clock had gone, and elect in no more time than others', () => {
    const cluster = atRest();
    silence(cluster);
    expect(hibernating(cluster)).toEqual([1]);
    expect(cluster.pass(ELECTION_TICKS - 2).core(3).isLeader).toBe(true);
  });

  test('a shorter silence than an election takes does not begin one', () => {
    const cluster = atRest();
    cluster.core(2).wake(2);
    cluster.pass(ELECTION_TICKS - 3);
    expect(cluster.core(2).status()).toMatchObject({ role: 'follower', leader: 1 });
  });

  test('a leader that wakes alone steps down', () => {
    const cluster = atRest().isolate(1);
    cluster.core(1).wake(ELECTION_TICKS);
    cluster.pass(2 * ELECTION_TICKS);
    expect(cluster.core(1).isLeader).toBe(false);
  });

  test('who does not hibernate takes no notice', () => {
    const cluster = new Cluster([1, 2, 3], OPTIONS).elect(1);
    cluster.core(2).wake(ELECTION_TICKS);
    cluster.pass(ELECTION_TICKS);
    expect(cluster.leaders()).toEqual([1]);
    expect(cluster.core(2).term).toBe(1);
  });

  test('a deposed leader that sleeps is told by the first heartbeat of the next one', () => {
    const cluster = silence(atRest()).pass(ELECTION_TICKS - 2);
    expect(cluster.core(1).isHibernating).toBe(true);
    expect(cluster.heal().pass(1).leaders()).toEqual([3]);
  });
});
