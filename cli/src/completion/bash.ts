import type { CompletionNode } from './tree.ts';

/** For `source <(gomsg completion bash)`. */
export function bashScript(nodes: readonly CompletionNode[]): string {
  return `# Completion of gomsg for bash: source <(gomsg completion bash)
_gomsg() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local path='' word words='' options='' files='' at
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    case "$path $word" in
${nodes
  .filter(({ path }) => path.length > 0)
  .map(({ path }) => `      ${quoted(` ${path.join(' ')}`)}) path="$path $word" ;;`)
  .join('\n')}
    esac
  done
  case "$path" in
${nodes.map(nodeCase).join('\n')}
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  elif [[ -n $files ]]; then
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F _gomsg gomsg
`;
}

function nodeCase(node: CompletionNode): string {
  const words = [...node.commands.map(({ name }) => name), ...node.argumentChoices.flat()];
  const values = node.options.filter(({ choices, takesFile }) => choices.length > 0 || takesFile);
  const valueCases = values.map(({ names, choices }) => {
    const pattern = names.join('|');
    return choices.length > 0
      ? `        ${pattern}) COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$current")); return ;;`
      : `        ${pattern}) compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")); return ;;`;
  });
  const plain = node.options.filter(
    ({ takesValue, choices, takesFile }) => takesValue && choices.length === 0 && !takesFile,
  );
  const plainCase =
    plain.length === 0 ? [] : [`        ${plain.flatMap(({ names }) => names).join('|')}) return ;;`];
  return `    ${quoted(node.path.map((word) => ` ${word}`).join(''))})
      case "$previous" in
${[...valueCases, ...plainCase].join('\n')}
      esac
      words=${quoted(words.join(' '))}
      options=${quoted(node.options.flatMap(({ names }) => names).join(' '))}
      files=${node.takesFile ? 'yes' : ''} ;;`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
