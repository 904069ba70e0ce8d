/**
 * Reads the `console` blocks of a page: lines that begin with `$ ` are commands, what follows is what they print. A
 * command whose last line is `^C` runs until it is interrupted; the other commands of its section run meanwhile.
 */

export interface ConsoleCommand {
  /** For the shell, `\` at line ends included. */
  readonly command: string;
  /** What it prints, without line ends at its end. */
  readonly printed: string;
  /** It runs until it gets SIGINT. */
  readonly interrupted: boolean;
  /** Heading above it; empty before the first. */
  readonly section: string;
  /** Line of the page, from 1. */
  readonly line: number;
}

const FENCE = '```';
const PROMPT = '$ ';
const INTERRUPT = '^C';

export function consoleCommands(page: string): ConsoleCommand[] {
  const commands: ConsoleCommand[] = [];
  const lines = page.split('\n');
  let section = '';
  for (let at = 0; at < lines.length; at++) {
    if (/^#+ /.test(lines[at] as string)) section = lines[at] as string;
    if (lines[at] !== `${FENCE}console`) continue;
    const end = lines.indexOf(FENCE, at + 1);
    if (end === -1) throw new Error(`the block in line ${at + 1} has no end`);
    commands.push(...readBlock(lines.slice(at + 1, end), at + 2).map((command) => ({ ...command, section })));
    at = end;
  }
  return commands;
}

function readBlock(lines: readonly string[], firstLine: number): Omit<ConsoleCommand, 'section'>[] {
  const commands: Omit<ConsoleCommand, 'section'>[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = firstLine + at;
    if (!lines[at]?.startsWith(PROMPT)) throw new Error(`line ${line}: a block begins with a command`);
    const command = [(lines[at++] as string).slice(PROMPT.length)];
    while (command.at(-1)?.endsWith('\\')) command.push(lines[at++] ?? '');
    const printed: string[] = [];
    while (at < lines.length && !lines[at]?.startsWith(PROMPT)) printed.push(lines[at++] as string);
    const interrupted = printed.at(-1) === INTERRUPT;
    if (interrupted) printed.pop();
    commands.push({
      command: command.join('\n'),
      printed: printed.join('\n').trimEnd(),
      interrupted,
      line,
    });
  }
  return commands;
}
