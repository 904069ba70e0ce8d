/** A node on its own: every group is here, with this node as its one voter. */
import { GroupHost } from '../groups/host.ts';
import { VERSION } from '../version.ts';
import type { Identity } from './identity.ts';
import { LoneNode } from './lone-node.ts';
import type { Role, RoleParts } from './role.ts';
import { FIRST_DATA_GROUP, SlotRouter } from './slot-map.ts';

/** Opens the groups from what log and store hold; they answer once `host.start()` is through. */
export function loneRole(identity: Identity, parts: RoleParts): Role {
  const { config, address, health, metrics, startedAt_ms } = parts;
  const { nodeId } = identity;
  const host = new GroupHost({
    ...parts.groups,
    node: {
      nodeId,
      get address() {
        return address();
      },
    },
  });
  for (let group = 0; group < identity.groups; group++) host.add(FIRST_DATA_GROUP + group);
  const router = new SlotRouter(host.groups);
  const view = new LoneNode({
    identity,
    address,
    version: VERSION,
    hostLabel: config.hostLabel,
    host,
    router,
    health,
    metrics,
    dataDir: config.storage === 'memory' ? undefined : config.dataDir,
    startedAt_ms,
    clock: Date.now,
  });
  return {
    identity,
    host,
    router,
    view,
    serve: (services) => services,
    peerMethods: [],
    onNodeDown: () => () => {},
    serving: () => {},
    resign: () => Promise.resolve(),
    settled: () => Promise.resolve(),
    close: () => {},
  };
}
