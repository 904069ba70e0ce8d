// The first steps: keys and values, a queue, a stream.
import { connect, NotFoundError } from '@gomsg/client';

const client = connect(process.argv[2] ?? process.env.GOMSG_SERVER ?? 'localhost:9000');

// Key/value
await client.kv.set('name', 'alice');
console.log('name:', await client.kv.get('name'));

await client.kv.setTTL('session:1', 'token', 3600); // seconds
console.log('session expires:', (await client.kv.ttl('session:1')) > 3500);

console.log('visits:', await client.kv.incr('visits'));
console.log('visits:', await client.kv.incrBy('visits', 10));

await client.kv.mset({ 'user:1': 'alice', 'user:2': 'bob' });
console.log('users:', await client.kv.keys('user:*'));
console.log('values:', await client.kv.mget(['user:1', 'user:2', 'user:3']));

try {
  await client.kv.get('nobody');
} catch (error) {
  if (!(error instanceof NotFoundError)) throw error;
  console.log('not found:', error.subject);
}

// Queue
await client.queue.push('jobs', 'backup database');
const job = await client.queue.pop('jobs');
console.log('job:', job.data);
await job.ack();
console.log('jobs left:', (await client.queue.stats('jobs')).size);

// Stream
await client.stream.publish('events', 'user signup');
await client.stream.publishWithKey('events', 'user1', 'user login');
for (const event of await client.stream.read('events', 0, 10)) {
  console.log('event:', event.offset, event.data);
}

await client.close();
