"""Keys, a queue and a topic, one call at a time."""

import asyncio
import os
import sys

import gomsg


def address() -> str:
    if len(sys.argv) > 1:
        return sys.argv[1]
    return os.environ.get('GOMSG_SERVER', 'localhost:9000')


async def main():
    async with gomsg.connect(address()) as client:
        # Keys and values
        await client.kv.set('name', 'alice')
        print('name:', await client.kv.get('name'))
        await client.kv.set_ttl('session', 'x1', 3600)  # seconds
        print('session expires:', await client.kv.ttl('session') is not None)
        print('visits:', await client.kv.incr_by('visits', 10))
        print('deleted:', await client.kv.delete('name'))
        try:
            await client.kv.get('name')
        except gomsg.NotFoundError as error:
            print('error:', error.reason)

        # A queue
        print('pushed:', await client.queue.push('jobs', 'resize photo.jpg'))
        msg = await client.queue.pop('jobs')
        print('popped:', msg.data)
        await client.queue.ack(msg.id)
        print('left:', (await client.queue.stats('jobs')).size)

        # A topic
        received = asyncio.Event()

        async def event_handler(msg):
            print(f'Event: {msg.data}')
            await msg.ack()
            received.set()

        await client.stream.subscribe('events', event_handler)
        msg_id = await client.stream.publish('events', 'user_login')
        await received.wait()
        print('published:', msg_id)


asyncio.run(main())
