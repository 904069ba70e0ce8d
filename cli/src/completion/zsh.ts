import type { CompletionNode, CompletionOption } from './tree.ts';

/** For `source <(gomsg completion zsh)`, or a file `_gomsg` in the fpath. */
export function zshScript(nodes: readonly CompletionNode[]): string {
  return `#compdef gomsg
# Completion of gomsg for zsh: source <(gomsg completion zsh)
_gomsg() {
  # Not named path: zsh ties that to PATH.
  local chosen='' word at
  for ((at = 2; at < CURRENT; at++)); do
    word=\${words[at]}
    case "$chosen $word" in
${nodes
  .filter(({ path }) => path.length > 0)
  .map(({ path }) => `      (${quoted(` ${path.join(' ')}`)}) chosen="$chosen $word" ;;`)
  .join('\n')}
    esac
  done
  local -a specs commands
  case "$chosen" in
${nodes.map(nodeCase).join('\n')}
  esac
  # The words of the command itself count as the program's name.
  local depth=\${#\${=chosen}}
  words=("\${words[1]}" "\${words[@]:$((depth + 1))}")
  ((CURRENT -= depth))
  if (( \${#commands} )) && [[ \${words[CURRENT]} != -* ]]; then
    _describe command commands
  else
    _arguments -S $specs
  fi
}
if [[ \${funcstack[1]} == _gomsg ]]; then _gomsg "$@"; else compdef _gomsg gomsg; fi
`;
}

function nodeCase(node: CompletionNode): string {
  const commands = node.commands.map(({ name, summary }) => quoted(`${escaped(name)}:${summary}`));
  const specs = node.options.flatMap(optionSpecs);
  const choices = node.argumentChoices.flat();
  if (choices.length > 0) specs.push(quoted(`*: :(${choices.join(' ')})`));
  else if (node.takesFile) specs.push(quoted('*: :_files'));
  return `    (${quoted(node.path.map((word) => ` ${word}`).join(''))})
      commands=(${commands.join(' ')})
      specs=(${specs.join(' ')}) ;;`;
}

function optionSpecs({ names, help, takesValue, choices, takesFile }: CompletionOption): string[] {
  const action = choices.length > 0 ? `(${choices.join(' ')})` : takesFile ? '_files' : ' ';
  const value = takesValue ? `: :${action}` : '';
  return names.map((name) => quoted(`${name}[${escaped(help)}]${value}`));
}

/** Brackets and colons have a meaning in specs. */
function escaped(text: string): string {
  return text.replace(/[\\[\]:]/g, '\\$&');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
