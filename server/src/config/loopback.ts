const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/** Whether a host, of an IPv6 address without its brackets, is this machine as only itself can reach it. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}
