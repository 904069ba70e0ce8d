/** What a core may answer to a request that does not suit it at the moment. */
import {
  ConfigurationRefusedError,
  NotLeaderError,
  ProposalDroppedError,
  ReadRefusedError,
  TransferRefusedError,
} from '../errors.ts';

export function isRefusal(error: unknown): boolean {
  return (
    error instanceof NotLeaderError ||
    error instanceof ProposalDroppedError ||
    error instanceof ConfigurationRefusedError ||
    error instanceof ReadRefusedError ||
    error instanceof TransferRefusedError
  );
}
