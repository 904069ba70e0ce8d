/** The generated part of the Python package. */
import type { GeneratedFile } from '../generated-file.ts';
import type { SdkModel } from '../model.ts';
import { moduleText } from './code.ts';
import { errorsModule, familyClass, rpcsModule } from './errors-module.ts';
import { serviceClass } from './names.ts';
import { rawModule } from './raw-module.ts';
import { serviceModule } from './service-module.ts';
import { syncModule } from './sync-module.ts';
import { convertModule, typesModule } from './types-module.ts';

/** The package `gomsg._gen`. */
export function emitPython(model: SdkModel): GeneratedFile[] {
  return [
    { path: '__init__.py', content: moduleText('What is generated from the contracts.', [], []) },
    errorsModule(model),
    rpcsModule(model),
    typesModule(model),
    convertModule(model),
    rawModule(model),
    ...model.services.flatMap((service) => [serviceModule(service), syncModule(service)]),
    servicesModule(model),
    exportsModule(model),
  ];
}

/** The services as properties of clients. */
function servicesModule({ services }: SdkModel): GeneratedFile {
  const members = services.map(({ name }) => `self.${name} = ${name}.${serviceClass(name)}(core)`);
  const syncMembers = services.map(
    ({ name }) => `self.${name} = sync_${name}.${serviceClass(name)}(runner, services.${name})`,
  );
  const modules = services.flatMap(({ name }) => [name, `sync_${name}`]).sort();
  return {
    path: 'services.py',
    content: moduleText(
      'The services of a client.',
      [
        'from gomsg._core import Core',
        'from gomsg._sync.runner import Runner',
        ...(modules.length > 0 ? [`from gomsg._gen import ${modules.join(', ')}`] : []),
      ],
      [
        ['class Services:', '    def __init__(self, core: Core) -> None:', ...bodyOf(members)],
        [
          'class SyncServices:',
          '    def __init__(self, runner: Runner, services: Services) -> None:',
          ...bodyOf(syncMembers),
        ],
      ],
    ),
  };
}

function bodyOf(statements: readonly string[]): string[] {
  return (statements.length > 0 ? statements : ['pass']).map((statement) => `        ${statement}`);
}

/** What the package exports of what is generated. */
function exportsModule(model: SdkModel): GeneratedFile {
  const types = [
    ...model.enums.map(({ name }) => name),
    ...model.messages.filter(({ handwritten }) => !handwritten).map(({ name }) => name),
  ].sort();
  const errors = ['ErrorReason', ...new Set(model.reasons.map(({ family }) => familyClass(family)))].sort();
  return {
    path: 'exports.py',
    content: moduleText(
      'What the package exports of what is generated.',
      [
        ...(types.length > 0 ? [`from gomsg._gen.types import ${types.join(', ')}`] : []),
        `from gomsg._gen.errors import ${errors.join(', ')}`,
      ],
      [['__all__ = [', ...[...types, ...errors].sort().map((name) => `    "${name}",`), ']']],
    ),
  };
}
