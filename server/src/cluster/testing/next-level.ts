/** Preloaded, it makes the program one of the next release: it applies a level more than the one that is there. */
import { registerHooks } from 'node:module';

const LEVEL_MODULE = /\/state\/level\.ts$/;
const DECLARATION = /export const LEVEL = (\d+);/;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!LEVEL_MODULE.test(url)) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array).toString();
    const changed = source.replace(
      DECLARATION,
      (_all, level) => `export const LEVEL = ${Number(level) + 1};`,
    );
    if (changed === source) throw new Error(`no level was found in ${url}`);
    return { ...loaded, source: changed };
  },
});
