/** The command tree as completion scripts need it. */
import type { Argument, Command, Option } from 'commander';

export interface CompletionNode {
  /** Words from the program's name to here, without it: `['kv', 'set']`. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly CompletionOption[];
  /** The only texts that the arguments take, in their order; empty where any is. */
  readonly argumentChoices: readonly (readonly string[])[];
  /** Whether an argument may name a file. */
  readonly takesFile: boolean;
}

export interface CompletionOption {
  /** `-n` and `--limit`, or only the long one. */
  readonly names: readonly string[];
  readonly help: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
  readonly takesFile: boolean;
}

/** Arguments and options by these names hold paths. */
const FILE_NAMES: ReadonlySet<string> = new Set(['file', 'state']);

/** Every command with its aliases, the program itself first. */
export function completionNodes(program: Command): CompletionNode[] {
  const inherited = program.options.filter((option) => option.long !== '--version').map(toOption);
  return [...nodes(program, [[]], inherited)];
}

function* nodes(
  command: Command,
  paths: readonly (readonly string[])[],
  inherited: readonly CompletionOption[],
): Generator<CompletionNode> {
  const isProgram = command.parent === null;
  const own = command.options.map(toOption);
  const known = new Set(own.flatMap(({ names }) => names));
  const options = [...own, ...inherited.filter(({ names }) => !names.some((name) => known.has(name))), HELP];
  for (const path of paths) {
    yield {
      path,
      commands: command.commands.map((child) => ({ name: child.name(), summary: child.summary() })),
      options: isProgram || command.commands.length === 0 ? options : [HELP],
      argumentChoices: command.registeredArguments.map((argument) => argument.argChoices ?? []),
      takesFile: command.registeredArguments.some((argument: Argument) => FILE_NAMES.has(argument.name())),
    };
  }
  for (const child of command.commands) {
    const names = [child.name(), ...child.aliases()];
    yield* nodes(
      child,
      paths.flatMap((path) => names.map((name) => [...path, name])),
      inherited,
    );
  }
}

const HELP: CompletionOption = {
  names: ['--help'],
  help: 'show help',
  takesValue: false,
  choices: [],
  takesFile: false,
};

function toOption(option: Option): CompletionOption {
  return {
    names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
    help: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
    takesFile: FILE_NAMES.has(option.attributeName()),
  };
}
