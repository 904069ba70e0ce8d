import type { MethodMeter, RpcMetrics } from '../../observe/rpc-metrics.ts';
import { grpcCode } from '../grpc-status.ts';
import { type Interceptor, watched } from './intercept.ts';

/** Counts and times the calls of every method, by outcome. */
export function metering(metrics: RpcMetrics): Interceptor {
  return (method) => {
    const meter: MethodMeter = metrics.method(method.desc.parent.typeName, method.desc.name);
    return watched<number>(method, {
      begin: () => {
        meter.started.add();
        return performance.now();
      },
      end: (began_ms, _context, failure) =>
        meter.finished(failure === undefined ? 0 : grpcCode(failure), (performance.now() - began_ms) / 1000),
    });
  };
}
