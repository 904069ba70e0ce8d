import type { ServiceGroup } from '../groups.ts';
import { Dispatcher } from './dispatcher.ts';

/** The dispatcher of each group, made when it is first asked for. */
export class Dispatchers {
  readonly #byGroup = new WeakMap<ServiceGroup, Dispatcher>();

  of(group: ServiceGroup): Dispatcher {
    let dispatcher = this.#byGroup.get(group);
    if (!dispatcher) {
      dispatcher = new Dispatcher(group);
      this.#byGroup.set(group, dispatcher);
    }
    return dispatcher;
  }
}
