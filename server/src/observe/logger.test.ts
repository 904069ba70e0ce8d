import { describe, expect, it } from 'vitest';
import { createLogger, type LogOutput } from './logger.ts';

function capture(terminal: Pick<LogOutput, 'isTTY' | 'hasColors'> = {}) {
  const lines: string[] = [];
  const output: LogOutput = { ...terminal, write: (line: string) => void lines.push(line) };
  return { lines, output };
}

describe('the logger', () => {
  it('writes one JSON object a line with level, time, base fields and component', () => {
    const { lines, output } = capture();
    const logger = createLogger({ level: 'info', format: 'auto', base: { node: 'node1' }, output });
    logger.child({ component: 'wal' }).warn({ segment: 3 }, 'cut a torn tail');
    expect(lines).toHaveLength(1);
    const line = JSON.parse(lines[0]!);
    expect(line).toMatchObject({
      level: 'warn',
      node: 'node1',
      component: 'wal',
      segment: 3,
      msg: 'cut a torn tail',
    });
    expect(Date.parse(line.time)).toBeGreaterThan(0);
  });

  it('is pretty in a terminal, as soon as the call returns', () => {
    const { lines, output } = capture({ isTTY: true });
    const logger = createLogger({ level: 'info', format: 'auto', base: { node: 'node1' }, output });
    logger.child({ component: 'wal' }).info({ segment: 3 }, 'opened');
    expect(lines.join('')).toMatch(/^\[\d\d:\d\d:\d\d\.\d+\] INFO: wal: opened \{"segment":3\}\n$/);
  });

  it('colours only what can show colours', () => {
    const plain = capture({ isTTY: true, hasColors: () => false });
    const coloured = capture({ isTTY: true, hasColors: () => true });
    for (const { output } of [plain, coloured])
      createLogger({ level: 'info', format: 'auto', output }).info('x');
    expect(plain.lines.join('')).not.toContain('\u001b[');
    expect(coloured.lines.join('')).toContain('\u001b[');
  });

  it.each([
    ['json', true, /^\{.*\}\n$/],
    ['pretty', false, /^\[.*INFO: x\n$/],
  ] as const)('does as told: %s with terminal = %s', (format, isTTY, expected) => {
    const { lines, output } = capture({ isTTY });
    createLogger({ level: 'info', format, output }).info('x');
    expect(lines.join('')).toMatch(expected);
  });

  it('leaves out what is below the level', () => {
    const { lines, output } = capture();
    const logger = createLogger({ level: 'warn', format: 'json', output });
    logger.info('no');
    logger.error('yes');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['yes']);
  });

  it('writes an error with its stack and cause', () => {
    const { lines, output } = capture();
    const cause = new Error('EIO');
    createLogger({ level: 'info', format: 'json', output }).error(
      { err: new Error('sync failed', { cause }) },
      'stop',
    );
    const { err } = JSON.parse(lines[0]!);
    expect(err.message).toContain('sync failed');
    expect(err.stack).toContain('EIO');
  });
});
