/** `dispatch.py` of the conformance client: every method by its name, and what JSON-like values mean to it. */
import type { GeneratedFile } from '../generated-file.ts';
import type { FaceModel, SdkModel, ValueType } from '../model.ts';
import { indent, literal, moduleText } from './code.ts';
import { methodName, timeoutName } from './names.ts';

/** For the folder of generated modules of the client. */
export function emitDispatch(model: SdkModel): GeneratedFile[] {
  const methods = model.services.flatMap((service) => service.faces.flatMap(faceEntries));
  const durations = model.messages.flatMap(({ name, fields }) => {
    const names = fields.filter(({ type }) => holdsDuration(type)).map((field) => literal(field.name));
    return names.length === 0 ? [] : [`${literal(name)}: frozenset((${names.join(', ')},)),`];
  });
  const given = [
    ...new Set(
      model.services.flatMap(({ faces }) =>
        faces.flatMap(({ params, options }) =>
          [...params, ...options].flatMap(({ type }) => messageIn(type) ?? []),
        ),
      ),
    ),
  ].sort();
  const families = [...new Map(model.reasons.map(({ code, family }) => [family, code]))].sort(
    ([, a], [, b]) => a - b,
  );
  return [
    {
      path: 'dispatch.py',
      content: moduleText(
        'Every method of the SDK by its name, for the conformance suite.',
        ['from method import Method', 'import gomsg'],
        [
          ['METHODS: dict[str, Method] = {', ...indent(methods), '}'],
          [
            'DURATIONS: dict[str, frozenset[str]] = {',
            ...indent(durations),
            '}',
            '"""Fields that are lengths of time, by type."""',
          ],
          [
            'GIVEN: dict[str, type] = {',
            ...indent(given.map((name) => `${literal(name)}: gomsg.${name},`)),
            '}',
            '"""Types that callers make."""',
          ],
          [
            'FAMILIES: dict[str, type[gomsg.GomsgError]] = {',
            ...indent(families.map(([family]) => `${literal(family)}: gomsg.${familyName(family)},`)),
            '}',
          ],
        ],
      ),
    },
  ];
}

function familyName(family: string): string {
  return `${family
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')}Error`;
}

function faceEntries(face: FaceModel): string[] {
  const spelled = methodName(face);
  const kind = face.kind === 'stream' ? 'stream' : 'unary';
  return [
    entry(face, face.name, spelled, kind),
    ...(face.hasBytesTwin ? [entry(face, `${face.name}_bytes`, `${spelled}_bytes`, kind)] : []),
    ...(face.kind === 'pages' ? [entry(face, `${face.name}_iter`, `${spelled}_iter`, 'iter')] : []),
  ];
}

function entry(face: FaceModel, name: string, spelled: string, kind: string): string {
  const full = literal(`${face.service}.${name}`);
  const params = face.params.map(({ type }) => literalOrNone(messageIn(type)));
  const options = face.options
    .map(({ name: option, type }) => [option, messageIn(type)] as const)
    .filter(([, message]) => message !== undefined)
    .map(([option, message]) => `${literal(option)}: ${literalOrNone(message)}`);
  const parts = [
    literal(face.service),
    literal(spelled),
    literal(kind),
    `(${params.join(', ')}${params.length === 1 ? ',' : ''})`,
    `{${options.join(', ')}}`,
    literal(timeoutName(face)),
    face.result !== undefined && holdsDuration(face.result.type) ? 'True' : 'False',
  ];
  return `${full}: Method(${parts.join(', ')}),`;
}

function literalOrNone(name: string | undefined): string {
  return name === undefined ? 'None' : literal(name);
}

/** The type of messages in a value that callers give. */
function messageIn(type: ValueType): string | undefined {
  if (type.kind === 'message') return type.message.name;
  return type.kind === 'list' || type.kind === 'optional' || type.kind === 'map'
    ? messageIn(type.of)
    : undefined;
}

function holdsDuration(type: ValueType): boolean {
  if (type.kind === 'duration') return true;
  return type.kind === 'list' || type.kind === 'optional' ? holdsDuration(type.of) : false;
}
