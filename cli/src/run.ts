/** Reads a command line and does what it says. */
import { CommanderError } from 'commander';
import type { AnyCommand } from './arguments/spec.ts';
import { openContext } from './client-context.ts';
import { COMMAND_GROUPS } from './commands/groups.ts';
import { ExitCode } from './exit-codes.ts';
import { describeFailure, type Failure, failureOf } from './failures.ts';
import { GLOBAL_FLAGS, type GlobalOptions, globalOptions } from './global-options.ts';
import { Output } from './output/output.ts';
import type { ProcessStreams } from './process-streams.ts';
import { buildProgram, type Invocation, type PlainCommand, type ProgramOptions } from './program.ts';
import { VERSION } from './version.ts';

const SERVE = 'serve';
const COMPLETION = 'completion';
const SHELLS = ['bash', 'zsh', 'fish'] as const;
const DEFAULT_COLUMNS = 100;

export interface RunOptions {
  readonly streams: ProcessStreams;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Called when the command line turns out to be a client's: the server has its own ways with signals. */
  onClientStart(): void;
  /** Runs the server until it has ended; resolves to its exit code. */
  serve(args: readonly string[]): Promise<number>;
}

/** Resolves to the exit code; failures are told on standard error by then. */
export async function run(args: readonly string[], options: RunOptions): Promise<number> {
  const serverArgs = argumentsOfServer(args);
  if (serverArgs !== undefined) return serve(serverArgs, options);
  options.onClientStart();
  const output = new Printing(options.streams);
  try {
    return await runClient(args, options, output);
  } catch (error) {
    const failure =
      error instanceof CommanderError ? commanderFailure(error) : failureOf(error, output.server);
    if (typeof failure === 'number') return failure;
    options.streams.stderr.write(`${describeFailure(failure, output.isJson)}\n`);
    return failure.exitCode;
  }
}

/** Undefined when the command line is a client's. */
export function argumentsOfServer(args: readonly string[]): readonly string[] | undefined {
  const [first] = args;
  if (first === undefined) return [];
  if (first === SERVE) return args.slice(1);
  const isFlag = first.startsWith('-');
  const isClients =
    GLOBAL_FLAGS.has(first.split('=')[0]!) ||
    ['-h', '--help', '-V', '--version'].includes(first) ||
    /^-[so]./.test(first);
  return isFlag && !isClients ? args : undefined;
}

async function serve(args: readonly string[], { streams, serve }: RunOptions): Promise<number> {
  if (!args.includes('--help') && !args.includes('-h')) return serve(args);
  const { settingsHelp } = await import('@gomsg/server/settings-help');
  streams.stdout.write(`Usage: gomsg [serve] [flags]\n\nRuns the server.\n\n${settingsHelp()}`);
  return ExitCode.done;
}

/** What is known of the output when something fails, however early. */
class Printing {
  server = '';
  isJson: boolean;

  constructor({ env }: ProcessStreams) {
    this.isJson = env.GOMSG_OUTPUT === 'json';
  }

  settle({ servers, output }: GlobalOptions): void {
    this.server = servers.join(', ');
    this.isJson = output === 'json';
  }
}

async function runClient(args: readonly string[], options: RunOptions, printing: Printing): Promise<number> {
  const { streams, signal } = options;
  let chosen: Invocation | undefined;
  let shell: (typeof SHELLS)[number] | undefined;
  const plain: readonly PlainCommand[] = [
    {
      name: SERVE,
      summary: 'Run the server; so does gomsg with no command.',
      passesFlags: true,
      run: () => {},
    },
    {
      name: COMPLETION,
      summary: 'Write a script that completes commands and options in a shell.',
      argument: { name: 'shell', help: SHELLS.join(', '), choices: SHELLS },
      run: ([name]) => {
        shell = SHELLS.find((candidate) => candidate === name);
      },
    },
  ];
  const isCompletion = args.includes(COMPLETION);
  const programOptions: ProgramOptions = {
    groups: await loadGroups((name) => isCompletion || args.includes(name)),
    plain,
    version: VERSION,
    write: (text) => streams.stdout.write(text),
    writeError: (text) => streams.stderr.write(text),
    columns: streams.stdout.columns ?? DEFAULT_COLUMNS,
    onInvocation: (invocation) => {
      chosen = invocation;
    },
  };
  const program = buildProgram(programOptions);
  program.parse(args, { from: 'user' });
  if (shell !== undefined) {
    const { completionScript } = await import('./completion/scripts.ts');
    streams.stdout.write(completionScript(shell, program));
    return ExitCode.done;
  }
  if (chosen === undefined) return ExitCode.done;
  const globals = globalOptions(chosen.globals, streams.env);
  printing.settle(globals);
  return invoke(chosen, globals, streams, signal);
}

/** Only the commands that may be meant; the others are there by name. */
function loadGroups(isWanted: (name: string) => boolean): Promise<ProgramOptions['groups']> {
  return Promise.all(
    COMMAND_GROUPS.map(async (group) => ({
      ...group,
      commands: isWanted(group.name) ? await group.load() : ([] as readonly AnyCommand[]),
    })),
  );
}

async function invoke(
  { command, values }: Invocation,
  globals: GlobalOptions,
  streams: ProcessStreams,
  signal: AbortSignal,
): Promise<number> {
  const color = streams.stdout.isTTY === true && !streams.env.NO_COLOR && streams.env.TERM !== 'dumb';
  const output = new Output({
    stdout: streams.stdout,
    stderr: streams.stderr,
    format: globals.output,
    color,
  });
  const context = await openContext(globals, streams, output, signal);
  try {
    return (await command.run(context, values)) ?? ExitCode.done;
  } finally {
    context.client.close();
  }
}

/** Help and version end commander by an error too: what they show is shown by then. */
function commanderFailure(error: CommanderError): Failure | ExitCode {
  if (error.exitCode === 0) return ExitCode.done;
  if (error.code === 'commander.help') return ExitCode.usage;
  return {
    exitCode: ExitCode.usage,
    message: error.message.replace(/^error: /, ''),
    action: 'Add --help to see what the command takes.',
  };
}
