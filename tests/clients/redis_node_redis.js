// Streams, lists and channels as users write them with node-redis: none of it knows of tracing.
//
// Says on standard output, one JSON object a line, what it added and what it got.
'use strict';

const assert = require('node:assert');
const { parseArgs } = require('node:util');
const { createClient } = require('redis');

const { values: args, positionals: [role] } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    protocol: { type: 'string', default: '2' },
    count: { type: 'string', default: '3' },
  },
});
const count = Number(args.count);
const say = (record) => process.stdout.write(JSON.stringify(record) + '\n');
const numbers = [...Array(count).keys()];
const connections = [];

async function connect(name) {
  const client = createClient({ url: args.url, name, RESP: Number(args.protocol) });
  client.on('error', (error) => { console.error(error); process.exit(1); });
  connections.push(client);
  return client.connect();
}

// A few entries one by one, a few in a pipeline, in a transaction, and in pipelines that the
// library makes by itself.
async function produce() {
  const client = await connect('shop');
  await client.xGroupCreate('orders', 'workers', '0', { MKSTREAM: true });
  const entry = (number) => ['orders', '*', { number: String(number) }];
  const added = [];
  for (const number of numbers) added.push(await client.xAdd(...entry(number)));
  for (const run of ['execAsPipeline', 'exec']) {
    const batch = client.multi();
    for (const number of numbers) batch.set('last', String(number)).xAdd(...entry(number));
    const replies = await batch[run]();
    assert.strictEqual(replies.length, 2 * count);
    added.push(...replies.filter((reply) => reply !== 'OK'));
  }
  added.push(...await Promise.all(numbers.map((number) => client.xAdd(...entry(number)))));
  assert.strictEqual(new Set(added).size, 4 * count);
  added.forEach((id) => say({ event: 'added', id }));
}

// Reads with one connection that blocks, settles with another.
async function work() {
  const [reader, settler] = [await connect('billing'), await connect('billing')];
  for (let done = 0; done < count;) {
    const [{ messages }] = await reader.xReadGroup(
      'workers', 'one', { key: 'orders', id: '>' }, { COUNT: 2, BLOCK: 5000 });
    for (const { id, message } of messages) {
      assert.strictEqual(await settler.xAck('orders', 'workers', id), 1);
      assert.ok(message.number);
      say({ event: 'done', id, fields: message });
      done++;
    }
  }
}

// What else a program does on its connections.
async function commands() {
  const [client, subscriber] = [await connect('web'), await connect('web')];
  const heard = new Promise((resolve) => { subscriber.subscribe('news', resolve); });
  while (await client.publish('news', 'hello') === 0);
  assert.strictEqual(await heard, 'hello');
  await subscriber.unsubscribe('news');

  const large = 'x'.repeat(3_000_000);
  assert.strictEqual(await client.set('large', large), 'OK');
  assert.strictEqual(await client.get('large'), large);
  await client.rPush('queue', ['first', 'second']);
  assert.deepStrictEqual(await client.blPop('queue', 5), { key: 'queue', element: 'first' });
  const both = await client.eval('return {KEYS[1], {ARGV[1], 7}}',
    { keys: ['k'], arguments: ['v'] });
  assert.deepStrictEqual(both, ['k', ['v', 7]]);
  assert.ok(await client.xAdd('after', '*', { a: '1' }));

  const watching = await connect('web');
  await watching.watch('last');
  await client.set('last', 'changed');
  await assert.rejects(watching.multi().xAdd('never', '*', { a: '1' }).exec());
  await assert.rejects(client.xAdd('large', '*', { a: '1' }), /WRONGTYPE/);
  say({ event: 'passed' });
}

async function main() {
  await { produce, work, commands }[role]();
  await Promise.all(connections.map((client) => client.close()));
}

main().catch((error) => { console.error(error); process.exit(1); });
