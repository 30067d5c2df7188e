// Ask an actor with amqplib: amqplib_ask.mjs TYPE ID METHOD ARGS KEY CONTENT_TYPE
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decode, encode } from '@msgpack/msgpack';
import { connect } from 'amqplib';
import { createClient, RESP_TYPES } from 'redis';

const [type, id, method, args, key, contentType] = process.argv.slice(2);
const isJson = contentType === 'application/json';
const call = { args: JSON.parse(args) };
const body = Buffer.from(isJson ? JSON.stringify(call) : encode(call));
const store = await createClient({ url: process.env.REDIS_URL }).connect();
const { partitions, generation } = await store.hGetAll(`ba:layout:${type}`);
const replyTo = randomBytes(16).toString('hex');
const stream = `ba:reply:${replyTo}`;
const [start] = await store.multi().xAdd(stream, '*', { hello: '' }).pExpire(stream, 60_000).exec();
const headers = { 'ba-type': type, 'ba-id': id, 'ba-key': key, 'ba-deadline': parseInt(start) + 30_000 };
const properties = { contentType, type: method, headers, persistent: true, replyTo, correlationId: '1' };
const channel = await (await connect(process.env.AMQP_URL)).createConfirmChannel();
const unroutable = new Promise((_, reject) => channel.on('return', () => reject(new Error('no mailbox'))));
const routingKey = `${type}.g${generation}.${crc32(id) % partitions}`;
channel.publish('actors', routingKey, body, { ...properties, mandatory: true });
await Promise.race([unroutable, channel.waitForConfirms()]); // throws what goes wrong
const bytes = store.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
const answer = await bytes.xRead({ key: stream, id: start }, { BLOCK: 30_000 });
if (!answer) throw new Error('no reply: try the same key again');
const { b } = answer[0].messages[0].message;
console.log(JSON.stringify(isJson ? JSON.parse(b) : decode(b)));
process.exit();
