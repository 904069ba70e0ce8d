/** Which process is at the other end of a connection over the loopback interface: as Linux tells it in /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LOOPBACK = '0100007F';
/** Columns of /proc/net/tcp. */
const LOCAL = 1;
const REMOTE = 2;
const INODE = 9;

/**
 * The one of these processes that has a connection from `fromPort` to `toPort`, both of 127.0.0.1; undefined when none
 * of them has, also because it is gone already. Not for large machines: it looks at every socket.
 */
export function ownerOfConnection(
  fromPort: number,
  toPort: number,
  pids: Iterable<number>,
): number | undefined {
  const inode = inodeOf(`${LOOPBACK}:${hex(fromPort)}`, `${LOOPBACK}:${hex(toPort)}`);
  if (inode === undefined) return undefined;
  const name = `socket:[${inode}]`;
  for (const pid of pids) if (hasOpen(pid, name)) return pid;
  return undefined;
}

function inodeOf(local: string, remote: string): string | undefined {
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (columns[LOCAL] === local && columns[REMOTE] === remote) return columns[INODE];
  }
  return undefined;
}

function hasOpen(pid: number, name: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((descriptor) => {
      try {
        return readlinkSync(`${folder}/${descriptor}`) === name;
      } catch {
        return false; // Closed since it was listed.
      }
    });
  } catch {
    return false; // The process has ended.
  }
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
