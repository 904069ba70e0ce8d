import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { safeContent } from './content.ts';
import { humanBytes, humanCount, humanDuration, humanMs, humanTime } from './human.ts';
import { facts, table } from './table.ts';

describe('figures for people', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [5 * 2 ** 30, '5.0 GiB'],
  ])('shows %d bytes as %s', (bytes, shown) => {
    expect(humanBytes(bytes)).toBe(shown);
  });

  it.each([
    [0, '0 ms'],
    [250, '250 ms'],
    [4_250, '4.2s'],
    [29_900, '29s'],
    [1_799_000, '29m 59s'],
    [7_200_000, '2h'],
    [273_600_000, '3d 4h'],
  ])('shows %d ms as %s', (ms, shown) => {
    expect(humanMs(ms)).toBe(shown);
  });

  it('shows times by how far away they are', () => {
    const now_ms = 1_700_000_000_000;
    expect(humanTime(timestampFromMs(now_ms - 65_000), '-', now_ms)).toBe('1m 5s ago');
    expect(humanTime(timestampFromMs(now_ms + 30_000), '-', now_ms)).toBe('in 30s');
    expect(humanTime(timestampFromMs(now_ms + 400), '-', now_ms)).toBe('now');
    expect(humanTime(undefined, 'never')).toBe('never');
    expect(humanDuration(durationFromMs(2_000))).toBe('2s');
    expect(humanCount(138_398n)).toBe('138,398');
  });
});

describe('tables', () => {
  it('align, numbers by their last digit, with no blanks at line ends', () => {
    const rows = [
      { name: 'jobs', ready: 5 },
      { name: 'a-long-name', ready: 1200 },
    ];
    const columns = [
      { title: 'READY', align: 'right', cell: (row: (typeof rows)[0]) => String(row.ready) },
      { title: 'QUEUE', cell: (row: (typeof rows)[0]) => row.name },
    ] as const;
    expect(table(columns, rows)).toEqual(['READY  QUEUE', '    5  jobs', ' 1200  a-long-name']);
  });

  it('count characters as people do', () => {
    expect(
      facts([
        ['é\u0301', '1'],
        ['ab', '2'],
      ]),
    ).toEqual(['é\u0301   1', 'ab  2']);
  });
});

describe('content in a terminal', () => {
  it('cannot command it', () => {
    expect(safeContent(Buffer.from('\u001b[2Jhi\tthere\r\n\u009b1m'))).toBe(
      '\\x1b[2Jhi\tthere\\x0d\n\\x9b1m',
    );
  });

  it('is told by its size when it is no text', () => {
    expect(safeContent(Uint8Array.of(0xff))).toContain('1 B, not text');
  });
});
