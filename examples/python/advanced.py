"""Conditions, dead letters, consumer groups, watches, many calls at once, and errors with their way out."""

import asyncio
import os
import sys
from datetime import datetime, timedelta

import gomsg


def address() -> str:
    if len(sys.argv) > 1:
        return sys.argv[1]
    return os.environ.get('GOMSG_SERVER', 'localhost:9000')


async def conditions(client):
    print('# Write only what nobody else changed')
    version = await client.kv.set_version('stock', '5')
    await client.kv.set('stock', '4', if_version=version)
    try:
        await client.kv.set('stock', '3', if_version=version)
    except gomsg.GomsgError as error:
        print(error.reason, 'stock is', await client.kv.get('stock'))


async def watching(client):
    print('# Watch')
    async with client.kv.watch_prefix('config:') as watch:
        await client.kv.set('config:color', 'blue')
        await client.kv.delete('config:color')
        seen = 0
        async for event in watch:
            print(event.type, event.key)
            seen += 1
            if seen == 2:
                break


async def dead_letters(client):
    print('# A job that fails for good')
    await client.queue.create('mail', max_deliveries=2)
    dead = asyncio.Event()

    async def handler(msg):
        print(f'attempt {msg.attempt}: {msg.data}')
        if msg.attempt == 2:
            dead.set()
        raise ValueError('no such address')

    async with client.queue.consume('mail', handler):
        await client.queue.push('mail', 'hello')
        await dead.wait()
    msg = await client.queue.peek('mail', state='dead')
    print('dead because:', msg.error)
    print('revived:', await client.queue.redrive('mail'))


async def groups(client):
    print('# A group shares the work')
    await client.stream.create('orders', partitions=4)
    done = asyncio.Event()
    taken = []

    def member(name):
        async def handler(msg):
            taken.append(msg.data)
            await msg.ack()
            if len(taken) == 8:
                done.set()

        return handler

    async with (
        client.stream.subscribe_group('orders', 'billing', member('a')),
        client.stream.subscribe_group('orders', 'billing', member('b')),
    ):
        for order in range(8):
            await client.stream.publish_with_key('orders', f'customer{order % 4}', f'order{order}')
        await done.wait()
    print('each order once:', sorted(taken) == [f'order{order}' for order in range(8)])
    events = await client.stream.read_from('orders', datetime.now() - timedelta(hours=1))
    print('still readable:', len(events))


async def many_at_once(client):
    print('# A thousand calls share a few frames')
    await asyncio.gather(*(client.kv.set(f'many:{number}', str(number)) for number in range(1000)))
    print('keys:', len(await client.kv.keys('many:*')))
    print('removed:', await client.kv.del_pattern('many:*'))


async def main():
    async with gomsg.connect(address(), timeout=10) as client:
        await conditions(client)
        await watching(client)
        await dead_letters(client)
        await groups(client)
        await many_at_once(client)


asyncio.run(main())
