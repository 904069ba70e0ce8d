/** Writes `config/default.yaml` from the settings schema. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { defaultYaml } from '../server/src/config/document.ts';

const folder = new URL('../config/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('default.yaml', folder), defaultYaml());
