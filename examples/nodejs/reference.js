// Every call of the API reference, in its order, against a fresh node.
import { connect, GomsgError } from '@gomsg/client';

const client = connect(process.argv[2] ?? process.env.GOMSG_SERVER ?? 'localhost:9000');
const show = (what, value) => console.log(`${what}:`, value);
/** Runs a call that a node on its own refuses, and shows why. */
const refused = async (what, call) => {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof GomsgError)) throw error;
    show(what, error.reasonName);
  }
};

console.log('# Key/Value');
// Basic operations
await client.kv.set('key', 'value');
await client.kv.setTTL('key', 'value', 3600); // seconds
const value = await client.kv.get('key');
const exists = await client.kv.exists('key');
show('get', value);
show('exists', exists);
await client.kv.del('key');
show('exists after del', await client.kv.exists('key'));

// Atomic operations
show('incr', await client.kv.incr('counter'));
show('incrBy', await client.kv.incrBy('counter', 10));
show('decr', await client.kv.decr('counter'));
show('decrBy', await client.kv.decrBy('counter', 5));

// Batch operations
await client.kv.mset({ key1: 'val1', key2: 'val2' });
const values = await client.kv.mget(['key1', 'key2', 'key3']);
show('mget', values);

// Pattern matching
await client.kv.mset({ 'user:1': 'alice', 'user:2': 'bob', 'session:1': 'x' });
const keys = await client.kv.keys('user:*');
show('keys', keys);
await client.kv.delPattern('session:*');
show('session:1 exists', await client.kv.exists('session:1'));

// Expiration
await client.kv.set('key', 'value');
await client.kv.expire('key', 1800); // seconds
const ttl = await client.kv.ttl('key');
show('ttl is at most 1800 s', ttl > 1790 && ttl <= 1800);

console.log('# Queue');
// Basic operations
const msgId = await client.queue.push('jobs', 'task-data');
show('push', msgId);
await client.queue.pushDelayed('jobs', 'task-data', 7200); // seconds
{
  const msg = await client.queue.pop('jobs');
  show('pop', msg.data);
  // Message handling
  await client.queue.nack(msg.id); // Requeue for retry
}
{
  const msg = await client.queue.peek('jobs'); // Look without removing
  show('peek', msg.data);
}
{
  const msg = await client.queue.popTimeout('jobs', 30); // seconds
  show('popTimeout', [msg.data, msg.attempt]);
  await client.queue.ack(msg.id);
}

// Queue management
const stats = await client.queue.stats('jobs'); // {size, consumers, etc}
show('stats', { size: stats.size, delayed: stats.delayed, consumers: stats.consumers });
await client.queue.purge('jobs'); // Clear all messages

// Batch operations
await client.queue.pushBatch('jobs', ['task1', 'task2', 'task3']);
const msgs = await client.queue.popBatch('jobs', 10); // Pop up to 10 messages
show(
  'popBatch',
  msgs.map((msg) => msg.data),
);
const queues = await client.queue.list(); // List all queues
show(
  'list',
  queues.map((queue) => queue.queue),
);
await client.queue.delete('jobs'); // Delete entire queue
show('queues left', (await client.queue.list()).length);

console.log('# Stream');
// Stream management
await client.stream.create('new-events'); // Create topic

// Subscribing
const received = Promise.withResolvers();
const subscription = client.stream.subscribe('events', (msg) => {
  console.log('Event:', msg.data);
  msg.ack(); // Acknowledge processing
  received.resolve();
});
await subscription.ready;

// Consumer groups (for load balancing)
const processed = Promise.withResolvers();
const group = client.stream.subscribeGroup('events', 'analytics-group', (msg) => {
  // Process in group - only one consumer gets each message
  processed.resolve(msg.data);
  msg.ack();
});
await group.ready;

// Publishing
const eventId = await client.stream.publish('events', 'user_login');
await received.promise;
show('publish', eventId);
await subscription.close();
show('group got', await processed.promise);
await group.close();
show('publishWithKey', await client.stream.publishWithKey('events', 'user123', 'user_login'));

// Reading from offset
const offset = 0;
const limit = 10;
const events = await client.stream.read('events', offset, limit);
show(
  'read',
  events.map((event) => [event.offset, event.key, event.data]),
);
const recent = await client.stream.readFrom('events', Date.now() - 3600000);
show('readFrom', recent.length);

// Offset management
await client.stream.seek('events', 'consumer-1', 1);
show('getOffset', await client.stream.getOffset('events', 'consumer-1'));

// Stream management
const info = await client.stream.info('events'); // {partitions, consumers, etc}
show('info', {
  partitions: info.partitions.length,
  consumers: info.consumers.map((consumer) => consumer.name),
  messages: info.messages,
});
const topics = await client.stream.list(); // List all topics
show(
  'list',
  topics.map((topic) => topic.topic),
);
await client.stream.delete('new-events'); // Delete topic
await client.stream.purge('events'); // Clear all events
show('messages after purge', (await client.stream.info('events')).messages);

console.log('# Cluster');
// Node management
const nodes = await client.cluster.nodes(); // List all cluster nodes
const status = await client.cluster.status(); // Cluster health status
const leader = await client.cluster.leader(); // Current leader node
show('nodes', nodes.length);
show('status', status.state);
show('leader is a node', leader.nodeId === nodes[0].nodeId);

// Health checks
const health = await client.cluster.health(leader.nodeId);
show('healthy', health.healthy);
await refused('join', () => client.cluster.join('new-node', 'localhost:9003'));
await refused('leave', () => client.cluster.leave(leader.nodeId));

// Statistics
const clusterStats = await client.cluster.stats(); // Cluster-wide statistics
show('keys', clusterStats.total.keys);

await client.close();
