/** Types of values, as annotations. */
import type { FieldModel, ValueType } from '../model.ts';

/** What a caller may give. `list` is the name of the builtin, which a class may hide by a method of its own. */
export function givenType(type: ValueType): string {
  switch (type.kind) {
    case 'string':
      return 'str';
    case 'bool':
      return 'bool';
    case 'double':
      return 'float';
    case 'int':
      return 'int';
    case 'bytes':
      return 'bytes';
    case 'text':
      return 'str | bytes';
    case 'duration':
      return 'float | timedelta';
    case 'timestamp':
      return 'datetime | float';
    case 'enum':
      return `${type.enum.name} | str`;
    case 'message':
      return type.message.name;
    case 'list':
      return `Iterable[${givenType(type.of)}]`;
    case 'optional':
      return `${givenType(type.of)} | None`;
    case 'map':
      return `Mapping[str, ${givenType(type.of)}]`;
  }
}

/** What a caller gets. Text as bytes with `asBytes`. */
export function gottenType(type: ValueType, asBytes: boolean, list = 'list'): string {
  switch (type.kind) {
    case 'string':
      return 'str';
    case 'bool':
      return 'bool';
    case 'double':
      return 'float';
    case 'int':
      return 'int';
    case 'bytes':
      return 'bytes';
    case 'text':
      return asBytes ? 'bytes' : 'str';
    case 'duration':
      return 'float';
    case 'timestamp':
      return 'datetime';
    case 'enum':
      return `${type.enum.name} | None`;
    case 'message':
      return type.message.name;
    case 'list':
      return `${list}[${gottenType(type.of, asBytes, list)}]`;
    case 'optional':
      return `${gottenType(type.of, asBytes, list)} | None`;
    case 'map':
      return `dict[str, ${gottenType(type.of, asBytes, list)}]`;
  }
}

/** What a field of a type that callers get holds. */
export function fieldType(field: FieldModel): string {
  const type = gottenType(field.type, true);
  return field.hasPresence && !type.endsWith('| None') ? `${type} | None` : type;
}

/** Names that an annotation needs from elsewhere than the generated types. */
export function annotationImports(annotation: string): string[] {
  const imports: string[] = [];
  if (/\bdatetime\b/.test(annotation)) imports.push('from datetime import datetime');
  if (/\btimedelta\b/.test(annotation)) imports.push('from datetime import timedelta');
  if (/\bIterable\b/.test(annotation)) imports.push('from collections.abc import Iterable');
  if (/\bMapping\b/.test(annotation)) imports.push('from collections.abc import Mapping');
  return imports;
}
