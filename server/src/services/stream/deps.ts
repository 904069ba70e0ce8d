import type { TopicSettings } from '../../state/stream/topic.ts';
import type { GroupRouter } from '../groups.ts';

/** What the methods of StreamService work with. */
export interface StreamDeps {
  readonly router: GroupRouter;
  readonly limits: StreamLimits;
  /** The node's defaults for topics that appear on first use and for unset fields of Create. */
  readonly topicDefaults: TopicSettings;
  readonly nodes: StreamNodes;
}

export interface StreamLimits {
  /** The node's setting of that name: payload, key and headers of one message. */
  readonly maxMessageBytes: number;
  /** The node's setting of that name: the largest answer that can travel. */
  readonly maxFrameBytes: number;
}

/** What the service asks about the nodes of the cluster. */
export interface StreamNodes {
  /** Id of this node. */
  readonly self: string;
  /** Id of the node that leads a group; empty when unknown. */
  leaderOf(groupId: number): string;
}
