"""Every call of the API reference, in its order, against a fresh node."""

import asyncio
import os
import sys
from datetime import datetime, timedelta

import gomsg


async def refused(what, call):
    """Runs a call that a node on its own refuses, and shows why."""
    try:
        await call
    except gomsg.GomsgError as error:
        print(f'{what}: {error.reason.name}')


async def key_value(client):
    print('# Key/Value')
    # Basic operations
    await client.kv.set('key', 'value')
    await client.kv.set_ttl('key', 'value', 3600)  # seconds
    value = await client.kv.get('key')
    exists = await client.kv.exists('key')
    print('get:', value)
    print('exists:', exists)
    await client.kv.delete('key')
    print('exists after delete:', await client.kv.exists('key'))

    # Atomic operations
    new_value = await client.kv.incr('counter')
    print('incr:', new_value)
    new_value = await client.kv.incr_by('counter', 10)
    print('incr_by:', new_value)
    new_value = await client.kv.decr('counter')
    print('decr:', new_value)
    new_value = await client.kv.decr_by('counter', 5)
    print('decr_by:', new_value)

    # Batch operations
    await client.kv.mset({'key1': 'val1', 'key2': 'val2'})
    values = await client.kv.mget(['key1', 'key2', 'key3'])
    print('mget:', values)

    # Pattern matching
    await client.kv.mset({'user:1': 'alice', 'user:2': 'bob', 'session:1': 'x'})
    keys = await client.kv.keys('user:*')
    print('keys:', keys)
    await client.kv.del_pattern('session:*')
    print('session:1 exists:', await client.kv.exists('session:1'))

    # Expiration
    await client.kv.set('key', 'value')
    await client.kv.expire('key', 1800)  # seconds
    ttl = await client.kv.ttl('key')
    print('ttl is at most 1800 s:', 1790 < ttl <= 1800)


async def queue(client):
    print('# Queue')
    # Basic operations
    msg_id = await client.queue.push('jobs', 'task-data')
    print('push:', msg_id)
    await client.queue.push_delayed('jobs', 'task-data', 7200)  # seconds
    msg = await client.queue.pop('jobs')
    print('pop:', msg.data)

    # Message handling
    await client.queue.nack(msg.id)  # Requeue for retry
    msg = await client.queue.peek('jobs')  # Look without removing
    print('peek:', msg.data)
    msg = await client.queue.pop_timeout('jobs', 30)  # seconds
    print('pop_timeout:', msg.data, msg.attempt)
    await client.queue.ack(msg.id)

    # Queue management
    stats = await client.queue.stats('jobs')  # {size, consumers, etc}
    print('stats:', stats.size, stats.delayed, stats.consumers)
    await client.queue.purge('jobs')  # Clear all messages

    # Batch operations
    await client.queue.push_batch('jobs', ['task1', 'task2', 'task3'])
    msgs = await client.queue.pop_batch('jobs', 10)  # Pop up to 10 messages
    print('pop_batch:', [msg.data for msg in msgs])
    queues = await client.queue.list()  # List all queues
    print('list:', [queue.queue for queue in queues])
    await client.queue.delete('jobs')  # Delete entire queue
    print('queues left:', len(await client.queue.list()))


async def stream(client):
    print('# Stream')
    # Stream management
    await client.stream.create('new-events')  # Create topic

    # Subscribing
    received = asyncio.Event()

    async def event_handler(msg):
        print(f'Event: {msg.data}')
        await msg.ack()  # Acknowledge processing
        received.set()

    subscription = await client.stream.subscribe('events', event_handler)

    # Consumer groups (for load balancing)
    processed = asyncio.get_running_loop().create_future()

    async def group_handler(msg):
        # Process in group - only one consumer gets each message
        processed.set_result(msg.data)
        await msg.ack()

    group = await client.stream.subscribe_group('events', 'analytics-group', group_handler)

    # Publishing
    msg_id = await client.stream.publish('events', 'user_login')
    await received.wait()
    print('publish:', msg_id)
    await subscription.close()
    print('group got:', await processed)
    await group.close()
    msg_id = await client.stream.publish_with_key('events', 'user123', 'user_login')
    print('publish_with_key:', msg_id)

    # Reading from offset
    offset, limit = 0, 10
    events = await client.stream.read('events', offset, limit)
    print('read:', [(event.offset, event.key, event.data) for event in events])
    events = await client.stream.read_from('events', datetime.now() - timedelta(hours=1))
    print('read_from:', len(events))

    # Offset management
    await client.stream.seek('events', 'consumer-1', 1)
    offset = await client.stream.get_offset('events', 'consumer-1')
    print('get_offset:', offset)

    # Stream management
    info = await client.stream.info('events')  # {partitions, consumers, etc}
    print('info:', len(info.partitions), [consumer.name for consumer in info.consumers], info.messages)
    topics = await client.stream.list()  # List all topics
    print('list:', [topic.topic for topic in topics])
    await client.stream.delete('new-events')  # Delete topic
    await client.stream.purge('events')  # Clear all events
    print('messages after purge:', (await client.stream.info('events')).messages)


async def cluster(client):
    print('# Cluster')
    # Node management
    nodes = await client.cluster.nodes()  # List all cluster nodes
    status = await client.cluster.status()  # Cluster health status
    leader = await client.cluster.leader()  # Current leader node
    print('nodes:', len(nodes))
    print('status:', status.state)
    print('leader is a node:', leader.node_id == nodes[0].node_id)

    # Health checks
    health = await client.cluster.health(leader.node_id)
    print('healthy:', health.healthy)
    await refused('join', client.cluster.join('new-node', 'localhost:9003'))
    await refused('leave', client.cluster.leave(leader.node_id))

    # Statistics
    stats = await client.cluster.stats()  # Cluster-wide statistics
    print('keys:', stats.total.keys)


async def main():
    address = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('GOMSG_SERVER', 'localhost:9000')
    async with gomsg.connect(address) as client:
        await key_value(client)
        await queue(client)
        await stream(client)
        await cluster(client)


asyncio.run(main())
