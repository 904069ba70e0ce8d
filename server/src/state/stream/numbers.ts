/** A uint64 of the contract as a number; what is beyond 2^53 - 1 becomes that, which no counter ever reaches. */
export function toSafeNumber(value: bigint): number {
  return value > MAX_SAFE ? Number.MAX_SAFE_INTEGER : Number(value);
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
