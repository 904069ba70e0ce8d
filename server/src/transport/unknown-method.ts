/** Answers calls of methods that do not exist with what the caller may have meant. */
import { suggest } from '../config/suggest.ts';
import { ErrorReason } from '../services/errors.ts';
import type { Method } from '../services/method.ts';
import type { Failure } from '../state/failure.ts';

/** Paths come from the network; more of one than this is not repeated back. */
const MAX_ECHO_CHARS = 200;

/** The path of a method in every protocol: `/package.Service/Method`. */
export function methodPath(method: Pick<Method, 'desc'>): string {
  return `/${method.desc.parent.typeName}/${method.desc.name}`;
}

/** Knows every method, and so which ones a wrong path is near to. */
export class MethodNames {
  readonly #byService = new Map<string, string[]>();

  constructor(methods: readonly Method[]) {
    for (const { desc } of methods) {
      const names = this.#byService.get(desc.parent.typeName) ?? [];
      names.push(desc.name);
      this.#byService.set(desc.parent.typeName, names);
    }
  }

  /** The failure of a call to a path that is no method's. */
  notFound(path: string): Failure {
    const [, service = '', name = ''] = path.slice(0, MAX_ECHO_CHARS).split('/');
    const methods = this.#byService.get(service);
    return {
      reason: ErrorReason.METHOD_NOT_FOUND,
      message:
        methods === undefined ? this.#unknownService(service, name) : unknownName(service, name, methods),
      subject: `${service}/${name}`,
    };
  }

  #unknownService(service: string, name: string): string {
    const near = suggest(service, this.#byService.keys());
    if (near !== undefined) {
      const method = suggest(name, this.#byService.get(near) ?? []);
      return `no service ${service} here; did you mean ${near}${method === undefined ? '' : `/${method}`}?`;
    }
    return `no service ${service || '(empty)'} here; the services are ${[...this.#byService.keys()].join(', ')}`;
  }
}

function unknownName(service: string, name: string, methods: readonly string[]): string {
  const near = suggest(name, methods);
  return near === undefined
    ? `${service} has no method ${name || '(empty)'}; its methods are ${methods.join(', ')}`
    : `${service} has no method ${name}; did you mean ${near}?`;
}
