import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { expect, test } from 'vitest';
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from './gen/grpc/health/v1/health_pb.js';
import { openToyPort } from './testing/toy-port.ts';

test('health follows the node, in gRPC and in pages', async () => {
  await using toy = await openToyPort();
  const client = createClient(Health, createGrpcTransport({ baseUrl: toy.url }));
  const page = async (path: string) => {
    const response = await fetch(toy.url + path);
    return [response.status, await response.text()];
  };

  expect((await client.check({})).status).toBe(ServingStatus.SERVING);
  expect((await client.check({ service: 'gomsg.v1.KVService' })).status).toBe(ServingStatus.SERVING);
  expect(Object.keys((await client.list({})).statuses).sort()).toEqual([
    '',
    'gomsg.v1.KVService',
    'gomsg.v1.PipelineService',
  ]);
  expect(await page('/healthz')).toEqual([200, 'ok\n']);
  expect(await page('/readyz')).toEqual([200, 'ok\n']);

  const watch = client.watch({})[Symbol.asyncIterator]();
  expect((await watch.next()).value?.status).toBe(ServingStatus.SERVING);
  toy.health.check('disk', false, 'full');
  expect((await watch.next()).value?.status).toBe(ServingStatus.NOT_SERVING);
  expect(await page('/readyz')).toEqual([503, 'disk: full\n']);
  expect(await page('/healthz')).toEqual([200, 'ok\n']);
  toy.health.check('disk', true, '80% free');
  expect((await watch.next()).value?.status).toBe(ServingStatus.SERVING);
  await watch.return?.();

  toy.health.failed('the log cannot be written');
  expect(await page('/healthz')).toEqual([503, 'failed: the log cannot be written\n']);
});

test('a service that is not here is an error to Check and a status to Watch', async () => {
  await using toy = await openToyPort();
  const client = createClient(Health, createGrpcTransport({ baseUrl: toy.url }));
  await expect(client.check({ service: 'acme.Shop' })).rejects.toThrow('no service acme.Shop');
  for await (const { status } of client.watch({ service: 'acme.Shop' })) {
    expect(status).toBe(ServingStatus.SERVICE_UNKNOWN);
    break;
  }
});

test('metrics are served as Prometheus reads them', async () => {
  await using toy = await openToyPort();
  const response = await fetch(`${toy.url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain');
  expect(await response.text()).toMatch(/^# HELP gomsg_/m);
});
