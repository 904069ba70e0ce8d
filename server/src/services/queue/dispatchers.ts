import type { ReportBug } from '../../state/guarded-listener.ts';
import type { GomsgError } from '../errors.ts';
import type { ServiceGroup } from '../groups.ts';
import type { QueueDeps } from './deps.ts';
import { Dispatcher } from './dispatcher.ts';

/** The dispatcher of each group, made when it is first asked for. */
export class Dispatchers {
  readonly #byGroup = new Map<ServiceGroup, Dispatcher>();
  #draining: GomsgError | undefined;

  readonly #reportBug: ReportBug | undefined;

  constructor({ draining, reportBug }: Pick<QueueDeps, 'draining' | 'reportBug'>) {
    this.#reportBug = reportBug;
    if (draining === undefined) return;
    const drain = () => this.#drain(draining.reason);
    if (draining.aborted) drain();
    else draining.addEventListener('abort', drain, { once: true });
  }

  of(group: ServiceGroup): Dispatcher {
    let dispatcher = this.#byGroup.get(group);
    if (!dispatcher) {
      dispatcher = new Dispatcher(group, this.#reportBug);
      if (this.#draining) dispatcher.drain(this.#draining);
      this.#byGroup.set(group, dispatcher);
    }
    return dispatcher;
  }

  #drain(reason: GomsgError): void {
    this.#draining = reason;
    for (const dispatcher of this.#byGroup.values()) dispatcher.drain(reason);
  }
}
