/** Structured logs. A logger is made once, in `main`, and passed down; a component takes `logger.child({ component })`. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Config } from '../config/schema.ts';

export type { Logger } from 'pino';

export interface LoggerOptions {
  readonly level: Config['logLevel'];
  readonly format: Config['logFormat'];
  /** Fields of every line, such as the node's id. Default: none. */
  readonly base?: Readonly<Record<string, string | number>>;
  /** Where lines go. Default: standard error, so that standard output stays free for answers. */
  readonly output?: LogOutput;
}

/** A stream to write to; a terminal says so with `isTTY`. */
export type LogOutput = DestinationStream & { readonly isTTY?: boolean; hasColors?(): boolean };

/**
 * Writes are synchronous: the last line before a crash is the one that matters, and the hot path logs nothing.
 * Neither format uses pino's transports, which live in worker threads and would not survive bundling.
 */
export function createLogger(options: LoggerOptions): Logger {
  const terminal: LogOutput = options.output ?? process.stderr;
  const output = options.output ?? destination({ fd: process.stderr.fd, sync: true });
  const isPretty = options.format === 'pretty' || (options.format === 'auto' && terminal.isTTY === true);
  const stream = isPretty ? prettyOutput(output, terminal.hasColors?.() ?? false) : output;
  return pino(
    {
      level: options.level,
      base: options.base ?? {},
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}

/** Formats in place instead of through pino-pretty's stream, which hands lines on only some ticks later. */
function prettyOutput(output: DestinationStream, colorize: boolean): DestinationStream {
  const format = prettyFactory({
    colorize,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,node,component',
    messageFormat: '{if component}{component}: {end}{msg}',
    singleLine: true,
  });
  return { write: (line: string) => output.write(format(line)) };
}
