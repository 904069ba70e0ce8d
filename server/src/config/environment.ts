/** Reads settings from `GOMSG_*` environment variables. */
import { type Given, type Source, shown } from './given.ts';
import type { ConfigProblem } from './problems.ts';
import type { NamedSetting } from './setting.ts';
import { suggest } from './suggest.ts';

const PREFIX = 'GOMSG_';
const CONFIG_VARIABLE = `${PREFIX}CONFIG`;

/**
 * Kubernetes puts variables for every Service into a pod. A Service called `gomsg` makes `GOMSG_PORT=tcp://10.…`,
 * `GOMSG_SERVICE_HOST` and so on: nobody set those, so they are neither settings nor mistakes.
 */
function isKubernetesServiceLink(variable: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(variable) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(variable) ||
    (/_PORT$/.test(variable) && /^(tcp|udp|sctp):\/\//.test(value))
  );
}

export interface Environment extends Source {
  readonly configPath: string | undefined;
}

/**
 * An empty variable counts as unset, as compose files write one for a value they leave out.
 * @param otherVariables `GOMSG_*` names that belong to someone else, the command-line client above all.
 */
export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  settings: readonly NamedSetting[],
  otherVariables: readonly string[],
): Environment {
  const byVariable = new Map(settings.map((named) => [named.variable, named]));
  const given: Given[] = [];
  const problems: ConfigProblem[] = [];

  for (const [variable, value] of Object.entries(variables)) {
    if (!variable.startsWith(PREFIX) || !value || isKubernetesServiceLink(variable, value)) continue;
    if (variable === CONFIG_VARIABLE || otherVariables.includes(variable)) continue;
    const named = byVariable.get(variable);
    if (named) {
      given.push({ named, texts: [value], origin: `variable ${shown(named, variable, value)}` });
    } else {
      const near = suggest(variable, [...byVariable.keys(), CONFIG_VARIABLE, ...otherVariables]);
      const hint = near === undefined ? '' : `; did you mean ${near}?`;
      problems.push({ origin: `variable ${variable}`, reason: `no such setting${hint}` });
    }
  }
  return { given, problems, configPath: variables[CONFIG_VARIABLE] || undefined };
}
