// Calls RoomServiceClient as told: a JSON line in, {"method", "args"}, a JSON line out, {"answer"} or {"error"}.
// The server's URL, API key and secret are the arguments. "token" in a line is sent in place of a signed one.
import { createInterface } from 'node:readline';
import { RoomServiceClient } from 'livekit-server-sdk';

const [url, key, secret] = process.argv.slice(2);

function read(value) {
  return value?.bytes === undefined ? value : new TextEncoder().encode(value.bytes);
}

function write(value) {
  if (Array.isArray(value)) return value.map(write);
  return value?.toJson ? value.toJson() : (value ?? null);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { method, args, token } = JSON.parse(line);
  const client = new RoomServiceClient(url, key, secret, { failover: false });
  if (token !== undefined) client.authHeader = async () => (token ? { Authorization: `Bearer ${token}` } : {});
  let result;
  try {
    result = { answer: write(await client[method](...args.map(read))) };
  } catch (error) {
    result = { error: { code: error.code ?? '', status: error.status ?? 0, message: error.message } };
  }
  process.stdout.write(JSON.stringify(result) + '\n');
}
