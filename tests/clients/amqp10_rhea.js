// A program as users write it with rhea, for AMQP 1.0: it knows nothing of tracing.
//
//   produce   publishes to a queue that is there, and waits for the broker's word on each
//   work      takes messages, and accepts each
//   same      publishes messages of every kind and takes them out again: are all values the same?
//
// Says on standard output, one JSON object a line, what each message was.
'use strict';

const assert = require('node:assert');
const rhea = require('rhea');
const { parseArgs } = require('node:util');

const { values: args, positionals: [role] } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    name: { type: 'string', default: 'checkout' },
    queue: { type: 'string' },
    count: { type: 'string', default: '1' },
    payload: { type: 'string', default: 'order {}' },
    // A JSON object of further properties.
    properties: { type: 'string', default: '{}' },
  },
});
const count = Number(args.count);
const address = `/queues/${encodeURIComponent(args.queue)}`;
const say = (record) => process.stdout.write(JSON.stringify(record) + '\n');

const { data_section: data, data_sections: datas, sequence_section: sequence } = rhea.message;
const { types } = rhea;

// What must come out as it went in, whatever is added: every type, either size of a map, each kind
// of a body, and with a footer.
const entries = Array.from({ length: 40 }, (_, at) => [`name-${at}`, 'x'.repeat(at)]);
const wide = Object.fromEntries(entries);
const KINDS = {
  plain: { body: 'text' },
  typed: {
    application_properties: {
      ulong: types.wrap_ulong(7), negative: types.wrap_int(-7), yes: true, none: null,
      double: types.wrap_double(1.5), timestamp: types.wrap_timestamp(1700000000000),
      symbol: types.wrap_symbol('s'), bytes: types.wrap_binary(Buffer.from('b')),
      long: 'y'.repeat(300),
    },
    message_id: 'm1', correlation_id: 'c1', subject: 'subject', content_type: 'text/plain',
    message_annotations: { 'x-opt-mine': 'kept' },
    body: data(Buffer.from('bytes')),
  },
  wide: { application_properties: wide, body: { map: [1, 2, { deep: true }] } },
  several: {
    application_properties: { a: 'b' },
    body: datas([Buffer.from('one'), Buffer.from('two')]),
  },
  sequence: { body: sequence([1, 'two', false]) },
  large: { application_properties: { a: 'b' }, body: data(Buffer.alloc(300000, 'z')) },
  footer: { application_properties: { a: 'b' }, body: 'signed' },
};

// The library puts a footer before the body, where it must not be, so this one is put behind it.
const FOOTER = Buffer.from('\x00\x53\x78\xc1\x0c\x02\xa3\x06digest\xa1\x01x', 'latin1');

// What the library makes of a message of that name.
function encoded(name) {
  const message = rhea.message.encode({ durable: true, ...KINDS[name] });
  return name === 'footer' ? Buffer.concat([message, FOOTER]) : message;
}

function produce(connection) {
  const sender = connection.open_sender({ target: { address }, autosettle: false });
  let number = 0;
  const send = () => {
    const more = JSON.parse(args.properties);
    const body = data(Buffer.from(args.payload.replace('{}', number)));
    const application_properties = { Color: 'red', number, ...more };
    sender.send({ durable: true, message_id: `m${number}`, application_properties, body });
  };
  sender.once('sendable', send);
  sender.on('accepted', ({ delivery }) => {
    delivery.update(true);
    say({ event: 'published', number });
    if (++number === count) connection.close();
    else send();
  });
  sender.on('rejected', () => { throw new Error('rejected'); });
}

function work(connection) {
  const receiver = connection.open_receiver({
    source: { address }, autoaccept: false, credit_window: 0,
  });
  receiver.add_credit(count);
  let seen = 0;
  receiver.on('message', ({ message, delivery }) => {
    delivery.accept();
    say({
      event: 'message', payload: message.body.content.toString(),
      headers: message.application_properties, annotations: message.message_annotations,
    });
    if (++seen === count) connection.close();
  });
}

const PARTS = ['application_properties', 'message_id', 'correlation_id', 'subject', 'content_type',
  'body', 'footer'];

function same(connection) {
  const names = Object.keys(KINDS);
  const sender = connection.open_sender({ target: { address } });
  sender.once('sendable', () => {
    // With a format, it takes bytes.
    for (const name of names) sender.send(encoded(name), undefined, 0);
  });
  const receiver = connection.open_receiver({ source: { address } });
  let seen = 0;
  receiver.on('message', ({ message }) => {
    const name = names[seen];
    const sent = rhea.message.decode(encoded(name));
    const added = {};
    const known = sent.application_properties ?? {};
    for (const [key, value] of Object.entries(message.application_properties ?? {})) {
      if (key in known) continue;
      added[key] = value;
      delete message.application_properties[key];
    }
    if (Object.keys(known).length === 0) delete message.application_properties;
    let difference = null;
    for (const part of PARTS) {
      try {
        assert.deepStrictEqual(message[part], sent[part]);
      } catch (error) {
        difference ??= `${part}: ${error.message}`;
      }
    }
    const mine = sent.message_annotations?.['x-opt-mine'] ?? null;
    if (mine !== (message.message_annotations?.['x-opt-mine'] ?? null)) difference ??= 'annotation';
    say({ event: 'got', name, difference, added });
    if (++seen === names.length) connection.close();
  });
}

const url = new URL(args.url);
const vhost = decodeURIComponent(url.pathname.slice(1)) || '/';
const connection = rhea.connect({
  host: url.hostname, port: Number(url.port), username: url.username, password: url.password,
  hostname: `vhost:${vhost}`, container_id: args.name, reconnect: false,
});
connection.on('disconnected', ({ error }) => {
  if (error) { console.error(error); process.exit(1); }
});
for (const event of ['connection_error', 'session_error', 'sender_error', 'receiver_error']) {
  connection.on(event, (context) => {
    console.error(event, context.connection.error, context.sender?.error, context.receiver?.error);
    process.exit(1);
  });
}
({ produce, work, same })[role](connection);
