/** Simulated hosts that stop when the test ends. */
import { onTestFinished } from 'vitest';
import { type HostsOptions, SimulatedHosts } from './simulated-hosts.ts';

export class ConnectedHosts extends SimulatedHosts {
  constructor(options: HostsOptions = {}) {
    super(options);
    onTestFinished(() => this.stop());
  }
}
