/** The error catalogue, read off the contracts: what every SDK must say of each reason. */
import { getOption } from '@bufbuild/protobuf';
import { error as errorOption } from '@gomsg/client/gen/gomsg/sdk/v1/options_pb.js';
import { ErrorReasonSchema } from '@gomsg/client/gen/gomsg/v1/common_pb.js';

/** Canonical gRPC codes (google.rpc.Code) by number, in the names that error families go by. */
const FAMILIES: Readonly<Record<number, string>> = {
  1: 'canceled',
  2: 'unknown',
  3: 'invalid_argument',
  4: 'deadline_exceeded',
  5: 'not_found',
  6: 'already_exists',
  8: 'resource_exhausted',
  9: 'failed_precondition',
  10: 'aborted',
  11: 'out_of_range',
  12: 'unimplemented',
  13: 'internal',
  14: 'unavailable',
};

export interface CatalogueEntry {
  readonly number: number;
  /** `KEY_NOT_FOUND`. */
  readonly name: string;
  readonly code: number;
  readonly family: string;
  readonly retryable: boolean;
}

const PREFIX = 'ERROR_REASON_';

/** By name, without the reason that stands for none. */
export const CATALOGUE: ReadonlyMap<string, CatalogueEntry> = new Map(
  ErrorReasonSchema.values
    .filter(({ number }) => number !== 0)
    .map((value) => {
      const { code, retryable } = getOption(value, errorOption);
      const name = value.name.slice(PREFIX.length);
      return [
        name,
        { number: value.number, name, code, family: FAMILIES[code] ?? `code ${code}`, retryable },
      ];
    }),
);

export function isReason(name: string): boolean {
  return CATALOGUE.has(name);
}
