// The tour with amqplib: npm install amqplib && node tour.js [PORT]. Says "tour passed" or fails. See docs/development.md.
'use strict';
const amqp = require('amqplib');
const { randomBytes } = require('crypto');

const port = Number(process.argv[2] || 5672);
const run = randomBytes(4).toString('hex');
const name = (what) => `tour.${run}.${what}`;

function check(condition, what) {
  if (!condition) {
    throw new Error('failed: ' + what);
  }
  console.log('ok  ' + what);
}

function pause(millis) {
  return new Promise((done) => setTimeout(done, millis));
}

async function get(channel, queue, options) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const message = await channel.get(queue, options);
    if (message) {
      return message;
    }
    await pause(50);
  }
  throw new Error('nothing in ' + queue);
}

async function refused(connection, code, what, action) {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  try {
    await action(channel);
  } catch (e) {
    check(e.code === code, `${what}: ${e.message}`);
    return;
  }
  throw new Error('failed: ' + what);
}

async function tour() {
  const connection = await amqp.connect(`amqp://guest:guest@127.0.0.1:${port}?heartbeat=30`);
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange(name('x'), 'topic');
  await channel.assertQueue(name('dead'));
  await channel.assertQueue(name('q'), {
    deadLetterExchange: '', deadLetterRoutingKey: name('dead'), maxPriority: 5, messageTtl: 60000,
  });
  await channel.bindQueue(name('q'), name('x'), 'a.#');
  channel.publish(name('x'), 'a.b', Buffer.from('one'), {
    persistent: true, priority: 3, contentType: 'text/plain', correlationId: 'c1', messageId: 'm1', mandatory: true,
    headers: { n: 1, t: true, l: ['a', 2], d: { k: null }, f: 1.5 },
  });
  await channel.waitForConfirms();
  let message = await get(channel, name('q'));
  check(message.content.toString() === 'one' && message.fields.routingKey === 'a.b', 'confirmed publish, get');
  const headers = message.properties.headers;
  check(headers.l[1] === 2 && headers.d.k === null && headers.f === 1.5, 'properties and headers');
  channel.nack(message, false, true);
  message = await get(channel, name('q'));
  check(message.fields.redelivered, 'nack brings it back, marked');
  channel.reject(message, false);
  message = await get(channel, name('dead'), { noAck: true });
  check(message.properties.headers['x-death'][0].reason === 'rejected', 'dead letter with its history');

  const returned = new Promise((done) => channel.once('return', done));
  channel.publish(name('x'), 'nobody', Buffer.from('lost'), { mandatory: true });
  check((await returned).fields.replyCode === 312, 'mandatory message without a route comes back');

  for (let i = 0; i < 20; i++) {
    channel.publish(name('x'), 'a.' + i, Buffer.from(String(i)));
  }
  await channel.prefetch(5);
  const seen = [];
  await new Promise((done) => channel.consume(name('q'), (delivery) => {
    seen.push(Number(delivery.content.toString()));
    channel.ack(delivery, seen.length % 5 === 0);
    if (seen.length === 20) {
      done();
    }
  }, { consumerTag: 'tour' }));
  await channel.cancel('tour');
  check(seen.every((value, i) => value === i), 'consume with prefetch, in order');

  const answer = new Promise((done) => channel.consume('amq.rabbitmq.reply-to', done, { noAck: true }));
  channel.sendToQueue(name('q'), Buffer.from('ping'), { replyTo: 'amq.rabbitmq.reply-to' });
  message = await get(channel, name('q'), { noAck: true });
  channel.sendToQueue(message.properties.replyTo, Buffer.from('pong'));
  check((await answer).content.toString() === 'pong', 'direct reply-to');

  await refused(connection, 404, 'passive declare of what is not there', (c) => c.checkQueue(name('none')));
  await refused(connection, 406, 'declare again with other arguments', (c) => c.assertQueue(name('q')));
  await refused(connection, 403, 'reserved name', (c) => c.assertQueue('amq.tour'));
  const other = await amqp.connect(`amqp://127.0.0.1:${port}`);
  const exclusive = (await (await other.createChannel()).assertQueue('', { exclusive: true })).queue;
  await refused(connection, 405, 'exclusive queue of another connection', (c) => c.checkQueue(exclusive));
  await other.close();

  const stream = await connection.createConfirmChannel();
  await stream.assertQueue(name('s'), { arguments: { 'x-queue-type': 'stream' } });
  for (let i = 0; i < 5; i++) {
    stream.sendToQueue(name('s'), Buffer.from(String(i)));
  }
  await stream.waitForConfirms();
  await stream.prefetch(10);
  const replayed = [];
  await new Promise((done) => stream.consume(name('s'), (delivery) => {
    if (delivery === null) {
      return; // the stream is deleted at the end
    }
    replayed.push(delivery.properties.headers['x-stream-offset'] + delivery.content.toString());
    stream.ack(delivery);
    if (replayed.length === 3) {
      done();
    }
  }, { arguments: { 'x-stream-offset': 2 } }));
  check(replayed.join() === '22,33,44', 'stream from an offset');

  const watched = await connection.createChannel();
  await watched.assertQueue(name('gone'));
  const ended = new Promise((done) => watched.consume(name('gone'), done));
  await pause(100);
  await channel.deleteQueue(name('gone'));
  check((await ended) === null, 'the client is told of a consumer that ends');

  for (const what of ['q', 'dead', 's']) {
    await channel.deleteQueue(name(what));
  }
  await channel.deleteExchange(name('x'));
  await connection.close();
  console.log('tour passed');
}

tour().catch((e) => {
  console.error(e.message);
  process.exit(1);
});
