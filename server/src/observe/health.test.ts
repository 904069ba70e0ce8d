import { describe, expect, it } from 'vitest';
import { Health, type HealthReport } from './health.ts';

describe('health', () => {
  it('is live and not ready while starting, ready once serving', () => {
    const health = new Health();
    expect(health.report()).toMatchObject({ state: 'starting', live: true, ready: false });
    health.serving();
    expect(health.report()).toMatchObject({ state: 'serving', live: true, ready: true, reasons: [] });
  });

  it('is not ready while a check fails, and says which', () => {
    const health = new Health();
    health.serving();
    health.check('log', true, 'ok');
    health.check('consensus', false, 'group 1 has no leader');
    expect(health.report()).toMatchObject({
      ready: false,
      live: true,
      reasons: ['consensus: group 1 has no leader'],
    });
    health.check('consensus', true, 'all groups have a leader');
    expect(health.report().ready).toBe(true);
    expect(health.report().checks.map(({ name }) => name)).toEqual(['log', 'consensus']);
  });

  it('drains live but not ready', () => {
    const health = new Health();
    health.serving();
    health.draining('SIGTERM');
    expect(health.report()).toMatchObject({ live: true, ready: false, reasons: ['draining: SIGTERM'] });
  });

  it('never comes back from a failure or a drain', () => {
    const health = new Health();
    health.draining('SIGTERM');
    health.serving();
    expect(health.report().state).toBe('draining');
    health.failed('log sync: EIO');
    health.draining('SIGTERM');
    expect(health.report()).toMatchObject({
      state: 'failed',
      live: false,
      reasons: ['failed: log sync: EIO'],
    });
  });

  it('tells its listeners of changes only, until they stop listening', () => {
    const health = new Health();
    const seen: HealthReport[] = [];
    const stop = health.onChange((report) => seen.push(report));
    health.serving();
    health.check('disk', true, '10 GiB free');
    health.check('disk', true, '10 GiB free');
    health.serving();
    stop();
    health.draining('SIGTERM');
    expect(seen.map(({ state }) => state)).toEqual(['serving', 'serving']);
  });
});
