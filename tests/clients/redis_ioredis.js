// Streams, lists and channels as users write them with ioredis: none of it knows of tracing.
//
// Says on standard output, one JSON object a line, what it added and what it got.
'use strict';

const assert = require('node:assert');
const { parseArgs } = require('node:util');
const Redis = require('ioredis');

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

function connect(connectionName, options = {}) {
  const protocol = Number(args.protocol);
  const client = new Redis(args.url, { connectionName, protocol, ...options });
  connections.push(client);
  return client;
}

// A few entries one by one, a few in a pipeline, in a transaction, and in pipelines that the
// library makes by itself.
async function produce() {
  const client = connect('shop');
  await client.xgroup('CREATE', 'orders', 'workers', '0', 'MKSTREAM');
  const added = [];
  for (const number of numbers) added.push(await client.xadd('orders', '*', 'number', number));
  for (const batch of [client.pipeline(), client.multi()]) {
    for (const number of numbers) batch.set('last', number).xadd('orders', '*', 'number', number);
    const replies = await batch.exec();
    assert.strictEqual(replies.length, 2 * count);
    for (const [error, reply] of replies) {
      assert.ifError(error);
      if (reply !== 'OK') added.push(reply);
    }
  }
  const auto = connect('shop', { enableAutoPipelining: true });
  const sent = numbers.flatMap((number) => [
    auto.xadd('orders', '*', 'number', number), auto.get('last'), auto.lpush('log', number),
  ]);
  const replies = await Promise.all(sent);
  numbers.forEach((number) => {
    assert.strictEqual(replies[3 * number + 1], String(count - 1));
    added.push(replies[3 * number]);
  });
  added.forEach((id) => say({ event: 'added', id }));
}

// What is in a reply to XREADGROUP or XREAD, in either version: id and fields of each entry.
function entries(reply) {
  const streams = Array.isArray(reply) ? reply.flat() : Object.entries(reply).flat();
  return streams.find(Array.isArray);
}

// Reads with one connection that blocks, settles with another.
async function work() {
  const [reader, settler] = [connect('billing'), connect('billing')];
  for (let done = 0; done < count;) {
    const reply = await reader.xreadgroup(
      'GROUP', 'workers', 'one', 'COUNT', 2, 'BLOCK', 5000, 'STREAMS', 'orders', '>');
    for (const [id, fields] of entries(reply)) {
      assert.strictEqual(await settler.xack('orders', 'workers', id), 1);
      say({ event: 'done', id, fields });
      done++;
    }
  }
}

// What else a program does on its connections.
async function commands() {
  const [client, subscriber] = [connect('web'), connect('web')];
  const got = [];
  const all = new Promise((resolve) => {
    const heard = (kind) => (...words) => { if (got.push([kind, ...words]) === 4) resolve(); };
    subscriber.on('message', heard('message')).on('pmessage', heard('pmessage'));
  });
  await subscriber.subscribe('news', 'more');
  await subscriber.psubscribe('n*');
  await client.publish('news', 'hello');
  await client.pipeline().publish('more', 'again').publish('new', 'x').exec();
  await all;
  await subscriber.punsubscribe('n*');
  await subscriber.unsubscribe('news', 'more');
  assert.deepStrictEqual(got.map((it) => it.join()).sort(),
    ['message,more,again', 'message,news,hello', 'pmessage,n*,new,x', 'pmessage,n*,news,hello']);
  // Its replies are those of an ordinary connection again.
  assert.ok(await subscriber.xadd('after', '*', 'a', 1));

  const blocked = connect('web');
  const waiting = blocked.blpop('queue', 5);
  await client.rpush('queue', 'first', 'second');
  assert.deepStrictEqual(await waiting, ['queue', 'first']);
  assert.strictEqual(await client.lmove('queue', 'working', 'LEFT', 'RIGHT'), 'second');
  const large = 'x'.repeat(3_000_000);
  assert.strictEqual(await client.set('large', large), 'OK');
  assert.strictEqual(await client.get('large'), large);
  await client.hset('hash', { a: 1, b: 2 });
  assert.deepStrictEqual(await client.hgetall('hash'), { a: '1', b: '2' });
  client.defineCommand('both', { numberOfKeys: 1, lua: 'return {KEYS[1], {ARGV[1], 7}}' });
  assert.deepStrictEqual(await client.both('k', 'v'), ['k', ['v', 7]]);

  const watching = connect('web');
  await watching.watch('last');
  await client.set('last', 'changed');
  assert.strictEqual(await watching.multi().xadd('never', '*', 'a', 1).exec(), null);
  await assert.rejects(client.xadd('large', '*', 'a', 1), /WRONGTYPE/);
  const info = await client.call('CLIENT', 'INFO');
  say({ event: 'passed', protocol: info.match(/ resp=(\d)/)?.[1] });
}

async function main() {
  await { produce, work, commands }[role]();
  await Promise.all(connections.map((client) => client.quit()));
}

main().catch((error) => { console.error(error); process.exit(1); });
