/** What a failed `go test -json` has to say, without the JSON around it. */
import { readFileSync } from 'node:fs';

interface OutputEvent {
  readonly Action: string;
  readonly Output?: string;
}

export function printedOutput(reportPath: string): string {
  return readFileSync(reportPath, 'utf8')
    .split('\n')
    .map((line) => {
      if (!line.startsWith('{')) return `${line}\n`;
      const { Output: output = '' }: OutputEvent = JSON.parse(line);
      return output;
    })
    .join('');
}
