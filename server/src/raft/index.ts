/**
 * The face of the consensus core: everything the rest of the server may use. See `README.md` for the whole on a page.
 */
export {
  type Configuration,
  type ConfigurationChange,
  changedConfiguration,
  decodeConfiguration,
  encodeConfiguration,
  isJoint,
  isMember,
  isVoter,
  type MemberChange,
  makeConfiguration,
  members,
  sameConfiguration,
} from './configuration.ts';
export { RaftCore } from './core.ts';
export {
  EMPTY_HARD_STATE,
  ENTRY_OVERHEAD_BYTES,
  type Entry,
  type EntryId,
  EntryKind,
  entryBytes,
  type HardState,
  NO_NODE,
} from './entry.ts';
export {
  ConfigurationRefusedError,
  type ConfigurationRefusedReason,
  NotLeaderError,
  ProposalDroppedError,
  type ProposalDroppedReason,
  RaftInvariantError,
  ReadRefusedError,
  type ReadRefusedReason,
  TransferRefusedError,
} from './errors.ts';
export type * from './messages.ts';
export type { LogReader, RaftOptions } from './options.ts';
export type { ReadState, Ready, Role, SoftState } from './ready.ts';
export type { PeerStatus, ProgressState, RaftStatus } from './status.ts';
