/** Reads settings from command-line arguments: `--port=9000`, `--port 9000`, `--cluster`, `--no-cluster`. */
import { type Given, type Source, shown } from './given.ts';
import { isListKind } from './kinds.ts';
import type { ConfigProblem } from './problems.ts';
import type { NamedSetting } from './setting.ts';
import { suggest } from './suggest.ts';

/** The flag that names the YAML file. It is not a setting: a file cannot name itself. */
export const CONFIG_FLAG = 'config';

export interface Flags extends Source {
  readonly configPath: string | undefined;
}

/** A repeated flag adds to a list; of any other the last counts, so that a wrapper's arguments can be overridden. */
export function readFlags(args: readonly string[], settings: readonly NamedSetting[]): Flags {
  const byFlag = new Map(settings.map((named) => [named.flag, named]));
  const given = new Map<string, Given>();
  const problems: ConfigProblem[] = [];
  let configPath: string | undefined;

  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index]!;
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(argument);
    if (!match) {
      problems.push({ origin: `argument ${argument}`, reason: 'expected a flag such as --port=9000' });
      continue;
    }
    const flag = match[1]!;
    let value = match[2];

    const switchedOff = flag.startsWith('no-') ? byFlag.get(flag.slice(3)) : undefined;
    const named = byFlag.get(flag) ?? (isSwitch(switchedOff) ? switchedOff : undefined);
    if (isSwitch(named)) {
      if (named === switchedOff && value !== undefined) {
        problems.push({
          origin: `flag ${argument}`,
          reason: `takes no value; did you mean --${named.flag}=false?`,
        });
        continue;
      }
      value ??= named === switchedOff ? 'false' : 'true';
    } else if (value === undefined && args[index + 1] !== undefined && !args[index + 1]!.startsWith('--')) {
      // Also after an unknown flag: its value is part of the same mistake, not a second one.
      index += 1;
      value = args[index]!;
    }

    if (flag === CONFIG_FLAG && value) {
      configPath = value;
    } else if (!named && flag !== CONFIG_FLAG) {
      const near = suggest(flag, [...byFlag.keys(), CONFIG_FLAG]);
      const hint = near === undefined ? '' : `; did you mean --${near}?`;
      problems.push({ origin: `flag --${flag}`, reason: `no such setting${hint}` });
    } else if (!named || value === undefined) {
      const example = named ? `--${flag}=${named.setting.kind.placeholder}` : `--${flag}=FILE`;
      problems.push({ origin: `flag --${flag}`, reason: `needs a value: ${example}` });
    } else {
      const earlier = isListKind(named.setting.kind) ? (given.get(named.field)?.texts ?? []) : [];
      const texts = [...earlier, value];
      given.set(named.field, { named, texts, origin: `flag ${shown(named, `--${flag}`, texts.join(','))}` });
    }
  }
  return { given: [...given.values()], problems, configPath };
}

function isSwitch(named: NamedSetting | undefined): named is NamedSetting {
  return named !== undefined && named.setting.kind.placeholder === '';
}
