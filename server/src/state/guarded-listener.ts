/**
 * Keeps those who listen to a machine from doing it harm. They are called in the middle of a command: what one throws
 * would leave the command half done here, and done on the other replicas.
 */

/** Receives what must not be lost: an error that is a bug of the server, met and survived. */
export type ReportBug = (error: unknown, where: string) => void;

/**
 * The same listener, of which a call that throws is reported and forgotten. `methods` names all of its methods. Without
 * anybody to report to it throws.
 */
export function guarded<L extends { readonly [K in keyof L]: (...args: never[]) => void }>(
  listener: L,
  methods: readonly (keyof L & string)[],
  report: ReportBug | undefined,
): L {
  if (report === undefined) return listener;
  const calls = methods.map((name) => [
    name,
    (...args: never[]): void => {
      try {
        listener[name](...args);
      } catch (error) {
        report(error, `telling a listener: ${name}`);
      }
    },
  ]);
  return Object.fromEntries(calls) as L;
}
