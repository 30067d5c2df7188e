// Tell an actor with amqplib: amqplib_tell.mjs TYPE ID METHOD ARGS KEY CONTENT_TYPE
import { crc32 } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { connect } from 'amqplib';
import { createClient } from 'redis';

const [type, id, method, args, key, contentType] = process.argv.slice(2);
const call = { args: JSON.parse(args) };
const body = Buffer.from(contentType === 'application/json' ? JSON.stringify(call) : encode(call));

const store = await createClient({ url: process.env.REDIS_URL }).connect();
const { partitions, generation } = await store.hGetAll(`ba:layout:${type}`);
const routingKey = `${type}.g${generation}.${crc32(id) % partitions}`;
await store.close();

const connection = await connect(process.env.AMQP_URL);
const channel = await connection.createConfirmChannel();
const unroutable = new Promise((_, reject) => {
  channel.on('return', () => reject(new Error(`there is no mailbox ${routingKey}`)));
});
const headers = { 'ba-type': type, 'ba-id': id, 'ba-key': key };
const properties = { contentType, type: method, headers, persistent: true, mandatory: true };
channel.publish('actors', routingKey, body, properties);
await Promise.race([unroutable, channel.waitForConfirms()]); // throws what goes wrong
await connection.close();
