// Programs as users write them with BullMQ. They know nothing of tracing, or with --telemetry as
// much as BullMQ's own telemetry does.
//
// send --kind KIND: adds jobs and says {"event": "sent", "id", "intact"}.
// work --count N: works on jobs until so many have come to their end; for each attempt says
// {"event": "attempt", "id", "name", "attempt", "began", "ended", "traceparent"}.
'use strict';

const { parseArgs } = require('node:util');
const Redis = require('ioredis');
const { Queue, Worker, FlowProducer, QueueEvents } = require('bullmq');

const { values: args, positionals: [role] } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    kind: { type: 'string', default: 'add' },
    count: { type: 'string', default: '1' },
    work: { type: 'string', default: '0.3' },
    concurrency: { type: 'string', default: '1' },
    telemetry: { type: 'boolean', default: false },
  },
});
const url = new URL(args.url);
const connection = {
  host: url.hostname, port: Number(url.port), db: Number(url.pathname.slice(1) || 0),
  maxRetriesPerRequest: null,
};
const now = () => Date.now() / 1000;
const say = (record) => process.stdout.write(JSON.stringify(record) + '\n');
const data = { text: 'ä "quoted" \\ text', number: 1e21, fails: 0 };

let provider;
function telemetry() {
  if (!args.telemetry) return undefined;
  const { NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node');
  const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
  const { BullMQOtel } = require('bullmq-otel');
  provider = new NodeTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  return new BullMQOtel(role);
}

async function add(queue, options, client) {
  switch (args.kind) {
    case 'add': return [await queue.add('welcome', data)];
    case 'flush': {
      const first = await queue.add('welcome', data);
      await client.script('FLUSH');
      return [first, await queue.add('welcome', data)];
    }
    case 'bulk':
      return queue.addBulk([1, 2, 3].map((n) => ({ name: `welcome-${n}`, data })));
    case 'delay': return [await queue.add('welcome', data, { delay: 700 })];
    case 'priority': return [await queue.add('welcome', data, { priority: 2, jobId: 'own' })];
    case 'fail': return [await queue.add('welcome', { ...data, fails: 9 }, { attempts: 1 })];
    case 'retry':
      return [await queue.add('welcome', { ...data, fails: 1 }, { attempts: 2 })];
    case 'backoff': {
      const backoff = { type: 'fixed', delay: 500 };
      return [await queue.add('welcome', { ...data, fails: 1 }, { attempts: 2, backoff })];
    }
    case 'flow': {
      const flow = new FlowProducer(options);
      const child = (name) => ({ name, queueName: 'mail', data });
      const tree = await flow.add({
        name: 'parent', queueName: 'mail', data, children: [child('first'), child('second')],
      });
      await flow.close();
      return [tree.job, ...tree.children.map(({ job }) => job)];
    }
    default: throw new Error(`no kind of job is called ${args.kind}`);
  }
}

async function send() {
  const options = { connection, telemetry: telemetry() };
  const queue = new Queue('mail', options);
  const client = new Redis(connection);
  for (const job of await add(queue, options, client)) {
    const kept = await client.hget(`bull:mail:${job.id}`, 'data');
    say({ event: 'sent', id: job.id, intact: kept === JSON.stringify(job.data) });
  }
  await client.quit();
  await queue.close();
}

async function work() {
  const events = new QueueEvents('mail', { connection });
  await events.waitUntilReady();
  let left = Number(args.count);
  let finish;
  const finished = new Promise((resolve) => { finish = resolve; });
  const worker = new Worker('mail', async (job) => {
    const began = now();
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(args.work)));
    say({
      event: 'attempt', id: job.id, name: job.name, attempt: job.attemptsStarted, began,
      ended: now(), metadata: job.opts.telemetry?.metadata,
    });
    if (job.attemptsStarted <= job.data.fails) throw new Error('no luck');
  }, { connection, concurrency: Number(args.concurrency), telemetry: telemetry() });
  const ended = () => { if (--left === 0) finish(); };
  worker.on('completed', ended);
  worker.on('failed', (job) => { if (job.attemptsMade >= job.opts.attempts) ended(); });
  await worker.waitUntilReady();
  say({ event: 'ready' });
  process.once('SIGTERM', finish);
  await finished;
  await worker.close();
  await events.close();
}

(role === 'send' ? send : work)()
  .then(() => provider?.shutdown())
  .catch((error) => { console.error(error); process.exit(1); });
