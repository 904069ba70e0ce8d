/** Where nodes are reached. */

export const DEFAULT_ADDRESS = '127.0.0.1:9000';

/** More addresses than any cluster has nodes are a mistake. */
const MAX_ADDRESSES = 64;

/** A host name, an IPv4 address or a bracketed IPv6 address, and a port. */
const ADDRESS = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%A-Za-z0-9]+\]):(\d{1,5})$/;

/** The addresses as given. @throws TypeError unless they are 1 to 64 of `host:port` */
export function checkAddresses(addresses: readonly string[]): readonly string[] {
  if (addresses.length === 0 || addresses.length > MAX_ADDRESSES) {
    throw new TypeError(`addresses: give 1 to ${MAX_ADDRESSES} of them, not ${addresses.length}`);
  }
  for (const address of addresses) {
    const [, port] = ADDRESS.exec(address) ?? [];
    if (port === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw new TypeError(`${JSON.stringify(address)} is not an address: give host:port`);
    }
  }
  return addresses;
}
