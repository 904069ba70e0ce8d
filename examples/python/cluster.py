"""What a client sees of a cluster, and calls that go on while nodes come and go."""

import asyncio
import os
import sys

import gomsg


def addresses() -> str:
    """Several nodes with commas: the client finds the others by itself."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    return os.environ.get('GOMSG_SERVER', 'localhost:9000')


async def main():
    async with gomsg.connect(addresses(), unreachable_timeout=5) as client:
        nodes = await client.cluster.nodes()
        print('nodes:', len(nodes))
        leader = await client.cluster.leader()
        print('the leader is one of them:', leader.node_id in [node.node_id for node in nodes])

        status = await client.cluster.status()
        print('state:', status.state)
        health = await client.cluster.health(leader.node_id)
        print('healthy:', health.healthy)

        topology = await client.cluster.topology()
        slots = sum(span.last - span.first + 1 for group in topology.groups for span in group.slots)
        print('slots with a group:', slots)

        # Keys with the same {tag} are in one group, so they are written as one.
        await client.kv.mset({'{cart:7}:item': 'lamp', '{cart:7}:count': '2'})
        print('cart:', await client.kv.mget(['{cart:7}:item', '{cart:7}:count']))

        stats = await client.cluster.stats()
        print('keys:', stats.total.keys)

        # Membership changes need a cluster; a node that runs alone says so.
        try:
            await client.cluster.join('new-node', 'localhost:9003')
        except gomsg.GomsgError as error:
            print('join:', error.reason)
        try:
            await client.cluster.leave(leader.node_id)
        except gomsg.GomsgError as error:
            print('leave:', error.reason)


asyncio.run(main())
