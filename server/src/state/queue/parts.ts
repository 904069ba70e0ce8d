/** What the commands of the machine work on. */
import type { StateStore } from '../machine.ts';
import { ByteWriter } from '../wire.ts';
import { BackgroundWork } from './background-work.ts';
import { DueWork } from './due-work.ts';
import type { IndexScan } from './head-window.ts';
import { endOf, Layout } from './layout.ts';
import { Messages } from './messages.ts';
import type { Queue } from './queue.ts';
import { Queues } from './queues.ts';

/** Room that the response buffer keeps between commands. */
const RESPONSE_KEPT_BYTES = 64 * 1024;

export class QueueParts {
  readonly store: StateStore;
  readonly layout: Layout;
  readonly queues: Queues;
  readonly messages: Messages;
  readonly due: DueWork;
  readonly background: BackgroundWork;
  /** For bodies and responses, one after the other. */
  readonly writer = new ByteWriter(RESPONSE_KEPT_BYTES);

  constructor(store: StateStore, group: number) {
    this.store = store;
    this.layout = new Layout(group);
    this.queues = new Queues(store, this.layout);
    this.messages = new Messages(store);
    this.due = new DueWork(store, this.messages);
    this.background = new BackgroundWork(store, this.layout, this.queues, this.messages);
  }

  /** How the queue's head window reads the ready index. */
  readyScan(queue: Queue): IndexScan {
    const { prefix } = queue.ready;
    return (after, limit) =>
      this.store.range({ from: after === '' ? prefix : `${after}\0`, to: endOf(prefix), limit });
  }
}
