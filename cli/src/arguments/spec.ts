/** What a command says of itself: its arguments and options, typed by what they hold. */
import type { DescMethod } from '@bufbuild/protobuf';
import type { CommandContext } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { text, type ValueKind } from './kinds.ts';

/** An argument: told apart by its place. `T` is what the command gets. */
export interface ArgumentSpec<T> {
  readonly role: 'argument';
  readonly kind: ValueKind<unknown>;
  readonly help: string;
  readonly required: boolean;
  /** Takes all arguments that are left. */
  readonly variadic: boolean;
  /** Only ties the type; never set. */
  readonly holds?: T;
}

/** An option: told apart by its name, which is its field's in kebab case. */
export interface OptionSpec<T> {
  readonly role: 'option';
  /** Undefined for a switch. */
  readonly kind: ValueKind<unknown> | undefined;
  readonly help: string;
  readonly short: string | undefined;
  readonly repeated: boolean;
  readonly default: unknown;
  readonly holds?: T;
}

export type Specs = Readonly<Record<string, ArgumentSpec<unknown> | OptionSpec<unknown>>>;

/** What a command gets for its specs. */
export type Values<S extends Specs> = {
  readonly [K in keyof S]: S[K] extends ArgumentSpec<infer T> | OptionSpec<infer T> ? T : never;
};

export function argument(help: string): ArgumentSpec<string>;
export function argument<T>(help: string, kind: ValueKind<T>): ArgumentSpec<T>;
export function argument(help: string, kind: ValueKind<unknown> = text()): ArgumentSpec<unknown> {
  return { role: 'argument', kind, help, required: true, variadic: false };
}

export function optionalArgument(help: string): ArgumentSpec<string | undefined>;
export function optionalArgument<T>(help: string, kind: ValueKind<T>): ArgumentSpec<T | undefined>;
export function optionalArgument(help: string, kind: ValueKind<unknown> = text()): ArgumentSpec<unknown> {
  return { role: 'argument', kind, help, required: false, variadic: false };
}

/** All arguments that are left. */
export function rest(help: string, { atLeastOne = true } = {}): ArgumentSpec<readonly string[]> {
  return { role: 'argument', kind: text(), help, required: atLeastOne, variadic: true };
}

interface OptionExtras {
  readonly short?: string;
}

export function flag(help: string, { short }: OptionExtras = {}): OptionSpec<boolean> {
  return { role: 'option', kind: undefined, help, short, repeated: false, default: undefined };
}

export function option<T>(
  kind: ValueKind<T>,
  help: string,
  { short }: OptionExtras = {},
): OptionSpec<T | undefined> {
  return { role: 'option', kind, help, short, repeated: false, default: undefined };
}

/** An option with a default, written in the form in which a user would give it. */
export function optionOr<T>(
  kind: ValueKind<T>,
  defaultText: string,
  help: string,
  { short }: OptionExtras = {},
): OptionSpec<T> {
  return { role: 'option', kind, help, short, repeated: false, default: defaultText };
}

/** An option that may be given several times. */
export function options<T>(kind: ValueKind<T>, help: string): OptionSpec<readonly T[]> {
  return { role: 'option', kind, help, short: undefined, repeated: true, default: undefined };
}

export interface CommandSpec<S extends Specs> {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One line, a sentence. */
  readonly summary: string;
  /** What help says beyond the summary. */
  readonly description?: string;
  /** The rpcs that the command calls for what it is named for. */
  readonly rpcs: readonly DescMethod[];
  /** Fields of those rpcs' requests that the command fills in other ways than by a spec of that name, and how. */
  readonly fills?: Readonly<Record<string, string>>;
  /** Lines for help: what is typed, and what it does. */
  readonly examples?: readonly (readonly [line: string, does: string])[];
  /** Arguments in their order, and options. */
  readonly specs: S;
  /** The exit code; nothing means done. */
  run(context: CommandContext, values: Values<S>): Promise<ExitCode | undefined>;
}

/** A command whose value types are settled. */
export type AnyCommand = Omit<CommandSpec<Specs>, 'run'> & {
  run(context: CommandContext, values: Readonly<Record<string, unknown>>): Promise<ExitCode | undefined>;
};

/** Ties the values that `run` gets to the specs. */
export function command<const S extends Specs>(spec: CommandSpec<S>): AnyCommand {
  return spec as unknown as AnyCommand;
}

/** The option's name on the command line: `if-absent` for the field `ifAbsent`. */
export function optionName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The commands of one service. */
export interface CommandGroup {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** Only the commands of the service that is used are loaded. */
  load(): Promise<readonly AnyCommand[]>;
}
