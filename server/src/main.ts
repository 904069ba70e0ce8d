/** Serving as a program: settings in, signals out, exit codes that mean something. */
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { configWarnings } from './config/cross-check.ts';
import { changedSettings } from './config/document.ts';
import { loadConfig } from './config/load.ts';
import { ConfigError } from './config/problems.ts';
import type { Config } from './config/schema.ts';
import { type RunningNode, startNode } from './node.ts';
import { createLogger, type Logger } from './observe/logger.ts';
import { NodeMetrics } from './observe/node-metrics.ts';
import { VERSION } from './version.ts';

/** 0 after a clean stop, 2 for wrong settings, 4 when the node cannot start or must not go on. */
export type ExitCode = 0 | 2 | 4;

/** Runs a node until it is told to stop. `argv`: the flags, without program and subcommand. */
export async function serve(argv: readonly string[]): Promise<ExitCode> {
  let config: Config;
  try {
    config = loadConfig({ args: argv, env: process.env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });
  for (const warning of configWarnings(config)) logger.warn(warning);
  // grpc-js complains of what hostile clients send on standard error; the log has its own account of it.
  setLogVerbosity(logVerbosity.NONE);
  const metrics = new NodeMetrics();
  metrics.exposition.addProcessMetrics();

  // What nobody caught may have left anything half done. The log has all that was answered: better to start anew.
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'the node ends: a bug was met that may have left its memory wrong');
    process.exit(4);
  });

  const left = Promise.withResolvers<'left the cluster'>();
  const stop = Promise.race([stopSignal(), left.promise]);
  let node: RunningNode | Awaited<typeof stop>;
  try {
    const starting = startNode({
      config,
      logger,
      metrics,
      onFatal: (error) => die(logger, error),
      onLeft: () => left.resolve('left the cluster'),
    });
    node = await Promise.race([starting, stop]);
  } catch (error) {
    logger.fatal(explained(error), 'the node cannot start');
    return 4;
  }
  // A start can take long, with much log to read or a full disk to wait for, and a process may die at any point of it.
  if (typeof node === 'string') leave(logger, node);
  logger.info(
    { node: node.identity.nodeId, version: VERSION, settings: changedSettings(config), pid: process.pid },
    `gomsg serves on ${node.host}:${node.port}`,
  );
  const signal = await stop;
  logger.info(`${signal}: finishing what was taken, then stopping`);
  try {
    await node.stop();
  } catch (error) {
    logger.fatal(explained(error), 'the node did not stop cleanly; what was acknowledged is in the log');
    return 4;
  }
  logger.info('stopped');
  return 0;
}

/** The first SIGTERM or SIGINT. Further ones are ignored: npm and terminals send the same one twice. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.on('SIGTERM', resolve);
    process.on('SIGINT', resolve);
  });
}

/** Told to stop before the start was done. */
function leave(logger: Logger, signal: string): never {
  logger.info(`${signal}: stopped before the start was done`);
  process.exit(0);
}

/**
 * After a failed write or sync nothing in memory may be answered from: end at once, restart from the disk. The same for a
 * node whose cluster turns out to be none.
 */
function die(logger: Logger, error: Error): never {
  logger.fatal(explained(error), 'the node ends: it must not go on');
  process.exit(4);
}

function explained(error: unknown): { reason: string } | { err: unknown } {
  // Refusals that are made for people explain themselves; anything else needs its stack.
  return error instanceof Error &&
    error.name !== 'Error' &&
    error.name !== 'TypeError' &&
    error.name !== 'RangeError'
    ? { reason: error.message }
    : { err: error };
}
