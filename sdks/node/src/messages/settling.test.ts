import { describe, expect, it, vi } from 'vitest';
import { type GomsgError, gomsgError } from '../errors.ts';
import { Settlement } from './settling.ts';

const failure = gomsgError({ message: 'no' });

describe('a settlement', () => {
  it('that nobody waits for tells its failure, without an unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const told = Promise.withResolvers<GomsgError>();
      Settlement.of(Promise.reject(failure), told.resolve);
      expect(await told.promise).toBe(failure);
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });

  it('that is awaited rejects, and tells nobody else', async () => {
    const unwatched = vi.fn();
    await expect(Settlement.of(Promise.reject(failure), unwatched)).rejects.toBe(failure);
    expect(unwatched).not.toHaveBeenCalled();
  });

  it('gives its value', async () => {
    expect(await Settlement.of(Promise.resolve(3), () => {})).toBe(3);
  });
});
