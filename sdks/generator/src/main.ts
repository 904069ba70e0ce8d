import { runNodeJs } from '@bufbuild/protoplugin';
import { emitMethods } from './methods/emit-methods.ts';
import { sdkPlugin } from './plugin.ts';

runNodeJs(sdkPlugin({ methods: emitMethods }));
