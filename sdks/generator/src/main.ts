import { runNodeJs } from '@bufbuild/protoplugin';
import { emitGoDispatch } from './go/emit-dispatch.ts';
import { emitGo } from './go/emit-go.ts';
import { emitMethods } from './methods/emit-methods.ts';
import { emitDispatch as emitNodeDispatch } from './node/emit-dispatch.ts';
import { emitNode } from './node/emit-node.ts';
import { sdkPlugin } from './plugin.ts';
import { emitDispatch as emitPythonDispatch } from './python/dispatch-module.ts';
import { emitPython } from './python/emit-python.ts';

runNodeJs(
  sdkPlugin({
    go: emitGo,
    go_dispatch: emitGoDispatch,
    methods: emitMethods,
    node: emitNode,
    node_dispatch: emitNodeDispatch,
    python: emitPython,
    python_dispatch: emitPythonDispatch,
  }),
);
