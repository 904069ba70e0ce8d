/** The command tree, as commander takes it. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import {
  type AnyCommand,
  type ArgumentSpec,
  type CommandGroup,
  type OptionSpec,
  optionName,
  type Specs,
} from './arguments/spec.ts';
import { UsageError } from './errors.ts';
import { globalSpecs } from './global-options.ts';

/** A command with the values that were typed for it. */
export interface Invocation {
  readonly command: AnyCommand;
  readonly values: Readonly<Record<string, unknown>>;
  /** What was typed for `globalSpecs`. */
  readonly globals: Readonly<Record<string, unknown>>;
}

/** A command beside those of the services. */
export interface PlainCommand {
  readonly name: string;
  readonly summary: string;
  readonly argument?: { readonly name: string; readonly help: string; readonly choices: readonly string[] };
  /** Flags are its own business. */
  readonly passesFlags?: true;
  run(args: readonly string[]): void;
}

export interface ProgramOptions {
  readonly groups: readonly (CommandGroup & { readonly commands: readonly AnyCommand[] })[];
  readonly plain: readonly PlainCommand[];
  readonly version: string;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  /** Width of help. */
  readonly columns: number;
  onInvocation(invocation: Invocation): void;
}

const HELP_AFTER = `
With no command, or with flags alone, gomsg is the server: "gomsg serve --help" lists its settings.

Exit codes: 0 done, 1 not found or the condition did not hold or nothing was ready, 2 the command line is wrong,
3 no server answers, 4 anything else, 130 ended by Ctrl-C.

JSON (--output json, GOMSG_OUTPUT=json): one object a line, fields named as in the protos' JSON. value and payload
are text; bytes that are not UTF-8 are base64 in valueBase64 or payloadBase64. 64-bit integers are numbers.
Errors are objects on standard error.`;

/** Nothing is written or ended by commander itself: errors are thrown, `onInvocation` gets what is to be run. */
export function buildProgram(options: ProgramOptions): Command {
  const program = new Command('gomsg')
    .description('Key/value, message queues and event streams in one service.')
    .version(options.version, '-V, --version', 'show the version')
    .helpCommand('help [command]', 'show help of a command')
    .usage('[server flags] | <command> …')
    .addHelpText('after', HELP_AFTER);
  settle(program, options);
  for (const plain of options.plain) addPlain(program, plain, options);
  for (const group of options.groups) {
    const parent = new Command(group.name)
      .summary(group.summary)
      .description(group.summary)
      .usage('<command> …');
    settle(parent, options);
    parent.helpCommand('help [command]', 'show help of a command');
    for (const spec of group.commands) parent.addCommand(toCommand(spec, options));
    program.addCommand(parent);
  }
  addOptions(program, globalSpecs);
  return program;
}

function settle(command: Command, { write, writeError, columns }: ProgramOptions): void {
  command
    .exitOverride()
    .configureOutput({
      writeOut: write,
      writeErr: writeError,
      // Thrown errors are told by whoever catches them.
      outputError: () => {},
      getOutHelpWidth: () => columns,
      getErrHelpWidth: () => columns,
    })
    .helpOption('-h, --help', 'show help')
    // Choices and defaults are told by the placeholder and the text.
    .configureHelp({
      optionDescription: ({ description }) => description,
      argumentDescription: ({ description }) => description,
    })
    .showSuggestionAfterError();
}

function addPlain(program: Command, plain: PlainCommand, options: ProgramOptions): void {
  const command = program.command(plain.name).summary(plain.summary).description(plain.summary);
  settle(command, options);
  if (plain.argument) {
    const { name, help, choices } = plain.argument;
    command.addArgument(new Argument(`<${name}>`, help).choices([...choices]));
  }
  if (plain.passesFlags) command.helpOption(false).argument('[flags...]').allowUnknownOption();
  command.action(() => plain.run(command.args));
}

function toCommand(spec: AnyCommand, options: ProgramOptions): Command {
  const command = new Command(spec.name).summary(spec.summary).description(descriptionOf(spec));
  settle(command, options);
  for (const alias of spec.aliases ?? []) command.alias(alias);
  const names: string[] = [];
  for (const [field, value] of Object.entries(spec.specs)) {
    if (value.role === 'argument') {
      names.push(field);
      command.addArgument(toArgument(field, value));
    }
  }
  addOptions(command, spec.specs);
  addOptions(command, globalSpecs, 'Common options:');
  if (spec.examples) command.addHelpText('after', examplesText(spec.examples));
  command.action(() => {
    const typed: Readonly<Record<string, unknown>> = command.opts();
    const all = command.optsWithGlobals() as Readonly<Record<string, unknown>>;
    options.onInvocation({
      command: spec,
      values: { ...optionValues(spec.specs, typed), ...argumentValues(names, command.processedArgs) },
      globals: optionValues(globalSpecs, all),
    });
  });
  return command;
}

function descriptionOf({ summary, description }: AnyCommand): string {
  return description === undefined ? summary : `${summary}\n\n${description}`;
}

function examplesText(examples: NonNullable<AnyCommand['examples']>): string {
  const lines = examples.map(([line, does]) => `  ${line}\n      ${does}`);
  return `\nExamples:\n${lines.join('\n')}`;
}

function toArgument(field: string, spec: ArgumentSpec<unknown>): Argument {
  const name = spec.variadic ? `${optionName(field)}...` : optionName(field);
  const argument = new Argument(spec.required ? `<${name}>` : `[${name}]`, spec.help);
  if (spec.kind.choices) argument.choices([...spec.kind.choices]);
  if (!spec.variadic) argument.argParser((text: string) => parsed(spec.kind, text));
  return argument;
}

function addOptions(command: Command, specs: Specs, heading?: string): void {
  for (const [field, spec] of Object.entries(specs)) {
    if (spec.role !== 'option') continue;
    const option = toOption(field, spec);
    if (heading !== undefined) option.helpGroup(heading);
    command.addOption(option);
  }
}

function toOption(field: string, spec: OptionSpec<unknown>): Option {
  const { kind, short, help, repeated } = spec;
  const long = `--${optionName(field)}`;
  const names = short === undefined ? long : `-${short}, ${long}`;
  const shownDefault = spec.default === undefined ? '' : ` (${String(spec.default)} unless given)`;
  if (kind === undefined) return new Option(names, help);
  const option = new Option(`${names} <${kind.placeholder}>`, help + shownDefault);
  if (kind.choices) option.choices([...kind.choices]);
  return option.argParser((text: string, before: unknown) =>
    repeated ? [...((before as unknown[] | undefined) ?? []), parsed(kind, text)] : parsed(kind, text),
  );
}

function parsed(kind: { parse(text: string): unknown }, text: string): unknown {
  try {
    return kind.parse(text);
  } catch (error) {
    if (error instanceof UsageError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** `--no-ack` is a switch of its own here, where commander takes it for the opposite of `--ack`. */
function optionValues(specs: Specs, typed: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [field, spec] of Object.entries(specs)) {
    if (spec.role !== 'option') continue;
    const value = field.startsWith('no') && spec.kind === undefined ? negated(field, typed) : typed[field];
    if (value !== undefined) values[field] = value;
    else if (spec.kind === undefined) values[field] = false;
    else if (spec.repeated) values[field] = [];
    else values[field] = spec.default === undefined ? undefined : spec.kind.parse(String(spec.default));
  }
  return values;
}

function negated(field: string, typed: Readonly<Record<string, unknown>>): boolean {
  const opposite = field.charAt(2).toLowerCase() + field.slice(3);
  return typed[opposite] === false;
}

function argumentValues(names: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name, at) => [name, values[at]]));
}
