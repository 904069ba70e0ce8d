import type { CompletionNode, CompletionOption } from './tree.ts';

/** For `gomsg completion fish | source`. */
export function fishScript(nodes: readonly CompletionNode[]): string {
  const commands = nodes.filter(({ path }) => path.length > 0).map(({ path }) => path.join(' '));
  const lines = [
    '# Completion of gomsg for fish: gomsg completion fish | source',
    'function __gomsg_at',
    '  set -l path',
    '  for word in (commandline -opc)[2..-1]',
    '    set -l longer (string join -- " " $path $word)',
    `    contains -- "$longer" ${commands.map(quoted).join(' ')}; and set -a path $word`,
    '  end',
    // Joined in quotes: the path is no word at all before the first command.
    '  test "$path" = "$argv[1]"',
    'end',
    'complete -c gomsg -f',
  ];
  for (const node of nodes) {
    const condition = `complete -c gomsg -n ${quoted(`__gomsg_at ${quoted(node.path.join(' '))}`)}`;
    for (const { name, summary } of node.commands)
      lines.push(`${condition} -a ${name} -d ${quoted(summary)}`);
    const choices = node.argumentChoices.flat();
    if (choices.length > 0) lines.push(`${condition} -a ${quoted(choices.join(' '))}`);
    if (node.takesFile) lines.push(`${condition} -F`);
    for (const option of node.options) lines.push(`${condition} ${optionFlags(option)}`);
  }
  return `${lines.join('\n')}\n`;
}

function optionFlags({ names, help, takesValue, choices, takesFile }: CompletionOption): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  if (choices.length > 0) flags.push(`-x -a ${quoted(choices.join(' '))}`);
  else if (takesFile) flags.push('-r -F');
  else if (takesValue) flags.push('-x');
  return `${flags.join(' ')} -d ${quoted(help)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
