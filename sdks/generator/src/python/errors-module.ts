/** `_gen/errors.py`: the catalogue of reasons and a class for each family; `_gen/rpcs.py`: the table of rpcs. */
import type { GeneratedFile } from '../generated-file.ts';
import type { RpcModel, SdkModel } from '../model.ts';
import { upperCamel } from '../names.ts';
import { docstring, indent, literal, moduleText } from './code.ts';
import { rpcConstant } from './names.ts';

export function errorsModule({ reasons }: SdkModel): GeneratedFile {
  const families = new Map(reasons.map(({ code, family }) => [code, family]));
  const members = reasons.flatMap(({ name, doc }) => ['', `${name} = ${literal(name)}`, ...docstring(doc)]);
  const reasonClass = [
    'class ErrorReason(StrEnum):',
    ...indent([
      ...docstring('Why a call failed.'),
      '',
      'UNSPECIFIED = "UNSPECIFIED"',
      ...docstring('No reason was given: an error of the transport or of a proxy, not of gomsg.'),
      ...members,
    ]),
  ];
  const classes = [...families]
    .sort(([a], [b]) => a - b)
    .map(([code, family]) => {
      const names = reasons.filter((reason) => reason.code === code).map(({ name }) => name);
      return [
        `class ${familyClass(family)}(GomsgError):`,
        ...indent(docstring(`gRPC code ${code}: ${names.join(', ')}.`)),
      ];
    });
  const catalogue = [
    'CATALOGUE: dict[int, CatalogueEntry] = {',
    ...indent(
      reasons.map(
        ({ number, name, code, retryable, action }) =>
          `${number}: CatalogueEntry(ErrorReason.${name}, ${code}, ${retryable ? 'True' : 'False'}, ${literal(action)}),`,
      ),
    ),
    '}',
    ...docstring('The reasons by their numbers in the contracts.'),
    '',
    'FAMILIES: dict[int, type[GomsgError]] = {',
    ...indent(
      [...families].sort(([a], [b]) => a - b).map(([code, family]) => `${code}: ${familyClass(family)},`),
    ),
    '}',
    ...docstring('The class of each gRPC code.'),
  ];
  const entry = [
    '@dataclass(frozen=True, slots=True)',
    'class CatalogueEntry:',
    ...indent([
      ...docstring('What the catalogue says of one reason.'),
      '',
      'reason: ErrorReason',
      'code: int',
      ...docstring('Canonical gRPC code.'),
      'retryable: bool',
      ...docstring('The same call can succeed later without any change to it.'),
      'action: str',
      ...docstring('What the reader should do, as one sentence.'),
    ]),
  ];
  const unspecified = ['UNSPECIFIED = ErrorReason.UNSPECIFIED'];
  return {
    path: 'errors.py',
    content: moduleText(
      'The catalogue of errors: reasons, and an error class for each gRPC code that they have.',
      [
        'from dataclasses import dataclass',
        'from enum import StrEnum',
        'from gomsg._error import GomsgError',
      ],
      [reasonClass, unspecified, entry, ...classes, catalogue],
    ),
  };
}

/** `not_found` → `NotFoundError`. */
export function familyClass(family: string): string {
  return `${upperCamel(family, new Set())}Error`;
}

export function rpcsModule({ rpcs }: SdkModel): GeneratedFile {
  return {
    path: 'rpcs.py',
    content: moduleText(
      'The rpcs: path, number, and whether they may be repeated.',
      ['from gomsg._rpc import Rpc'],
      [rpcs.map(rpcEntry)],
    ),
  };
}

function rpcEntry(rpc: RpcModel): string {
  const isWrite = rpc.idempotency === 'no_side_effects' ? 'False' : 'True';
  const isIdempotent = rpc.idempotency === 'unknown' ? 'False' : 'True';
  return `${rpcConstant(rpc)} = Rpc(${literal(`/${rpc.path}`)}, ${rpc.number}, is_write=${isWrite}, is_idempotent=${isIdempotent})`;
}
