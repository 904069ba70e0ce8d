/** The reference page of the command line, read off the commands' own descriptions. */
import { type AnyCommand, type OptionSpec, optionName, type Specs } from '../cli/src/arguments/spec.ts';
import { COMMAND_GROUPS } from '../cli/src/commands/groups.ts';
import { globalSpecs } from '../cli/src/global-options.ts';

/** Where the page is, from the root of the repository. */
export const CLI_PAGE = 'docs/cli.md';

const HEAD = `# The command line

Written from the commands in \`cli/src/commands\` by \`npm run generate\`.

\`gomsg\` with no command, or with flags alone, is the server; \`gomsg serve --help\` lists its settings. The commands below talk to
a server. \`gomsg completion bash|zsh|fish\` writes a script that completes them.

Exit codes: 0 done; 1 not found, or the condition did not hold, or nothing was ready; 2 the command line is wrong; 3 no server
answers; 4 anything else; 130 ended by Ctrl-C. Errors go to standard error and say what to do next.

With \`--output json\` an answer is one JSON object a line, with the fields of the protos; \`value\` and \`payload\` are text there, and
bytes that are not UTF-8 are base64 in \`valueBase64\` and \`payloadBase64\`. Into a pipe or file, \`get\` and \`pop\` write the exact bytes.`;

/** The text of docs/cli.md. */
export async function cliPage(): Promise<string> {
  const parts = [HEAD, '## Options of every command', optionTable(globalSpecs)];
  for (const group of COMMAND_GROUPS) {
    parts.push(`## gomsg ${group.name}`, group.summary);
    for (const command of await group.load()) parts.push(...section(group.name, command));
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function section(group: string, { name, aliases = [], summary, description, specs, examples }: AnyCommand) {
  return [
    `### gomsg ${group} ${name}`,
    ['```', ['gomsg', group, name, ...argumentNames(specs)].join(' '), '```'].join('\n'),
    [summary, description, aliases.length > 0 ? `Also: ${aliases.map(code).join(', ')}.` : undefined]
      .filter((text) => text !== undefined)
      .join(' '),
    argumentList(specs),
    optionTable(specs),
    (examples ?? []).map(([line, does]) => `- ${code(line)}: ${does}`).join('\n'),
  ];
}

function argumentNames(specs: Specs): string[] {
  return Object.entries(specs).flatMap(([field, spec]) => {
    if (spec.role !== 'argument') return [];
    const shown = spec.variadic ? `${optionName(field)}...` : optionName(field);
    return spec.required ? `<${shown}>` : `[${shown}]`;
  });
}

function argumentList(specs: Specs): string {
  return Object.entries(specs)
    .filter(([, spec]) => spec.role === 'argument')
    .map(([field, spec]) => `- ${code(optionName(field))}: ${spec.help}`)
    .join('\n');
}

function optionTable(specs: Specs): string {
  const rows = Object.entries(specs).flatMap(([field, spec]) =>
    spec.role === 'option' ? [`| ${code(optionText(field, spec))} | ${cell(helpText(spec))} |`] : [],
  );
  return rows.length === 0 ? '' : ['| option | |', '| --- | --- |', ...rows].join('\n');
}

function optionText(field: string, { kind, short }: OptionSpec<unknown>): string {
  const names = short === undefined ? `--${optionName(field)}` : `-${short}, --${optionName(field)}`;
  return kind === undefined ? names : `${names} <${cell(kind.placeholder)}>`;
}

function helpText({ help, default: preset }: OptionSpec<unknown>): string {
  return preset === undefined ? help : `${help} (${String(preset)} unless given)`;
}

const code = (text: string): string => `\`${text}\``;

/** A bar would end the cell. */
const cell = (text: string): string => text.replaceAll('|', '\\|');
