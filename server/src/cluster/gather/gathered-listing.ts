/** Keys, Scan and the Lists: pages of several nodes, merged into one. */
import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { type CursorScope, decodeCursor, encodeCursor } from '../../services/cursors.ts';
import { decodeResumeToken, encodeResumeToken } from '../../services/kv/resume-token.ts';
import { mergeOrdered, type SourcePage } from '../../services/merge-ordered.ts';
import type { UnaryMethod } from '../../services/method.ts';
import { contentOf, type Field, fieldsOf, messageOf } from './fields.ts';
import { type GatherDeps, gatheredUnary } from './gathered-unary.ts';
import type { Listing, PageSize } from './listings.ts';

const ENTRY_FIELD = 1;
const NAME_FIELD = 1;
const CURSOR_FIELD = 2;

/** How much more than its even share of a page each node is asked for, so that most pages come out full. */
const SHARE_FACTOR = 2;

interface Entry {
  /** Binary string of its name's UTF-8 bytes. */
  readonly key: string;
  /** The field of the response. */
  readonly bytes: Uint8Array;
}

export function gatheredListing<I extends DescMessage, O extends DescMessage>(
  listing: Listing<I, O>,
  service: UnaryMethod,
  deps: GatherDeps,
): UnaryMethod {
  const plan = (request: MessageShape<I>) => {
    const groups = listing.groups(request, deps.router).map(({ id }) => id);
    const size = listing.pageSize(request, deps);
    return {
      groups,
      isStale: listing.isStale(request),
      requestFor: (part: readonly number[]) => {
        const share = shareOf(size, part.length / groups.length);
        return toBinary(listing.desc.input, listing.sized(request, share));
      },
      merge: (answers: readonly { readonly response: Uint8Array }[]) =>
        merged(
          listing,
          request,
          size,
          answers.map(({ response }) => fieldsOf(response)),
        ),
    };
  };
  return gatheredUnary(listing.desc, service, plan, deps);
}

function shareOf({ limit, maxBytes }: PageSize, share: number): PageSize {
  const part = (whole: number): number => Math.min(whole, Math.ceil(whole * share * SHARE_FACTOR));
  return { limit: part(limit), maxBytes: part(maxBytes) };
}

function merged<I extends DescMessage, O extends DescMessage>(
  { scope: scopeOf, isReverse, nameOf, tokenField }: Listing<I, O>,
  request: MessageShape<I>,
  { limit, maxBytes }: PageSize,
  responses: readonly (readonly Field[])[],
): Uint8Array {
  const scope = scopeOf(request);
  const nameIn =
    nameOf === 'the entry'
      ? ({ content }: Field) => content
      : ({ content }: Field) => contentOf(fieldsOf(content), NAME_FIELD);
  const { entries, reached } = mergeOrdered(
    responses.map((fields) => pageOf(fields, scope, nameIn)),
    { reverse: isReverse(request), limit, maxBytes, sizeOf: ({ bytes }) => bytes.length },
  );
  return messageOf(
    entries.map(({ bytes }) => bytes),
    {
      ...(reached !== undefined && { [CURSOR_FIELD]: encodeCursor(scope, reached) }),
      ...(tokenField !== undefined && { [tokenField]: allPositions(responses, tokenField) }),
    },
  );
}

function pageOf(
  fields: readonly Field[],
  scope: CursorScope,
  nameIn: (entry: Field) => Uint8Array,
): SourcePage<Entry> {
  return {
    entries: fields
      .filter(({ number }) => number === ENTRY_FIELD)
      .map((entry) => ({ key: binaryString(nameIn(entry)), bytes: entry.bytes })),
    reached: decodeCursor(scope, contentOf(fields, CURSOR_FIELD)),
  };
}

/** The positions of all groups, by group. */
function allPositions(responses: readonly (readonly Field[])[], tokenField: number): Uint8Array {
  const positions = responses.flatMap((fields) => [...decodeResumeToken(contentOf(fields, tokenField))]);
  return encodeResumeToken(positions.sort(([a], [b]) => a - b));
}

function binaryString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
