import { describe, expect, it } from 'vitest';
import { Arena, CHUNK_BYTES, ChunkPool } from './arena.ts';
import { InvalidKeyError, ValueTooLargeError } from './errors.ts';
import { DELETED, MISSING, Overlay } from './overlay.ts';
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from './store.ts';
import { bytes, textOf } from './testing/stores.ts';

describe('Arena', () => {
  it('keeps records of every size, across chunks', () => {
    const arena = new Arena(new ChunkPool());
    const sizes = [0, 1, 7, 8, 64, 5000, CHUNK_BYTES / 4, CHUNK_BYTES, 3 * CHUNK_BYTES + 1];
    const records = Array.from({ length: 90 }, (_, i) => {
      const value = Buffer.alloc(sizes[i % sizes.length] as number, i);
      return { value, position: arena.append(`key ${i}`, value, i % 2 === 0), fresh: i % 2 === 0 };
    });
    for (const { value, position, fresh } of records) {
      expect(Buffer.compare(arena.valueAt(position), value)).toBe(0);
      expect(arena.isFresh(position)).toBe(fresh);
      expect(arena.isDeletion(position)).toBe(false);
    }
  });

  it('reuses the chunks of a dropped arena, and no more than it is told to keep', () => {
    const pool = new ChunkPool();
    const first = new Arena(pool);
    for (let i = 0; i < 40; i++) first.append('key', new Uint8Array(CHUNK_BYTES / 8), false);
    const [one, two, ...others] = first.chunks;
    first.recycle(2);
    const second = new Arena(pool);
    for (let i = 0; i < 40; i++) second.append('key', new Uint8Array(CHUNK_BYTES / 8), false);
    expect(second.chunks[0]).toBe(two);
    expect(second.chunks[1]).toBe(one);
    expect(others.length).toBeGreaterThan(0);
    for (const chunk of others) expect(second.chunks.includes(chunk)).toBe(false);
  });

  it('refuses what it cannot hold and stays as it was', () => {
    const arena = new Arena(new ChunkPool());
    const position = arena.append('key', bytes('value'), false);
    const used = arena.usedBytes;
    const small = bytes('');
    expect(() => arena.append('', small, false)).toThrow(InvalidKeyError);
    expect(() => arena.append('k'.repeat(MAX_KEY_BYTES + 1), small, false)).toThrow(InvalidKeyError);
    expect(() => arena.append('\u0100', small, false)).toThrow(InvalidKeyError);
    expect(() => arena.append('\u0100', new Uint8Array(CHUNK_BYTES), false)).toThrow(InvalidKeyError);
    expect(() => arena.append('key', new Uint8Array(MAX_VALUE_BYTES + 1), false)).toThrow(ValueTooLargeError);
    expect(arena.usedBytes).toBe(used);
    expect(arena.chunks).toHaveLength(1);
    expect(textOf(arena.valueAt(position))).toBe('value');
  });
});

describe('Overlay', () => {
  it('forgets a row that was inserted and deleted, and remembers one that may exist below', () => {
    const overlay = new Overlay(new ChunkPool());
    overlay.insert('new', bytes('1'));
    overlay.put('new', bytes('2'));
    overlay.put('old', bytes('1'));
    overlay.delete('new');
    overlay.delete('old');
    expect(overlay.lookup('new')).toBe(MISSING);
    expect(overlay.lookup('old')).toBe(DELETED);
    expect(overlay.size).toBe(1);
  });

  it('does not take an insert over a deletion for a row that is new below', () => {
    const overlay = new Overlay(new ChunkPool());
    overlay.delete('key');
    overlay.insert('key', bytes('1'));
    overlay.delete('key');
    expect(overlay.lookup('key')).toBe(DELETED);
  });

  it('needs no deletion in a range that is deleted as a whole', () => {
    const overlay = new Overlay(new ChunkPool());
    overlay.put('b', bytes('1'));
    overlay.deleteRange('a', 'c');
    expect(overlay.size).toBe(0);
    overlay.put('b', bytes('2'));
    overlay.delete('b');
    overlay.delete('bb');
    expect(overlay.size).toBe(0);
    expect(overlay.lookup('b')).toBe(DELETED);
    expect(overlay.lookup('c')).toBe(MISSING);
  });

  it('counts every record, and the index of the keys there are', () => {
    const overlay = new Overlay(new ChunkPool());
    for (let i = 0; i < 100; i++) overlay.put('key', new Uint8Array(100));
    const oneKey = overlay.bytes;
    expect(oneKey).toBeGreaterThan(100 * 100);
    overlay.put('another', new Uint8Array(0));
    expect(overlay.bytes - oneKey).toBeGreaterThan(100);
  });
});
