/** The list of what is known to fail: `{sdk, case, reason}`, read with the same strictness as the cases. */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Case } from './case.ts';
import type { KnownFailure } from './run/suite.ts';
import { SDK_NAMES } from './sdks.ts';
import { MapReader } from './yaml/reader.ts';
import { CaseFileError, readTree } from './yaml/tree.ts';

/** @throws CaseFileError also for a case or an SDK that there is not */
export function readKnownFailures(file: string, cases: readonly Case[]): readonly KnownFailure[] {
  if (!existsSync(file)) return [];
  const tree = readTree(basename(file), readFileSync(file, 'utf8'));
  if (tree.kind !== 'list') throw new CaseFileError(tree.place, 'a list of known failures');
  return tree.items.map((item) => {
    const reader = new MapReader(item, 'a known failure');
    const known = {
      sdk: reader.requiredWord('sdk'),
      caseId: reader.requiredWord('case'),
      reason: reader.requiredWord('reason'),
    };
    reader.end();
    if (!SDK_NAMES.includes(known.sdk)) throw new CaseFileError(item.place, `no SDK is called ${known.sdk}`);
    if (!cases.some(({ id }) => id === known.caseId))
      throw new CaseFileError(item.place, `there is no case ${known.caseId}`);
    return known;
  });
}
