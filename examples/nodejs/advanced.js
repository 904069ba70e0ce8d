// Patterns: optimistic locking, work queues with retries and dead letters, consumer groups, watches.
import { connect, FailedPreconditionError } from '@gomsg/client';

const client = connect(process.argv[2] ?? process.env.GOMSG_SERVER ?? 'localhost:9000');

console.log('# a lock, and a change on condition of a version');
await client.kv.set('lock:report', 'worker-1', { ifAbsent: true, ttl: 30 });
try {
  await client.kv.set('lock:report', 'worker-2', { ifAbsent: true, ttl: 30 });
} catch (error) {
  if (!(error instanceof FailedPreconditionError)) throw error;
  console.log('worker-2:', error.reasonName);
}
const version = await client.kv.setVersion('balance', '100');
await client.kv.set('balance', '90', { ifVersion: version });
await client.kv
  .set('balance', '80', { ifVersion: version })
  .catch((error) => console.log('late:', error.reasonName));
console.log('balance:', await client.kv.get('balance'));

console.log('# a work queue: a job that fails is tried again, and ends among the dead');
await client.queue.create('jobs', { maxDeliveries: 2 });
await client.queue.pushMessages('jobs', [
  { data: 'resize', priority: 1 },
  { data: 'broken', priority: 5, headers: { from: 'upload' } },
]);
const done = Promise.withResolvers();
const consumer = client.queue.consume(
  'jobs',
  async (job) => {
    if (job.data === 'broken') throw new Error(`cannot read it, try ${job.attempt}`);
    console.log('done:', job.data);
    await job.ack();
    done.resolve();
  },
  { credit: 1, onError: (error) => console.log('failed:', error.cause.message) },
);
await done.promise;
await consumer.close();
const dead = await client.queue.peek('jobs', { state: 'dead' });
console.log('dead:', dead.data, dead.headers, dead.error);
console.log('redriven:', await client.queue.redrive('jobs'));

console.log('# a consumer group: each message goes to one member, in order by key');
await client.stream.create('orders', { partitions: 4 });
const orders = ['created', 'paid', 'shipped'];
for (const event of orders) await client.stream.publishWithKey('orders', 'order-7', event);
for await (const event of client.stream.subscribeGroup('orders', 'billing', { start: 'earliest' })) {
  console.log('event:', event.key, event.data);
  await event.ack();
  if (event.data === orders.at(-1)) break;
}

console.log('# a watch: every change of the keys with a prefix');
const changes = client.kv.watchPrefix('config:');
await changes.ready;
await client.kv.set('config:color', 'blue');
await client.kv.del('config:color');
for await (const change of changes) {
  console.log('change:', change.type, change.key, change.value);
  if (change.type === 'delete') break;
}

console.log('# many calls at once go out together');
const sums = await Promise.all(Array.from({ length: 1000 }, () => client.kv.incr('counter')));
console.log('highest:', Math.max(...sums), 'different:', new Set(sums).size);

await client.close();
