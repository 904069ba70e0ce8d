/** A run as text: one line an event, in columns. */
import type { Message } from '../messages.ts';
import type { RaftStatus } from '../status.ts';

/** Takes the lines of a run. */
export type Trace = (line: string) => void;

export const TRACE_HEADER = '  step  node  role             term  commit  applied    last  event';

/** What a node is right after an event. */
export interface Standing {
  readonly id: number;
  readonly up: boolean;
  readonly status: Pick<RaftStatus, 'term' | 'commit' | 'applied' | 'lastIndex'> & { readonly role: string };
}

export function eventLine(step: number, standing: Standing | undefined, event: string): string {
  const at = String(step).padStart(6);
  if (standing === undefined) return `${at}${' '.repeat(54)}${event}`;
  const { role, term, commit, applied, lastIndex } = standing.status;
  const columns = [
    `n${standing.id}`.padEnd(4),
    (standing.up ? role : 'down').padEnd(13),
    String(term).padStart(6),
    String(commit).padStart(6),
    String(applied).padStart(7),
    String(lastIndex).padStart(6),
  ];
  return `${at}  ${columns.join('  ')}  ${event}`;
}

/** `append n1→n3 t4 after 12/3 +2 commit 11` */
export function describeMessage(message: Message, nodeOf: (id: number) => number = (id) => id): string {
  const head = `${message.type} n${nodeOf(message.from)}→n${nodeOf(message.to)} t${message.term}`;
  switch (message.type) {
    case 'append':
      return `${head} after ${message.previousIndex}/${message.previousTerm} +${message.entries.length} commit ${message.commit}`;
    case 'append-response':
      return `${head} ${message.rejected ? `rejects ${message.index}, hint ${message.hintIndex}/${message.hintTerm}` : `has ${message.index}`}`;
    case 'heartbeat':
      return `${head} commit ${message.commit} read ${message.context}`;
    case 'heartbeat-response':
      return `${head} read ${message.context}`;
    case 'vote':
    case 'pre-vote':
      return `${head} log ${message.lastIndex}/${message.lastTerm}`;
    case 'vote-response':
    case 'pre-vote-response':
      return `${head} ${message.granted ? 'granted' : 'denied'}`;
    case 'hibernate':
      return `${head} commit ${message.commit}`;
    case 'timeout-now':
      return head;
    case 'snapshot':
      return `${head} of ${message.snapshot.index}/${message.snapshot.term}`;
  }
}
