// A program as users write it with amqplib: it knows nothing of tracing.
//
// The roles, arguments and output of amqp_pika.py.
'use strict';

const amqplib = require('amqplib');
const { parseArgs } = require('node:util');

const { values: args, positionals: [role] } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    name: { type: 'string', default: 'checkout' },
    queue: { type: 'string' },
    count: { type: 'string', default: '1' },
    payload: { type: 'string', default: 'order {}' },
    work: { type: 'string', default: '0' },
    prefetch: { type: 'string', default: '1' },
  },
});
const count = Number(args.count);
const now = () => Date.now() / 1000;
const say = (record) => process.stdout.write(JSON.stringify(record) + '\n');

async function produce(connection) {
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(args.queue, { durable: true });
  for (let number = 0; number < count; number++) {
    const body = Buffer.from(args.payload.replace('{}', number));
    const headers = { Color: 'red', number };
    const options = { persistent: true, messageId: `m${number}`, headers };
    const began = now();
    channel.sendToQueue(args.queue, body, options);
    await channel.waitForConfirms();
    say({ event: 'published', number, began, ended: now() });
  }
  await channel.close();
}

async function work(connection) {
  const channel = await connection.createChannel();
  await channel.assertQueue(args.queue, { durable: true });
  await channel.prefetch(Number(args.prefetch));
  let seen = 0;
  let finish;
  const finished = new Promise((resolve) => { finish = resolve; });
  const { consumerTag } = await channel.consume(args.queue, async (message) => {
    const received = now();
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(args.work)));
    channel.ack(message);
    say({
      event: 'message', payload: message.content.toString(), headers: message.properties.headers,
      redelivered: message.fields.redelivered, received, settled: now(),
    });
    if (++seen === count) finish();
  });
  say({ event: 'ready' });
  await finished;
  await channel.cancel(consumerTag);
  await channel.close();
}

async function main() {
  const connection = await amqplib.connect(args.url, {
    clientProperties: { connection_name: args.name },
  });
  await (role === 'produce' ? produce : work)(connection);
  await connection.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
