/** The steps of a case, one after the other. */
import type {
  AwaitStep,
  CallStep,
  CheckStep,
  CloseStep,
  ElapsedStep,
  EndedStep,
  HandledStep,
  ItemsStep,
  Keep,
  NetworkStep,
  NodeStep,
  ParallelStep,
  RepeatStep,
  Step,
} from '../case.ts';
import type { Outcome, Pending } from '../client/client-process.ts';
import { ScriptedServer } from '../server/scripted-server.ts';
import { isControlled, OWN_KINDS, type ServerFixture } from '../server/server-fixture.ts';
import type { Datum } from '../value/datum.ts';
import { evaluate, number, text } from '../value/evaluate.ts';
import { differences } from '../value/match.ts';
import type { Scope } from '../value/scope.ts';
import { CaseFileError, type Place } from '../yaml/tree.ts';
import { CaseFailure, within } from './case-failure.ts';
import type { Clients } from './clients.ts';
import { judge, ofError, shownError } from './judge.ts';

/** Between two tries of a call that is repeated until something holds. */
const POLL_MS = 20;

/** A cluster whose nodes are restarted one after the other is waited for each time. */
const NODE_MS = 45_000;
const CONTROL_MS = 25_000;

interface StartedCall {
  readonly method: string;
  readonly pending: Pending;
}

export interface StepRunnerDeps {
  readonly clients: Clients;
  readonly server: ServerFixture;
  readonly countsLeaks: boolean;
}

export class StepRunner {
  readonly #clients: Clients;
  readonly #server: ServerFixture;
  readonly #countsLeaks: boolean;
  readonly #started = new Map<string, StartedCall>();
  readonly #marks = new Map<string, number>();
  #abandoned = false;

  constructor({ clients, server, countsLeaks }: StepRunnerDeps) {
    this.#clients = clients;
    this.#server = server;
    this.#countsLeaks = countsLeaks;
  }

  /** No further step is begun. */
  abandon(): void {
    this.#abandoned = true;
  }

  async run(steps: readonly Step[], scope: Scope): Promise<void> {
    for (const step of steps) {
      if (this.#abandoned) return;
      await this.#step(step, scope);
    }
  }

  async #step(step: Step, scope: Scope): Promise<void> {
    const { place } = step;
    switch (step.do) {
      case 'connect': {
        const outcome = await within(
          this.#clients.connect(step, scope),
          CONTROL_MS,
          place,
          'the client was not made',
        );
        this.#hold(`connecting ${step.client}`, outcome, step.expect, scope, place, undefined);
        return;
      }
      case 'close':
        return this.#close(step, scope);
      case 'call':
        return this.#call(step, scope);
      case 'await':
        return this.#await(step, scope);
      case 'cancel': {
        const { pending } = this.#startedCall(step.call, scope, place);
        await within(this.#clients.cancel(pending.id), CONTROL_MS, place, 'cancelling was not answered');
        return;
      }
      case 'open': {
        const opening = this.#clients.open(step, scope);
        const outcome = await within(opening, step.within_ms, place, `${step.method} was not in place`);
        this.#hold(step.method, outcome, step.expect, scope, place, step.method);
        return;
      }
      case 'items':
        return this.#items(step, scope);
      case 'settle': {
        const settling = this.#clients.settle(step.stream, number(step.item, scope), step.action);
        const outcome = await within(settling, step.within_ms, place, `${step.action} was not answered`);
        this.#hold(step.action, outcome, step.expect, scope, place, undefined);
        return;
      }
      case 'ended':
        return this.#ended(step, scope);
      case 'handled':
        return this.#handled(step, scope);
      case 'close_stream': {
        const closing = this.#clients.closeStream(step.stream);
        const outcome = await within(closing, CONTROL_MS, place, `stream ${step.stream} did not close`);
        this.#hold(`closing ${step.stream}`, outcome, { kind: 'success' }, scope, place, undefined);
        return;
      }
      case 'network':
        return this.#network(step, scope);
      case 'node':
        return within(this.#node(step, scope), NODE_MS, place, `the node did not ${step.action}`);
      case 'leader_kill':
        return; // Marks a place for run-case.ts.
      case 'answer': {
        if (!(this.#server instanceof ScriptedServer))
          throw new CaseFileError(place, 'only a case with `server: scripted` can say what is answered');
        this.#server.answer({
          method: step.method,
          reason: step.reason === undefined ? 'INTERNAL' : text(step.reason, scope),
          subject: step.subject === undefined ? '' : text(step.subject, scope),
          retryAfter_ms: step.retryAfter_ms,
          times: step.times === undefined ? 1 : number(step.times, scope),
        });
        return;
      }
      case 'let':
        for (const [name, tree] of step.variables) scope.set(name, evaluate(tree, scope));
        return;
      case 'check':
        return check(step, scope);
      case 'mark':
        this.#marks.set(step.name, performance.now());
        return;
      case 'elapsed':
        return this.#elapsed(step);
      case 'repeat':
        return this.#repeat(step, scope);
      case 'parallel':
        return this.#parallel(step, scope);
    }
  }

  async #close({ client, leaked, place }: CloseStep, scope: Scope): Promise<void> {
    const outcome = await within(
      this.#clients.closeClient(client),
      CONTROL_MS,
      place,
      `client ${client} did not close`,
    );
    if (outcome.case === 'error')
      throw new CaseFailure(place, `closing ${client}: ${shownError(outcome.value)}`);
    if (leaked === undefined) return;
    if (!this.#countsLeaks) throw new CaseFileError(place, '`leaked` needs a case with `alone: true`');
    const left = outcome.case === 'closed' ? BigInt(outcome.value.leaked) : 0n;
    fail(`what client ${client} left behind`, differences(leaked, left, scope), place);
  }

  async #call(step: CallStep, scope: Scope): Promise<void> {
    const { method, place, within_ms, expect } = step;
    if (step.eventually) return this.#poll(step, scope);
    const pending = await this.#clients.call(step, scope);
    if (step.start !== undefined) {
      this.#started.set(String(scope.fill(step.start, place)), { method, pending });
      return;
    }
    const outcome = await within(pending.outcome, within_ms, place, `${method} was not answered`);
    keep(step.keep, this.#hold(method, outcome, expect, scope, place, method), scope);
  }

  async #poll(step: CallStep, scope: Scope): Promise<void> {
    const { method, place, within_ms, expect } = step;
    const end = performance.now() + within_ms;
    for (;;) {
      const { outcome } = await this.#clients.call(step, scope);
      const judged = judge(
        await within(outcome, within_ms, place, `${method} was not answered`),
        expect,
        scope,
        method,
      );
      if (judged.differences.length === 0) return keep(step.keep, judged.value, scope);
      if (performance.now() > end || this.#abandoned)
        throw new CaseFailure(
          place,
          `${method}: not within ${within_ms} ms; the last answer:`,
          judged.differences,
        );
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #await(step: AwaitStep, scope: Scope): Promise<void> {
    const { method, pending } = this.#startedCall(step.call, scope, step.place);
    const outcome = await within(
      pending.outcome,
      step.within_ms,
      step.place,
      `${method} (${step.call}) was not answered`,
    );
    keep(step.keep, this.#hold(method, outcome, step.expect, scope, step.place, method), scope);
  }

  #startedCall(given: string, scope: Scope, place: Place): StartedCall {
    const name = String(scope.fill(given, place));
    const started = this.#started.get(name);
    if (started === undefined) throw new CaseFileError(place, `no call was started as ${name}`);
    return started;
  }

  /** The value of an outcome that is as expected. */
  #hold(
    what: string,
    outcome: Outcome,
    expect: CallStep['expect'],
    scope: Scope,
    place: Place,
    method: string | undefined,
  ): Datum {
    const judged = judge(outcome, expect, scope, method);
    fail(what, judged.differences, place);
    return judged.value;
  }

  async #items(step: ItemsStep, scope: Scope): Promise<void> {
    const { place, streams, expect } = step;
    const buffers = streams.map((name) => this.#clients.stream(name, place).buffer);
    const count =
      step.count !== undefined
        ? number(step.count, scope)
        : expect?.kind === 'list'
          ? expect.items.length
          : 1;
    const arrived = () => buffers.reduce((sum, { items }) => sum + items.length, 0);
    const over = () => buffers.every(({ end }) => end !== undefined);
    const waiting = this.#clients.bell.until(() => arrived() >= count || over() || this.#abandoned);
    try {
      await within(waiting, step.within_ms, place, 'too few items');
    } catch (error) {
      if (!(error instanceof CaseFailure)) throw error;
      throw new CaseFailure(
        place,
        `${streams} yielded ${arrived()} items of ${count} within ${step.within_ms} ms`,
      );
    }
    if (arrived() < count) {
      const ends = buffers.map(({ end }) => (end?.error === undefined ? 'ended' : shownError(end.error)));
      throw new CaseFailure(
        place,
        `${streams} yielded ${arrived()} items of ${count}, then: ${ends.join('; ')}`,
      );
    }
    const taken: Datum[] = [];
    for (const buffer of buffers) taken.push(...buffer.items.splice(0, count - taken.length));
    if (expect !== undefined) fail(`items of ${streams}`, differences(expect, taken, scope), place);
    keep(step.keep, taken, scope);
  }

  async #ended(step: EndedStep, scope: Scope): Promise<void> {
    const { place, stream, error, within_ms } = step;
    const { buffer, method } = this.#clients.stream(stream, place);
    await within(
      this.#clients.bell.until(() => buffer.end !== undefined),
      within_ms,
      place,
      `stream ${stream} did not end`,
    );
    if (buffer.disorder !== undefined) throw new CaseFailure(place, `stream ${stream}: ${buffer.disorder}`);
    const got = buffer.end!.error;
    if (error === undefined) {
      if (got !== undefined) throw new CaseFailure(place, `stream ${stream} failed: ${shownError(got)}`);
    } else if (got === undefined) {
      throw new CaseFailure(place, `stream ${stream} ended without ${error.reasons.join(' or ')}`);
    } else fail(`the end of ${stream}`, ofError(error, got, scope, method), place);
  }

  async #handled({ place, stream, error, within_ms }: HandledStep, scope: Scope): Promise<void> {
    const { buffer } = this.#clients.stream(stream, place);
    const told = this.#clients.bell.until(() => buffer.handled.length > 0);
    await within(told, within_ms, place, `the error handler of ${stream} was not told`);
    fail(`the error handler of ${stream}`, ofError(error, buffer.handled.shift()!, scope, undefined), place);
  }

  async #network(step: NetworkStep, scope: Scope): Promise<void> {
    const link = await this.#clients.wires(step.link);
    switch (step.action) {
      case 'cut':
        return link.cut();
      case 'stall':
        return link.stall('requests', 'answers');
      case 'stall_requests':
        return link.stall('requests');
      case 'stall_answers':
        return link.stall('answers');
      case 'resume':
        return link.resume();
      case 'refuse':
        return link.refuse();
      case 'accept':
        return link.accept();
      case 'delay':
        return link.delay(step.time_ms);
      case 'cut_every': {
        if (step.bytes === undefined || step.times === undefined)
          throw new CaseFileError(step.place, 'cut_every needs bytes and times');
        return link.cutEvery(number(step.bytes, scope), number(step.times, scope));
      }
      case 'await_connection':
        return within(link.connected(), CONTROL_MS, step.place, 'nobody connected');
    }
  }

  async #node({ action, choice, groupOf, place }: NodeStep, scope: Scope): Promise<void> {
    if (!isControlled(this.#server) || !OWN_KINDS.has(this.#server.kind))
      throw new CaseFileError(place, 'a case can do this only to a server of its own');
    await this.#server.control(action, choice, groupOf === undefined ? undefined : text(groupOf, scope));
  }

  #elapsed({ since, atLeast_ms, atMost_ms, place }: ElapsedStep): void {
    const mark = this.#marks.get(since);
    if (mark === undefined) throw new CaseFileError(place, `no mark is called ${since}`);
    const passed = performance.now() - mark;
    if (passed < atLeast_ms || passed > atMost_ms)
      throw new CaseFailure(
        place,
        `${passed.toFixed(0)} ms passed since ${since}: expected ${atLeast_ms} to ${atMost_ms}`,
      );
  }

  async #repeat({ times, concurrently, steps }: RepeatStep, scope: Scope): Promise<void> {
    const rounds = number(times, scope);
    const lanes = concurrently === undefined ? 1 : Math.min(rounds, number(concurrently, scope));
    let next = 0;
    const lane = async () => {
      while (next < rounds && !this.#abandoned) {
        const inner = scope.inner();
        inner.setLocal('i', BigInt(next));
        next += 1;
        await this.run(steps, inner);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async #parallel({ branches }: ParallelStep, scope: Scope): Promise<void> {
    await Promise.all(branches.map((steps) => this.run(steps, scope.inner())));
  }
}

function check({ value, expect, place }: CheckStep, scope: Scope): void {
  fail('the check', differences(expect, evaluate(value, scope), scope), place);
}

/** @throws CaseFailure when there are differences */
function fail(what: string, found: readonly string[], place: Place): void {
  if (found.length > 0) throw new CaseFailure(place, what, found);
}

function keep({ bind, collect }: Keep, value: Datum, scope: Scope): void {
  if (bind !== undefined) scope.set(bind, value);
  if (collect !== undefined) scope.append(collect, value);
}
