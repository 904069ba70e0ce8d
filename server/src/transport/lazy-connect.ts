import type { DescFile } from '@bufbuild/protobuf';
import type { Method } from '../services/method.ts';
import type { ConnectServer, ConnectServerOptions } from './connect-server.ts';
import { methodPath } from './unknown-method.ts';

/**
 * A Connect server that is loaded by the first request for it. connect-es takes some 25 MB and 100 ms to load, which a
 * node that is only spoken to in gRPC, as SDKs do, never needs to pay.
 */
export function lazyConnectServer(
  methods: readonly Method[],
  files: readonly DescFile[],
  options: ConnectServerOptions,
): ConnectServer {
  const paths = new Set(methods.map(methodPath));
  let loaded: ConnectServer | undefined;
  let loading: Promise<ConnectServer> | undefined;
  const load = async (): Promise<ConnectServer> => {
    const { createConnectServer } = await import('./connect-server.ts');
    loaded = createConnectServer(methods, files, options);
    return loaded;
  };
  return (path, request, response) => {
    if (!paths.has(path)) return false;
    if (loaded !== undefined) return loaded(path, request, response);
    loading ??= load();
    loading
      .then((serve) => serve(path, request, response))
      .catch((error: unknown) => {
        options.report(error, path);
        response.destroy();
      });
    return true;
  };
}
