import { runNodeJs } from '@bufbuild/protoplugin';
import { emitMethods } from './methods/emit-methods.ts';
import { emitNode } from './node/emit-node.ts';
import { sdkPlugin } from './plugin.ts';

runNodeJs(sdkPlugin({ methods: emitMethods, node: emitNode }));
